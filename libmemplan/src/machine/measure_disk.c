/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* O_DIRECT, O_TMPFILE */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/checked.h"
#include "machine/measure.h"

enum { BLOCK_BYTES = 4 << 20, PATH_BYTES = 1024 };
static const uint64_t BUDGET_NS = UINT64_C(1000000000);
static const uint64_t FILE_BYTES = UINT64_C(256) << 20;
static const uint64_t LEAST_BYTES = UINT64_C(16) << 20;

static bool write_block(int file, const char *block)
{
    for (size_t at = 0; at < BLOCK_BYTES;) {
        const ssize_t done = write(file, block + at, BLOCK_BYTES - at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += (size_t)done;
    }
    return true;
}

/* Data that neither compresses nor repeats, so that no layer cheats. */
static void fill(char *block)
{
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t at = 0; at < BLOCK_BYTES; at += sizeof state) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(block + at, &state, sizeof state);
    }
}

/* A file without a name in a folder, on the disk; -1: it cannot be made. */
static int make_file(const char *folder, char *block)
{
    struct statvfs facts;
    uint64_t spare;
    if (statvfs(folder, &facts) != 0 ||
        !mpl_mul(&spare, facts.f_bavail, facts.f_frsize))
        return -1;
    const uint64_t bytes = mpl_min(FILE_BYTES, spare / 4);
    if (bytes < LEAST_BYTES)
        return -1;
    int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) {
        char name[PATH_BYTES];
        if (snprintf(name, sizeof name, "%s/.memplan-XXXXXX", folder) >=
            PATH_BYTES)
            return -1;
        file = mkstemp(name);
        if (file < 0)
            return -1;
        (void)unlink(name);
    }
    fill(block);
    bool is_written = true;
    for (uint64_t at = 0; is_written && at + BLOCK_BYTES <= bytes;
         at += BLOCK_BYTES) {
        memcpy(block, &at, sizeof at);
        is_written = write_block(file, block);
    }
    if (!is_written || fsync(file) != 0 || lseek(file, 0, SEEK_SET) != 0) {
        (void)close(file);
        return -1;
    }
    return file;
}

static int open_target(const char *path, char *block)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return -1;
    if (S_ISDIR(facts.st_mode))
        return make_file(path, block);
    if (S_ISREG(facts.st_mode) && (uint64_t)facts.st_size >= LEAST_BYTES)
        return open(path, O_RDONLY | O_CLOEXEC);
    char folder[PATH_BYTES];
    const char *const slash = strrchr(path, '/');
    const size_t length = slash != NULL ? (size_t)(slash - path) : 0;
    if (length >= sizeof folder)
        return -1;
    memcpy(folder, path, length);
    folder[length] = '\0';
    return make_file(length > 0 ? folder : slash != NULL ? "/" : ".", block);
}

static uint64_t read_file(int file, char *block)
{
    uint64_t bytes = 0;
    (void)posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    /* Past the page cache where the file system can; else the advice above
     * has to do. */
    const int flags = fcntl(file, F_GETFL);
    (void)fcntl(file, F_SETFL, flags | O_DIRECT);
    const uint64_t begun = mpl_now_ns();
    uint64_t ended = begun;
    while (ended - begun < BUDGET_NS) {
        const ssize_t got = read(file, block, BLOCK_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        bytes += (uint64_t)got;
        ended = mpl_now_ns();
    }
    return bytes >= LEAST_BYTES ? mpl_rate_of(bytes, ended - begun)
                                : MEMPLAN_UNKNOWN;
}

uint64_t mpl_measure_disk(const char *path)
{
    char *const block = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return MEMPLAN_UNKNOWN;
    uint64_t rate = MEMPLAN_UNKNOWN;
    const int file = open_target(path, block);
    if (file >= 0) {
        rate = read_file(file, block);
        (void)close(file);
    }
    (void)munmap(block, BLOCK_BYTES);
    return rate;
}
