/* SPDX-License-Identifier: MIT */
#include "machine/with_nvml.h"

#include <criterion/criterion.h>
#include <stdlib.h>

memplan_machine *detect_with(const folder *at, const char *library,
                             const char *text)
{
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    memplan_machine_options options = MEMPLAN_MACHINE_OPTIONS_INIT;
    (void)folder_write_text(at, "proc/meminfo",
                            "MemTotal: 67108864 kB\n"
                            "MemAvailable: 58720256 kB\n");
    cr_assert_eq(setenv("FAKE_NVML", folder_write_text(at, "nvml.txt", text),
                        1),
                 0);
    options.root = at->path;
    options.nvml_path = library;
    cr_assert_eq(memplan_machine_detect(&machine, &options, &error),
                 MEMPLAN_OK, "%s", error.message);
    return machine;
}
