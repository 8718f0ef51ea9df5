/* SPDX-License-Identifier: MIT */
/* The first half of the scheduler: a backend for every node. */
#ifndef MPL_ENGINE_LLAMACPP_SCHED_ASSIGN_H
#define MPL_ENGINE_LLAMACPP_SCHED_ASSIGN_H

#include "engine/llamacpp/sched.h"

/* MEMPLAN_OK, or _UNSUPPORTED: a node that no backend can run. */
memplan_status mpl_sched_assign(mpl_graph *graph,
                                const mpl_sched_options *options);

/* Can a backend read a tensor where it lies? */
bool mpl_sched_reads(const mpl_sched_options *options, const mpl_node *node,
                     int backend);

bool mpl_sched_is_view(const mpl_node *node);

#endif
