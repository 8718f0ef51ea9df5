/* SPDX-License-Identifier: MIT */
/*
 * A graph: the operators that llama.cpp would run, with shapes and strides
 * but without data. Operators mirror ggml's, because sizes, order of creation
 * and order of visits decide what the allocator does.
 *
 * Errors are sticky: after a failed allocation or a size past 64 bits every
 * operator still returns a node, and `status` says what happened.
 */
#ifndef MPL_ENGINE_LLAMACPP_GRAPH_H
#define MPL_ENGINE_LLAMACPP_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/llamacpp/refusal.h"
#include "memplan.h"
#include "model/dtype.h"

/* The rows are in ops.def: OP(id, name, kind). */
typedef enum mpl_op {
#define OP(id, name, kind) MPL_OP_##id,
#include "engine/llamacpp/ops.def"
#undef OP
    MPL_OP_COUNT
} mpl_op;

typedef enum mpl_op_kind {
    MPL_OP_KIND_PLAIN,
    MPL_OP_KIND_VIEW,
    MPL_OP_KIND_INPLACE
} mpl_op_kind;

const char *mpl_op_name(mpl_op op);
mpl_op_kind mpl_op_kind_of(mpl_op op);

enum {
    MPL_NODE_INPUT = 1 << 0,   /* filled by the host: allocated first */
    MPL_NODE_OUTPUT = 1 << 1,  /* read by the host: never freed */
    MPL_NODE_WEIGHT = 1 << 2,  /* its buffer holds weights */
    MPL_NODE_VISITED = 1 << 3, /* already in the graph */
    MPL_NODE_OWNED = 1 << 4,   /* its storage is the allocator's */
    MPL_NODE_SOURCES = 7,
    MPL_NODE_NO_BUFFER = UINT16_MAX,
    MPL_NODE_NO_BACKEND = -1
};

typedef struct mpl_node mpl_node;

struct mpl_node {
    uint64_t ne[4]; /* elements, the fastest dimension first */
    uint64_t nb[4]; /* bytes from one to the next */
    mpl_node *src[MPL_NODE_SOURCES];
    mpl_node *view_of; /* the root whose storage it shows, or NULL */
    mpl_node *copies;  /* its copies on other backends, a list by `next` */
    mpl_node *next;    /* of a copy; while visiting: the node that asked */
    const char *name;
    uint64_t offset; /* in its chunk */
    uint32_t child_count;
    uint32_t view_count;
    uint16_t buffer;  /* a buffer type: outside of compute memory */
    int16_t layer;    /* -1: none */
    int8_t backend;   /* who runs it, or MPL_NODE_NO_BACKEND */
    int8_t home;      /* whose compute buffer holds it */
    uint8_t chunk;
    uint8_t walk; /* while visiting: the next source */
    uint8_t op;
    uint8_t dtype;
    uint8_t flags;
    uint8_t padding;
};

typedef struct mpl_graph {
    mpl_arena *arena;
    memplan_status status; /* sticky */
    mpl_llama_refusal refusal; /* of status MEMPLAN_E_UNSUPPORTED */
    mpl_node **nodes;
    uint64_t node_count;
    uint64_t node_capacity;
    mpl_node **leafs;
    uint64_t leaf_count;
    uint64_t leaf_capacity;
    mpl_node *slab; /* nodes not handed out yet */
    uint32_t slab_left;
    int16_t layer; /* stamped on new nodes */
    mpl_node broken; /* what a failed operator returns */
} mpl_graph;

void mpl_graph_open(mpl_graph *graph, mpl_arena *arena);

/* llama.cpp ends here. */
void mpl_graph_refuse(mpl_graph *graph, mpl_llama_refusal refusal);

/* Adds a node after all that it needs; visits sources left to right. */
void mpl_graph_expand(mpl_graph *graph, mpl_node *node);

/* Bytes from the first to the last element; 0 where a dimension is 0. */
uint64_t mpl_node_bytes(const mpl_node *node);

bool mpl_node_is_contiguous(const mpl_node *node);
bool mpl_node_same_layout(const mpl_node *a, const mpl_node *b);
uint64_t mpl_node_elements(const mpl_node *node);

