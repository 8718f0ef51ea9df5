/* SPDX-License-Identifier: MIT */
/*
 * Sizes of modules: each tensor counts for all modules around it, once, under
 * the first name it is met by.
 */
#ifndef MPL_ENGINE_ACCELERATE_SIZES_H
#define MPL_ENGINE_ACCELERATE_SIZES_H

#include "engine/accelerate/amount.h"
#include "engine/accelerate/modules.h"

/* What one element takes. */
typedef struct mpl_element {
    uint64_t bits;
    bool is_real;  /* Accelerate holds it as a float */
    bool is_fixed; /* integers and booleans: no conversion touches them */
} mpl_element;

/* By PyTorch's name, without "torch."; false for a name without a width. */
bool mpl_element_find(const char *dtype, mpl_element *out);

/* A tensor of that name is stored in another dtype. */
typedef struct mpl_special {
    const char *name;
    mpl_element element;
} mpl_special;

/* How tensors will be stored. */
typedef struct mpl_storage {
    bool has_dtype;
    mpl_element dtype;
    const mpl_special *specials; /* sorted by name */
    uint32_t special_count;
} mpl_storage;

/* Reads memplan_modules_options.dtype and .special_dtypes. */
memplan_status mpl_storage_read(mpl_storage *out, mpl_arena *arena,
                                const char *dtype, const char *special_dtypes,
                                memplan_error *error);

typedef struct mpl_module_sizes {
    mpl_amount *amounts; /* by node; 0 where nothing was counted */
    uint32_t *order;     /* nodes that have a size, as they were met */
    uint32_t order_count;
} mpl_module_sizes;

memplan_status mpl_module_sizes_find(mpl_module_sizes *out, mpl_arena *arena,
                                     const memplan_modules *tree,
                                     const mpl_storage *storage,
                                     bool buffers_only, memplan_error *error);

/* The buffers of one module, by itself: names are looked up from it on.
 * `seen` is scratch: a zero for each module and each tensor. */
mpl_amount mpl_module_buffers(const memplan_modules *tree, uint32_t module,
                              const mpl_storage *storage, uint32_t *seen);

#endif
