/* SPDX-License-Identifier: MIT */
/* Operators: the shape of each result, as ggml gives it. */
#include "base/checked.h"
#include "engine/llamacpp/graph.h"

mpl_node *mpl_input4(mpl_graph *g, const char *name, uint32_t dtype,
                     uint64_t ne0, uint64_t ne1, uint64_t ne2, uint64_t ne3)
{
    mpl_node *const node = mpl_tensor4(g, dtype, ne0, ne1, ne2, ne3);
    node->flags |= MPL_NODE_INPUT;
    node->name = name;
    node->layer = -1;
    return node;
}

mpl_node *mpl_op_shaped(mpl_graph *g, mpl_op op, uint32_t dtype, uint64_t ne0,
                        uint64_t ne1, uint64_t ne2, uint64_t ne3, mpl_node *a,
                        mpl_node *b)
{
    mpl_node *const node = mpl_tensor4(g, dtype, ne0, ne1, ne2, ne3);
    node->op = (uint8_t)op;
    node->src[0] = a;
    node->src[1] = b;
    return node;
}

/* An operand that has to be there: a file may lack a weight. */
static mpl_node *there(mpl_graph *g, mpl_node *a)
{
    if (a != NULL)
        return a;
    mpl_graph_refuse(g, MPL_REFUSAL_MISSING_WEIGHT);
    return &g->broken;
}

mpl_node *mpl_op1(mpl_graph *g, mpl_op op, mpl_node *a)
{
    return mpl_op2(g, op, a, NULL);
}

mpl_node *mpl_op2(mpl_graph *g, mpl_op op, mpl_node *a, mpl_node *b)
{
    a = there(g, a);
    return mpl_op_shaped(g, op, a->dtype, a->ne[0], a->ne[1], a->ne[2],
                         a->ne[3], a, b);
}

mpl_node *mpl_op3(mpl_graph *g, mpl_op op, mpl_node *a, mpl_node *b,
                  mpl_node *c)
{
    mpl_node *const node = mpl_op2(g, op, a, b);
    node->src[2] = c;
    return node;
}

/* Another look at `a`: same type, given shape, the storage of its root. */
static mpl_node *look(mpl_graph *g, mpl_op op, mpl_node *a,
                      const uint64_t ne[4])
{
    a = there(g, a);
    mpl_node *const node =
        mpl_op_shaped(g, op, a->dtype, ne[0], ne[1], ne[2], ne[3], a, NULL);
    node->view_of = a->view_of != NULL ? a->view_of : a;
    return node;
}

static mpl_node *look_strided(mpl_graph *g, mpl_op op, mpl_node *a)
{
    a = there(g, a);
    mpl_node *const node = look(g, op, a, a->ne);
    for (int i = 0; i < 4; i++)
        node->nb[i] = a->nb[i];
    return node;
}

mpl_node *mpl_op_onto(mpl_graph *g, mpl_op op, mpl_node *a, mpl_node *b)
{
    mpl_node *const node = look_strided(g, op, a);
    node->src[1] = b;
    return node;
}

mpl_node *mpl_mul_mat(mpl_graph *g, mpl_node *weight, mpl_node *x)
{
    weight = there(g, weight);
    x = there(g, x);
    return mpl_op_shaped(g, MPL_OP_MUL_MAT, MPL_DTYPE_FP32, weight->ne[1],
                         x->ne[1], x->ne[2], x->ne[3], weight, x);
}

mpl_node *mpl_mul_mat_id(mpl_graph *g, mpl_node *experts, mpl_node *x,
                         mpl_node *ids)
{
    experts = there(g, experts);
    x = there(g, x);
    ids = there(g, ids);
    mpl_node *const node =
        mpl_op_shaped(g, MPL_OP_MUL_MAT_ID, MPL_DTYPE_FP32, experts->ne[1],
                      ids->ne[0], x->ne[2], 1, experts, x);
    node->src[2] = ids;
    return node;
}

mpl_node *mpl_get_rows(mpl_graph *g, mpl_node *table, mpl_node *ids)
{
    table = there(g, table);
    ids = there(g, ids);
    const uint32_t dtype =
        table->dtype == MPL_DTYPE_I32 ? MPL_DTYPE_I32 : MPL_DTYPE_FP32;
    return mpl_op_shaped(g, MPL_OP_GET_ROWS, dtype, table->ne[0], ids->ne[0],
                         ids->ne[1], ids->ne[2], table, ids);
}

mpl_node *mpl_set_rows(mpl_graph *g, mpl_node *table, mpl_node *rows,
                       mpl_node *ids)
{
    mpl_node *const node = look_strided(g, MPL_OP_SET_ROWS, table);
    node->src[0] = rows;
    node->src[1] = ids;
    node->src[2] = table;
    return node;
}

mpl_node *mpl_copy_to(mpl_graph *g, mpl_node *from, mpl_node *to)
{
    mpl_node *const node = look_strided(g, MPL_OP_CPY, to);
    node->src[0] = from;
    node->src[1] = to;
    return node;
}

/* ggml lets a cast name itself as its second source. */
mpl_node *mpl_cast(mpl_graph *g, mpl_node *a, uint32_t dtype)
{
    a = there(g, a);
    mpl_node *const node = mpl_op_shaped(g, MPL_OP_CPY, dtype, a->ne[0],
                                         a->ne[1], a->ne[2], a->ne[3], a, NULL);
    node->src[1] = node;
    return node;
}

