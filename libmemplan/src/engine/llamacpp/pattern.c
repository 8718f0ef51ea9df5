/* SPDX-License-Identifier: MIT */
/* Reads a pattern into parts: the grammar of ECMAScript, as far as names of
 * tensors can need it. Nesting is at most DEPTH_MAX deep. */
#include "engine/llamacpp/pattern.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/failure.h"

enum { DEPTH_MAX = 64 };

typedef struct pattern_reader {
    mpl_llama_pattern *pattern;
    mpl_arena *arena;
    const char *at;
    const char *wrong; /* the first fault, or NULL */
    bool no_memory;
    unsigned depth;
} pattern_reader;

static mpl_part *new_part(pattern_reader *reader, mpl_part_kind kind)
{
    mpl_part *part = mpl_arena_alloc(reader->arena, 1, sizeof *part);
    if (part == NULL) {
        reader->no_memory = true;
        reader->wrong = "no memory";
        return NULL;
    }
    part->kind = kind;
    if (++reader->pattern->part_count > MPL_PATTERN_PARTS)
        reader->wrong = "it has too many parts";
    return reader->wrong == NULL ? part : NULL;
}

static mpl_part *fault(pattern_reader *reader, const char *what)
{
    if (reader->wrong == NULL)
        reader->wrong = what;
    return NULL;
}

/* ---- Classes ----------------------------------------------------------- */

static void put(unsigned char *set, unsigned first, unsigned last)
{
    for (unsigned c = first; c <= last && c < 256; c++)
        set[c / 8] |= (unsigned char)(1U << (c % 8));
}

static void invert(unsigned char *set)
{
    for (unsigned i = 0; i < 32; i++)
        set[i] = (unsigned char)~set[i];
}

/* \d \w \s and their opposites into `set`; false for other letters. */
static bool put_escape(unsigned char *set, char letter)
{
    unsigned char one[32] = {0};
    switch (letter | 0x20) {
    case 'd':
        put(one, '0', '9');
        break;
    case 'w':
        put(one, '0', '9');
        put(one, 'a', 'z');
        put(one, 'A', 'Z');
        put(one, '_', '_');
        break;
    case 's':
        put(one, '\t', '\r');
        put(one, ' ', ' ');
        break;
    default:
        return false;
    }
    if ((letter & 0x20) == 0)
        invert(one);
    for (unsigned i = 0; i < 32; i++)
        set[i] |= one[i];
    return true;
}

static const struct {
    const char *name;
    const char *ranges; /* pairs */
} NAMED[] = {{"alnum", "09azAZ"},  {"alpha", "azAZ"},   {"digit", "09"},
             {"lower", "az"},      {"upper", "AZ"},     {"space", "\t\r  "},
             {"xdigit", "09afAF"}, {"blank", "\t\t  "}, {"punct", "!/:@[`{~"},
             {"w", "09azAZ__"},    {"d", "09"},         {"s", "\t\r  "}};