/* Bytes of `elements` in a row of a type. */
uint64_t mpl_row_bytes(uint32_t dtype, uint64_t elements);

/* A tensor of its own without an operator. */
mpl_node *mpl_tensor4(mpl_graph *g, uint32_t dtype, uint64_t ne0, uint64_t ne1,
                      uint64_t ne2, uint64_t ne3);
mpl_node *mpl_input4(mpl_graph *g, const char *name, uint32_t dtype,
                     uint64_t ne0, uint64_t ne1, uint64_t ne2, uint64_t ne3);

/* The result has the shape of `a`, contiguous. */
mpl_node *mpl_op1(mpl_graph *g, mpl_op op, mpl_node *a);
mpl_node *mpl_op2(mpl_graph *g, mpl_op op, mpl_node *a, mpl_node *b);
mpl_node *mpl_op3(mpl_graph *g, mpl_op op, mpl_node *a, mpl_node *b,
                  mpl_node *c);

/* An operator of a given type and shape. */
mpl_node *mpl_op_shaped(mpl_graph *g, mpl_op op, uint32_t dtype, uint64_t ne0,
                        uint64_t ne1, uint64_t ne2, uint64_t ne3, mpl_node *a,
                        mpl_node *b);

/* An operator that writes into `a` itself. */
mpl_node *mpl_op_onto(mpl_graph *g, mpl_op op, mpl_node *a, mpl_node *b);

mpl_node *mpl_mul_mat(mpl_graph *g, mpl_node *weight, mpl_node *x);
mpl_node *mpl_mul_mat_id(mpl_graph *g, mpl_node *experts, mpl_node *x,
                         mpl_node *ids);
mpl_node *mpl_get_rows(mpl_graph *g, mpl_node *table, mpl_node *ids);
mpl_node *mpl_set_rows(mpl_graph *g, mpl_node *table, mpl_node *rows,
                       mpl_node *ids);
mpl_node *mpl_copy_to(mpl_graph *g, mpl_node *from, mpl_node *to);
mpl_node *mpl_cast(mpl_graph *g, mpl_node *a, uint32_t dtype);

mpl_node *mpl_reshape(mpl_graph *g, mpl_node *a, uint64_t ne0, uint64_t ne1,
                      uint64_t ne2, uint64_t ne3);
/* Strides in bytes. */
mpl_node *mpl_view(mpl_graph *g, mpl_node *a, uint64_t ne0, uint64_t ne1,
                   uint64_t ne2, uint64_t ne3, uint64_t nb1, uint64_t nb2,
                   uint64_t nb3);
/* The first `ne0` elements, as one row. */
mpl_node *mpl_view_row(mpl_graph *g, mpl_node *a, uint64_t ne0);
mpl_node *mpl_view_2d(mpl_graph *g, mpl_node *a, uint64_t ne0, uint64_t ne1,
                      uint64_t nb1);
/* Dimension i of `a` becomes dimension `axis_i`. */
mpl_node *mpl_permute(mpl_graph *g, mpl_node *a, int axis0, int axis1,
                      int axis2, int axis3);
mpl_node *mpl_transpose(mpl_graph *g, mpl_node *a);
mpl_node *mpl_cont(mpl_graph *g, mpl_node *a);
mpl_node *mpl_cont_as(mpl_graph *g, mpl_node *a, uint64_t ne0, uint64_t ne1,
                      uint64_t ne2, uint64_t ne3);
mpl_node *mpl_concat(mpl_graph *g, mpl_node *a, mpl_node *b, int dim);
mpl_node *mpl_repeat(mpl_graph *g, mpl_node *a, uint64_t ne0, uint64_t ne1,
                     uint64_t ne2, uint64_t ne3);
mpl_node *mpl_pad(mpl_graph *g, mpl_node *a, uint64_t p0, uint64_t p1,
                  uint64_t p2, uint64_t p3);
/* A gate: halves of `a` where `b` is NULL. */
mpl_node *mpl_glu(mpl_graph *g, mpl_node *a, mpl_node *b);
/* Indices of the k largest of each row: a full sort, then a view. */
mpl_node *mpl_argsort_top(mpl_graph *g, mpl_node *a, uint64_t k);
mpl_node *mpl_sum_rows(mpl_graph *g, mpl_node *a);

#endif
