/* SPDX-License-Identifier: MIT */
/*
 * A service of a compose file: the host memory that the plan needs as its
 * limit, the devices that it uses, and llama.cpp's command where that is the
 * engine.
 */
#include <string.h>

#include "base/checked.h"
#include "base/json_writer.h"
#include "dialect/dialect.h"
#include "dialect/flags.h"

enum { MIB = 1 << 20 };

/* How a container gets the GPUs of a vendor. */
typedef struct vendor_row {
    const char *vendor;
    const char *image;
    const char *before; /* the indices */
    const char *after;
    const char *quote; /* around each index */
} vendor_row;

static const vendor_row VENDORS[] = {
    {"nvidia", "server-cuda",
     "    deploy:\n"
     "      resources:\n"
     "        reservations:\n"
     "          devices:\n"
     "            - driver: nvidia\n"
     "              capabilities: [gpu]\n"
     "              device_ids: [",
     "]\n", "\""},
    {"amd", "server-rocm",
     "    devices:\n"
     "      - /dev/kfd\n"
     "      - /dev/dri\n"
     "    group_add: [video, render]\n"
     "    environment:\n"
     "      HIP_VISIBLE_DEVICES: \"",
     "\"\n", ""},
    {"intel", "server-intel",
     "    devices:\n"
     "      - /dev/dri\n"
     "    group_add: [video, render]\n"
     "    environment:\n"
     "      ONEAPI_DEVICE_SELECTOR: \"level_zero:",
     "\"\n", ""},
};
enum { VENDOR_COUNT = sizeof VENDORS / sizeof *VENDORS };
static const vendor_row NO_DEVICE = {.image = "server"};

static bool is_in_use(const mpl_plan_pool *pool)
{
    return pool->kind == MPL_POOL_DEVICE && pool->used_bytes > 0;
}

/* Containers on macOS are of Linux, in a machine without its GPU. */
static bool is_apple(const memplan_plan *plan)
{
    for (uint32_t at = 0; at < plan->pool_count; at++)
        if (is_in_use(&plan->pools[at]) &&
            strcmp(plan->pools[at].vendor, "apple") == 0)
            return true;
    return false;
}

/* NULL: devices of several vendors, or of one that is not known. */
static const vendor_row *vendor_of(const memplan_plan *plan)
{
    const char *vendor = NULL;
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        if (!is_in_use(pool))
            continue;
        if (vendor != NULL && strcmp(vendor, pool->vendor) != 0)
            return NULL;
        vendor = pool->vendor;
    }
    if (vendor == NULL)
        return &NO_DEVICE;
    for (uint32_t at = 0; at < VENDOR_COUNT; at++)
        if (strcmp(VENDORS[at].vendor, vendor) == 0)
            return &VENDORS[at];
    return NULL;
}

/* What a limit leaves beside what is counted, since whoever passes it is
 * ended: what is an estimate, once more. */
static uint64_t headroom_bytes(const mpl_plan_pool *pool)
{
    uint64_t bytes = 0;
    for (uint64_t at = 0; at < pool->row_count; at++)
        if (pool->rows[at].certainty == MPL_ESTIMATE)
            bytes += pool->rows[at].bytes;
    return bytes;
}

/* Whole mebibytes that hold what the plan needs of the host. */
static void add_limit(mpl_text *text, const memplan_plan *plan)
{
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        const uint64_t headroom = headroom_bytes(pool);
        uint64_t bytes;
        if (pool->kind != MPL_POOL_HOST || pool->used_bytes == 0 ||
            !mpl_add(&bytes, pool->used_bytes, headroom))
            continue;
        mpl_text_format(text, "    mem_limit: %llum",
                        (unsigned long long)(bytes / MIB + (bytes % MIB != 0)));
        if (headroom > 0) {
            mpl_text_add(text, " # ");
            mpl_text_bytes(text, pool->used_bytes);
            mpl_text_add(text, ", and its estimates once more");
        }
        mpl_text_add(text, "\n");
    }
}

static void add_command(mpl_text *text, const memplan_plan *plan,
                        const vendor_row *vendor)
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
    if (vendor != NULL)
        mpl_text_format(text, "    image: ghcr.io/ggml-org/llama.cpp:%s\n",
                        vendor->image);
    else if (is_apple(plan))
        mpl_text_add(text, "    # image: none: containers have no Metal; run "
                           "llama.cpp outside of them\n");
    else
        mpl_text_add(text, "    # image: the one of llama.cpp for these GPUs, "
                           "which are not of one known vendor\n");
    mpl_text_add(text, "    command: ");
    mpl_json_quote(text, command.data != NULL ? command.data + 1 : "");
    mpl_text_add(text, "\n    volumes:\n      - ");
    mpl_json_quote(text, volume.data != NULL ? volume.data : "");
    mpl_text_add(text, "\n");
    mpl_text_discard(&model);
    mpl_text_discard(&command);
    mpl_text_discard(&volume);
}

static void add_devices(mpl_text *text, const memplan_plan *plan,
                        const vendor_row *vendor)
{
    bool is_any = false;
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        if (!is_in_use(&plan->pools[at]))
            continue;
        const char *const comma = *vendor->quote != '\0' ? ", " : ",";
        mpl_text_format(text, "%s%s%u%s", is_any ? comma : vendor->before,
                        vendor->quote, plan->pools[at].device_index,
                        vendor->quote);
        is_any = true;
    }
    if (is_any)
        mpl_text_add(text, vendor->after);
}

/* For a reader who knows what the machine is. */
static void add_remark(mpl_text *text, const memplan_plan *plan)
{
    mpl_text_add(text, "    # pass these devices to it:");
    for (uint32_t at = 0; at < plan->pool_count; at++)
        if (is_in_use(&plan->pools[at]))
            mpl_text_format(text, " %s", plan->pools[at].key);
    mpl_text_add(text, "\n");
}

MPL_PLAN_WRITER(mpl_plan_write_compose)
{
    (void)style;
    (void)error;
    const vendor_row *const vendor = vendor_of(plan);
    mpl_text_add(text, "services:\n  model:\n");
    if (mpl_plan_has_flags(plan))
        add_command(text, plan, vendor);
    add_limit(text, plan);
    if (vendor != NULL)
        add_devices(text, plan, vendor);
    else if (is_apple(plan))
        mpl_text_add(text, "    # containers have no Metal: this GPU is not "
                           "to be had in one\n");
    else
        add_remark(text, plan);
    return MEMPLAN_OK;
}
