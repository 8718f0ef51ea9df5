/* SPDX-License-Identifier: MIT */
/*
 * An Ollama Modelfile. What its server takes from its environment alone
 * stands in remarks; what it cannot be told at all is refused.
 */
#include <string.h>

#include "base/failure.h"
#include "dialect/dialect.h"
#include "dialect/flags.h"

typedef struct parameter {
    const char *setting;
    const char *name;
} parameter;

static const parameter PARAMETERS[] = {
    {"ngl", "num_gpu"},
    {"ub", "num_batch"},
    {"mg", "main_gpu"},
};
enum { PARAMETER_COUNT = sizeof PARAMETERS / sizeof *PARAMETERS };

/* Tensors of one layer on several devices: Ollama has no word for it. */
static const char *const REFUSED[] = {"ot", "cmoe", "ncmoe"};
enum { REFUSED_COUNT = sizeof REFUSED / sizeof *REFUSED };

static void add_environment(mpl_text *text, const memplan_plan *plan)
{
    mpl_setting found;
    mpl_text_format(text,
                    "# in the server's environment:\n"
                    "#   OLLAMA_NUM_PARALLEL=%llu\n",
                    (unsigned long long)plan->sequences);
    if (strcmp(plan->kv_dtype, "fp16") != 0 &&
        strcmp(plan->kv_dtype, "none") != 0)
        mpl_text_format(text,
                        "#   OLLAMA_KV_CACHE_TYPE=%s\n"
                        "#   OLLAMA_FLASH_ATTENTION=1\n",
                        plan->kv_dtype);
    if (mpl_setting_find(&found, plan, "ts"))
        mpl_text_add(text, "# Ollama splits layers over GPUs by itself: this "
                           "plan's split is not kept.\n");
}

MPL_PLAN_WRITER(mpl_plan_write_ollama)
{
    mpl_setting found;
    (void)style;
    if (!mpl_plan_has_flags(plan))
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "a plan for %s is no Modelfile; plan for the engine "
                        "llama.cpp",
                        plan->engine);
    for (uint32_t at = 0; at < REFUSED_COUNT; at++)
        if (mpl_setting_find(&found, plan, REFUSED[at]))
            return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                            "Ollama cannot be told \"%s\", only how many whole "
                            "layers a GPU has: set ngl to as many as fit",
                            found.name);
    if (strcmp(plan->kv_dtype, plan->value_dtype) != 0)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "Ollama keeps keys and values in one type, not in %s "
                        "and %s",
                        plan->kv_dtype, plan->value_dtype);
    mpl_text_format(text, "FROM %s\nPARAMETER num_ctx %llu\n",
                    plan->model_source,
                    (unsigned long long)plan->context_tokens);
    for (uint32_t at = 0; at < PARAMETER_COUNT; at++)
        if (mpl_setting_find(&found, plan, PARAMETERS[at].setting))
            mpl_text_format(text, "PARAMETER %s %.*s\n", PARAMETERS[at].name,
                            (int)found.value_length, found.value);
    add_environment(text, plan);
    return MEMPLAN_OK;
}
