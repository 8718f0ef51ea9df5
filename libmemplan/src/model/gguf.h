/* SPDX-License-Identifier: MIT */
/*
 * GGUF: a header, key-values, tensor infos, then data, which nobody here
 * reads. Versions 2 and 3; one file, or a split one that is joined.
 *
 * mpl_gguf keeps what an engine asks for: every key with its type and value,
 * and the tensors in the order of the file. The model's own tensors are the
 * same ones, grouped into units.
 */
#ifndef MPL_MODEL_GGUF_H
#define MPL_MODEL_GGUF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "memplan.h"
#include "model/model.h"
#include "model/name_index.h"

/* Types of values, as the file numbers them. */
typedef enum mpl_gguf_type {
    MPL_GGUF_U8,
    MPL_GGUF_I8,
    MPL_GGUF_U16,
    MPL_GGUF_I16,
    MPL_GGUF_U32,
    MPL_GGUF_I32,
    MPL_GGUF_F32,
    MPL_GGUF_BOOL,
    MPL_GGUF_STRING,
    MPL_GGUF_ARRAY,
    MPL_GGUF_U64,
    MPL_GGUF_I64,
    MPL_GGUF_F64,
    MPL_GGUF_TYPE_COUNT
} mpl_gguf_type;

/* "u32", "string", "array", ... */
const char *mpl_gguf_type_name(uint32_t type);

/* Longer arrays of numbers (token scores and types) keep their count alone. */
enum { MPL_GGUF_KEPT_ITEMS = 4096 };

typedef struct mpl_gguf_key {
    const char *name;
    uint32_t type;          /* MPL_GGUF_ARRAY for an array */
    uint32_t item_type;     /* of an array's items; else the same as type */
    uint64_t count;         /* an array's items; 1 for a scalar */
    uint64_t text_bytes;    /* strings: their bytes, all items together */
    const char *text;       /* a scalar string, terminated; else NULL */
    const uint64_t *values; /* numbers widened to 64 bits, floats as the bits
                               of a double; NULL for strings and long arrays */
    uint64_t file_offset;   /* of the key, for messages */
} mpl_gguf_key;

typedef struct mpl_gguf_tensor {
    const char *name;
    uint64_t ne[4];  /* innermost first; 1 past dimension_count */
    uint64_t offset; /* from its part's data_offset */
    uint64_t bytes;  /* without padding */
    uint32_t ggml_type;
    uint32_t dimension_count;
    uint32_t part_index;
    uint32_t model_index; /* of the same tensor in memplan_model.tensors */
} mpl_gguf_tensor;

/* One file. */
typedef struct mpl_gguf_part {
    const char *path;
    uint32_t version;
    uint32_t first_tensor;
    uint32_t tensor_count;
    uint32_t is_complete; /* 0: the file ends before its tensors do */
    uint64_t alignment;
    uint64_t header_bytes; /* to the end of the tensor infos */
    uint64_t data_offset;  /* the header with its padding */
    uint64_t data_bytes;   /* all tensors, each padded to the alignment */
    uint64_t file_bytes;
} mpl_gguf_part;

typedef struct mpl_gguf {
    const char *architecture; /* general.architecture */
    const mpl_gguf_key *keys; /* in the order of the (first) file */
    uint64_t key_count;
    mpl_name_index key_index;
    const mpl_gguf_tensor *tensors; /* in the order of the files */
    uint64_t tensor_count;
    mpl_name_index tensor_index;
    const mpl_gguf_part *parts;
    uint32_t part_count;
    uint32_t is_complete; /* 0: a file ends before its tensors do (a download
                             of the header alone): nothing can load it */
} mpl_gguf;

/* Fills a new model from a .gguf: the file, or any part of a split one.
 * MEMPLAN_OK, _NOT_FOUND, _IO, _CORRUPT, _UNSUPPORTED, _TOO_LARGE,
 * _NO_MEMORY; the message names the file. */
memplan_status mpl_gguf_open(memplan_model *model, const char *path,
                             uint64_t header_max_bytes, memplan_error *error);

/* ---- Metadata ---------------------------------------------------------- */

/* The key of that name, or NULL. */
const mpl_gguf_key *mpl_gguf_find(const mpl_gguf *gguf, const char *name);

/* The key "ARCHITECTURE.name", or NULL. */
const mpl_gguf_key *mpl_gguf_find_arch(const mpl_gguf *gguf, const char *name);

/* Item `index` of a key: a scalar has one item. False for a NULL key, past the
 * end, for a value that was not kept, and for the wrong type: u64 wants an
 * integer that is not negative, i64 an integer, real any number, bool a
 * bool. */
bool mpl_gguf_u64(const mpl_gguf_key *key, uint64_t index, uint64_t *out);
bool mpl_gguf_i64(const mpl_gguf_key *key, uint64_t index, int64_t *out);
bool mpl_gguf_real(const mpl_gguf_key *key, uint64_t index, double *out);
bool mpl_gguf_bool(const mpl_gguf_key *key, uint64_t index, bool *out);

/* The text of a scalar string; NULL for a NULL key and other types. */
const char *mpl_gguf_text(const mpl_gguf_key *key);

/* The whole number "ARCHITECTURE.name", or `fallback`. */
uint64_t mpl_gguf_arch_u64(const mpl_gguf *gguf, const char *name,
                           uint64_t fallback);

/* The same for one layer: an array's item, or a scalar that is every
 * layer's. */
uint64_t mpl_gguf_layer_u64(const mpl_gguf *gguf, const char *name,
                            uint64_t layer, uint64_t fallback);

/* The tensor of that name, or NULL. */
const mpl_gguf_tensor *mpl_gguf_find_tensor(const mpl_gguf *gguf,
                                            const char *name);

#endif
