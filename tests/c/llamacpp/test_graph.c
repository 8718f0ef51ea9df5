/* SPDX-License-Identifier: MIT */
/* Graphs: the order of visits; and the scheduler on them. */
#include <criterion/criterion.h>

#include "engine/llamacpp/sched.h"

enum { WIDTH = 16, ON_HOST = MPL_LLAMA_BUFFER_CPU,
       ON_DEVICE = MPL_LLAMA_BUFFER_DEVICE };

static mpl_arena *arena;
static mpl_graph graph;

static void open_graph(void)
{
    arena = mpl_arena_create();
    cr_assert_not_null(arena);
    mpl_graph_open(&graph, arena);
}

static void close_graph(void)
{
    mpl_arena_free(arena);
}

TestSuite(graph, .init = open_graph, .fini = close_graph);

static mpl_node *weight(uint16_t buffer)
{
    mpl_node *const node =
        mpl_tensor4(&graph, MPL_DTYPE_FP32, WIDTH, WIDTH, 1, 1);
    node->buffer = buffer;
    node->flags |= MPL_NODE_WEIGHT;
    return node;
}

static mpl_node *input(void)
{
    return mpl_input4(&graph, "x", MPL_DTYPE_FP32, WIDTH, 4, 1, 1);
}

static uint32_t splits_of(mpl_node *last, uint32_t device_count)
{
    mpl_sched_options options = {.backend_count = device_count + 1,
                                 .copy_count = 1};
    mpl_sched_result result;
    options.buffer[0] = ON_DEVICE;
    options.buffer[device_count] = ON_HOST;
    mpl_graph_expand(&graph, last);
    cr_assert_eq(graph.status, MEMPLAN_OK);
    cr_assert_eq(mpl_sched_run(&result, &graph, &options), MEMPLAN_OK);
    return result.split_count;
}

Test(graph, sources_come_left_to_right_before_their_node)
{
    mpl_node *const x = input();
    mpl_node *const a = mpl_mul_mat(&graph, weight(ON_HOST), x);
    mpl_node *const b = mpl_mul_mat(&graph, weight(ON_HOST), x);
    mpl_node *const sum = mpl_op2(&graph, MPL_OP_ADD, b, a);
    mpl_graph_expand(&graph, sum);
    mpl_graph_expand(&graph, a);
    cr_assert_eq(graph.node_count, 3, "what is there is not added again");
    cr_expect_eq(graph.nodes[0], b);
    cr_expect_eq(graph.nodes[1], a);
    cr_expect_eq(graph.nodes[2], sum);
    cr_expect_eq(graph.leaf_count, 3);
    cr_expect_eq(graph.leafs[1], x);
}

Test(graph, shapes_of_products)
{
    mpl_node *const w = mpl_tensor4(&graph, MPL_DTYPE_FP16, 16, 40, 2, 1);
    mpl_node *const x = mpl_tensor4(&graph, MPL_DTYPE_FP32, 16, 3, 6, 1);
    const mpl_node *const y = mpl_mul_mat(&graph, w, x);
    cr_expect_eq(y->ne[0], 40);
    cr_expect_eq(y->ne[1], 3);
    cr_expect_eq(y->ne[2], 6);
    cr_expect_eq(y->dtype, MPL_DTYPE_FP32);
    cr_expect_eq(mpl_node_bytes(y), 40 * 3 * 6 * 4);
}

Test(graph, a_permuted_tensor_keeps_its_extent)
{
    mpl_node *const x = mpl_tensor4(&graph, MPL_DTYPE_FP32, 8, 3, 5, 1);
    mpl_node *const y = mpl_permute(&graph, x, 0, 2, 1, 3);
    cr_expect_eq(y->ne[1], 5);
    cr_expect_eq(y->ne[2], 3);
    cr_expect_eq(y->view_of, x);
    cr_expect(!mpl_node_is_contiguous(y));
    cr_expect_eq(mpl_node_bytes(y), mpl_node_bytes(x));
    cr_expect(mpl_node_is_contiguous(mpl_cont(&graph, y)));
}

Test(graph, a_size_past_64_bits_is_told)
{
    mpl_tensor4(&graph, MPL_DTYPE_FP32, UINT64_MAX / 8, 8, 1, 1);
    cr_expect_eq(graph.status, MEMPLAN_E_TOO_LARGE);
    mpl_node *const after = mpl_op1(&graph, MPL_OP_SCALE, &graph.broken);
    cr_expect_eq(after, &graph.broken, "and operators still return nodes");
}

Test(graph, one_backend_is_one_split)
{
    mpl_node *const x = mpl_mul_mat(&graph, weight(ON_HOST), input());
    cr_expect_eq(splits_of(mpl_mul_mat(&graph, weight(ON_HOST), x), 0), 1);
    cr_expect_eq(x->backend, 0);
}

Test(graph, products_run_where_their_weights_are)
{
    mpl_node *const a = mpl_mul_mat(&graph, weight(ON_HOST), input());
    mpl_node *const b = mpl_mul_mat(&graph, weight(ON_DEVICE), a);
    mpl_node *const c = mpl_op1(&graph, MPL_OP_SCALE, b);
    mpl_node *const d = mpl_mul_mat(&graph, weight(ON_HOST), c);
    cr_expect_eq(splits_of(d, 1), 3);
    cr_expect_eq(a->backend, 1);
    cr_expect_eq(b->backend, 0);
    cr_expect_eq(c->backend, 0, "devices spread before the host does");
    cr_expect_eq(d->backend, 1);
    cr_expect_neq(b->src[1], a, "a copy crosses");
}
