/* SPDX-License-Identifier: MIT */
/*
 * Control groups: which ones this process is in (/proc/self/cgroup), where
 * they are mounted (/proc/self/mountinfo, else /proc/mounts), and what each
 * of them and of their ancestors allows.
 *
 *     version 2  memory.max memory.high memory.current memory.stat
 *                memory.swap.max memory.swap.current cpu.max
 *     version 1  memory.limit_in_bytes memory.usage_in_bytes memory.stat
 *                memory.memsw.limit_in_bytes cpu.cfs_quota_us
 *
 * An ancestor's limit binds its descendants, so the tightest one counts,
 * wherever it is. On a hybrid system memory is under one version only; what
 * the other has not is absent, and an absent file is no limit.
 */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "machine/limits.h"

enum {
    CGROUP_BYTES = 16 * 1024,
    MOUNTS_BYTES = 1024 * 1024,
    STAT_BYTES = 16 * 1024,
    PATH_BYTES = 512
};

/* Version 1 writes "no limit" as the largest multiple of a page. */
static const uint64_t UNLIMITED_V1 = UINT64_C(0x7fffffff00000000);

/* One hierarchy: its mount point, and our group below it. */
typedef struct hierarchy {
    bool is_v2;
    char mount[PATH_BYTES];
    char group[PATH_BYTES]; /* "" or "/a/b" */
} hierarchy;

/* The word at a position of a line, words being parted by spaces. */
static bool read_word(const char *line, uint32_t position, char *out,
                      size_t size)
{
    for (; position > 0; position--) {
        line += strcspn(line, " \n");
        if (*line != ' ')
            return false;
        line++;
    }
    const size_t length = strcspn(line, " \n");
    if (length == 0 || length >= size)
        return false;
    memcpy(out, line, length);
    out[length] = '\0';
    return true;
}

