/* SPDX-License-Identifier: MIT */
/*
 * What a weight takes in memory when it is loaded in another type.
 *
 * A scheme is a way to load: a plain dtype, or a quantizer with its scales,
 * zero points and statistics. Which modules a quantizer leaves alone is part
 * of the scheme: embeddings, norms, biases and the output projection stay in
 * the dtype of the model.
 */
#ifndef MPL_MODEL_QUANTIZATION_H
#define MPL_MODEL_QUANTIZATION_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"

/* The rows are in schemes.def. */
typedef enum mpl_scheme {
#define SCHEME(id, ...) MPL_SCHEME_##id,
#include "model/schemes.def"
#undef SCHEME
    MPL_SCHEME_COUNT
} mpl_scheme;

/* What a loader does with units beside the device that executes them. */
enum {
    MPL_AWAY_HOST = 1 << 0,  /* they may rest on the host */
    MPL_AWAY_DISK = 1 << 1,  /* and on a disk */
    MPL_AWAY_ALONE = 1 << 2, /* the host may execute all of the model */
    MPL_AWAY_PLAIN = 1 << 3, /* they are not quantized there */
    MPL_AWAY_LATER = 1 << 4  /* no loader does it: the library quantizes what
                                was loaded in the model's own dtype */
};

/* The columns of schemes.def. */
typedef struct mpl_scheme_row {
    const char *name;
    uint32_t dtype;
    uint32_t bits;
    uint32_t group_elements;
    uint32_t least_group;
    uint32_t scale_bytes;
    uint32_t zero_bytes;
    uint32_t extra_bytes;
    uint32_t second_scales;
    uint32_t input_multiple;
    uint32_t output_multiple;
    uint32_t unpacked_copies;
    uint32_t away;
    const char *rule;
} mpl_scheme_row;

/* A static row; `scheme` is below MPL_SCHEME_COUNT. */
const mpl_scheme_row *mpl_scheme_at(mpl_scheme scheme);

/* "nf4", "torchao-int4", ... A static string; NULL past the table. */
const char *mpl_scheme_name(uint32_t scheme);

/* By name; NULL is the model's own ("auto"). MPL_SCHEME_COUNT where unknown.
 * "int8" and "int4" are torchao's, which quantizes what is offloaded too. */
mpl_scheme mpl_scheme_from_name(const char *name);

/* The names that mpl_scheme_from_name() takes, and their rules; false past the
 * last one. */
bool mpl_scheme_entry(uint32_t index, const char **out_name,
                      const char **out_rule);

/* True for a weight that a quantizer of this kind would change. */
bool mpl_is_quantized(const memplan_model *model, uint32_t tensor);

/* Experts that are parameters of their own, no linear modules, so that every
 * loader leaves them as they are: percent of all parameters, rounded down. */
uint32_t mpl_experts_left_percent(const memplan_model *model);

/*
 * Bytes of one tensor of the model when loaded by a scheme, all it brings with
 * it counted in. A tied tensor costs what its owner costs: count it once.
 * False when the bytes pass 64 bits.
 */
bool mpl_quantized_bytes(uint64_t *out, const memplan_model *model,
                         uint32_t tensor, mpl_scheme scheme);

/* The same where a loader unpacks what the checkpoint has packed: into the
 * scheme's dtype, scales and the like kept as they were. */
bool mpl_dense_bytes(uint64_t *out, const memplan_model *model, uint32_t tensor,
                     mpl_scheme scheme);

#endif
