/* SPDX-License-Identifier: MIT */
/*
 * Readers of one key each, and the table of keys that every architecture has
 * (keys.def) with those that it reads besides (reads.def).
 */
#include "engine/llamacpp/keys.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

void mpl_llama_refuse(mpl_llama_keys *keys, const char *format, ...)
{
    if (keys->status != MEMPLAN_OK)
        return;
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    keys->status = mpl_fail(keys->error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                            "llama.cpp refuses it: %s", text);
}

static void wrong_type(mpl_llama_keys *keys, const mpl_gguf_key *key,
                       const char *expected)
{
    mpl_llama_refuse(keys, "key %s has wrong type %s but expected type %s",
                     key->name, mpl_gguf_type_name(key->type), expected);
}

/* The key, or NULL where it is missing or something failed before. */
static const mpl_gguf_key *find(mpl_llama_keys *keys, const char *name,
                                mpl_llama_need need)
{
    if (keys->status != MEMPLAN_OK)
        return NULL;
    const mpl_gguf_key *key = mpl_gguf_find_arch(keys->gguf, name);
    if (key == NULL && need == MPL_LLAMA_MUST)
        mpl_llama_refuse(keys, "key not found in model: %s.%s",
                         keys->gguf->architecture, name);
    return key;
}

bool mpl_llama_key_u32(mpl_llama_keys *keys, const char *name,
                       mpl_llama_need need, uint32_t *out)
{
    const mpl_gguf_key *key = find(keys, name, need);
    if (key == NULL)
        return false;
    uint64_t value = 0;
    if (key->type != MPL_GGUF_U32 || !mpl_gguf_u64(key, 0, &value)) {
        wrong_type(keys, key, "u32");
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

bool mpl_llama_key_bool(mpl_llama_keys *keys, const char *name,
                        mpl_llama_need need, bool *out)
{
    const mpl_gguf_key *key = find(keys, name, need);
    if (key == NULL)
        return false;
    if (key->type != MPL_GGUF_BOOL || !mpl_gguf_bool(key, 0, out)) {
        wrong_type(keys, key, "bool");
        return false;
    }
    return true;
}

bool mpl_llama_key_f32(mpl_llama_keys *keys, const char *name,
                       mpl_llama_need need, double *out)
{
    const mpl_gguf_key *key = find(keys, name, need);
    if (key == NULL)
        return false;
    if (key->type != MPL_GGUF_F32 || !mpl_gguf_real(key, 0, out)) {
        wrong_type(keys, key, "f32");
        return false;
    }
    return true;
}

/* Item `index` of an array of 32-bit integers or truths. */
static bool item(const mpl_gguf_key *key, uint32_t index, int64_t *out)
{
    bool truth = false;
    if (key->item_type == MPL_GGUF_BOOL) {
        if (!mpl_gguf_bool(key, index, &truth))
            return false;
        *out = truth ? 1 : 0;
        return true;
    }
    return mpl_gguf_i64(key, index, out);
}

static bool is_integer(uint32_t type)
{
    return type == MPL_GGUF_U32 || type == MPL_GGUF_I32 ||
           type == MPL_GGUF_BOOL;
}

bool mpl_llama_key_array(mpl_llama_keys *keys, const char *name,
                         mpl_llama_need need, uint32_t most, int64_t *out,
                         uint32_t *out_count)
{
    const mpl_gguf_key *key = find(keys, name, need);
    if (key == NULL || key->type != MPL_GGUF_ARRAY) {
        if (key != NULL && need == MPL_LLAMA_MUST)
            mpl_llama_refuse(keys, "array key not found in model: %s",
                             key->name);
        return false;
    }
    if (!is_integer(key->item_type)) {
        mpl_llama_refuse(keys, "%s is not a uint32/int32/bool array",
                         key->name);
        return false;
    }
    if (key->count > most) {
        mpl_llama_refuse(keys, "array length %llu for key %s exceeds max %u",
                         (unsigned long long)key->count, key->name, most);
        return false;
    }
    for (uint32_t i = 0; i < key->count; i++)
        if (!item(key, i, &out[i])) {
            wrong_type(keys, key, "u32");
            return false;
        }
    *out_count = (uint32_t)key->count;
    return true;
}

bool mpl_llama_key_each(mpl_llama_keys *keys, const char *name,
                        mpl_llama_need need, uint32_t count, uint32_t *out,
                        uint32_t stride_bytes)
{
    const mpl_gguf_key *key = find(keys, name, need);
    if (key == NULL)
        return false;
    const bool is_array = key->type == MPL_GGUF_ARRAY;
    if (is_array && key->count != count) {
        mpl_llama_refuse(keys,
                         "key %s has wrong array length; expected %u, got %llu",
                         key->name, count, (unsigned long long)key->count);
        return false;
    }
    if (!is_array && key->type != MPL_GGUF_U32) {
        wrong_type(keys, key, "u32");
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        int64_t value = 0;
        if (!is_integer(key->item_type) ||
            !item(key, is_array ? i : 0, &value)) {
            wrong_type(keys, key, "u32");
            return false;
        }
        *(uint32_t *)(void *)((char *)out + (uint64_t)i * stride_bytes) =
            (uint32_t)value;
    }
    return true;
}

/* ---- The keys of an architecture --------------------------------------- */

typedef enum key_type {
    TYPE_U32,
    TYPE_F32,
    TYPE_BOOL,
    TYPE_FLAG,
    TYPE_SCALE,
    TYPE_LAYERS,
    TYPE_SECTIONS
} key_type;

typedef struct key_row {
    const char *id;
    const char *name;
    key_type type;
    uint32_t field; /* offset in mpl_llama_hparams; 0: nowhere */
} key_row;

#define AT(field) (uint32_t) offsetof(mpl_llama_hparams, field)

static const key_row KEYS[] = {
#define NONE                       arch /* its offset is 0 */
#define expert_ff_width            arch
#define KEY(id, name, type, field) {#id, name, TYPE_##type, AT(field)},
#include "engine/llamacpp/keys.def"
#undef KEY
#undef expert_ff_width
#undef NONE
};

static const char *const READS[MPL_LLAMA_ARCH_COUNT] = {
#define READS(id, keys) [MPL_LLAMA_ARCH_##id] = keys,
#include "engine/llamacpp/reads.def"
#undef READS
};

static void read_number(mpl_llama_keys *keys, const key_row *row,
                        mpl_llama_need need, char *base)
{
    double value = 0.0;
    if (!mpl_llama_key_f32(keys, row->name, need, &value) || row->field == 0)
        return;
    bool *flag = (bool *)(void *)(base + row->field);
    *flag = value != 0.0 && (row->type != TYPE_SCALE || value != 1.0);
}

static void read_row(mpl_llama_keys *keys, const key_row *row,
                     mpl_llama_need need, mpl_llama_hparams *out)
{
    char *base = (char *)out;
    uint32_t unused = 0;
    bool unused_flag = false;
    const bool has_field = row->field != 0;
    switch (row->type) {
    case TYPE_U32:
        (void)mpl_llama_key_u32(
            keys, row->name, need,
            has_field ? (uint32_t *)(void *)(base + row->field) : &unused);
        return;
    case TYPE_BOOL:
        (void)mpl_llama_key_bool(keys, row->name, need,
                                 has_field ? (bool *)(void *)(base + row->field)
                                           : &unused_flag);
        return;
    case TYPE_F32:
    case TYPE_FLAG:
    case TYPE_SCALE:
        read_number(keys, row, need, base);
        return;
    case TYPE_LAYERS:
        (void)mpl_llama_key_each(keys, row->name, need, out->layer_count_all,
                                 &out->layers[0].expert_ff_width,
                                 sizeof(mpl_llama_layer));
        return;
    case TYPE_SECTIONS:
        (void)mpl_llama_key_each(keys, row->name, need, 4, out->rope_sections,
                                 sizeof(uint32_t));
        return;
    }
}

static const key_row *row_of(const char *id, size_t length)
{
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
        if (strlen(KEYS[i].id) == length && memcmp(KEYS[i].id, id, length) == 0)
            return &KEYS[i];
    return NULL;
}

void mpl_llama_keys_read(mpl_llama_keys *keys, mpl_llama_hparams *out)
{
    const char *at = READS[out->arch];
    while (at != NULL && *at != '\0' && keys->status == MEMPLAN_OK) {
        const size_t length = strcspn(at, "! ");
        const key_row *row = row_of(at, length);
        const mpl_llama_need need =
            at[length] == '!' ? MPL_LLAMA_MUST : MPL_LLAMA_MAY;
        if (row != NULL)
            read_row(keys, row, need, out);
        at += length;
        at += strspn(at, "! ");
    }
}
