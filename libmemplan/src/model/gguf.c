/* SPDX-License-Identifier: MIT */
/*
 * From one file, or all parts of a split one, to a model.
 *
 * A split file names its parts PREFIX-00001-of-00003.gguf. Each part says
 * split.no (from 0) and split.count, both u16, and split.tensors.count, i32,
 * of all parts together. The keys that matter are the first part's.
 */
#include "model/gguf.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "model/gguf_file.h"
#include "model/path.h"

/* All pieces of a model, in order. */
typedef struct pieces {
    mpl_gguf_piece *items;
    uint32_t count;
} pieces;

static const mpl_gguf_key *piece_key(const mpl_gguf_piece *piece,
                                     const char *name)
{
    const uint64_t at = mpl_name_index_find(&piece->key_index, name);
    return at != MEMPLAN_UNKNOWN ? &piece->keys[at] : NULL;
}

/* A key of one part that must be of one type, or `fallback` without it. */
static memplan_status split_key(uint64_t *out, const mpl_gguf_piece *piece,
                                const char *name, uint32_t type,
                                uint64_t fallback, memplan_error *error)
{
    const mpl_gguf_key *const key = piece_key(piece, name);
    *out = fallback;
    if (key == NULL)
        return MEMPLAN_OK;
    if (key->type != type || !mpl_gguf_u64(key, 0, out))
        return mpl_fail(error, MEMPLAN_E_CORRUPT, key->file_offset,
                        "%.160s: %s is no %s that counts", piece->part.path,
                        name, mpl_gguf_type_name(type));
    return MEMPLAN_OK;
}

/* The path of part `number` (from 0), beside `path`, which is one of them. */
static memplan_status part_path(const char **out, mpl_arena *arena,
                                const char *path, uint64_t number,
                                uint64_t count, memplan_error *error)
{
    uint64_t prefix_length = 0;
    uint64_t named = 0;
    if (!mpl_path_is_part(path, ".gguf", &prefix_length, &named) ||
        named != count)
        return mpl_fail(
            error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
            "%.140s: one of %" PRIu64 " parts, but its name does not end in "
            "\"-00001-of-%05" PRIu64 ".gguf\", so the others cannot be found",
            path, count, count);
    *out =
        mpl_path_part(arena, path, prefix_length, number + 1, count, ".gguf");
    return *out != NULL ? MEMPLAN_OK : mpl_fail_memory(error);
}

static memplan_status check_part(const mpl_gguf_piece *piece, uint64_t number,
                                 uint64_t count, memplan_error *error)
{
    uint64_t own_number;
    uint64_t own_count;
    memplan_status status = split_key(&own_number, piece, "split.no",
                                      MPL_GGUF_U16, MEMPLAN_UNKNOWN, error);
    if (status == MEMPLAN_OK)
        status = split_key(&own_count, piece, "split.count", MPL_GGUF_U16,
                           MEMPLAN_UNKNOWN, error);
    if (status == MEMPLAN_OK && (own_number != number || own_count != count))
        return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "%.160s: split.no and split.count do not say that "
                        "this is part %" PRIu64 " of %" PRIu64,
                        piece->part.path, number + 1, count);
    return status;
}

static memplan_status read_split(pieces *out, mpl_arena *arena,
                                 const mpl_gguf_piece *opened, uint64_t count,
                                 uint64_t header_max_bytes,
                                 memplan_error *error)
{
    out->items = mpl_arena_alloc(arena, count, sizeof *out->items);
    out->count = (uint32_t)count;
    if (out->items == NULL)
        return mpl_fail_memory(error);
    uint64_t tensors = 0;
    memplan_status status;
    for (uint64_t at = 0; at < count; at++) {
        const char *path;
        status = part_path(&path, arena, opened->part.path, at, count, error);
        if (status != MEMPLAN_OK)
            return status;
        mpl_gguf_piece *const piece = &out->items[at];
        if (strcmp(path, opened->part.path) == 0)
            *piece = *opened;
        else if ((status = mpl_gguf_read_piece(piece, arena, path,
                                               header_max_bytes, error)) !=
                 MEMPLAN_OK)
            return status;
        if ((status = check_part(piece, at, count, error)) != MEMPLAN_OK)
            return status;
        tensors += piece->part.tensor_count;
    }
    uint64_t wanted;
    status = split_key(&wanted, &out->items[0], "split.tensors.count",
                       MPL_GGUF_I32, tensors, error);
    if (status == MEMPLAN_OK && (wanted != tensors || tensors > INT32_MAX))
        return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "%.160s: the parts hold %" PRIu64
                        " tensors, but split.tensors.count is %" PRIu64,
                        out->items[0].part.path, tensors, wanted);
    return status;
}

static memplan_status read_pieces(pieces *out, mpl_arena *arena,
                                  const char *path, uint64_t header_max_bytes,
                                  memplan_error *error)
{
    mpl_gguf_piece *const opened = mpl_arena_alloc(arena, 1, sizeof *opened);
    if (opened == NULL)
        return mpl_fail_memory(error);
    memplan_status status =
        mpl_gguf_read_piece(opened, arena, path, header_max_bytes, error);
    if (status != MEMPLAN_OK)
        return status;
    uint64_t count;
    status = split_key(&count, opened, "split.count", MPL_GGUF_U16, 1, error);
    if (status == MEMPLAN_OK && count > 1)
        return read_split(out, arena, opened, count, header_max_bytes, error);
    out->items = opened;
    out->count = 1;
    return status;
}

