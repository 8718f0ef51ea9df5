/* SPDX-License-Identifier: MIT */
#include "machine/nvml.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static void *find_symbol(void *library, const char *newest, const char *older)
{
    void *symbol = dlsym(library, newest);
    if (symbol == NULL && older != NULL)
        symbol = dlsym(library, older);
    return symbol;
}

static void *load(const char *path)
{
    /* Where Windows Subsystem for Linux keeps it is not searched. */
    static const char *const PATHS[] = {
        "libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"};
    if (path != NULL)
        return dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *library = NULL;
    for (size_t at = 0; library == NULL && at < sizeof PATHS / sizeof *PATHS;
         at++)
        library = dlopen(PATHS[at], RTLD_NOW | RTLD_LOCAL);
    return library;
}

static const char *init_failure(int result)
{
    switch (result) {
    case NVML_DRIVER_NOT_LOADED:
        return "the NVIDIA driver is not loaded";
    case NVML_VERSION_MISMATCH:
        return "the NVIDIA library and the driver are of different versions; "
               "restart, or update both";
    default:
        return "NVML does not start";
    }
}

bool mpl_nvml_open(mpl_nvml *out, const char *path, const char **out_reason)
{
    mpl_nvml made = {.library = load(path)};
    *out_reason = NULL;
    if (made.library == NULL)
        return false;
    /* POSIX lets an object pointer from dlsym() be a function's; memcpy says
     * so without a cast that ISO C does not know. */
#define NVML_FIND(member_, type_, newest_, older_)                           \
    {                                                                        \
        void *const symbol = find_symbol(made.library, newest_, older_);     \
        memcpy(&made.member_, &symbol, sizeof made.member_);                 \
    }
    MPL_NVML_CALLS(NVML_FIND)
#undef NVML_FIND
    if (made.init == NULL || made.shutdown == NULL || made.count == NULL ||
        made.handle == NULL) {
        *out_reason = "the NVML library lacks calls that every version has";
        (void)dlclose(made.library);
        return false;
    }
    const int result = made.init();
    if (result != NVML_SUCCESS) {
        *out_reason = init_failure(result);
        (void)dlclose(made.library);
        return false;
    }
    *out = made;
    return true;
}

void mpl_nvml_close(mpl_nvml *nvml)
{
    (void)nvml->shutdown();
    (void)dlclose(nvml->library);
}
