/* SPDX-License-Identifier: MIT */
#include "dialect/hints.h"

#include <string.h>

#include "base/ending.h"
#include "dialect/device_map.h"
#include "dialect/flags.h"
#include "dialect/generate.h"

enum { INDENT = 4, MAP_INLINE_MAX = 4 };

/* How from_pretrained() is told what was counted: a dtype, a quantizer's
 * configuration, and what bitsandbytes asks for beside it where something is
 * offloaded, whatever the bits. */
typedef struct dtype_argument {
    const char *dtype; /* as the plan names it */
    const char *plain;
    const char *config; /* NULL: none */
    const char *settings;
    const char *offload; /* one more setting, or NULL */
} dtype_argument;

#define BNB_OFFLOAD    "llm_int8_enable_fp32_cpu_offload=True"
#define BNB_4BIT(type) "load_in_4bit=True, bnb_4bit_quant_type=\"" type "\""
#define BNB_DOUBLE     ", bnb_4bit_use_double_quant=True"

static const dtype_argument DTYPES[] = {
    {"fp32", "float32", NULL, NULL, NULL},
    {"fp16", "float16", NULL, NULL, NULL},
    {"bf16", "bfloat16", NULL, NULL, NULL},
    {"bnb-int8", NULL, "BitsAndBytesConfig", "load_in_8bit=True", BNB_OFFLOAD},
    {"nf4", NULL, "BitsAndBytesConfig", BNB_4BIT("nf4"), BNB_OFFLOAD},
    {"fp4", NULL, "BitsAndBytesConfig", BNB_4BIT("fp4"), BNB_OFFLOAD},
    {"nf4-double", NULL, "BitsAndBytesConfig", BNB_4BIT("nf4") BNB_DOUBLE,
     BNB_OFFLOAD},
    {"fp4-double", NULL, "BitsAndBytesConfig", BNB_4BIT("fp4") BNB_DOUBLE,
     BNB_OFFLOAD},
    {"torchao-int8", NULL, "TorchAoConfig", "Int8WeightOnlyConfig()", NULL},
    {"torchao-int4", "bfloat16", "TorchAoConfig",
     "Int4WeightOnlyConfig(int4_packing_format=\"tile_packed_to_4d\")", NULL},
    {"quanto-int8", NULL, "QuantoConfig", "weights=\"int8\"", NULL},
    {"quanto-float8", NULL, "QuantoConfig", "weights=\"float8\"", NULL},
    {"quanto-int4", NULL, "QuantoConfig", "weights=\"int4\"", NULL},
    {"quanto-int2", NULL, "QuantoConfig", "weights=\"int2\"", NULL},
    {"hqq-int8", NULL, "HqqConfig", "nbits=8, group_size=64", NULL},
    {"hqq-int4", NULL, "HqqConfig", "nbits=4, group_size=64", NULL},
};
enum { DTYPE_COUNT = sizeof DTYPES / sizeof *DTYPES };

static bool uses_disk(const memplan_plan *plan)
{
    for (uint32_t at = 0; at < plan->unit_count; at++)
        if (plan->units[at].pool != MPL_NO_INDEX &&
            plan->pools[plan->units[at].pool].kind == MPL_POOL_DISK)
            return true;
    return false;
}

static void paint_line(mpl_paint *paint, const char *line)
{
    mpl_paint_gap(paint, INDENT);
    mpl_paint_text(paint, MPL_INK_PLAIN, line);
    mpl_paint_end(paint);
}