/* "[:alpha:]" at the reader. */
static bool put_named(pattern_reader *reader, unsigned char *set)
{
    const char *name = reader->at + 2;
    const char *end = strstr(name, ":]");
    for (size_t i = 0; end != NULL && i < sizeof NAMED / sizeof NAMED[0]; i++)
        if (strlen(NAMED[i].name) == (size_t)(end - name) &&
            strncmp(NAMED[i].name, name, (size_t)(end - name)) == 0) {
            for (const char *r = NAMED[i].ranges; *r != '\0'; r += 2)
                put(set, (unsigned char)r[0], (unsigned char)r[1]);
            reader->at = end + 2;
            return true;
        }
    (void)fault(reader, "it names a class that does not exist");
    return false;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* The character that an escape stands for; the backslash has been read. */
static int read_escape(pattern_reader *reader)
{
    static const char from[] = "fnrtv0";
    static const char to[] = "\f\n\r\t\v";
    const char c = *reader->at;
    if (c == '\0')
        return -1;
    reader->at++;
    const char *known = strchr(from, c);
    if (known != NULL)
        return c == '0' ? 0 : to[known - from];
    if (c == 'x' && hex(reader->at[0]) >= 0 && hex(reader->at[1]) >= 0) {
        const int value = hex(reader->at[0]) * 16 + hex(reader->at[1]);
        reader->at += 2;
        return value;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (c >= '1' && c <= '9'))
        return -1;
    return (unsigned char)c;
}

/* One character of a class, or -1 where it was a whole class or a fault. */
static int read_class_character(pattern_reader *reader, unsigned char *set)
{
    if (reader->at[0] == '[' && reader->at[1] == ':') {
        (void)put_named(reader, set);
        return -1;
    }
    if (*reader->at != '\\')
        return (unsigned char)*reader->at++;
    reader->at++;
    if (put_escape(set, *reader->at)) {
        reader->at++;
        return -1;
    }
    if (*reader->at == 'b') {
        reader->at++;
        return '\b';
    }
    const int value = read_escape(reader);
    if (value < 0)
        (void)fault(reader, "it has an escape that does not exist");
    return value;
}

static mpl_part *read_class(pattern_reader *reader)
{
    mpl_part *part = new_part(reader, MPL_PART_CLASS);
    if (part == NULL)
        return NULL;
    const bool is_negated = *reader->at == '^';
    reader->at += is_negated ? 1 : 0;
    while (*reader->at != ']' && reader->wrong == NULL) {
        if (*reader->at == '\0')
            return fault(reader, "a [ is not closed");
        const int first = read_class_character(reader, part->set);
        int last = first;
        if (first >= 0 && reader->at[0] == '-' && reader->at[1] != ']' &&
            reader->at[1] != '\0') {
            reader->at++;
            last = read_class_character(reader, part->set);
            if (last < first)
                return fault(reader, "a range in [] runs backwards");
        }
        if (first >= 0)
            put(part->set, (unsigned)first, (unsigned)last);
    }
    reader->at += reader->wrong == NULL ? 1 : 0;
    if (is_negated)
        invert(part->set);
    return part;
}

/* ---- Parts ------------------------------------------------------------- */

static mpl_part *read_alternatives(pattern_reader *reader);

static mpl_part *read_group(pattern_reader *reader)
{
    mpl_part_kind kind = MPL_PART_GROUP;
    bool is_negated = false;
    unsigned capture = 0;
    if (strncmp(reader->at, "?:", 2) == 0) {
        reader->at += 2;
    } else if (strncmp(reader->at, "?=", 2) == 0 ||
               strncmp(reader->at, "?!", 2) == 0) {
        kind = MPL_PART_LOOK;
        is_negated = reader->at[1] == '!';
        reader->at += 2;
    } else if (*reader->at == '?') {
        return fault(reader, "it has a (? that does not exist");
    } else {
        capture = ++reader->pattern->capture_count;
        if (capture >= MPL_PATTERN_CAPTURES)
            return fault(reader, "it has too many groups");
    }
    mpl_part *part = new_part(reader, kind);
    if (part == NULL)
        return NULL;
    part->is_negated = is_negated;
    part->capture = capture;
    if (++reader->depth > DEPTH_MAX)
        return fault(reader, "its groups nest too deeply");
    part->child = read_alternatives(reader);
    reader->depth--;
    if (reader->wrong == NULL && *reader->at != ')')
        return fault(reader, "a ( is not closed");
    reader->at++;
    return reader->wrong == NULL ? part : NULL;
}

static mpl_part *read_escaped(pattern_reader *reader)
{
    const char c = *reader->at;
    if (c == 'b' || c == 'B') {
        mpl_part *part = new_part(reader, MPL_PART_BOUNDARY);
        reader->at++;
        if (part != NULL)
            part->is_negated = c == 'B';
        return part;
    }
    if (c >= '1' && c <= '9') {
        mpl_part *part = new_part(reader, MPL_PART_SAME);
        reader->at++;
        if (part == NULL ||
            (unsigned)(c - '0') > reader->pattern->capture_count)
            return fault(reader, "it refers to a group that is not there");
        part->capture = (unsigned)(c - '0');
        return part;
    }
    unsigned char set[32] = {0};
    if (put_escape(set, c)) {
        mpl_part *part = new_part(reader, MPL_PART_CLASS);
        reader->at++;
        if (part != NULL)
            memcpy(part->set, set, sizeof set);
        return part;
    }
    const int value = read_escape(reader);
    if (value < 0)
        return fault(reader, "it has an escape that does not exist");
    mpl_part *part = new_part(reader, MPL_PART_CHARACTER);
    if (part != NULL)
        part->character = (unsigned char)value;
    return part;
}

static mpl_part *read_atom(pattern_reader *reader)
{
    const char c = *reader->at++;
    mpl_part *part = NULL;
    switch (c) {
    case '(':
        return read_group(reader);
    case '[':
        return read_class(reader);
    case '\\':
        return read_escaped(reader);
    case '^':
        return new_part(reader, MPL_PART_START);
    case '$':
        return new_part(reader, MPL_PART_END);
    case '*':
    case '+':
    case '?':
    case '{':
        return fault(reader, "it repeats nothing");
    case '.':
        part = new_part(reader, MPL_PART_CLASS);
        if (part != NULL) {
            put(part->set, '\n', '\n');
            put(part->set, '\r', '\r');
            invert(part->set);
        }
        return part;
    default:
        part = new_part(reader, MPL_PART_CHARACTER);
        if (part != NULL)
            part->character = (unsigned char)c;
        return part;
    }
}

static bool read_count(pattern_reader *reader, unsigned *out)
{
    const char *start = reader->at;
    unsigned value = 0;
    for (; *reader->at >= '0' && *reader->at <= '9'; reader->at++)
        value =
            value > 100000 ? value : value * 10 + (unsigned)(*reader->at - '0');
    *out = value;
    return reader->at != start;
}

/* "*", "+", "?", "{m}", "{m,}", "{m,n}"; false where none stands. */
static bool read_repeat(pattern_reader *reader, unsigned *least, unsigned *most)
{
    const char c = *reader->at;
    *least = c == '+' ? 1 : 0;
    *most = c == '?' ? 1 : UINT_MAX;
    if (c == '*' || c == '+' || c == '?') {
        reader->at++;
        return true;
    }
    if (c != '{')
        return false;
    reader->at++;
    bool is_right = read_count(reader, least);
    *most = *least;
    if (is_right && *reader->at == ',') {
        reader->at++;
        if (!read_count(reader, most))
            *most = UINT_MAX;
    }
    if (!is_right || *reader->at != '}' || *most < *least)
        (void)fault(reader, "a {} is no count");
    else
        reader->at++;
    return reader->wrong == NULL;
}

static mpl_part *read_part(pattern_reader *reader)
{
    mpl_part *part = read_atom(reader);
    unsigned least;
    unsigned most;
    while (part != NULL && read_repeat(reader, &least, &most)) {
        mpl_part *repeat = new_part(reader, MPL_PART_REPEAT);
        if (repeat == NULL)
            return NULL;
        repeat->child = part;
        repeat->least = least;
        repeat->most = most;
        repeat->is_lazy = *reader->at == '?';
        reader->at += repeat->is_lazy ? 1 : 0;
        part = repeat;
    }
    return part;
}

/* A chain up to "|", ")" or the end, after a part that matches nothing. */
static mpl_part *read_chain(pattern_reader *reader)
{
    mpl_part *first = new_part(reader, MPL_PART_CHARACTER);
    if (first == NULL)
        return NULL;
    first->is_empty = true;
    mpl_part *last = first;
    while (*reader->at != '\0' && *reader->at != '|' && *reader->at != ')' &&
           reader->wrong == NULL) {
        last->next = read_part(reader);
        if (last->next != NULL)
            last = last->next;
    }
    return first;
}

static mpl_part *read_alternatives(pattern_reader *reader)
{
    mpl_part *first = read_chain(reader);
    mpl_part *last = first;
    while (last != NULL && reader->wrong == NULL && *reader->at == '|') {
        reader->at++;
        last->alternative = read_chain(reader);
        last = last->alternative;
    }
    return first;
}

memplan_status mpl_llama_pattern_read(mpl_llama_pattern **out, mpl_arena *arena,
                                      const char *text, memplan_error *error)
{
    mpl_llama_pattern *pattern = mpl_arena_alloc(arena, 1, sizeof *pattern);
    if (pattern == NULL)
        return mpl_fail_memory(error);
    pattern_reader reader = {.pattern = pattern, .arena = arena, .at = text};
    pattern->text = text;
    pattern->root = new_part(&reader, MPL_PART_GROUP);
    if (pattern->root != NULL)
        pattern->root->child = read_alternatives(&reader);
    if (reader.wrong == NULL && *reader.at == ')')
        (void)fault(&reader, "a ) closes nothing");
    if (reader.no_memory)
        return mpl_fail_memory(error);
    if (reader.wrong != NULL)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "pattern \"%s\": %s", text, reader.wrong);
    *out = pattern;
    return MEMPLAN_OK;
}
