/* SPDX-License-Identifier: MIT */
/*
 * In this order: a path that exists, the Hugging Face cache, the Ollama store,
 * the catalogue. The first that has the name decides, also where what it has
 * is broken.
 */
#include "model/locate.h"

#include <string.h>

#include "base/failure.h"
#include "model/catalogue.h"
#include "model/path.h"

/* Words that can only be a path: an answer about names would mislead. */
static bool is_surely_path(const char *source)
{
    static const char *const SUFFIXES[] = {".gguf", ".safetensors", ".json",
                                           ".bin",  ".pt",          "/"};
    if (source[0] == '/' || source[0] == '.' || source[0] == '~')
        return true;
    for (size_t at = 0; at < sizeof SUFFIXES / sizeof *SUFFIXES; at++)
        if (mpl_has_suffix(source, SUFFIXES[at]))
            return true;
    return false;
}

static memplan_status locate_row(mpl_source *out, const char *source,
                                 memplan_error *error)
{
    const mpl_catalogue_row *row = NULL;
    const memplan_status status = mpl_catalogue_find(&row, source, error);
    if (status == MEMPLAN_OK)
        *out = (mpl_source){
            .kind = MPL_SOURCE_CATALOGUE, .row = row, .name = row->name};
    return status;
}

static memplan_status locate_name(mpl_source *out, mpl_arena *arena,
                                  const char *source,
                                  const memplan_model_options *options,
                                  memplan_error *error)
{
    const char *place = NULL;
    memplan_status status = MEMPLAN_E_NOT_FOUND;
    if (options->hub_cache != NULL)
        status = mpl_locate_hub(&place, arena, options->hub_cache,
                                options->hub_revision, source, error);
    if (status == MEMPLAN_E_NOT_FOUND && options->ollama_store != NULL)
        status = mpl_locate_ollama(&place, arena, options->ollama_store, source,
                                   error);
    if (status == MEMPLAN_OK)
        status =
            mpl_locate_path(out, arena, place, mpl_path_look(place), error);
    else if (status == MEMPLAN_E_NOT_FOUND)
        return locate_row(out, source, error);
    if (status == MEMPLAN_OK)
        out->name = mpl_arena_strdup(arena, source);
    return status;
}

memplan_status mpl_locate(mpl_source *out, mpl_arena *arena, const char *source,
                          const memplan_model_options *options,
                          memplan_error *error)
{
    if (source[0] == '\0')
        return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                        "\"\": an empty name for a model");
    const mpl_path_kind kind = mpl_path_look(source);
    if (kind != MPL_PATH_NONE) {
        /* A slash at the end is no part of a folder's name. */
        uint64_t length = strlen(source);
        while (length > 1 && source[length - 1] == '/')
            length--;
        const char *const path = mpl_arena_copy(arena, source, length);
        return path != NULL ? mpl_locate_path(out, arena, path, kind, error)
                            : mpl_fail_memory(error);
    }
    if (is_surely_path(source))
        return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                        "%.200s: no such file or folder", source);
    return locate_name(out, arena, source, options, error);
}