/* All parts' tensors in one list, and the first part's keys. */
static memplan_status join(mpl_gguf *gguf, mpl_gguf_tensor **out_tensors,
                           mpl_arena *arena, const pieces *from,
                           memplan_error *error)
{
    for (uint32_t at = 0; at < from->count; at++)
        gguf->tensor_count += from->items[at].part.tensor_count;
    mpl_gguf_tensor *const tensors =
        mpl_arena_alloc(arena, gguf->tensor_count, sizeof *tensors);
    mpl_gguf_part *const parts =
        mpl_arena_alloc(arena, from->count, sizeof *parts);
    if (tensors == NULL || parts == NULL)
        return mpl_fail_memory(error);
    gguf->is_complete = 1;
    uint32_t next = 0;
    for (uint32_t at = 0; at < from->count; at++) {
        const mpl_gguf_piece *const piece = &from->items[at];
        parts[at] = piece->part;
        parts[at].first_tensor = next;
        gguf->is_complete &= piece->part.is_complete;
        for (uint32_t i = 0; i < piece->part.tensor_count; i++) {
            tensors[next] = piece->tensors[i];
            tensors[next++].part_index = at;
        }
    }
    gguf->keys = from->items[0].keys;
    gguf->key_count = from->items[0].key_count;
    gguf->key_index = from->items[0].key_index;
    gguf->parts = parts;
    gguf->part_count = from->count;
    gguf->tensors = tensors;
    *out_tensors = tensors;
    return MEMPLAN_OK;
}

static memplan_status index_tensors(mpl_gguf *gguf, mpl_arena *arena,
                                    memplan_error *error)
{
    if (!mpl_name_index_build(&gguf->tensor_index, arena, &gguf->tensors->name,
                              sizeof *gguf->tensors, gguf->tensor_count))
        return mpl_fail_memory(error);
    const uint64_t twice = gguf->tensor_index.duplicate;
    if (twice == MEMPLAN_UNKNOWN)
        return MEMPLAN_OK;
    const mpl_gguf_tensor *const tensor = &gguf->tensors[twice];
    return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                    "%.140s: tensor \"%s\" stands twice",
                    gguf->parts[tensor->part_index].path, tensor->name);
}

static memplan_status find_architecture(mpl_gguf *gguf, memplan_error *error)
{
    const mpl_gguf_key *const key = mpl_gguf_find(gguf, "general.architecture");
    gguf->architecture = mpl_gguf_text(key);
    if (gguf->architecture != NULL && gguf->architecture[0] != '\0')
        return MEMPLAN_OK;
    return mpl_fail(error, MEMPLAN_E_CORRUPT,
                    key != NULL ? key->file_offset : MPL_NOWHERE,
                    "%.160s: general.architecture is missing or no text",
                    gguf->parts[0].path);
}

/* Names, files and bytes on disk. */
static memplan_status describe(memplan_model *model, const mpl_gguf *gguf,
                               memplan_error *error)
{
    const char **const files =
        mpl_arena_alloc(model->arena, gguf->part_count, sizeof *files);
    if (files == NULL)
        return mpl_fail_memory(error);
    model->file_bytes = 0;
    for (uint32_t at = 0; at < gguf->part_count; at++) {
        files[at] = gguf->parts[at].path;
        if (!mpl_add(&model->file_bytes, model->file_bytes,
                     gguf->parts[at].file_bytes))
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "%.160s: the files' bytes pass 64 bits", files[0]);
    }
    model->files = files;
    model->file_count = gguf->part_count;
    model->format = "gguf";
    model->architecture = gguf->architecture;
    const char *const name = mpl_gguf_text(mpl_gguf_find(gguf, "general.name"));
    if (name != NULL && name[0] != '\0')
        model->name = name;
    return MEMPLAN_OK;
}

memplan_status mpl_gguf_open(memplan_model *model, const char *path,
                             uint64_t header_max_bytes, memplan_error *error)
{
    mpl_gguf *const gguf = mpl_arena_alloc(model->arena, 1, sizeof *gguf);
    const char *const kept = mpl_arena_strdup(model->arena, path);
    if (gguf == NULL || kept == NULL)
        return mpl_fail_memory(error);
    pieces from = {0};
    mpl_gguf_tensor *tensors = NULL;
    memplan_status status =
        read_pieces(&from, model->arena, kept, header_max_bytes, error);
    if (status == MEMPLAN_OK)
        status = join(gguf, &tensors, model->arena, &from, error);
    if (status == MEMPLAN_OK)
        status = index_tensors(gguf, model->arena, error);
    if (status == MEMPLAN_OK)
        status = find_architecture(gguf, error);
    if (status == MEMPLAN_OK)
        status = describe(model, gguf, error);
    if (status == MEMPLAN_OK)
        status = mpl_gguf_group(model, gguf, tensors, error);
    if (status != MEMPLAN_OK)
        return status;
    model->gguf = gguf;
    mpl_gguf_read_facts(model, gguf);
    return MEMPLAN_OK;
}
