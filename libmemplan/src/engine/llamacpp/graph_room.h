/* SPDX-License-Identifier: MIT */
/*
 * How large a graph llama.cpp makes room for before it draws one: so many
 * operators by the model's tensors, more where graphs grow with the batch; and
 * a hash table of the next prime of ggml's list, for operators and leafs. A
 * graph that needs more ends the process.
 */
#ifndef MPL_ENGINE_LLAMACPP_GRAPH_ROOM_H
#define MPL_ENGINE_LLAMACPP_GRAPH_ROOM_H

#include "engine/llamacpp/graph.h"
#include "engine/llamacpp/refusal.h"
#include "engine/llamacpp/setup.h"

struct mpl_llama_short;

/* MPL_REFUSAL_NONE, _GRAPH_NODES or _HASH_TABLE. `brief` is what a shortened
 * graph is built of, else NULL: `setup` is the whole model's or its. */
mpl_llama_refusal mpl_graph_room_check(const mpl_graph *graph,
                                       const mpl_llama_setup *setup,
                                       const struct mpl_llama_short *brief);

#endif
