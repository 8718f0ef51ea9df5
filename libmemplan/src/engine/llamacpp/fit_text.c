/* SPDX-License-Identifier: MIT */
/*
 * A packing as settings, as short as they can be: -cmoe or -ncmoe where they
 * say it, and one pattern for the rest.
 *
 *     ncmoe=20
 *     ot=blk\.((20|33)\.ffn_(up|gate)|21\.ffn_down)_exps=CPU
 */
#include <string.h>

#include "engine/llamacpp/fit.h"

/* ---- Devices ----------------------------------------------------------- */

const char *mpl_fit_device_names(const mpl_llama_fitting *fit)
{
    const char *text = "";
    for (uint32_t i = 0; i < fit->active_count && text != NULL; i++)
        text = mpl_arena_format(fit->arena, "%s%s%s", text, i > 0 ? "/" : "",
                                fit->devices->items[fit->active[i]].name);
    return text;
}

/* One device by -sm none, whose names a caller need not know; several by
 * theirs. */
static const char *add_devices(const mpl_llama_fitting *fit, const char *text)
{
    if (text == NULL || fit->active_count == fit->offered_count)
        return text;
    if (fit->active_count == 1 && fit->active[0] == fit->asked.main_gpu)
        return mpl_arena_format(fit->arena, "%ssm=none\n", text);
    if (fit->active_count == 1)
        return mpl_arena_format(fit->arena, "%ssm=none\nmg=%u\n", text,
                                fit->active[0]);
    const char *names = mpl_fit_device_names(fit);
    return names != NULL
               ? mpl_arena_format(fit->arena, "%sdev=%s\n", text, names)
               : NULL;
}

static const char *add_counts(const mpl_llama_fitting *fit, const char *text)
{
    if (!mpl_fit_is_shared_out(fit))
        return text;
    for (uint32_t i = 0; i < fit->active_count && text != NULL; i++)
        text = mpl_arena_format(fit->arena, "%s%s%u", text,
                                i > 0 ? "/" : "ts=", fit->counts[i]);
    return text != NULL ? mpl_arena_format(fit->arena, "%s\n", text) : NULL;
}

/* ---- Experts ----------------------------------------------------------- */

static bool has_experts(const mpl_llama_fitting *fit, uint32_t layer)
{
    const mpl_fit_size *size = &fit->sizes[fit->active[0]][layer];
    return size->part_bytes[0] + size->part_bytes[1] + size->part_bytes[2] > 0;
}

/* Layers from the first on whose experts are all with the host; those without
 * experts agree with anything. */
static uint32_t count_leading(const mpl_llama_fitting *fit)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i + 1 < fit->places; i++) {
        if (!has_experts(fit, i))
            continue;
        if (fit->masks[i] != MPL_FIT_ALL)
            break;
        end = i + 1;
    }
    return end;
}

static bool has_experts_after(const mpl_llama_fitting *fit, uint32_t layer)
{
    for (uint32_t i = layer; i + 1 < fit->places; i++)
        if (has_experts(fit, i))
            return true;
    return false;
}

/* Whether some weight is called "ffn_STEM_SUFFIX.weight" in its layer. */
static bool has_name(const mpl_llama_fitting *fit, const char *stem,
                     const char *suffix)
{
    const mpl_llama_weights *weights = &fit->job->weights;
    const size_t stem_length = strlen(stem);
    for (uint32_t i = 0; i < weights->count; i++) {
        const char *part = weights->items[i].part;
        if (weights->items[i].expert_part != 0 &&
            strncmp(part, "ffn_", 4) == 0 &&
            strncmp(part + 4, stem, stem_length) == 0 &&
            part[4 + stem_length] == '_' &&
            strncmp(part + 5 + stem_length, suffix, strlen(suffix)) == 0)
            return true;
    }
    return false;
}

/* "ffn_(up|gate)": the names that the model has, for the parts of a mask. */
static const char *name_parts(const mpl_llama_fitting *fit, uint32_t mask)
{
    static const struct {
        const char *stem;
        uint32_t part;
    } stems[] = {{"up", MPL_FIT_UP},
                 {"gate", MPL_FIT_GATE},
                 {"gate_up", MPL_FIT_GATE},
                 {"down", MPL_FIT_DOWN}};
    const char *names = "";
    uint32_t count = 0;
    for (uint32_t i = 0; i < sizeof stems / sizeof *stems; i++) {
        if ((stems[i].part & mask) == 0 || names == NULL ||
            (!has_name(fit, stems[i].stem, "exps") &&
             !has_name(fit, stems[i].stem, "chexps")))
            continue;
        names = mpl_arena_format(fit->arena, "%s%s%s", names,
                                 count++ > 0 ? "|" : "", stems[i].stem);
    }
    return names == NULL ? NULL
                         : mpl_arena_format(fit->arena, "ffn_%s%s%s",
                                            count > 1 ? "(" : "", names,
                                            count > 1 ? ")" : "");
}

