/* SPDX-License-Identifier: MIT */
/* A small text that stands for a large file in a clone without git-lfs: the
 * commonest file that is not what its name says. */
#ifndef MPL_MODEL_LFS_POINTER_H
#define MPL_MODEL_LFS_POINTER_H

#include <stdbool.h>

#include "base/input.h"
#include "memplan.h"

bool mpl_is_lfs_pointer(mpl_input *input);

memplan_status mpl_fail_lfs_pointer(memplan_error *error);

#endif
