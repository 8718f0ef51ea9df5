/* SPDX-License-Identifier: MIT */
/*
 * A space: free blocks of the chunks of one compute buffer.
 *
 *   take   the smallest free block that fits, but not the last of a chunk: it
 *          is the unused end, used only when nothing else fits (the one that
 *          must grow least, else the tightest); else a new chunk
 *   give   merge with the neighbours, or insert
 */
#include "base/checked.h"
#include "engine/llamacpp/galloc.h"

void mpl_space_open(mpl_space *space, mpl_arena *arena,
                    uint64_t alignment_bytes, uint64_t chunk_bytes)
{
    *space = (mpl_space){
        .arena = arena,
        .alignment_bytes = alignment_bytes,
        .chunk_bytes = mpl_min(chunk_bytes, UINT64_MAX / 4),
    };
}

uint64_t mpl_space_bytes(const mpl_space *space)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < space->chunk_count; i++)
        bytes += space->chunks[i].peak_bytes;
    return bytes;
}

static void remove_block(mpl_chunk *chunk, uint32_t index)
{
    chunk->block_count--;
    for (uint32_t i = index; i < chunk->block_count; i++)
        chunk->blocks[i] = chunk->blocks[i + 1];
}

/* Ties go to the later block and the later chunk. */
static bool find_hole(const mpl_space *space, uint64_t bytes, uint32_t *out,
                      uint32_t *out_block)
{
    bool found = false;
    for (uint32_t c = 0; c < space->chunk_count; c++) {
        const mpl_chunk *const chunk = &space->chunks[c];
        uint64_t best = UINT64_MAX;
        for (uint32_t i = 0; i + 1 < chunk->block_count; i++) {
            const uint64_t size = chunk->blocks[i].bytes;
            if (size < bytes || size > best)
                continue;
            best = size;
            *out = c;
            *out_block = i;
            found = true;
        }
    }
    return found;
}

/* `reuse`: bytes of the end that were used before and stay unused now;
 * negative: by how much the chunk grows. */
static bool find_end(const mpl_space *space, uint64_t bytes, uint32_t *out,
                     uint32_t *out_block)
{
    int64_t best = INT64_MIN;
    bool found = false;
    for (uint32_t c = 0; c < space->chunk_count; c++) {
        const mpl_chunk *const chunk = &space->chunks[c];
        if (chunk->block_count == 0)
            continue;
        const mpl_free_block *const end =
            &chunk->blocks[chunk->block_count - 1];
        const int64_t reuse =
            (int64_t)(chunk->peak_bytes - end->offset - bytes);
        const bool is_better = best < 0 && reuse > best;
        const bool is_tighter = reuse >= 0 && reuse < best;
        if (end->bytes < bytes || !(is_better || is_tighter))
            continue;
        best = reuse;
        *out = c;
        *out_block = chunk->block_count - 1;
        found = true;
    }
    return found;
}

static bool add_chunk(mpl_space *space, uint64_t bytes)
{
    if (space->chunk_count == MPL_SPACE_CHUNKS) {
        space->status = MEMPLAN_E_TOO_LARGE;
        return false;
    }
    mpl_chunk *const chunk = &space->chunks[space->chunk_count];
    if (chunk->blocks == NULL)
        chunk->blocks = mpl_arena_alloc(space->arena, MPL_SPACE_FREE_BLOCKS,
                                        sizeof *chunk->blocks);
    if (chunk->blocks == NULL) {
        space->status = MEMPLAN_E_NO_MEMORY;
        return false;
    }
    chunk->block_count = 1;
    chunk->peak_bytes = 0;
    chunk->blocks[0].offset = 0;
    chunk->blocks[0].bytes = mpl_max(bytes, space->chunk_bytes);
    if (space->chunk_count == MPL_SPACE_CHUNKS - 1)
        chunk->blocks[0].bytes = UINT64_MAX / 4;
    space->chunk_count++;
    return true;
}

void mpl_space_take(mpl_space *space, uint64_t bytes, uint8_t *chunk,
                    uint64_t *offset)
{
    uint32_t c = 0;
    uint32_t b = 0;
    *chunk = 0;
    *offset = 0;
    if (space->status != MEMPLAN_OK)
        return;
    if (bytes > UINT64_MAX / 8 ||
        !mpl_align_up(&bytes, bytes, space->alignment_bytes)) {
        space->status = MEMPLAN_E_TOO_LARGE;
        return;
    }
    if (!find_hole(space, bytes, &c, &b) && !find_end(space, bytes, &c, &b)) {
        if (!add_chunk(space, bytes))
            return;
        c = space->chunk_count - 1;
        b = 0;
    }
    mpl_chunk *const place = &space->chunks[c];
    mpl_free_block *const block = &place->blocks[b];
    *chunk = (uint8_t)c;
    *offset = block->offset;
    block->offset += bytes;
    block->bytes -= bytes;
    if (block->bytes == 0)
        remove_block(place, b);
    space->step++;
    if (*offset + bytes > place->peak_bytes) {
        place->peak_bytes = *offset + bytes;
        space->peak_step = space->step;
    }
}

static void insert_block(mpl_space *space, mpl_chunk *chunk, uint64_t offset,
                         uint64_t bytes)
{
    uint32_t at = 0;
    if (chunk->block_count == MPL_SPACE_FREE_BLOCKS) {
        space->status = MEMPLAN_E_UNSUPPORTED;
        return;
    }
    while (at < chunk->block_count && chunk->blocks[at].offset < offset)
        at++;
    for (uint32_t i = chunk->block_count; i > at; i--)
        chunk->blocks[i] = chunk->blocks[i - 1];
    chunk->blocks[at] = (mpl_free_block){offset, bytes};
    chunk->block_count++;
}

static void merge_next(mpl_chunk *chunk, uint32_t index)
{
    mpl_free_block *const block = &chunk->blocks[index];
    if (index + 1 >= chunk->block_count ||
        block->offset + block->bytes != block[1].offset)
        return;
    block->bytes += block[1].bytes;
    remove_block(chunk, index + 1);
}

void mpl_space_give(mpl_space *space, uint64_t bytes, uint8_t chunk,
                    uint64_t offset)
{
    mpl_chunk *const place = &space->chunks[chunk];
    if (space->status != MEMPLAN_OK ||
        !mpl_align_up(&bytes, bytes, space->alignment_bytes))
        return;
    for (uint32_t i = 0; i < place->block_count; i++) {
        mpl_free_block *const block = &place->blocks[i];
        if (block->offset + block->bytes == offset) {
            block->bytes += bytes;
            merge_next(place, i);
            return;
        }
        if (offset + bytes == block->offset) {
            block->offset = offset;
            block->bytes += bytes;
            if (i > 0)
                merge_next(place, i - 1);
            return;
        }
    }
    insert_block(space, place, offset, bytes);
}
