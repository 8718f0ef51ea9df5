/* SPDX-License-Identifier: MIT */
/* Prices of a model that can be added up by hand. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "llamacpp/tiny_model.h"

static memplan_plan *price(const tiny_options *options, const char *budgets,
                           const char *settings, memplan_error *error)
{
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_plan *plan = NULL;
    cr_assert_eq(tiny_open(&model, options, error), MEMPLAN_OK, "%s",
                 error->message);
    cr_assert_eq(memplan_machine_declare(&machine, NULL, budgets, error),
                 MEMPLAN_OK, "%s", error->message);
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.settings = settings;
    (void)memplan_plan_price(&plan, model, machine, &request, NULL, error);
    memplan_machine_free(machine);
    memplan_model_free(model);
    return plan;
}

/* Bytes of the rows of a category whose rule starts with `rule`. */
static uint64_t bytes_of(const memplan_plan *plan, const char *category,
                         const char *rule)
{
    uint64_t sum = 0;
    memplan_pool_info pool = MEMPLAN_POOL_INFO_INIT;
    for (uint64_t p = 0; memplan_plan_pool(plan, p, &pool) == MEMPLAN_OK; p++)
        for (uint64_t r = 0; r < pool.row_count; r++) {
            memplan_row_info row = MEMPLAN_ROW_INFO_INIT;
            (void)memplan_plan_row(plan, p, r, &row);
            if (strcmp(row.category, category) == 0 &&
                strncmp(row.rule, rule, strlen(rule)) == 0)
                sum += row.bytes;
        }
    return sum;
}

static const tiny_options RIGHT = {0};

/* K and V: 32 elements of 2 bytes for each of 512 cells, in each layer. */
enum { CACHE_LAYER_BYTES = 2 * 32 * 2 * 512 };

typedef struct price_case {
    const char *settings;
    uint32_t host_layers;   /* of 4 */
    uint32_t first_layers;  /* on device 0 */
    uint32_t second_layers; /* on device 1 */
    uint32_t output;        /* 0, 1: the device; 2: the host */
} price_case;

