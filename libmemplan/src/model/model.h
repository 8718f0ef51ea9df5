/* SPDX-License-Identifier: MIT */
/*
 * A model: tensors grouped into units in execution order, and the facts that
 * drive the memory of its state. Readers (gguf.c, safetensors.c, …) fill it;
 * engines read it. Nothing here knows an engine or a machine.
 */
#ifndef MPL_MODEL_MODEL_H
#define MPL_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "memplan.h"
#include "model/dtype.h"

#define MPL_NO_INDEX UINT32_MAX

typedef enum mpl_unit_kind {
    MPL_UNIT_EMBEDDING, /* token (and position) embeddings */
    MPL_UNIT_LAYER,     /* one block of the trunk */
    MPL_UNIT_NORM,      /* a norm outside the blocks */
    MPL_UNIT_HEAD,      /* the output projection */
    MPL_UNIT_OTHER      /* vision towers, projectors, rotary tables, … */
} mpl_unit_kind;

const char *mpl_unit_kind_name(mpl_unit_kind kind);

/* What a tensor is, for engines that treat some differently. */
enum {
    MPL_TENSOR_BUFFER = 1 << 0,     /* not a parameter */
    MPL_TENSOR_TRANSIENT = 1 << 1,  /* a buffer that no checkpoint holds */
    MPL_TENSOR_LINEAR = 1 << 2,     /* the weight of a linear layer */
    MPL_TENSOR_EXPERT = 1 << 3,     /* routed experts: read in part a token */
    MPL_TENSOR_LOOKUP = 1 << 4,     /* an embedding: a row a token is read */
    MPL_TENSOR_TRANSPOSED = 1 << 5, /* a linear weight, inputs outermost */
    MPL_TENSOR_KEPT = 1 << 6,  /* its class keeps it in more bits than the
                                  rest: no quantizer takes it */
    MPL_TENSOR_PACKED = 1 << 7, /* the checkpoint has it quantized */
    MPL_TENSOR_JOINED = 1 << 8  /* made while loading, of tensors that the
                                   checkpoint has one by one */
};

typedef struct mpl_tensor {
    const char *name;
    const uint64_t *shape;    /* outermost first; dimension_count entries */
    uint32_t dimension_count; /* 0: a scalar */
    uint32_t dtype;           /* a mpl_dtype */
    uint64_t element_count;
    uint64_t bytes;
    uint64_t file_offset; /* from the start of its file; or MEMPLAN_UNKNOWN */
    uint32_t file_index;
    uint32_t unit_index;
    uint32_t tied_to; /* the tensor that owns the bytes, or MPL_NO_INDEX */
    uint32_t flags;
    uint64_t dense_bytes; /* of a packed one when a loader has unpacked it */
    uint32_t dense_dtype; /* into this */
    uint32_t padding;
} mpl_tensor;

/*
 * What one layer keeps of one sequence:
 *
 *   cache    min(tokens, window_tokens) * (key_elements + value_elements), in
 *            the cache's dtype
 *   indexer  tokens * index_elements, likewise
 *   cross    tokens of the encoder * (cross_key_elements +
 *            cross_value_elements), likewise
 *   fixed    fixed_elements in the dtype of computation, and fixed_bytes,
 *            whatever the length (recurrent and convolution states)
 *   step     step_elements of each token of a step, likewise, until the next
 *            step: what a layer keeps a view of, beyond the above
 */
typedef struct mpl_state {
    uint64_t key_elements;         /* a token */
    uint64_t value_elements;       /* a token */
    uint64_t window_tokens;        /* 0: no window */
    uint64_t cache_count; /* objects that hold them: one an attention */
    uint64_t index_elements;       /* a token */
    uint64_t cross_key_elements;   /* a token of the encoder */
    uint64_t cross_value_elements; /* a token of the encoder */
    uint64_t fixed_elements;       /* a sequence */
    uint64_t fixed_bytes;          /* a sequence */
    uint64_t step_elements;        /* a token of a step */
} mpl_state;

typedef struct mpl_unit {
    const char *name;
    mpl_unit_kind kind;
    uint32_t first_tensor; /* a unit's tensors are neighbours */
    uint32_t tensor_count;
    uint32_t layer_index; /* of a layer, else MPL_NO_INDEX */
    uint32_t like_before;   /* so many units before it is one that differs
                               from it in names alone; 0: none is known */
    uint64_t weight_bytes;  /* parameters and buffers, tied ones once */
    uint64_t element_count; /* of parameters, tied ones once */
    mpl_state state;
} mpl_unit;

/* Sizes that bound activations and drive speed; MEMPLAN_UNKNOWN where the
 * headers do not say. */
typedef struct mpl_facts {
    uint64_t context_tokens; /* trained length */
    uint64_t hidden_elements;
    uint64_t ffn_elements; /* the widest FFN's inner width, all experts used */
    uint64_t vocabulary_count;
    uint64_t head_count;
    uint64_t kv_head_count;
    uint64_t head_elements;
    uint64_t expert_count; /* routed, a layer; 0: dense */
    uint64_t experts_used; /* a token */
    uint64_t encoder_tokens; /* that cross attention sees, where the
                                configuration fixes it */
} mpl_facts;

struct mpl_quantizer; /* model/quantization_config.h */
struct mpl_gguf; /* model/gguf.h: metadata of a GGUF */
struct mpl_json; /* base/json.h: config.json */

struct memplan_model {
    mpl_arena *arena;
    const char *source;
    const char *name;
    const char *format;
    const char *architecture;
    const char *class_name; /* of Transformers that it is built as; or NULL */
    const char *repository;   /* on the hub, of a catalogue row; or NULL */
    const char *const *files; /* data files, by mpl_tensor.file_index */
    uint32_t file_count;
    uint32_t tensor_count;
    mpl_tensor *tensors; /* in the order of units */
    mpl_unit *units;     /* in execution order */
    uint32_t unit_count;
    uint32_t layer_count;
    uint64_t parameter_count;
    uint64_t weight_bytes;
    uint64_t file_bytes;
    mpl_facts facts;
    struct mpl_gguf *gguf;   /* NULL unless the format is "gguf" */
    struct mpl_json *config; /* owned; NULL where there is no config.json */
    const struct mpl_quantizer *quantizer; /* of packed tensors, or NULL */
    const char **notes; /* what a reader should know of the figures */
    uint64_t note_capacity;
    uint32_t note_count;
    uint32_t padding;
};

/* An empty model with its arena, all facts unknown; NULL: no memory. */
memplan_model *mpl_model_create(void);

/* Adds a note in plain words; printf's way, no %f. False: no memory. */
bool mpl_model_add_note(memplan_model *model, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Tells each tensor its unit: for steps that need it before the model is
 * finished. */
void mpl_model_number_tensors(memplan_model *model);

/* For whoever changes a tensor of a unit: the unit is like none before it, and
 * none after it is like it. */
void mpl_model_tell_apart(memplan_model *model, uint32_t index);

/* The same for whoever changes tensors here and there: what no more differs in
 * names alone is like none before it. */
void mpl_model_compare_units(memplan_model *model);

/*
 * Closes a model that a reader has filled: checks that units cover the
 * tensors in order, sums bytes and elements (checked), and counts layers.
 */
memplan_status mpl_model_finish(memplan_model *model, memplan_error *error);

/* A dtype's name; of words that a quantizer packs, that quantizer's, or
 * "packed". */
const char *mpl_model_dtype_name(const memplan_model *model, uint32_t dtype);

/* Recomputes every sum and index: true unless the model is broken. */
bool mpl_model_is_valid(const memplan_model *model);

#endif
