/* SPDX-License-Identifier: MIT */
/*
 * A service of a compose file: the host memory that the plan needs as its
 * limit, the devices that it uses, and llama.cpp's command where that is the
 * engine.
 */
#include <string.h>

#include "base/json_writer.h"
#include "dialect/dialect.h"
#include "dialect/flags.h"

enum { MIB = 1 << 20 };

/* Whole mebibytes that hold what the plan needs of the host. */
static uint64_t host_mib(const memplan_plan *plan)
{
    for (uint32_t at = 0; at < plan->pool_count; at++)
        if (plan->pools[at].kind == MPL_POOL_HOST)
            return plan->pools[at].used_bytes / MIB +
                   (plan->pools[at].used_bytes % MIB != 0);
    return 0;
}

static void add_command(mpl_text *text, const memplan_plan *plan)
{
    const char *const slash = strrchr(plan->model_source, '/');
    const char *const file = slash != NULL ? slash + 1 : plan->model_source;
    mpl_text model = {0};
    mpl_text command = {0};
    mpl_text volume = {0};
    mpl_text_format(&model, "/models/%s", file);
    mpl_text_flags(&command, plan, model.data != NULL ? model.data : "", " ");
    mpl_text_format(&volume, "%.*s:/models:ro",
                    slash != NULL ? (int)(slash - plan->model_source) : 1,
                    slash != NULL ? plan->model_source : ".");
    text->failed |= model.failed || command.failed || volume.failed;
    mpl_text_add(text, "    image: ghcr.io/ggml-org/llama.cpp:server-cuda\n"
                       "    command: ");
    mpl_json_quote(text, command.data != NULL ? command.data + 1 : "");
    mpl_text_add(text, "\n    volumes:\n      - ");
    mpl_json_quote(text, volume.data != NULL ? volume.data : "");
    mpl_text_add(text, "\n");
    mpl_text_discard(&model);
    mpl_text_discard(&command);
    mpl_text_discard(&volume);
}

static void add_devices(mpl_text *text, const memplan_plan *plan)
{
    const char *between = "    deploy:\n"
                          "      resources:\n"
                          "        reservations:\n"
                          "          devices:\n"
                          "            - driver: nvidia\n"
                          "              capabilities: [gpu]\n"
                          "              device_ids: [";
    bool is_any = false;
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        if (pool->kind != MPL_POOL_DEVICE || pool->used_bytes == 0)
            continue;
        mpl_text_format(text, "%s\"%u\"", between, pool->device_index);
        between = ", ";
        is_any = true;
    }
    if (is_any)
        mpl_text_add(text, "]\n");
}

MPL_PLAN_WRITER(mpl_plan_write_compose)
{
    (void)style;
    (void)error;
    mpl_text_add(text, "services:\n  model:\n");
    if (mpl_plan_has_flags(plan))
        add_command(text, plan);
    if (host_mib(plan) > 0)
        mpl_text_format(text, "    mem_limit: %llum\n",
                        (unsigned long long)host_mib(plan));
    add_devices(text, plan);
    return MEMPLAN_OK;
}
