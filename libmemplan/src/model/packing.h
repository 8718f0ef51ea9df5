/* SPDX-License-Identifier: MIT */
/*
 * How a checkpoint packs one weight [outputs, inputs]:
 *
 *     packed   outputs * words(inputs * bits), or the other way round
 *     scales   blocks of outputs * blocks of inputs * scale
 *     zeros    words(blocks of outputs * zero bits) * blocks of inputs
 *     order    inputs * `input_bytes` (GPTQ's g_idx)
 *     extra    once a weight: global scales, a shape, a scale of activations
 *
 * Experts in one tensor [experts, outputs, inputs] are so many weights.
 */
#ifndef MPL_MODEL_PACKING_H
#define MPL_MODEL_PACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"

/* In place of bytes: those of the weight's own dtype, before it was packed. */
#define MPL_OWN_BYTES UINT32_MAX

typedef struct mpl_packing {
    uint32_t dtype;         /* what the packed weight is called */
    uint32_t bits;          /* of an element; 0: not packed at all */
    uint32_t word_bits;     /* packed elements fill whole words */
    bool is_along_outputs;  /* words hold outputs, not inputs */
    uint64_t block_outputs; /* that share a scale; 0: all */
    uint64_t block_inputs;  /* that share a scale; 0: all */
    uint32_t scale_bytes;   /* or MPL_OWN_BYTES */
    uint32_t zero_bits;     /* 0: no zero points */
    uint32_t zero_word_bits;
    uint32_t input_bytes;  /* for each input */
    uint32_t extra_bytes;  /* a weight */
    uint32_t shared_bytes; /* a weight: MPL_OWN_BYTES or 0 */
    bool is_joined;        /* parts of a tensor are packed as one, with a
                              block of outputs each at least */
} mpl_packing;

/*
 * Bytes of a tensor of a model as it is packed. `parts` is the number of
 * weights that stand beneath each other in the tensor (gate and up: 2).
 * False past 64 bits.
 */
bool mpl_packing_bytes(uint64_t *out, const mpl_packing *packing,
                       const mpl_tensor *tensor, uint64_t parts);

/* Bytes of the same once it is unpacked into the tensor's own dtype. With
 * `keeps_scales` all but the packed elements stays beside them, scales in that
 * dtype. False past 64 bits. */
bool mpl_packing_dense_bytes(uint64_t *out, const mpl_packing *packing,
                             const mpl_tensor *tensor, uint64_t parts,
                             bool keeps_scales);

#endif
