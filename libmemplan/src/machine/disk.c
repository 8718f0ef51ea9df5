/* SPDX-License-Identifier: MIT */
/*
 * free = blocks that an ordinary user may take * bytes of a block
 *
 * A path that cannot be looked at is a failure: a disk of unknown size would
 * count as one that everything fits on.
 */
#define _GNU_SOURCE /* strerror_r() that returns the text */
#include "machine/disk.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/checked.h"
#include "base/failure.h"

memplan_status mpl_disk_find(memplan_machine *machine, const char *path,
                             memplan_error *error)
{
    struct statvfs facts;
    uint64_t bytes;
    char reason[128];
    if (path == NULL)
        return MEMPLAN_OK;
    if (statvfs(path, &facts) != 0)
        return mpl_fail(error, MEMPLAN_E_IO, MPL_NOWHERE,
                        "%.120s: no disk can be found by this path: %s", path,
                        strerror_r(errno, reason, sizeof reason));
    if (!mpl_mul(&bytes, facts.f_bavail, facts.f_frsize))
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "%.120s: its disk has more bytes than 64 bits can say",
                        path);
    machine->disk.path = mpl_arena_strdup(machine->arena, path);
    machine->disk.free_bytes = (mpl_figure){bytes, "statvfs"};
    return machine->disk.path != NULL ? MEMPLAN_OK : mpl_fail_memory(error);
}
