/* SPDX-License-Identifier: MIT */
/* The metadata of a GGUF, by name. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "model/gguf.h"

static const char *const TYPE_NAMES[MPL_GGUF_TYPE_COUNT] = {
    "u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
    "bool", "string", "array", "u64", "i64", "f64"};

const char *mpl_gguf_type_name(uint32_t type)
{
    return type < MPL_GGUF_TYPE_COUNT ? TYPE_NAMES[type] : "?";
}

const mpl_gguf_key *mpl_gguf_find(const mpl_gguf *gguf, const char *name)
{
    const uint64_t at = mpl_name_index_find(&gguf->key_index, name);
    return at != MEMPLAN_UNKNOWN ? &gguf->keys[at] : NULL;
}

const mpl_gguf_key *mpl_gguf_find_arch(const mpl_gguf *gguf, const char *name)
{
    char full[256];
    const int length =
        snprintf(full, sizeof full, "%s.%s", gguf->architecture, name);
    return length > 0 && (size_t)length < sizeof full
               ? mpl_gguf_find(gguf, full)
               : NULL;
}

/* The widened bits of an item, if it is there. */
static bool item_bits(const mpl_gguf_key *key, uint64_t index, uint64_t *out)
{
    if (key == NULL || key->values == NULL || index >= key->count)
        return false;
    *out = key->values[index];
    return true;
}

static bool is_float(uint32_t type)
{
    return type == MPL_GGUF_F32 || type == MPL_GGUF_F64;
}

static bool is_signed(uint32_t type)
{
    return type == MPL_GGUF_I8 || type == MPL_GGUF_I16 ||
           type == MPL_GGUF_I32 || type == MPL_GGUF_I64;
}

bool mpl_gguf_u64(const mpl_gguf_key *key, uint64_t index, uint64_t *out)
{
    uint64_t bits;
    if (!item_bits(key, index, &bits) || is_float(key->item_type) ||
        key->item_type == MPL_GGUF_BOOL ||
        (is_signed(key->item_type) && bits > INT64_MAX))
        return false;
    *out = bits;
    return true;
}

bool mpl_gguf_i64(const mpl_gguf_key *key, uint64_t index, int64_t *out)
{
    uint64_t bits;
    if (!item_bits(key, index, &bits) || is_float(key->item_type) ||
        key->item_type == MPL_GGUF_BOOL ||
        (!is_signed(key->item_type) && bits > INT64_MAX))
        return false;
    *out = (int64_t)bits;
    return true;
}

bool mpl_gguf_real(const mpl_gguf_key *key, uint64_t index, double *out)
{
    uint64_t bits;
    if (!item_bits(key, index, &bits) || key->item_type == MPL_GGUF_BOOL)
        return false;
    if (is_float(key->item_type))
        memcpy(out, &bits, sizeof *out);
    else if (is_signed(key->item_type))
        *out = (double)(int64_t)bits;
    else
        *out = (double)bits;
    return true;
}

bool mpl_gguf_bool(const mpl_gguf_key *key, uint64_t index, bool *out)
{
    uint64_t bits;
    if (!item_bits(key, index, &bits) || key->item_type != MPL_GGUF_BOOL)
        return false;
    *out = bits != 0;
    return true;
}

const char *mpl_gguf_text(const mpl_gguf_key *key)
{
    return key != NULL ? key->text : NULL;
}

uint64_t mpl_gguf_arch_u64(const mpl_gguf *gguf, const char *name,
                           uint64_t fallback)
{
    uint64_t value;
    const mpl_gguf_key *const key = mpl_gguf_find_arch(gguf, name);
    return key != NULL && key->type != MPL_GGUF_ARRAY &&
                   mpl_gguf_u64(key, 0, &value)
               ? value
               : fallback;
}

uint64_t mpl_gguf_layer_u64(const mpl_gguf *gguf, const char *name,
                            uint64_t layer, uint64_t fallback)
{
    uint64_t value;
    const mpl_gguf_key *const key = mpl_gguf_find_arch(gguf, name);
    return key != NULL &&
                   mpl_gguf_u64(key, key->type == MPL_GGUF_ARRAY ? layer : 0,
                                &value)
               ? value
               : fallback;
}

const mpl_gguf_tensor *mpl_gguf_find_tensor(const mpl_gguf *gguf,
                                            const char *name)
{
    const uint64_t at = mpl_name_index_find(&gguf->tensor_index, name);
    return at != MEMPLAN_UNKNOWN ? &gguf->tensors[at] : NULL;
}
