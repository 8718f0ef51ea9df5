/* SPDX-License-Identifier: MIT */
/* Budgets that spread a model evenly over the devices that may hold it. */
#ifndef MPL_ENGINE_ACCELERATE_BALANCE_H
#define MPL_ENGINE_ACCELERATE_BALANCE_H

#include "engine/accelerate/budgets.h"
#include "engine/accelerate/layers.h"

/*
 * Lowers the limits of numbered devices. `is_changed`, one for each budget,
 * says whose limit is new. With `low_zero` device 0 gets what is left over.
 * MEMPLAN_E_NOT_FOUND where low_zero needs a device that has no budget.
 */
memplan_status mpl_budgets_balance(mpl_budgets *budgets, bool *is_changed,
                                   mpl_arena *arena,
                                   const memplan_modules *tree,
                                   const mpl_module_sizes *sizes,
                                   const mpl_class_names *whole, bool low_zero,
                                   bool counts_mps, memplan_error *error);

#endif
