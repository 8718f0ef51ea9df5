/* SPDX-License-Identifier: MIT */
/* Weights that a checkpoint has packed: what devices make of them. */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>

#include "memplan.h"
#include "support/folder.h"

#define SIZES                                                                  \
    "\"vocab_size\": 1000, \"hidden_size\": 256, \"intermediate_size\": 768, " \
    "\"num_hidden_layers\": 2, \"num_attention_heads\": 4, "                   \
    "\"num_key_value_heads\": 2, \"dtype\": \"bfloat16\", "
#define LLAMA  "{\"model_type\": \"llama\", " SIZES "\"quantization_config\": "
#define FP8    LLAMA "{\"quant_method\": \"fp8\"}}"
#define FBGEMM LLAMA "{\"quant_method\": \"fbgemm_fp8\"}}"
#define GPTQ   LLAMA "{\"quant_method\": \"gptq\", \"bits\": 4}}"
#define COMPRESSED                                                             \
    LLAMA "{\"quant_method\": \"compressed-tensors\", \"ignore\": "            \
          "[\"lm_head\"], \"config_groups\": {\"group_0\": {\"targets\": "     \
          "[\"Linear\"], \"weights\": {\"num_bits\": 4, \"strategy\": "        \
          "\"group\", \"group_size\": 128}}}}}"
#define MODELOPT LLAMA "{\"quant_algo\": \"NVFP4\"}}"

/* As tests/oracle/transformers_checkpoints.py
 * counts them in the same models: whole, packed and unpacked. */
enum {
    PLAIN = 4172544,
    FP8_BYTES = 2600064,
    GPTQ_BYTES = 1862400,
    COMPRESSED_DENSE = 4197344
};

typedef struct plan_case {
    const char *config;
    const char *machine;
    uint64_t bytes; /* of weights */
    const char *certainty;
    const char *says; /* a note, or NULL: none */
} plan_case;

static const plan_case CASES[] = {
    {FP8, "h100-sxm, 64GiB ram", FP8_BYTES, "exact", NULL},
    {FP8, "rtx-4090, 64GiB ram", FP8_BYTES, "exact", NULL},
    {FP8, "a100-sxm-80gb, 64GiB ram", PLAIN, "exact", "capability is 8.0"},
    {FP8, "24GB gpu, 64GiB ram", PLAIN, "bound", "is not known"},
    {FP8, "64GiB ram", PLAIN, "exact", "there is no device"},
    {FP8, "m2-max, 64GiB ram", PLAIN, "exact", "unpacked while loading"},
    {GPTQ, "24GB gpu, 64GiB ram", GPTQ_BYTES, "estimate", NULL},
    {COMPRESSED, "h100-sxm, 64GiB ram", COMPRESSED_DENSE, "exact",
     "the first forward unpacks all"},
};

static memplan_status make(memplan_plan **out, const char *config,
                           const char *machine_text, memplan_error *error)
{
    folder at;
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    folder_make(&at);
    const char *const path = folder_write_text(&at, "config.json", config);
    cr_assert_eq(memplan_model_open(&model, path, NULL, error), MEMPLAN_OK,
                 "%s", error->message);
    cr_assert_eq(memplan_machine_parse(&machine, machine_text, error),
                 MEMPLAN_OK, "%s", error->message);
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.context_tokens = 64;
    const memplan_status status =
        memplan_plan_create(out, model, machine, &request, error);
    memplan_machine_free(machine);
    memplan_model_free(model);
    folder_remove(&at);
    return status;
}

/* The rows of weights, rotary tables among them. */
static uint64_t weights(const memplan_plan *plan, const char **out_certainty)
{
    uint64_t sum = 0;
    memplan_row_info row = {sizeof row};
    for (uint64_t pool = 0; pool < 3; pool++)
        for (uint64_t at = 0;
             memplan_plan_row(plan, pool, at, &row) == MEMPLAN_OK; at++)
            if (strcmp(row.category, "weights") == 0) {
                sum += row.bytes;
                *out_certainty = row.certainty;
            }
    return sum;
}

static const char *find_note(const memplan_plan *plan, const char *part)
{
    const char *note = NULL;
    for (uint64_t at = 0; (note = memplan_plan_note(plan, at)) != NULL; at++)
        if (strstr(note, part) != NULL)
            return note;
    return NULL;
}

