/* SPDX-License-Identifier: MIT */
/*
 * Operators that take more than their result, by backend.
 *
 *   CUDA, HIP   flash attention keeps F16 copies of K and V that are not F16:
 *               128-padded result + 2 bytes an element of each; V not where it
 *               is a part of K (MLA). Not verified on a device here.
 *   all         a quantized tensor's last row is padded on allocation
 */
#include "base/checked.h"
#include "engine/llamacpp/compute_run.h"

enum { SCRATCH_ALIGNMENT = 128, F16_BYTES = 2 };

static bool keeps_f16_copies(mpl_llama_backend_kind kind)
{
    return kind == MPL_LLAMA_CUDA || kind == MPL_LLAMA_HIP ||
           kind == MPL_LLAMA_SYCL;
}

static uint64_t padded_elements(uint64_t bytes, const mpl_node *x)
{
    uint64_t start = bytes;
    if (x->dtype == MPL_DTYPE_FP16 ||
        !mpl_align_up(&start, bytes, SCRATCH_ALIGNMENT))
        return bytes;
    return start + F16_BYTES * mpl_node_elements(x);
}

static uint64_t attention_bytes(uint64_t bytes, const mpl_node *node)
{
    const mpl_node *const k = node->src[1];
    const mpl_node *const v = node->src[2];
    const bool is_shared = k->view_of != NULL && k->view_of == v->view_of;
    bytes = padded_elements(bytes, k);
    return is_shared ? bytes : padded_elements(bytes, v);
}

uint64_t mpl_node_alloc_bytes(const mpl_llama_setup *setup, uint32_t buffer,
                              const mpl_node *node)
{
    const mpl_llama_buffer_type *const type = &setup->buffers[buffer];
    const uint64_t block = mpl_dtype_block_elements(node->dtype);
    uint64_t bytes = mpl_node_bytes(node);
    if (type->row_elements != 0 && block > 1 &&
        node->ne[0] % type->row_elements != 0)
        bytes += mpl_row_bytes(node->dtype, type->row_elements -
                                                node->ne[0] %
                                                    type->row_elements);
    if (node->op == MPL_OP_FLASH_ATTN && type->device != MPL_LLAMA_HOST &&
        keeps_f16_copies(setup->devices[type->device].kind))
        bytes = attention_bytes(bytes, node);
    return bytes;
}