/* A map of a few entries is written out, a longer one read from a file. */
static void paint_map(mpl_paint *paint, const memplan_plan *plan)
{
    uint32_t count = 0;
    mpl_arena *const arena = mpl_arena_create();
    const mpl_map_entry *const map =
        arena != NULL ? mpl_device_map(arena, plan, &count) : NULL;
    if (map == NULL)
        paint->text->failed = true;
    mpl_paint_gap(paint, 2 * INDENT);
    if (count > MAP_INLINE_MAX) {
        mpl_paint_text(paint, MPL_INK_PLAIN,
                       "device_map=json.load(open(\"map.json\")),");
        mpl_paint_text(paint, MPL_INK_FAINT, "  # the plan's device_map");
    } else {
        mpl_paint_text(paint, MPL_INK_PLAIN, "device_map={");
        for (uint32_t at = 0; at < count; at++) {
            const mpl_plan_pool *const pool = &plan->pools[map[at].pool];
            const char *const quote = pool->kind == MPL_POOL_DEVICE ? "" : "\"";
            mpl_paint_format(paint, MPL_INK_PLAIN, "%s\"%.*s\": %s%s%s",
                             at > 0 ? ", " : "", (int)map[at].length,
                             map[at].name, quote, pool->key, quote);
        }
        mpl_paint_text(paint, MPL_INK_PLAIN, "},");
    }
    mpl_paint_end(paint);
    mpl_arena_free(arena);
}

static bool is_offloaded(const memplan_plan *plan)
{
    bool has_device = false;
    bool has_other = false;
    for (uint32_t at = 0; at < plan->unit_count; at++) {
        const bool is_device =
            plan->units[at].pool != MPL_NO_INDEX &&
            plan->pools[plan->units[at].pool].kind == MPL_POOL_DEVICE;
        has_device |= is_device;
        has_other |= !is_device;
    }
    return has_device && has_other;
}

static void paint_argument(mpl_paint *paint, const char *argument)
{
    mpl_paint_gap(paint, (uint64_t)2 * INDENT);
    mpl_text_add(paint->text, argument);
    mpl_paint_end(paint);
}

/* The configuration, a setting a line. */
static void paint_config(mpl_paint *paint, const dtype_argument *row,
                         bool is_away)
{
    const char *const more = is_away ? row->offload : NULL;
    mpl_paint_gap(paint, (uint64_t)2 * INDENT);
    mpl_paint_format(paint, MPL_INK_PLAIN, "quantization_config=%s(",
                     row->config);
    mpl_paint_end(paint);
    mpl_paint_gap(paint, (uint64_t)3 * INDENT);
    mpl_paint_format(paint, MPL_INK_PLAIN, "%s%s", row->settings,
                     more != NULL ? "," : "),");
    mpl_paint_end(paint);
    if (more == NULL)
        return;
    mpl_paint_gap(paint, (uint64_t)3 * INDENT);
    mpl_paint_format(paint, MPL_INK_PLAIN, "%s),", more);
    mpl_paint_end(paint);
}

static void paint_dtype(mpl_paint *paint, const memplan_plan *plan)
{
    for (uint32_t at = 0; at < DTYPE_COUNT; at++) {
        if (strcmp(DTYPES[at].dtype, plan->dtype) != 0)
            continue;
        if (DTYPES[at].plain != NULL) {
            mpl_paint_gap(paint, (uint64_t)2 * INDENT);
            mpl_paint_format(paint, MPL_INK_PLAIN, "dtype=torch.%s,",
                             DTYPES[at].plain);
            mpl_paint_end(paint);
        }
        if (DTYPES[at].config != NULL)
            paint_config(paint, &DTYPES[at], is_offloaded(plan));
    }
}

/* What from_pretrained() takes: the repository of a catalogue's model, else
 * what was asked for, a folder in place of a file in it. */
static void paint_checkpoint(mpl_paint *paint, const memplan_plan *plan)
{
    const char *const source = plan->model_source;
    const char *const name = strrchr(source, '/');
    const char *const suffix = strrchr(source, '.');
    const bool is_file =
        name != NULL && suffix != NULL && suffix > name &&
        (strcmp(suffix, ".json") == 0 || strcmp(suffix, ".safetensors") == 0);
    mpl_paint_gap(paint, (uint64_t)2 * INDENT);
    if (is_file)
        mpl_paint_format(paint, MPL_INK_PLAIN, "\"%.*s\",",
                         (int)(name - source), source);
    else if (plan->model_repository[0] != '\0' && name == NULL)
        mpl_paint_format(paint, MPL_INK_PLAIN, "\"%s\",",
                         plan->model_repository);
    else
        mpl_paint_format(paint, MPL_INK_PLAIN, "\"%s\",", source);
    mpl_paint_end(paint);
}