static const char *suffix_of(const mpl_llama_fitting *fit)
{
    return has_name(fit, "up", "chexps") || has_name(fit, "down", "chexps")
               ? "_(ch|)exps"
               : "_exps";
}

static uint32_t host_mask(const mpl_llama_fitting *fit, uint32_t layer)
{
    return (uint32_t)fit->masks[layer] & ~(uint32_t)fit->spills[layer];
}

static uint32_t count_mask(const mpl_llama_fitting *fit, uint32_t from,
                           uint32_t mask)
{
    uint32_t count = 0;
    for (uint32_t i = from; i + 1 < fit->places; i++)
        count += host_mask(fit, i) == mask && has_experts(fit, i);
    return count;
}

/* "(20|33)\.ffn_(up|gate)": the layers from `from` on with one mask. */
static const char *add_mask(const mpl_llama_fitting *fit, const char *text,
                            uint32_t from, uint32_t mask)
{
    const uint32_t count = count_mask(fit, from, mask);
    uint32_t written = 0;
    if (count > 1 && text != NULL)
        text = mpl_arena_format(fit->arena, "%s(", text);
    for (uint32_t i = from; i + 1 < fit->places && text != NULL; i++)
        if (host_mask(fit, i) == mask && has_experts(fit, i))
            text = mpl_arena_format(fit->arena, "%s%s%u", text,
                                    written++ > 0 ? "|" : "", i);
    const char *parts = name_parts(fit, mask);
    return text != NULL && parts != NULL
               ? mpl_arena_format(fit->arena, "%s%s\\.%s", text,
                                  count > 1 ? ")" : "", parts)
               : NULL;
}

/* One pattern for all layers from `from` on. */
static const char *add_masks(const mpl_llama_fitting *fit, const char *text,
                             uint32_t from)
{
    uint32_t groups = 0;
    uint32_t written = 0;
    for (uint32_t mask = MPL_FIT_ALL; mask > 0; mask--)
        groups += count_mask(fit, from, mask) > 0;
    if (groups == 0 || text == NULL)
        return text;
    text = mpl_arena_format(fit->arena, "%sot=blk\\.%s", text,
                            groups > 1 ? "(" : "");
    for (uint32_t mask = MPL_FIT_ALL; mask > 0; mask--) {
        if (count_mask(fit, from, mask) == 0 || text == NULL)
            continue;
        if (written++ > 0)
            text = mpl_arena_format(fit->arena, "%s|", text);
        text = add_mask(fit, text, from, mask);
    }
    return text != NULL
               ? mpl_arena_format(fit->arena, "%s%s%s=CPU\n", text,
                                  groups > 1 ? ")" : "", suffix_of(fit))
               : NULL;
}

/* Before what moves the rest of their layers: the first match wins. */
static const char *add_spills(const mpl_llama_fitting *fit, const char *text)
{
    for (uint32_t i = 0; i + 1 < fit->places && text != NULL; i++) {
        if (fit->spills[i] == 0)
            continue;
        const char *parts = name_parts(fit, fit->spills[i]);
        text = parts == NULL
                   ? NULL
                   : mpl_arena_format(
                         fit->arena, "%sot=blk\\.%u\\.%s%s=%s\n", text, i,
                         parts, suffix_of(fit),
                         fit->devices->items[fit->spill_devices[i]].name);
    }
    return text;
}

static const char *add_experts(const mpl_llama_fitting *fit, const char *text)
{
    if (!fit->has_masks || text == NULL)
        return text;
    const uint32_t leading = count_leading(fit);
    text = add_spills(fit, text);
    if (text == NULL)
        return NULL;
    if (leading > 0 && !has_experts_after(fit, leading))
        return mpl_arena_format(fit->arena, "%scmoe\n", text);
    if (leading > 0)
        text = mpl_arena_format(fit->arena, "%sncmoe=%u\n", text, leading);
    return add_masks(fit, text, leading);
}

/* ---- All of it --------------------------------------------------------- */

const char *mpl_fit_text(const mpl_llama_fitting *fit)
{
    const char *text = mpl_llama_settings_asked(fit->job);
    if (text != NULL && fit->now.n_ctx != fit->asked.n_ctx)
        text = mpl_arena_format(fit->arena, "%sc=%u\n", text, fit->now.n_ctx);
    text = add_devices(fit, text);
    if (text != NULL && !fit->asked.has_ngl && fit->devices->count > 0)
        text = mpl_arena_format(fit->arena, "%sngl=%u\n", text,
                                fit->places - fit->first);
    text = add_counts(fit, text);
    if (text != NULL && fit->has_no_copies)
        text = mpl_arena_format(fit->arena, "%sot=^$=CPU\n", text);
    return add_experts(fit, text);
}
