/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* MAP_ANONYMOUS, O_CLOEXEC */
#include "base/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/failure.h"

/* Small enough to stay near the header's end, large enough that system calls
 * do not show beside the copying. */
enum { FIRST_STEP_BYTES = 64 * 1024, LAST_STEP_BYTES = 4 * 1024 * 1024 };

/* simdjson reads up to 64 bytes past the text it is given. */
enum { PADDING_BYTES = 64 };

/* Up to here a window is of the heap, whose pages are there already. */
enum { HEAP_BYTES = 64 * 1024 };

static memplan_status fail_errno(memplan_error *error, const char *path,
                                 int number)
{
    char reason[128];
    /* The GNU function: it returns the text and keeps no global. */
    const char *const text = strerror_r(number, reason, sizeof reason);
    return mpl_fail(error,
                    number == ENOENT || number == ENOTDIR ? MEMPLAN_E_NOT_FOUND
                                                          : MEMPLAN_E_IO,
                    MPL_NOWHERE, "%.160s: %s", path, text);
}

static memplan_status open_regular(int *out, uint64_t *out_bytes,
                                   const char *path, memplan_error *error)
{
    /* O_NONBLOCK: opening a pipe must not wait for a writer. */
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return fail_errno(error, path, errno);
    struct stat facts;
    if (fstat(descriptor, &facts) != 0) {
        const int number = errno;
        (void)close(descriptor);
        return fail_errno(error, path, number);
    }
    if (!S_ISREG(facts.st_mode)) {
        (void)close(descriptor);
        return mpl_fail(error, MEMPLAN_E_IO, MPL_NOWHERE,
                        "%.160s: %s, not a regular file", path,
                        S_ISDIR(facts.st_mode) ? "a folder" : "a device");
    }
    *out = descriptor;
    *out_bytes = (uint64_t)facts.st_size;
    return MEMPLAN_OK;
}

memplan_status mpl_input_open(mpl_input *out, const char *path,
                              uint64_t cap_bytes, memplan_error *error)
{
    mpl_input made = {.cap_bytes = cap_bytes, .descriptor = -1};
    const memplan_status status =
        open_regular(&made.descriptor, &made.file_bytes, path, error);
    if (status != MEMPLAN_OK)
        return status;

    const uint64_t window = mpl_min(made.file_bytes, cap_bytes);
    uint64_t reserved = 0;
    void *place = MAP_FAILED;
    if (!mpl_add(&reserved, window, PADDING_BYTES) || reserved > SIZE_MAX)
        place = MAP_FAILED;
    else if (reserved <= HEAP_BYTES)
        place = calloc(1, (size_t)reserved);
    else
        place = mmap(NULL, (size_t)reserved, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED || place == NULL) {
        (void)close(made.descriptor);
        return mpl_fail(error, MEMPLAN_E_NO_MEMORY, MPL_NOWHERE,
                        "%.160s: the host refused memory", path);
    }
    /* A long header is then a few page faults instead of thousands; where
     * the kernel has no huge pages nothing changes. */
    if (reserved > LAST_STEP_BYTES)
        (void)madvise(place, (size_t)reserved, MADV_HUGEPAGE);
    made.data = place;
    made.reserved_bytes = reserved;
    *out = made;
    return MEMPLAN_OK;
}

void mpl_input_borrow(mpl_input *out, const void *data, uint64_t size_bytes)
{
    *out = (mpl_input){.data = data,
                       .size_bytes = size_bytes,
                       .file_bytes = size_bytes,
                       .cap_bytes = size_bytes,
                       .descriptor = -1};
}

/* Each step doubles what is known, so a long header costs few calls. */
static uint64_t next_step(const mpl_input *input, uint64_t need_bytes)
{
    uint64_t step = mpl_max(input->size_bytes, FIRST_STEP_BYTES);
    step = mpl_max(mpl_min(step, LAST_STEP_BYTES), need_bytes);
    const uint64_t end = mpl_min(input->file_bytes, input->cap_bytes);
    return mpl_min(step, end - input->size_bytes);
}

static bool read_step(mpl_input *input, uint64_t count)
{
    uint8_t *const window = (uint8_t *)(uintptr_t)input->data;
    while (count > 0) {
        const ssize_t got =
            read(input->descriptor, window + input->size_bytes, (size_t)count);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) { /* an error, or the file became shorter */
            input->read_error = got < 0 ? errno : 0;
            return false;
        }
        input->size_bytes += (uint64_t)got;
        count -= (uint64_t)got;
    }
    return true;
}

bool mpl_input_need(mpl_input *input, uint64_t offset, uint64_t count)
{
    uint64_t end = 0;
    if (!mpl_add(&end, offset, count))
        return false;
    if (end <= input->size_bytes)
        return true;
    if (input->descriptor < 0 ||
        end > mpl_min(input->file_bytes, input->cap_bytes))
        return false;
    return read_step(input, next_step(input, end - input->size_bytes));
}

memplan_status mpl_input_read_all(mpl_input *out, const char *path,
                                  uint64_t cap_bytes, memplan_error *error)
{
    mpl_input made;
    const memplan_status status = mpl_input_open(&made, path, cap_bytes, error);
    if (status != MEMPLAN_OK)
        return status;
    if (made.file_bytes > cap_bytes) {
        mpl_input_close(&made);
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "%.160s: %llu bytes, at most %llu are read", path,
                        (unsigned long long)made.file_bytes,
                        (unsigned long long)cap_bytes);
    }
    if (!mpl_input_need(&made, 0, made.file_bytes)) {
        const int number = made.read_error != 0 ? made.read_error : EIO;
        mpl_input_close(&made);
        return fail_errno(error, path, number);
    }
    *out = made;
    return MEMPLAN_OK;
}

void mpl_input_close(mpl_input *input)
{
    if (input->reserved_bytes > 0) {
        void *const place = (void *)(uintptr_t)input->data;
        if (input->reserved_bytes <= HEAP_BYTES)
            free(place);
        else
            (void)munmap(place, (size_t)input->reserved_bytes);
        if (input->descriptor >= 0)
            (void)close(input->descriptor);
    }
    *input = (mpl_input){.descriptor = -1};
}
