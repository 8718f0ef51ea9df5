/* SPDX-License-Identifier: MIT */
#include "support/faults.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int file,
                  off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file,
                  off_t offset);

static bool is_armed;
static bool has_failed;
static uint64_t left;

void faults_arm(uint64_t n)
{
    is_armed = true;
    has_failed = false;
    left = n;
}

bool faults_disarm(void)
{
    is_armed = false;
    return has_failed;
}

static bool is_refused(void)
{
    if (!is_armed || has_failed || left-- > 0)
        return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return is_refused() ? NULL : __real_realloc(old, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file,
                  off_t offset)
{
    return is_refused()
               ? MAP_FAILED
               : __real_mmap(at, size, protection, flags, file, offset);
}