Test(packed, by_device)
{
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_plan *plan = NULL;
        memplan_error error = {0};
        const plan_case *const one = &CASES[at];
        const char *certainty = "";
        cr_assert_eq(make(&plan, one->config, one->machine, &error), MEMPLAN_OK,
                     "%s", error.message);
        const uint64_t found = weights(plan, &certainty);
        cr_expect_eq(found, one->bytes, "%s on %s: %llu", one->config,
                     one->machine, (unsigned long long)found);
        cr_expect_str_eq(certainty, one->certainty, "%s on %s", one->config,
                         one->machine);
        if (one->says != NULL)
            cr_expect_not_null(find_note(plan, one->says), "%s on %s: no %s",
                               one->config, one->machine, one->says);
        else
            cr_expect_null(find_note(plan, "packed"), "%s on %s", one->config,
                           one->machine);
        memplan_plan_free(plan);
    }
}

Test(packed, what_no_loader_takes)
{
    static const char *const ROWS[][3] = {
        {MODELOPT, "h100-sxm, 64GiB ram", "modelopt"},
        {FBGEMM, "a100-sxm-80gb, 64GiB ram", "9.0, and the device has 8.0"},
        {FBGEMM, "64GiB ram", "need a device"},
    };
    for (size_t at = 0; at < sizeof ROWS / sizeof *ROWS; at++) {
        memplan_plan *plan = NULL;
        memplan_error error = {0};
        cr_expect_eq(make(&plan, ROWS[at][0], ROWS[at][1], &error),
                     MEMPLAN_E_UNSUPPORTED, "%s", ROWS[at][2]);
        cr_expect_not_null(strstr(error.message, ROWS[at][2]), "%s",
                           error.message);
        memplan_plan_free(plan);
    }
}

/* A map that the quantizer's loader refuses is no placement. */
Test(packed, maps_that_no_loader_takes)
{
    static const char *const ROWS[][3] = {
        {"torchao-int4", "{\"\": \"cpu\"}", "no kernels there"},
        {"quanto-int8", "{\"model\": 0, \"lm_head\": \"cpu\"}", "takes no"},
        {"torchao-int8", "{\"model\": 0, \"lm_head\": \"disk\"}", "host only"},
    };
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    cr_assert_eq(memplan_model_open(&model, "llama-3.2-1b", NULL, NULL),
                 MEMPLAN_OK);
    cr_assert_eq(memplan_machine_parse(&machine,
                                       "rtx-4090, 64GiB ram, 500GB disk", NULL),
                 MEMPLAN_OK);
    for (size_t at = 0; at < sizeof ROWS / sizeof *ROWS; at++) {
        memplan_plan *plan = NULL;
        memplan_error error = {0};
        memplan_request request = MEMPLAN_REQUEST_INIT;
        request.dtype = ROWS[at][0];
        cr_expect_eq(memplan_plan_price(&plan, model, machine, &request,
                                        ROWS[at][1], &error),
                     MEMPLAN_E_UNSUPPORTED, "%s", ROWS[at][0]);
        cr_expect_not_null(strstr(error.message, ROWS[at][2]), "%s",
                           error.message);
        memplan_plan_free(plan);
    }
    memplan_machine_free(machine);
    memplan_model_free(model);
}

static uint64_t loading_row(const memplan_plan *plan, uint64_t pool)
{
    memplan_row_info row = MEMPLAN_ROW_INFO_INIT;
    for (uint64_t at = 0;
         memplan_plan_row(plan, pool, at, &row) == MEMPLAN_OK; at++)
        if (strcmp(row.category, "loading") == 0)
            return row.bytes;
    return 0;
}

/* 768 MiB are 128 * 1536 * 2048 * 2 bytes: gate and up of a layer's experts.
 * All weights are 61064245248 bytes in this one; of 63 GB they leave too
 * little for that and 640 MiB, whatever is reserved beside. */
