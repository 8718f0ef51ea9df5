/* SPDX-License-Identifier: MIT */
/*
 * Which unknown speeds decide between placements.
 *
 * With one executing pool every placement reads the same bytes there, and
 * what differs is the time of copies: with one source of copies its speed only
 * scales that. So nothing depends on a stand-in but
 *
 *     between the host's memory and disk    the link, and the disk's rate
 *     between several devices               their memories and links, unless
 *                                           all rests on the fastest
 */
#include <stddef.h>

#include "base/text.h"
#include "engine/transformers/job.h"

#define GIGA UINT64_C(1000000000)

typedef struct listing {
    const mpl_job *job;
    mpl_text text;
} listing;

static void add(listing *at, uint64_t bytes_per_second, const char *what,
                const char *key)
{
    mpl_text *const text = &at->text;
    mpl_text_add(text, text->length > 0 ? ", " : "");
    mpl_text_number(text, bytes_per_second / GIGA);
    mpl_text_add(text, what);
    mpl_text_add(text, key);
}

static void add_read(listing *at, uint32_t pool)
{
    bool is_known = true;
    const uint64_t speed =
        mpl_transformers_read_speed(at->job, pool, &is_known);
    if (!is_known)
        add(at, speed, " GB/s for the memory of GPU ",
            at->job->machine->pools[pool].key);
}

static void add_link(listing *at, uint32_t pool)
{
    const mpl_pool *const from = &at->job->machine->pools[pool];
    bool is_known = true;
    const uint64_t speed =
        mpl_transformers_link_speed(at->job, pool, &is_known);
    if (!is_known)
        add(at, speed,
            from->kind == MPL_POOL_DISK ? " GB/s for the disk"
                                        : " GB/s for the link of GPU ",
            from->kind == MPL_POOL_DISK ? "" : from->key);
}

/* Whether all rests where it is read at least as fast as anywhere: then what
 * any copy or crossing takes is only lost. */
static bool is_all_on_fastest(const mpl_job *job,
                              const mpl_placement *placement, uint32_t main)
{
    bool is_known = true;
    bool is_fastest = true;
    for (uint32_t unit = 0; unit < job->model->unit_count; unit++)
        if (placement->pool_of_unit[unit] != main)
            return false;
    if (job->device_pool_count == 1)
        return true;
    if (job->away_bytes != 0) /* links are part of every layer's time */
        return false;
    for (uint32_t at = 0; at < job->machine->pool_count; at++)
        if (job->machine->pools[at].kind == MPL_POOL_DEVICE)
            is_fastest = is_fastest &&
                         mpl_transformers_read_speed(job, main, &is_known) >=
                             mpl_transformers_read_speed(job, at, &is_known);
    return is_fastest && is_known;
}

bool mpl_transformers_stand_ins(const mpl_job *job,
                                const mpl_placement *placement,
                                const char **out)
{
    const uint32_t main = mpl_transformers_main(job, placement);
    const bool is_divided = job->device_pool_count > 1;
    listing made = {.job = job};
    *out = NULL;
    if (main == job->host_pool || is_all_on_fastest(job, placement, main) ||
        (!is_divided &&
         (job->host_pool == MPL_NO_INDEX || job->disk_pool == MPL_NO_INDEX)))
        return true;
    for (uint32_t at = 0; at < job->machine->pool_count; at++) {
        const mpl_pool_kind kind = job->machine->pools[at].kind;
        if (kind == MPL_POOL_DEVICE && is_divided)
            add_read(&made, at);
        if (kind != MPL_POOL_HOST)
            add_link(&made, at);
    }
    if (made.text.length > 0)
        *out = mpl_arena_copy(job->arena, made.text.data, made.text.length);
    const bool is_whole =
        !made.text.failed && (made.text.length == 0 || *out != NULL);
    mpl_text_discard(&made.text);
    return is_whole;
}
