/* SPDX-License-Identifier: MIT */
#include "model/lfs_pointer.h"

#include <string.h>

#include "base/failure.h"

bool mpl_is_lfs_pointer(mpl_input *input)
{
    static const char FRONT[] = "version https://git-lfs.";
    return mpl_input_need(input, 0, sizeof FRONT - 1) &&
           memcmp(input->data, FRONT, sizeof FRONT - 1) == 0;
}

memplan_status mpl_fail_lfs_pointer(memplan_error *error)
{
    return mpl_fail(error, MEMPLAN_E_CORRUPT, 0,
                    "a git-lfs pointer stands in place of the file; fetch "
                    "the file with \"git lfs pull\"");
}