/* The class whose modules the map names: the automatic one takes decoders
 * alone, and makes decoders of encoders. */
static const char *loader(const memplan_plan *plan)
{
    return plan->class_name[0] == '\0' ||
                   mpl_ends_with(plan->class_name, "ForCausalLM") ||
                   mpl_ends_with(plan->class_name, "LMHeadModel")
               ? "AutoModelForCausalLM"
               : plan->class_name;
}

static bool is_eager(const memplan_plan *plan)
{
    static const char EAGER[] = "eager";
    mpl_setting attention;
    return mpl_setting_find(&attention, plan, "attn") &&
           attention.value_length == sizeof EAGER - 1 &&
           memcmp(attention.value, EAGER, sizeof EAGER - 1) == 0;
}

static void paint_transformers(mpl_paint *paint, const memplan_plan *plan)
{
    if (plan->packages_pip[0] != '\0') {
        mpl_paint_gap(paint, INDENT);
        mpl_paint_format(paint, MPL_INK_PLAIN, "pip install %s",
                         plan->packages_pip);
        mpl_paint_end(paint);
    }
    mpl_paint_gap(paint, INDENT);
    mpl_paint_format(paint, MPL_INK_PLAIN, "model = %s.from_pretrained(",
                     loader(plan));
    mpl_paint_end(paint);
    paint_checkpoint(paint, plan);
    paint_dtype(paint, plan);
    paint_map(paint, plan);
    if (is_eager(plan))
        paint_argument(paint, "attn_implementation=\"eager\",");
    if (uses_disk(plan))
        paint_argument(paint, "offload_folder=\"offload\",");
    paint_line(paint, ")");
    mpl_paint_generate(paint, plan, INDENT);
}

/* One flag and its value a line, as a shell reads it. */
static void paint_llamacpp(mpl_paint *paint, const memplan_plan *plan)
{
    mpl_text flags = {0};
    mpl_text_flags(&flags, plan, plan->model_source, "\n");
    paint->text->failed |= flags.failed;
    mpl_paint_gap(paint, INDENT);
    mpl_paint_text(paint, MPL_INK_PLAIN, mpl_plan_program(plan));
    uint64_t column = INDENT + strlen(mpl_plan_program(plan));
    for (const char *at = flags.data; at != NULL && *at == '\n';) {
        const size_t length = strcspn(at + 1, "\n");
        if (column + 1 + length + 2 > paint->width) {
            mpl_text_add(paint->text, " \\\n");
            mpl_paint_gap(paint, (uint64_t)2 * INDENT);
            column = (uint64_t)2 * INDENT;
        } else {
            mpl_paint_gap(paint, 1);
            column++;
        }
        mpl_paint_piece(paint, MPL_INK_PLAIN, at + 1, length);
        column += length;
        at += 1 + length;
    }
    mpl_paint_end(paint);
    mpl_text_discard(&flags);
}

void mpl_paint_hints(mpl_paint *paint, const memplan_plan *plan)
{
    const bool has_flags = mpl_plan_has_flags(plan);
    if (!has_flags && !mpl_plan_has_device_map(plan))
        return;
    mpl_paint_end(paint);
    mpl_paint_gap(paint, 2);
    mpl_paint_text(paint, MPL_INK_STRONG, "what to type next");
    mpl_paint_end(paint);
    if (has_flags)
        paint_llamacpp(paint, plan);
    else
        paint_transformers(paint, plan);
}