Test(packed, experts_that_loading_joins)
{
    static const struct {
        const char *budgets;
        uint64_t context_tokens;
        uint64_t reserve_bytes;
        uint64_t fits;
        bool has_row;
        bool is_told;
    } ROWS[] = {
        {"0=63GB", 256, MEMPLAN_UNKNOWN, 1, true, true},
        {"0=62.5GB", 256, MEMPLAN_UNKNOWN, 0, true, false},
        {"0=80GB", 256, MEMPLAN_UNKNOWN, 1, true, false},
        {"0=80GB", 40960, MEMPLAN_UNKNOWN, 1, false, false},
        {"0=80GB", 256, UINT64_C(10) << 30, 1, false, false},
    };
    memplan_model *model = NULL;
    cr_assert_eq(memplan_model_open(&model, "qwen3-30b-a3b", NULL, NULL),
                 MEMPLAN_OK);
    for (size_t at = 0; at < sizeof ROWS / sizeof *ROWS; at++) {
        memplan_machine *machine = NULL;
        memplan_plan *plan = NULL;
        memplan_request request = MEMPLAN_REQUEST_INIT;
        request.context_tokens = ROWS[at].context_tokens;
        request.reserve_bytes = ROWS[at].reserve_bytes;
        cr_assert_eq(
            memplan_machine_declare(&machine, NULL, ROWS[at].budgets, NULL),
            MEMPLAN_OK);
        cr_assert_eq(memplan_plan_create(&plan, model, machine, &request, NULL),
                     MEMPLAN_OK);
        memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
        memplan_plan_describe(plan, &info);
        cr_expect_eq(info.fits, ROWS[at].fits, "%zu: %s", at,
                     ROWS[at].budgets);
        cr_expect_eq(loading_row(plan, 0) > 0, ROWS[at].has_row, "%zu: %llu",
                     at, (unsigned long long)loading_row(plan, 0));
        const char *const note = find_note(plan, "loading joins");
        cr_expect_eq(note != NULL, ROWS[at].is_told, "%zu", at);
        if (note != NULL)
            cr_expect_not_null(strstr(note, "768 MiB"), "%s", note);
        memplan_plan_free(plan);
        memplan_machine_free(machine);
    }
    memplan_model_free(model);
}

/* Where it binds, layers go elsewhere: 6 of 10.7 GiB on a GPU of 78.4 GiB,
 * beside 7 GiB for joining, and not 7. */
Test(packed, layers_leave_room_for_loading)
{
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_plan *plan = NULL;
    memplan_error error = {0};
    cr_assert_eq(memplan_model_open(&model, "deepseek-v3", NULL, &error),
                 MEMPLAN_OK, "%s", error.message);
    cr_assert_eq(memplan_machine_parse(&machine, "8x h100-sxm, 2TiB ram", NULL),
                 MEMPLAN_OK);
    cr_assert_eq(memplan_plan_create(&plan, model, machine, NULL, NULL),
                 MEMPLAN_OK);
    memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
    memplan_plan_describe(plan, &info);
    cr_expect_eq(info.fits, 1);
    uint32_t layers[9] = {0};
    memplan_placement_info unit = MEMPLAN_PLACEMENT_INFO_INIT;
    for (uint64_t at = 0; memplan_plan_placement(plan, at, &unit) == MEMPLAN_OK;
         at++)
        layers[unit.pool_index] += unit.weight_bytes > UINT64_C(10) << 30;
    for (uint32_t pool = 0; pool < 8; pool++)
        cr_expect_eq(layers[pool], 6, "GPU %u: %u", pool, layers[pool]);
    cr_expect_eq(layers[8], 10, "cpu: %u", layers[8]);
    memplan_plan_free(plan);
    memplan_machine_free(machine);
    memplan_model_free(model);
}

/* 4 bit tiles are made for tensor cores that older devices lack, and others
 * than CUDA's: nobody is told to use them there. */
Test(packed, tiles_need_tensor_cores)
{
    static const char *const MACHINES[] = {
        "t4", "apple-m2-max, 16GiB ram", "arc-b580, 8GiB ram"};
    memplan_model *model = NULL;
    cr_assert_eq(memplan_model_open(&model, "llama-2-13b", NULL, NULL),
                 MEMPLAN_OK);
    for (size_t at = 0; at < sizeof MACHINES / sizeof *MACHINES; at++) {
        memplan_machine *machine = NULL;
        memplan_plan *plan = NULL;
        memplan_error error = {0};
        memplan_request request = MEMPLAN_REQUEST_INIT;
        cr_assert_eq(memplan_machine_parse(&machine, MACHINES[at], &error),
                     MEMPLAN_OK, "%s", error.message);
        cr_assert_eq(
            memplan_plan_create(&plan, model, machine, &request, NULL),
            MEMPLAN_OK);
        memplan_fix_info fix = MEMPLAN_FIX_INFO_INIT;
        uint64_t count = 0;
        for (; memplan_plan_fix(plan, count, &fix) == MEMPLAN_OK; count++)
            cr_expect_null(strstr(fix.text, "int4"), "%s", fix.text);
        cr_expect_gt(count, 0, "%s", MACHINES[at]);
        memplan_plan_free(plan);
        plan = NULL;
        request.dtype = "torchao-int4";
        cr_expect_eq(
            memplan_plan_create(&plan, model, machine, &request, &error),
            MEMPLAN_E_UNSUPPORTED, "%s", MACHINES[at]);
        cr_expect_not_null(strstr(error.message, "8.0"), "%s", error.message);
        memplan_machine_free(machine);
    }
    memplan_model_free(model);
}