Test(price, layers_go_to_devices_from_the_last_one_on)
{
    static const price_case CASES[] = {
        {"ngl=0", 4, 0, 0, 2},
        {"ngl=1,ts=1/0", 4, 0, 0, 0},
        {"ngl=3,ts=1/0", 2, 2, 0, 0},
        {"ngl=all,ts=1/1", 0, 3, 1, 1}, /* i/5 < 1/2: 0, 1, 2 */
        {"ngl=all,ts=4/1", 0, 4, 0, 1}, /* 4/5 is not below 4/5 */
        {"ngl=99,ts=2/3", 0, 2, 2, 1},
        {"ngl=4,ts=1/1", 1, 2, 1, 1},
        {"ngl=all,ts=1/1,sm=none,mg=1", 0, 0, 4, 1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char settings[160];
        memplan_error error = {0};
        (void)snprintf(settings, sizeof settings,
                       "devices=RPC0:8GiB/RPC1:8GiB\nc=512\nlm=none\n"
                       "no-repack\nfrontend=tool\n");
        char *at = settings + strlen(settings);
        for (const char *from = CASES[i].settings; *from != '\0'; from++)
            *at++ = *from == ',' ? '\n' : *from;
        *at = '\0';
        memplan_plan *plan =
            price(&RIGHT, "0=8GiB,1=8GiB,cpu=8GiB", settings, &error);
        cr_assert_not_null(plan, "%s: %s", CASES[i].settings, error.message);
        const uint64_t copy[3] = {CASES[i].output == 0, CASES[i].output == 1,
                                  CASES[i].output == 2};
        cr_expect_eq(bytes_of(plan, "weights", "CPU model"),
                     (uint64_t)CASES[i].host_layers * TINY_LAYER_BYTES +
                         TINY_EMBD_BYTES + copy[2] * TINY_NORM_BYTES,
                     "%s", CASES[i].settings);
        const uint64_t output_bytes = TINY_EMBD_BYTES + TINY_NORM_BYTES;
        cr_expect_eq(bytes_of(plan, "weights", "RPC0 model"),
                     (uint64_t)CASES[i].first_layers * TINY_LAYER_BYTES +
                         copy[0] * output_bytes,
                     "%s", CASES[i].settings);
        cr_expect_eq(bytes_of(plan, "weights", "RPC1 model"),
                     (uint64_t)CASES[i].second_layers * TINY_LAYER_BYTES +
                         copy[1] * output_bytes,
                     "%s", CASES[i].settings);
        cr_expect_eq(bytes_of(plan, "kv_cache", "CPU context"),
                     (uint64_t)CASES[i].host_layers * CACHE_LAYER_BYTES);
        cr_expect_eq(bytes_of(plan, "kv_cache", "RPC1 context"),
                     (uint64_t)CASES[i].second_layers * CACHE_LAYER_BYTES);
        memplan_plan_free(plan);
    }
}

Test(price, sequences_pad_their_share_of_the_context_to_256)
{
    static const struct {
        const char *settings;
        uint64_t cells; /* all streams */
    } CASES[] = {
        {"c=1000", 1024},
        {"c=1000,np=3", 3 * 512}, /* 1024 / 3 = 341 */
        {"c=1000,np=3,kvu", 1024},
        {"c=0", 512}, /* as trained */
        {"c=100,np=4", 4 * 256},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        memplan_error error = {0};
        memplan_plan *plan =
            price(&RIGHT, "cpu=8GiB", CASES[i].settings, &error);
        cr_assert_not_null(plan, "%s", error.message);
        cr_expect_eq(bytes_of(plan, "kv_cache", "CPU context"),
                     4 * 2 * 32 * 2 * CASES[i].cells, "%s", CASES[i].settings);
        memplan_plan_free(plan);
    }
}

Test(price, a_mapped_file_is_address_space_and_its_weights_are_memory)
{
    memplan_error error = {0};
    memplan_plan *plan =
        price(&RIGHT, "cpu=8GiB", "no-repack,frontend=tool", &error);
    cr_assert_not_null(plan, "%s", error.message);
    const uint64_t weights =
        4 * TINY_LAYER_BYTES + TINY_EMBD_BYTES + TINY_NORM_BYTES;
    cr_expect_eq(bytes_of(plan, "mapped", "CPU_Mapped"), weights);
    cr_expect_eq(bytes_of(plan, "weights", "CPU_Mapped"), weights);
    memplan_pool_info pool = MEMPLAN_POOL_INFO_INIT;
    uint64_t rows = 0;
    (void)memplan_plan_pool(plan, 0, &pool);
    for (uint64_t r = 0; r < pool.row_count; r++) {
        memplan_row_info row = MEMPLAN_ROW_INFO_INIT;
        (void)memplan_plan_row(plan, 0, r, &row);
        rows += strcmp(row.category, "mapped") != 0 ? row.bytes : 0;
    }
    cr_expect_eq(pool.used_bytes, rows);
    memplan_plan_free(plan);
}

Test(price, refuses_what_llama_cpp_refuses_in_one_line)
{
    static const struct {
        tiny_options options;
        const char *settings;
        const char *message;
    } CASES[] = {
        {{.architecture = "llamma"}, NULL, "unknown model architecture"},
        {{.lacks_context = 1},
         NULL,
         "key not found in model: llama.context_length"},
        {{.signed_layers = 1},
         NULL,
         "key llama.block_count has wrong type i32 but expected type u32"},
        {{.layers = 100000}, NULL, "block_count 100000, not in 1 to 512"},
        {{.experts = 1000000, .experts_used = 2},
         NULL,
         "expert_count 1000000, at most 1024"},
        {{.experts = 4}, NULL, "expert_used_count 0 with 4 experts"},
        {{.experts = 4, .experts_used = 5},
         NULL,
         "expert_used_count 5, more than 4 experts"},
        {{.rope_width = 8}, NULL, "invalid n_rot: 8, expected 32"},
        {{.heads = UINT32_MAX},
         NULL,
         "tensor 'blk.0.attn_q.weight' has wrong shape; expected 64, 0, got "
         "64, 64"},
        {{0}, "mtp", "model doesn't contain MTP layers"},
        {{0},
         "ctv=q8_0,fa=off",
         "quantized V cache requires flash_attn to be enabled"},
        {{0}, "np=300", "n_seq_max must be <= 256"},
        {{0}, "n-outputs-max=1,np=2", "fewer outputs than sequences"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        memplan_error error = {0};
        memplan_plan *plan =
            price(&CASES[i].options, "cpu=8GiB", CASES[i].settings, &error);
        cr_expect_null(plan, "%s", CASES[i].message);
        cr_expect(strstr(error.message, CASES[i].message) != NULL,
                  "\"%s\" in \"%s\"", CASES[i].message, error.message);
        cr_expect_null(strchr(error.message, '\n'));
        memplan_plan_free(plan);
    }
}

Test(price, refuses_settings_that_name_what_is_not_there)
{
    static const char *const CASES[][2] = {
        {"ot=attn=CUDA7", "unknown buffer type"},
        {"ot=(=CPU", "a ( is not closed"},
        {"dev=CUDA1", "invalid device: CUDA1"},
        {"sm=none,mg=3", "invalid value for main_gpu: 3"},
        {"sm=row", "does not support split buffers"},
        {"fitt=x", "is not a list of MiB"},
        {"devices=GTX:8GiB", "names no backend"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        memplan_error error = {0};
        memplan_plan *plan =
            price(&RIGHT, "0=8GiB,cpu=8GiB", CASES[i][0], &error);
        cr_expect_null(plan, "%s", CASES[i][0]);
        cr_expect(strstr(error.message, CASES[i][1]) != NULL, "%s: %s",
                  CASES[i][0], error.message);
        memplan_plan_free(plan);
    }
}

Test(plan, puts_all_layers_on_a_device_that_has_room)
{
    memplan_error error = {0};
    memplan_model *model = NULL;
    memplan_machine *machine = NULL;
    memplan_plan *plan = NULL;
    cr_assert_eq(tiny_open(&model, &RIGHT, &error), MEMPLAN_OK);
    cr_assert_eq(
        memplan_machine_declare(&machine, NULL, "0=2GiB,cpu=16GiB", &error),
        MEMPLAN_OK);
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.settings = "c=512";
    cr_assert_eq(memplan_plan_create(&plan, model, machine, &request, &error),
                 MEMPLAN_OK, "%s", error.message);
    memplan_plan_info info = MEMPLAN_PLAN_INFO_INIT;
    memplan_plan_describe(plan, &info);
    cr_expect_eq(info.fits, 1);
    cr_expect_eq(bytes_of(plan, "weights", "CUDA0 model"),
                 4 * TINY_LAYER_BYTES + TINY_EMBD_BYTES + TINY_NORM_BYTES);
    memplan_plan_free(plan);
    memplan_machine_free(machine);
    memplan_model_free(model);
}
