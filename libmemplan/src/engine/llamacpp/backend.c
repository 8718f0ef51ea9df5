/* SPDX-License-Identifier: MIT */
#include "engine/llamacpp/backend.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum {
    ASYNC = 1 << 0,
    OFFLOAD = 1 << 1,
    MAPPED = 1 << 2,
    REORDERS = 1 << 3,
    COMPARED = 1 << 4
};

const mpl_llama_backend MPL_LLAMA_BACKENDS[MPL_LLAMA_BACKEND_COUNT] = {
#define BACKEND(id, name, host, align, row, max, flags, uncounted)             \
    [MPL_LLAMA_##id] = {name,                                                  \
                        host,                                                  \
                        uncounted,                                             \
                        align,                                                 \
                        row,                                                   \
                        (max) != 0 ? (max) : UINT64_MAX,                       \
                        ((flags)&ASYNC) != 0,                                  \
                        ((flags)&OFFLOAD) != 0,                                \
                        (host)[0] != '\0',                                     \
                        ((flags)&MAPPED) != 0,                                 \
                        ((flags)&REORDERS) != 0,                               \
                        ((flags)&COMPARED) != 0},
#include "engine/llamacpp/backends.def"
#undef BACKEND
};

/* Other names that people use for a backend. */
static const struct {
    const char *name;
    mpl_llama_backend_kind kind;
} ALIASES[] = {{"hip", MPL_LLAMA_HIP},     {"metal", MPL_LLAMA_METAL},
               {"nvidia", MPL_LLAMA_CUDA}, {"amd", MPL_LLAMA_HIP},
               {"apple", MPL_LLAMA_METAL}, {"intel", MPL_LLAMA_SYCL}};

mpl_llama_backend_kind mpl_llama_backend_find(const char *name)
{
    for (uint32_t i = 0; i < MPL_LLAMA_BACKEND_COUNT; i++) {
        const char *own = MPL_LLAMA_BACKENDS[i].name;
        const size_t length = strlen(own);
        if (strncasecmp(own, name, length) == 0 &&
            strspn(name + length, "0123456789") == strlen(name + length))
            return (mpl_llama_backend_kind)i;
    }
    for (size_t i = 0; i < sizeof ALIASES / sizeof ALIASES[0]; i++)
        if (strcasecmp(ALIASES[i].name, name) == 0)
            return ALIASES[i].kind;
    return MPL_LLAMA_BACKEND_COUNT;
}
