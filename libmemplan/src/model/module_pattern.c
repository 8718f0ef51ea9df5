/* SPDX-License-Identifier: MIT */
/*
 * Python's regular expressions are read as POSIX's: groups that are not
 * captured and the classes \d and \w are rewritten; what has no counterpart
 * (looking ahead or behind, lazy repeats), and counted repeats, whose automata
 * grow without bound, are not understood.
 */
#include "model/module_pattern.h"

#include <fnmatch.h>
#include <string.h>

enum { MAX_PATTERN = 256 };

/* `text` for regcomp, between `head` and `tail`; false: no counterpart. */
static bool translate(char *out, size_t size, const char *head,
                      const char *text, const char *tail)
{
    static const struct {
        const char *from;
        const char *to; /* NULL: none */
    } WORDS[] = {{"(?:", "("},  {"(?", NULL},     {"*?", NULL},
                 {"+?", NULL},  {"\\d", "[0-9]"}, {"\\w", "[A-Za-z0-9_]"},
                 {"\\b", NULL}, {"\\s", NULL},    {"\\A", "^"},
                 {"\\Z", "$"},  {"\\-", "-"},     {"{", NULL}};
    size_t length = strlen(head);
    if (length >= size)
        return false;
    memcpy(out, head, length);
    while (*text != '\0') {
        size_t used = 1;
        const char *put = NULL;
        size_t at = 0;
        while (at < sizeof WORDS / sizeof *WORDS &&
               strncmp(text, WORDS[at].from, strlen(WORDS[at].from)) != 0)
            at++;
        if (at < sizeof WORDS / sizeof *WORDS) {
            if ((put = WORDS[at].to) == NULL)
                return false;
            used = strlen(WORDS[at].from);
        } else if (text[0] == '\\') {
            if (text[1] == '\0' || (text[1] >= '0' && text[1] <= '9'))
                return false;
            used = 2;
        }
        const size_t more = put != NULL ? strlen(put) : used;
        if (length + more >= size)
            return false;
        memcpy(out + length, put != NULL ? put : text, more);
        length += more;
        text += used;
    }
    if (length + strlen(tail) >= size)
        return false;
    strcpy(out + length, tail);
    return true;
}

static void compile(mpl_module_pattern *out, const char *head, const char *text,
                    const char *tail)
{
    char expression[2 * MAX_PATTERN];
    out->is_readable =
        strlen(text) <= MAX_PATTERN &&
        translate(expression, sizeof expression, head, text, tail) &&
        regcomp(&out->compiled, expression, REG_EXTENDED | REG_NOSUB) == 0;
    out->is_compiled = out->is_readable;
}

void mpl_module_pattern_open(mpl_module_pattern *out, mpl_pattern_kind kind,
                             const char *text)
{
    *out =
        (mpl_module_pattern){.kind = kind, .text = text, .is_readable = true};
    const size_t length = strlen(text);
    if (kind == MPL_PATTERN_EXACT && strncmp(text, "re:", 3) == 0)
        compile(out, "^(", text + 3, ")");
    else if (kind == MPL_PATTERN_HF && strpbrk(text, "*+?[](){}|^$\\") != NULL)
        compile(out, "^(", text,
                length > 0 && text[length - 1] == '.' ? ")" : ")(\\.|$)");
    else if (kind == MPL_PATTERN_GLOB)
        out->is_readable = length <= MAX_PATTERN;
}

void mpl_module_pattern_close(mpl_module_pattern *pattern)
{
    if (pattern->is_compiled)
        regfree(&pattern->compiled);
    pattern->is_compiled = false;
}

static bool begins(const char *module, const char *text)
{
    const size_t length = strlen(text);
    return strncmp(module, text, length) == 0 &&
           (module[length] == '\0' || module[length] == '.' ||
            (length > 0 && text[length - 1] == '.'));
}

static bool ends(const char *module, const char *text)
{
    const size_t length = strlen(text);
    const size_t whole = strlen(module);
    return length <= whole &&
           memcmp(module + whole - length, text, length) == 0;
}

/* Most globs are a name, or the beginning of one with a star behind. */
static bool matches_glob(const char *text, const char *module)
{
    const size_t plain = strcspn(text, "*?[\\");
    if (strncmp(module, text, plain) != 0)
        return false;
    if (text[plain] == '\0')
        return module[plain] == '\0';
    return strcmp(text + plain, "*") == 0 || fnmatch(text, module, 0) == 0;
}

bool mpl_module_pattern_matches(const mpl_module_pattern *pattern,
                                const char *module)
{
    if (pattern->is_compiled &&
        regexec(&pattern->compiled, module, 0, NULL, 0) == 0)
        return true;
    switch (pattern->kind) {
    case MPL_PATTERN_HF:
        return begins(module, pattern->text) || ends(module, pattern->text);
    case MPL_PATTERN_EXACT:
        return strcmp(module, pattern->text) == 0;
    default:
        return pattern->is_readable && matches_glob(pattern->text, module);
    }
}
