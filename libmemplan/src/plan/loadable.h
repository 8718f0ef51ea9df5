/* SPDX-License-Identifier: MIT */
/* A search for placements whose weights load, too. */
#ifndef MPL_PLAN_LOADABLE_H
#define MPL_PLAN_LOADABLE_H

#include "plan/search.h"

/*
 * As mpl_search(), of the problem that `engine` made for `job`, but what it
 * finds loads. Its bound is that of all placements that fit, whether they load
 * or not.
 */
memplan_status mpl_search_loadable(mpl_arena *arena, const mpl_engine *engine,
                                   const mpl_job *job,
                                   const mpl_problem *problem,
                                   mpl_solution *out);

#endif
