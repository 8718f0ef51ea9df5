/* SPDX-License-Identifier: MIT */
/* Who may take whose storage over, and when it is free: worked out by hand.
 * A tensor of these graphs has 64 bytes unless said otherwise. */
#include <criterion/criterion.h>

#include "engine/llamacpp/galloc.h"

enum { WIDTH = 16, BYTES = 64 };

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

TestSuite(galloc, .init = open_graph, .fini = close_graph);

static mpl_node *input(const char *name)
{
    return mpl_input4(&graph, name, MPL_DTYPE_FP32, WIDTH, 1, 1, 1);
}

static mpl_node *weight(uint64_t rows)
{
    mpl_node *const node =
        mpl_tensor4(&graph, MPL_DTYPE_FP32, WIDTH, rows, 1, 1);
    node->buffer = 0;
    node->flags |= MPL_NODE_WEIGHT;
    return node;
}

static uint64_t own_bytes(const void *context, uint32_t place,
                          const mpl_node *node)
{
    (void)context;
    (void)place;
    return mpl_node_bytes(node);
}

/* Of the graph that ends in `last`, all in one space. */
static uint64_t bytes_of(mpl_node *last)
{
    mpl_space space;
    mpl_graph_expand(&graph, last);
    cr_assert_eq(graph.status, MEMPLAN_OK);
    const mpl_schedule schedule = {
        .nodes = graph.nodes,
        .node_space = mpl_arena_alloc(arena, graph.node_count, 1),
        .node_count = graph.node_count,
    };
    mpl_space_open(&space, arena, 32, UINT64_MAX);
    cr_assert_eq(mpl_galloc_run(&schedule, &space, 1, own_bytes, NULL, NULL),
                 MEMPLAN_OK);
    return mpl_space_bytes(&space);
}

Test(galloc, a_chain_in_place_needs_one_place)
{
    mpl_node *x = input("x");
    for (int i = 0; i < 5; i++)
        x = mpl_op1(&graph, MPL_OP_SCALE, x);
    cr_expect_eq(bytes_of(x), BYTES);
}

Test(galloc, products_are_never_in_place)
{
    mpl_node *x = input("x");
    for (int i = 0; i < 5; i++)
        x = mpl_mul_mat(&graph, weight(WIDTH), x);
    cr_expect_eq(bytes_of(x), 2 * BYTES);
}

Test(galloc, a_source_read_twice_is_kept)
{
    mpl_node *const x = input("x");
    mpl_node *const y = mpl_op1(&graph, MPL_OP_SCALE, x);
    cr_expect_eq(bytes_of(mpl_op2(&graph, MPL_OP_ADD, y, x)), 2 * BYTES);
}

Test(galloc, the_first_source_that_fits_is_taken_over)
{
    mpl_node *const x = input("x");
    mpl_node *const a = mpl_mul_mat(&graph, weight(WIDTH), x);
    mpl_node *const b = mpl_mul_mat(&graph, weight(WIDTH), x);
    mpl_node *const sum = mpl_op2(&graph, MPL_OP_ADD, a, b);
    cr_expect_eq(bytes_of(sum), 3 * BYTES);
    cr_expect_eq(sum->offset, a->offset);
}

Test(galloc, an_operator_on_a_view_takes_a_place_of_its_own)
{
    mpl_node *const x = input("x");
    mpl_node *const y = mpl_mul_mat(&graph, weight(WIDTH), x);
    mpl_node *const view = mpl_reshape(&graph, y, WIDTH, 1, 1, 1);
    mpl_node *const z = mpl_op1(&graph, MPL_OP_SCALE, view);
    cr_expect_eq(view->view_of, y);
    cr_expect_eq(bytes_of(z), 2 * BYTES);
    cr_expect_eq(z->offset, x->offset, "where x was: y is still read");
}

Test(galloc, a_view_keeps_what_it_shows)
{
    mpl_node *const x = input("x");
    mpl_node *const y = mpl_mul_mat(&graph, weight(WIDTH), x);
    mpl_node *const view = mpl_view_row(&graph, y, WIDTH / 2);
    mpl_node *const other = mpl_mul_mat(&graph, weight(WIDTH), y);
    mpl_node *const last = mpl_op2(&graph, MPL_OP_CONCAT, other, view);
    cr_expect_eq(bytes_of(last), 3 * BYTES);
}

Test(galloc, an_output_is_neither_freed_nor_taken_over)
{
    mpl_node *const x = input("x");
    mpl_node *const y = mpl_mul_mat(&graph, weight(WIDTH), x);
    y->flags |= MPL_NODE_OUTPUT;
    mpl_node *const z = mpl_op1(&graph, MPL_OP_SCALE, y);
    mpl_node *const last = mpl_mul_mat(&graph, weight(WIDTH), z);
    cr_expect_eq(bytes_of(last), 3 * BYTES);
    cr_expect_neq(z->offset, y->offset);
}

Test(galloc, inputs_come_first_wherever_they_are_read)
{
    mpl_node *const x = input("x");
    mpl_node *const late = input("late");
    mpl_node *y = mpl_mul_mat(&graph, weight(WIDTH), x);
    y = mpl_mul_mat(&graph, weight(WIDTH), y);
    y = mpl_op2(&graph, MPL_OP_ADD, y, late);
    cr_expect_eq(bytes_of(y), 3 * BYTES);
    cr_expect_eq(x->offset, 0);
    cr_expect_eq(late->offset, BYTES);
}

Test(galloc, another_shape_or_type_is_not_taken_over)
{
    mpl_node *const x = input("x");
    mpl_node *const y = mpl_mul_mat(&graph, weight(WIDTH), x);
    mpl_node *const halves = mpl_glu(&graph, y, NULL);
    cr_expect_eq(halves->ne[0], WIDTH / 2);
    cr_expect_eq(bytes_of(halves), 2 * BYTES);
}

Test(galloc, a_place_shrinks_to_what_is_needed)
{
    mpl_node *const x = input("x");
    mpl_node *const wide = mpl_mul_mat(&graph, weight(4 * WIDTH), x);
    mpl_node *const again = mpl_op1(&graph, MPL_OP_SCALE, wide);
    cr_expect_eq(bytes_of(again), BYTES + 4 * BYTES);
    cr_expect_eq(again->offset, wide->offset);
}
