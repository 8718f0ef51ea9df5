/* SPDX-License-Identifier: MIT */
#include "dialect/hints.h"

#include <string.h>

#include "dialect/device_map.h"

enum { INDENT = 4, MAP_INLINE_MAX = 4 };

/* How from_pretrained() is told the dtype of weights. */
typedef struct dtype_argument {
    const char *dtype;
    const char *argument;
    const char *quantizer; /* arguments of BitsAndBytesConfig, or NULL */
} dtype_argument;

static const dtype_argument DTYPES[] = {
    {"fp32", "dtype=torch.float32", NULL},
    {"fp16", "dtype=torch.float16", NULL},
    {"bf16", "dtype=torch.bfloat16", NULL},
    {"int8", "quantization_config=", "load_in_8bit=True"},
    {"nf4",
     "quantization_config=", "load_in_4bit=True, bnb_4bit_quant_type=\"nf4\""},
    {"int4", "quantization_config=", "load_in_4bit=True"},
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
                       "device_map=json.load(open(\"device_map.json\")),");
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

static void paint_dtype(mpl_paint *paint, const memplan_plan *plan)
{
    for (uint32_t at = 0; at < DTYPE_COUNT; at++) {
        if (strcmp(DTYPES[at].dtype, plan->dtype) != 0)
            continue;
        mpl_paint_gap(paint, 2 * INDENT);
        mpl_paint_text(paint, MPL_INK_PLAIN, DTYPES[at].argument);
        if (DTYPES[at].quantizer != NULL)
            mpl_paint_format(paint, MPL_INK_PLAIN, "BitsAndBytesConfig(%s)",
                             DTYPES[at].quantizer);
        mpl_paint_text(paint, MPL_INK_PLAIN, ",");
        mpl_paint_end(paint);
    }
}

static void paint_transformers(mpl_paint *paint, const memplan_plan *plan)
{
    paint_line(paint, "model = AutoModelForCausalLM.from_pretrained(");
    mpl_paint_gap(paint, 2 * INDENT);
    mpl_paint_format(paint, MPL_INK_PLAIN, "\"%s\",", plan->model_source);
    mpl_paint_end(paint);
    paint_dtype(paint, plan);
    paint_map(paint, plan);
    if (uses_disk(plan)) {
        mpl_paint_gap(paint, 2 * INDENT);
        mpl_paint_text(paint, MPL_INK_PLAIN, "offload_folder=\"offload\",");
        mpl_paint_end(paint);
    }
    paint_line(paint, ")");
}

void mpl_paint_hints(mpl_paint *paint, const memplan_plan *plan)
{
    if (!mpl_plan_has_device_map(plan))
        return;
    mpl_paint_end(paint);
    mpl_paint_gap(paint, 2);
    mpl_paint_text(paint, MPL_INK_STRONG, "what to type next");
    mpl_paint_text(paint, MPL_INK_FAINT,
                   "  (device_map.json: the same command with "
                   "--emit device_map)");
    mpl_paint_end(paint);
    paint_transformers(paint, plan);
}
