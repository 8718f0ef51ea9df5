/* SPDX-License-Identifier: MIT */
/*
 * "quantization_config" of a config.json, or modelopt's hf_quant_config.json:
 * which weights of a checkpoint are packed, and how.
 */
#ifndef MPL_MODEL_QUANTIZATION_CONFIG_H
#define MPL_MODEL_QUANTIZATION_CONFIG_H

#include "base/json.h"
#include "memplan.h"
#include "model/module_pattern.h"
#include "model/packing.h"
#include "model/quantization.h"

/* What a loader makes of packed weights. */
typedef enum mpl_loading {
    MPL_LOADING_PACKED,   /* as the checkpoint has them */
    MPL_LOADING_REPACKED, /* as many bytes, or nearly, in another order */
    MPL_LOADING_DENSE,    /* in the model's own dtype */
    MPL_LOADING_REFUSED
} mpl_loading;

/* When the output projection, and what is tied to it, stays as it is. */
typedef enum mpl_head_rule {
    MPL_HEAD_ALWAYS,
    MPL_HEAD_LISTED, /* unless the configuration lists what stays */
    MPL_HEAD_NAMED   /* only where that list names it */
} mpl_head_rule;

typedef enum mpl_packed_parts {
    MPL_PARTS_LINEAR = 1,
    MPL_PARTS_EXPERTS = 2,
    MPL_PARTS_BOTH = 3,
    MPL_PARTS_LAYERS = 7 /* both, but of layers alone */
} mpl_packed_parts;

/* The columns of quantizers.def. */
typedef struct mpl_quantizer {
    const char *name;
    mpl_pattern_kind patterns;
    mpl_head_rule head;
    mpl_packed_parts parts;
    mpl_loading device;
    uint32_t least_capability;
    mpl_loading below;
    mpl_loading host;
} mpl_quantizer;

/* The rows are in quantizers.def. */
typedef enum mpl_quantizer_id {
#define QUANTIZER(id, ...) MPL_QUANTIZER_##id,
#include "model/quantizers.def"
#undef QUANTIZER
    MPL_QUANTIZER_COUNT
} mpl_quantizer_id;

/* Weights that are packed alike. */
typedef struct mpl_packed_group {
    mpl_packing packing;
    mpl_json_value targets; /* absent: all with one of these flags */
    uint32_t flags;         /* 0: linear weights and experts */
} mpl_packed_group;

enum { MPL_PACKED_GROUPS = 16 };

typedef struct mpl_quantization {
    const mpl_quantizer *quantizer; /* NULL: the method is not known */
    const char *method;             /* as the file calls it */
    mpl_scheme scheme;      /* of a loader that packs so too, or _COUNT */
    mpl_json_value skipped; /* an array of patterns, or absent */
    mpl_json_value layers;  /* modelopt: an object, module to algorithm */
    mpl_packed_group groups[MPL_PACKED_GROUPS];
    uint32_t group_count; /* 0: nothing is packed, or nobody knows how */
} mpl_quantization;

/*
 * `expert_dtype` is what the model's own keys say of its experts, or NULL: it
 * stands where "quantization_config" has no such key.
 *
 * MEMPLAN_OK, _CORRUPT (the message names the key), _UNSUPPORTED (more than
 * MPL_PACKED_GROUPS groups).
 */
memplan_status mpl_quantization_read(mpl_quantization *out, mpl_json_value from,
                                     const char *expert_dtype,
                                     memplan_error *error);

/* modelopt's name of an algorithm; false: not known. */
bool mpl_packing_of_algorithm(mpl_packing *out, const char *algorithm);

/* A size from 1 to 2^20 of "quantization_config"; 0 where it is absent, null
 * or -1. `name` is for the message. */
memplan_status mpl_quantization_size(uint64_t *out, mpl_json_value value,
                                     const char *name, memplan_error *error);

/* Fills groups and the list of a compressed-tensors configuration. */
memplan_status mpl_compressed_tensors_read(mpl_quantization *out,
                                           mpl_json_value from,
                                           memplan_error *error);

#endif
