/* SPDX-License-Identifier: MIT */
/*
 * An Ollama store:
 *
 *     manifests/HOST/USER/NAME/TAG   JSON; its layers name blobs by digest
 *     blobs/sha256-…                 one of them is the GGUF
 *
 * A name is [[HOST/]USER/]NAME[:TAG].
 */
#include <stddef.h>
#include <string.h>

#include "base/failure.h"
#include "base/json.h"
#include "model/locate.h"
#include "model/path.h"

#define MODEL_LAYER "application/vnd.ollama.image.model"

enum { MANIFEST_MAX_BYTES = 1 << 20, DIGEST_LENGTH = 7 + 64 };

static const char *manifest_path(mpl_arena *arena, const char *store,
                                 const char *name)
{
    const char *host = "registry.ollama.ai/";
    const char *user = "library/";
    uint32_t slashes = 0;
    const char *last = name;
    for (const char *at = name; *at != '\0'; at++)
        if (*at == '/') {
            slashes++;
            last = at + 1;
        }
    if (slashes > 0)
        user = "";
    if (slashes > 1)
        host = "";
    const char *const colon = strchr(last, ':');
    const int length =
        (int)(colon != NULL ? colon - name : (ptrdiff_t)strlen(name));
    return mpl_arena_format(arena, "%s/manifests/%s%s%.*s/%s", store, host,
                            user, length, name,
                            colon != NULL ? colon + 1 : "latest");
}

/* "sha256:" and 64 hexadecimal digits: it becomes a file's name. */
static bool is_digest(const char *digest)
{
    return strlen(digest) == DIGEST_LENGTH &&
           strncmp(digest, "sha256:", 7) == 0 &&
           strspn(digest + 7, "0123456789abcdef") == DIGEST_LENGTH - 7;
}

static memplan_status find_blob(const char **out, mpl_arena *arena,
                                const char *store, const char *manifest,
                                const mpl_json *json, memplan_error *error)
{
    mpl_json_walk walk =
        mpl_json_begin(mpl_json_get(mpl_json_root(json), "layers"));
    while (!walk.is_object && mpl_json_next(&walk)) {
        const char *const type =
            mpl_json_string(mpl_json_get(walk.value, "mediaType"), NULL);
        if (type == NULL || strcmp(type, MODEL_LAYER) != 0)
            continue;
        const char *const digest =
            mpl_json_string(mpl_json_get(walk.value, "digest"), NULL);
        if (digest == NULL || !is_digest(digest))
            break;
        *out = mpl_arena_format(arena, "%s/blobs/sha256-%s", store, digest + 7);
        return *out != NULL ? MEMPLAN_OK : mpl_fail_memory(error);
    }
    return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                    "%.160s: no layer of it is a model with a digest",
                    manifest);
}

memplan_status mpl_locate_ollama(const char **out_path, mpl_arena *arena,
                                 const char *store, const char *name,
                                 memplan_error *error)
{
    if (!mpl_path_is_below(name))
        return MEMPLAN_E_NOT_FOUND;
    const char *const manifest = manifest_path(arena, store, name);
    if (manifest == NULL)
        return mpl_fail_memory(error);
    if (mpl_path_look(manifest) != MPL_PATH_FILE)
        return MEMPLAN_E_NOT_FOUND;
    mpl_json *json = NULL;
    memplan_status status =
        mpl_json_open(&json, manifest, MANIFEST_MAX_BYTES, error);
    if (status != MEMPLAN_OK)
        return status;
    status = find_blob(out_path, arena, store, manifest, json, error);
    mpl_json_free(json);
    if (status == MEMPLAN_OK && mpl_path_look(*out_path) != MPL_PATH_FILE)
        return mpl_fail(error, MEMPLAN_E_IO, MPL_NOWHERE,
                        "%.200s: the model's blob is not in the store",
                        *out_path);
    return status;
}