/* "cpu,cpuacct" has "cpu". */
static bool has_item(const char *list, size_t length, const char *item)
{
    const size_t wanted = strlen(item);
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && list[end] != ',')
            end++;
        if (end - at == wanted && memcmp(list + at, item, wanted) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

/* The group of a controller: "4:memory:/a/b", or of version 2: "0::/a/b". */
static bool find_group(const char *groups, const char *controller, char *out,
                       size_t size)
{
    for (const char *line = groups; line != NULL && *line != '\0';) {
        const char *const end = line + strcspn(line, "\n");
        const char *const first = memchr(line, ':', (size_t)(end - line));
        const char *const second =
            first != NULL
                ? memchr(first + 1, ':', (size_t)(end - first - 1))
                : NULL;
        if (second != NULL) {
            const size_t list = (size_t)(second - first - 1);
            const bool is_it = controller == NULL
                                   ? list == 0
                                   : has_item(first + 1, list, controller);
            const size_t length = (size_t)(end - second - 1);
            if (is_it && length < size) {
                memcpy(out, second + 1, length);
                out[length] = '\0';
                return true;
            }
        }
        line = *end == '\n' ? end + 1 : NULL;
    }
    return false;
}

/* Undoes the kernel's escapes in a word: a space is "\040". */
static void unescape(char *word)
{
    char *to = word;
    for (const char *at = word; *at != '\0'; at++) {
        const bool is_escape = at[0] == '\\' && at[1] >= '0' && at[1] <= '3' &&
                               at[2] >= '0' && at[2] <= '7' && at[3] >= '0' &&
                               at[3] <= '7';
        if (!is_escape) {
            *to++ = *at;
            continue;
        }
        const int octal = (at[1] - '0') * 64 + (at[2] - '0') * 8 + at[3] - '0';
        *to++ = (char)(octal & 0xff);
        at += 3;
    }
    *to = '\0';
}

/* A line of mountinfo: "22 27 0:21 /root /mount options - type source super".
 * A line of mounts: "source /mount type options". */
static bool read_mount(const char *line, bool is_info, char *root,
                       char *mount, char *type, char *options, size_t size)
{
    if (!is_info) {
        (void)snprintf(root, size, "/");
        return read_word(line, 1, mount, size) &&
               read_word(line, 2, type, size) &&
               read_word(line, 3, options, size);
    }
    char word[PATH_BYTES];
    uint32_t dash = 6;
    while (read_word(line, dash, word, sizeof word) && strcmp(word, "-") != 0)
        dash++;
    return read_word(line, 3, root, size) && read_word(line, 4, mount, size) &&
           read_word(line, dash + 1, type, size) &&
           read_word(line, dash + 3, options, size);
}

/* What is left of a group's name below the mount's root: "/a/b" below "/a" is
 * "/b". A container may see only its own part of the hierarchy; a name that
 * does not begin with the root has had it cut off by a namespace already, and
 * the group is the root itself. */
static void cut_root(char *group, const char *root)
{
    const size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
    const bool is_below = strncmp(group, root, length) == 0 &&
                          (group[length] == '/' || group[length] == '\0');
    if (!is_below || strcmp(group + length, "/") == 0)
        group[0] = '\0';
    else
        memmove(group, group + length, strlen(group + length) + 1);
}

/* Finds where a controller's hierarchy is mounted, and our group below it. */
static bool find_mount(const char *mounts, bool is_info,
                       const char *controller, hierarchy *out)
{
    char root[PATH_BYTES];
    char type[PATH_BYTES];
    char options[PATH_BYTES];
    for (const char *line = mounts; line != NULL && *line != '\0';) {
        const char *const next = strchr(line, '\n');
        if (read_mount(line, is_info, root, out->mount, type, options,
                       PATH_BYTES) &&
            (controller == NULL
                 ? strcmp(type, "cgroup2") == 0
                 : strcmp(type, "cgroup") == 0 &&
                       has_item(options, strlen(options), controller))) {
            unescape(root);
            unescape(out->mount);
            cut_root(out->group, root);
            return true;
        }
        line = next != NULL ? next + 1 : NULL;
    }
    return false;
}

/* A limit's file: a number, or "max". False: none, or no limit. */
static bool read_limit(mpl_limits *limits, const hierarchy *of,
                       const char *file, uint64_t *out)
{
    char text[64];
    if (!mpl_tree_text(limits->tree, text, sizeof text, "%s%s/%s", of->mount,
                       of->group, file)) {
        if (mpl_tree_is_denied(limits->tree, "%s%s/%s", of->mount, of->group,
                               file))
            limits->failed |= !mpl_machine_add_note(
                limits->machine,
                "cgroup %s: %s cannot be read; a limit there is not known",
                of->group[0] != '\0' ? of->group : "/", file);
        return false;
    }
    return mpl_tree_parse(text, out) &&
           (of->is_v2 || *out < UNLIMITED_V1);
}

static const char *name_limit(mpl_limits *limits, const hierarchy *of,
                              const char *file)
{
    const char *const name = mpl_arena_format(
        limits->machine->arena, "cgroup v%d %s %s", of->is_v2 ? 2 : 1,
        of->group[0] != '\0' ? of->group : "/", file);
    limits->failed |= name == NULL;
    return name;
}

/* Page cache on the kernel's lists and slab that can be freed. Shared memory
 * is neither, though "file" and "cache" count it. */
static uint64_t read_reclaimable(const mpl_limits *limits,
                                 const hierarchy *of)
{
    static const char *const FIELDS[2][3] = {
        {"total_inactive_file", "total_active_file", "slab_reclaimable"},
        {"inactive_file", "active_file", "slab_reclaimable"}};
    char text[STAT_BYTES];
    uint64_t sum = 0;
    if (!mpl_tree_text(limits->tree, text, sizeof text, "%s%s/memory.stat",
                       of->mount, of->group))
        return 0;
    for (size_t at = 0; at < 3; at++) {
        uint64_t bytes;
        if (mpl_tree_field(text, FIELDS[of->is_v2][at], &bytes))
            (void)mpl_add(&sum, sum, bytes);
    }
    return sum;
}

static void read_memory(mpl_limits *limits, const hierarchy *of)
{
    static const struct {
        const char *limit[2]; /* version 1, version 2 */
        bool is_soft;
    } FILES[] = {{{"memory.limit_in_bytes", "memory.max"}, false},
                 {{NULL, "memory.high"}, true}};
    for (size_t at = 0; at < sizeof FILES / sizeof *FILES; at++) {
        const char *const file = FILES[at].limit[of->is_v2];
        mpl_limit made = {.used_bytes = MEMPLAN_UNKNOWN,
                          .is_soft = FILES[at].is_soft};
        if (file == NULL || !read_limit(limits, of, file, &made.limit_bytes))
            continue;
        (void)mpl_tree_number(limits->tree, &made.used_bytes, "%s%s/%s",
                              of->mount, of->group,
                              of->is_v2 ? "memory.current"
                                        : "memory.usage_in_bytes");
        made.reclaimable_bytes = read_reclaimable(limits, of);
        made.source = name_limit(limits, of, file);
        mpl_limits_add(limits, made);
    }
}

/* Version 1 limits memory and swap together. */
static void read_swap(mpl_limits *limits, const hierarchy *of)
{
    uint64_t limit;
    uint64_t used = 0;
    const char *const file =
        of->is_v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
    if (!read_limit(limits, of, file, &limit))
        return;
    if (of->is_v2) {
        (void)mpl_tree_number(limits->tree, &used,
                              "%s%s/memory.swap.current", of->mount,
                              of->group);
    } else {
        uint64_t memory;
        if (!read_limit(limits, of, "memory.limit_in_bytes", &memory))
            return;
        limit = mpl_sub_floor(limit, memory);
    }
    const uint64_t rest = mpl_sub_floor(limit, used);
    if (limits->swap_bytes == MEMPLAN_UNKNOWN || rest < limits->swap_bytes) {
        limits->swap_bytes = rest;
        limits->swap_source = name_limit(limits, of, file);
    }
}

static void note_quota(mpl_limits *limits, const hierarchy *of,
                       const char *file, uint64_t quota, uint64_t period)
{
    if (quota == 0 || period == 0)
        return;
    const uint64_t threads = quota / period + (quota % period != 0);
    if (threads < UINT32_MAX &&
        (limits->quota_threads == 0 || threads < limits->quota_threads)) {
        limits->quota_threads = (uint32_t)threads;
        limits->quota_source = name_limit(limits, of, file);
    }
}

/* "150000 100000": microseconds of processor in each period; "max". */
static void read_cpu(mpl_limits *limits, const hierarchy *of)
{
    uint64_t quota;
    uint64_t period = 100000;
    if (of->is_v2) {
        char text[64];
        if (!mpl_tree_text(limits->tree, text, sizeof text, "%s%s/cpu.max",
                           of->mount, of->group) ||
            !mpl_tree_parse(text, &quota))
            return;
        const char *const space = strchr(text, ' ');
        if (space != NULL)
            (void)mpl_tree_parse(space + 1, &period);
        note_quota(limits, of, "cpu.max", quota, period);
    } else if (mpl_tree_number(limits->tree, &quota, "%s%s/cpu.cfs_quota_us",
                               of->mount, of->group)) {
        (void)mpl_tree_number(limits->tree, &period,
                              "%s%s/cpu.cfs_period_us", of->mount, of->group);
        note_quota(limits, of, "cpu.cfs_quota_us", quota, period);
    }
}

/* From our group up to the mount's root. */
static void walk_up(mpl_limits *limits, hierarchy *of, bool has_memory,
                    bool has_cpu)
{
    for (;;) {
        if (has_memory) {
            read_memory(limits, of);
            read_swap(limits, of);
        }
        if (has_cpu)
            read_cpu(limits, of);
        char *const slash = strrchr(of->group, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

void mpl_cgroup_read(mpl_limits *limits)
{
    static const char *const CONTROLLERS[] = {NULL, "memory", "cpu"};
    mpl_arena *const scratch = mpl_arena_create();
    char *const groups =
        scratch != NULL ? mpl_arena_alloc(scratch, CGROUP_BYTES, 1) : NULL;
    char *const mounts =
        scratch != NULL ? mpl_arena_alloc(scratch, MOUNTS_BYTES, 1) : NULL;
    limits->failed |= groups == NULL || mounts == NULL;
    bool is_info = false;
    if (groups != NULL && mounts != NULL &&
        mpl_tree_text(limits->tree, groups, CGROUP_BYTES,
                      "/proc/self/cgroup") &&
        ((is_info = mpl_tree_text(limits->tree, mounts, MOUNTS_BYTES,
                                  "/proc/self/mountinfo")) ||
         mpl_tree_text(limits->tree, mounts, MOUNTS_BYTES, "/proc/mounts"))) {
        for (size_t at = 0; at < sizeof CONTROLLERS / sizeof *CONTROLLERS;
             at++) {
            const char *const controller = CONTROLLERS[at];
            hierarchy of = {.is_v2 = controller == NULL};
            if (find_group(groups, controller, of.group, sizeof of.group) &&
                find_mount(mounts, is_info, controller, &of))
                walk_up(limits, &of, at != 2, at != 1);
        }
    }
    mpl_arena_free(scratch);
}