mpl_node *mpl_reshape(mpl_graph *g, mpl_node *a, uint64_t ne0, uint64_t ne1,
                      uint64_t ne2, uint64_t ne3)
{
    return look(g, MPL_OP_RESHAPE, a, (uint64_t[4]){ne0, ne1, ne2, ne3});
}

mpl_node *mpl_view(mpl_graph *g, mpl_node *a, uint64_t ne0, uint64_t ne1,
                   uint64_t ne2, uint64_t ne3, uint64_t nb1, uint64_t nb2,
                   uint64_t nb3)
{
    mpl_node *const node =
        look(g, MPL_OP_VIEW, a, (uint64_t[4]){ne0, ne1, ne2, ne3});
    node->nb[1] = nb1;
    node->nb[2] = nb2;
    node->nb[3] = nb3;
    return node;
}

mpl_node *mpl_view_row(mpl_graph *g, mpl_node *a, uint64_t ne0)
{
    return look(g, MPL_OP_VIEW, a, (uint64_t[4]){ne0, 1, 1, 1});
}

mpl_node *mpl_view_2d(mpl_graph *g, mpl_node *a, uint64_t ne0, uint64_t ne1,
                      uint64_t nb1)
{
    return mpl_view(g, a, ne0, ne1, 1, 1, nb1, nb1 * ne1, nb1 * ne1);
}

mpl_node *mpl_permute(mpl_graph *g, mpl_node *a, int axis0, int axis1,
                      int axis2, int axis3)
{
    a = there(g, a);
    const int axes[4] = {axis0, axis1, axis2, axis3};
    mpl_node *const node = look_strided(g, MPL_OP_PERMUTE, a);
    for (int i = 0; i < 4; i++) {
        node->ne[axes[i]] = a->ne[i];
        node->nb[axes[i]] = a->nb[i];
    }
    return node;
}

mpl_node *mpl_transpose(mpl_graph *g, mpl_node *a)
{
    mpl_node *const node = mpl_permute(g, a, 1, 0, 2, 3);
    node->op = MPL_OP_TRANSPOSE;
    return node;
}

mpl_node *mpl_cont(mpl_graph *g, mpl_node *a)
{
    return mpl_op1(g, MPL_OP_CONT, a);
}

mpl_node *mpl_cont_as(mpl_graph *g, mpl_node *a, uint64_t ne0, uint64_t ne1,
                      uint64_t ne2, uint64_t ne3)
{
    a = there(g, a);
    return mpl_op_shaped(g, MPL_OP_CONT, a->dtype, ne0, ne1, ne2, ne3, a, NULL);
}

mpl_node *mpl_concat(mpl_graph *g, mpl_node *a, mpl_node *b, int dim)
{
    a = there(g, a);
    b = there(g, b);
    uint64_t ne[4] = {a->ne[0], a->ne[1], a->ne[2], a->ne[3]};
    ne[dim] += b->ne[dim];
    return mpl_op_shaped(g, MPL_OP_CONCAT, a->dtype, ne[0], ne[1], ne[2],
                         ne[3], a, b);
}

mpl_node *mpl_repeat(mpl_graph *g, mpl_node *a, uint64_t ne0, uint64_t ne1,
                     uint64_t ne2, uint64_t ne3)
{
    a = there(g, a);
    return mpl_op_shaped(g, MPL_OP_REPEAT, a->dtype, ne0, ne1, ne2, ne3, a,
                         NULL);
}

mpl_node *mpl_pad(mpl_graph *g, mpl_node *a, uint64_t p0, uint64_t p1,
                  uint64_t p2, uint64_t p3)
{
    a = there(g, a);
    return mpl_op_shaped(g, MPL_OP_PAD, a->dtype, a->ne[0] + p0,
                         a->ne[1] + p1, a->ne[2] + p2, a->ne[3] + p3, a, NULL);
}

mpl_node *mpl_glu(mpl_graph *g, mpl_node *a, mpl_node *b)
{
    a = there(g, a);
    const uint64_t ne0 = b != NULL ? a->ne[0] : a->ne[0] / 2;
    return mpl_op_shaped(g, MPL_OP_GLU, a->dtype, ne0, a->ne[1], a->ne[2],
                         a->ne[3], a, b);
}

mpl_node *mpl_argsort_top(mpl_graph *g, mpl_node *a, uint64_t k)
{
    a = there(g, a);
    mpl_node *const sorted =
        mpl_op_shaped(g, MPL_OP_ARGSORT, MPL_DTYPE_I32, a->ne[0], a->ne[1],
                      a->ne[2], a->ne[3], a, NULL);
    return mpl_view(g, sorted, k, sorted->ne[1], sorted->ne[2], sorted->ne[3],
                    sorted->nb[1], sorted->nb[2], sorted->nb[3]);
}

mpl_node *mpl_sum_rows(mpl_graph *g, mpl_node *a)
{
    a = there(g, a);
    return mpl_op_shaped(g, MPL_OP_SUM_ROWS, a->dtype, 1, a->ne[1], a->ne[2],
                         a->ne[3], a, NULL);
}
