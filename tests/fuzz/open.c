/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* memfd_create */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memplan.h"
#include "model/model.h"
#include "target.h"

static void must(int is_right, const char *what)
{
    if (is_right)
        return;
    (void)fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

void fuzz_open(const uint8_t *data, size_t size, const char *suffix)
{
    char path[64];
    char link_path[96];
    const int file = memfd_create("fuzz", MFD_CLOEXEC);
    must(file >= 0 && write(file, data, size) == (ssize_t)size, "memfd");
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    (void)snprintf(link_path, sizeof link_path, "/tmp/memplan-fuzz-%d%s",
                   (int)getpid(), suffix);
    (void)unlink(link_path);
    must(symlink(path, link_path) == 0, "symlink");
    memplan_model *model = NULL;
    memplan_error error = {0};
    const memplan_status status =
        memplan_model_open(&model, link_path, NULL, &error);
    if (status == MEMPLAN_OK)
        must(mpl_model_is_valid(model), "the model's sums are wrong");
    else
        must(model == NULL && error.status == status &&
                 error.message[0] != '\0',
             "a failure without a message");
    memplan_model_free(model);
    (void)unlink(link_path);
    (void)close(file);
}
