/* SPDX-License-Identifier: MIT */
/*
 * Settings of the transformers engine: NAME=VALUE, with commas or newlines
 * between them; a later one replaces an earlier one.
 *
 *     attn=sdpa | eager        attn_implementation
 *     q_group_size=64          of a quantized cache's cache_config
 *     residual_length=128      likewise
 */
#include <string.h>

#include "base/failure.h"
#include "engine/transformers/job.h"

enum { MOST_ELEMENTS = 1 << 20 };

typedef struct setting {
    const char *name;
    const char *text;
    memplan_status (*read)(mpl_job *job, const char *value,
                           memplan_error *error);
} setting;

static memplan_status read_attention(mpl_job *job, const char *value,
                                     memplan_error *error)
{
    job->is_eager = strcmp(value, "eager") == 0;
    if (job->is_eager || strcmp(value, "sdpa") == 0)
        return MEMPLAN_OK;
    return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                    "settings \"attn=%.40s\": it is sdpa or eager", value);
}

static memplan_status read_count(uint64_t *out, const char *name,
                                 const char *value, memplan_error *error)
{
    uint64_t count = 0;
    const char *at = value;
    for (; *at >= '0' && *at <= '9' && count <= MOST_ELEMENTS; at++)
        count = count * 10 + (uint64_t)(*at - '0');
    if (*at != '\0' || at == value || count == 0 || count > MOST_ELEMENTS)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "settings \"%s=%.40s\": it is a whole number from 1 "
                        "to %d",
                        name, value, MOST_ELEMENTS);
    *out = count;
    return MEMPLAN_OK;
}

static memplan_status read_group(mpl_job *job, const char *value,
                                 memplan_error *error)
{
    return read_count(&job->group_elements, "q_group_size", value, error);
}

static memplan_status read_residual(mpl_job *job, const char *value,
                                    memplan_error *error)
{
    return read_count(&job->residual_tokens, "residual_length", value, error);
}

static const setting SETTINGS[] = {
    {"attn", "attn_implementation: sdpa or eager", read_attention},
    {"q_group_size", "of a quantized cache's cache_config; 64", read_group},
    {"residual_length", "of a quantized cache's cache_config; 128",
     read_residual},
};
enum { SETTING_COUNT = sizeof SETTINGS / sizeof *SETTINGS };

bool mpl_transformers_setting_entry(uint32_t index, mpl_entry *out)
{
    if (index >= SETTING_COUNT)
        return false;
    *out = (mpl_entry){SETTINGS[index].name, SETTINGS[index].text};
    return true;
}

static memplan_status read_entry(mpl_job *job, char *entry,
                                 memplan_error *error)
{
    char *const equals = strchr(entry, '=');
    const size_t length = strcspn(entry, "=");
    for (uint32_t at = 0; at < SETTING_COUNT && equals != NULL; at++)
        if (strlen(SETTINGS[at].name) == length &&
            memcmp(SETTINGS[at].name, entry, length) == 0)
            return SETTINGS[at].read(job, equals + 1, error);
    return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                    "settings \"%.60s\": transformers knows attn=sdpa, "
                    "attn=eager, q_group_size=N and residual_length=N",
                    entry);
}

memplan_status mpl_transformers_settings(mpl_job *job, memplan_error *error)
{
    const char *const given = job->request->settings;
    char *at = mpl_arena_strdup(job->arena, given != NULL ? given : "");
    char *const kept = mpl_arena_strdup(job->arena, given != NULL ? given : "");
    if (at == NULL || kept == NULL)
        return mpl_fail_memory(error);
    for (char *comma = kept; (comma = strchr(comma, ',')) != NULL;)
        *comma = '\n';
    job->settings = kept;
    while (*at != '\0') {
        const size_t length = strcspn(at, ",\n");
        char *const next = at + length + (at[length] != '\0');
        at[length] = '\0';
        const memplan_status status =
            length > 0 ? read_entry(job, at, error) : MEMPLAN_OK;
        if (status != MEMPLAN_OK)
            return status;
        at = next;
    }
    return MEMPLAN_OK;
}
