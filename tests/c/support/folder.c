/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700 /* nftw, mkdtemp */
#include "support/folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(int is_done, const char *what)
{
    if (is_done)
        return;
    perror(what);
    abort();
}

void folder_make(folder *out)
{
    /* Memory, where there is such a folder: some tests write thousands. */
    (void)snprintf(out->path, sizeof out->path, "/dev/shm/memplan-test-XXXXXX");
    if (mkdtemp(out->path) != NULL)
        return;
    (void)snprintf(out->path, sizeof out->path, "/tmp/memplan-test-XXXXXX");
    must(mkdtemp(out->path) != NULL, "mkdtemp");
}

static int remove_one(const char *path, const struct stat *facts, int kind,
                      struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

void folder_remove(const folder *at)
{
    must(nftw(at->path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, "nftw");
}

const char *folder_path(const folder *at, const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", at->path, name);
    return path;
}

const char *folder_write(const folder *at, const char *name, const void *data,
                         size_t size)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", at->path, name);
    for (char *slash = strchr(path + strlen(at->path) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(file >= 0, path);
    for (size_t done = 0; done < size;) {
        const ssize_t step =
            write(file, (const char *)data + done, size - done);
        must(step > 0, path);
        done += (size_t)step;
    }
    (void)close(file);
    return path;
}

const char *folder_write_text(const folder *at, const char *name,
                              const char *text)
{
    return folder_write(at, name, text, strlen(text));
}
