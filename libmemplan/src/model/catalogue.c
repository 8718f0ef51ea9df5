/* SPDX-License-Identifier: MIT */
#include "model/catalogue.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/failure.h"
#include "base/nearest.h"

static const mpl_catalogue_row ROWS[] = {
#define MODEL(name, source, ...) {name, source, #__VA_ARGS__},
#define ALIAS(name, row)
#include "data/models.def"
#undef MODEL
#undef ALIAS
};
enum { ROW_COUNT = sizeof ROWS / sizeof *ROWS };

typedef struct alias {
    const char *name;
    const char *row;
} alias;

static const alias ALIASES[] = {
#define MODEL(name, source, ...)
#define ALIAS(name, row) {name, row},
#include "data/models.def"
#undef MODEL
#undef ALIAS
};
enum { ALIAS_COUNT = sizeof ALIASES / sizeof *ALIASES };

/* Words of a name that do not change a model's size; "gguf" does: its files
 * are quantized. */
static const char *const NOISE[] = {"hf", "chat", "instruct", "it",    "pt",
                                    "base", "meta", "text",   "latest"};

enum { KEY_SIZE = 96 };

static bool is_separator(char letter)
{
    return letter == '-' || letter == '_' || letter == ':' || letter == ' ';
}

static char to_lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static bool is_noise(const char *word, size_t length)
{
    for (size_t at = 0; at < sizeof NOISE / sizeof *NOISE; at++)
        if (strlen(NOISE[at]) == length && memcmp(NOISE[at], word, length) == 0)
            return true;
    return false;
}

/* What two spellings of one model share: "meta-llama/Llama-2-70b-chat-hf" is
 * "llama270b". False for a name that is too long to be known. */
static bool make_key(char key[KEY_SIZE], const char *name)
{
    const char *const slash = strrchr(name, '/');
    const char *from = slash != NULL ? slash + 1 : name;
    size_t length = 0;
    while (*from != '\0') {
        const size_t word = length;
        while (*from != '\0' && !is_separator(*from)) {
            if (length == KEY_SIZE - 1)
                return false;
            key[length++] = to_lower(*from++);
        }
        if (is_noise(key + word, length - word))
            length = word;
        while (is_separator(*from))
            from++;
    }
    key[length] = '\0';
    return length > 0;
}

static const mpl_catalogue_row *find_row(const char *name)
{
    for (size_t at = 0; at < ROW_COUNT; at++)
        if (strcmp(ROWS[at].name, name) == 0)
            return &ROWS[at];
    return NULL;
}

static const mpl_catalogue_row *find_key(const char *key)
{
    char other[KEY_SIZE];
    for (size_t at = 0; at < ROW_COUNT; at++) {
        if (make_key(other, ROWS[at].name) && strcmp(key, other) == 0)
            return &ROWS[at];
        if (make_key(other, ROWS[at].source) && strcmp(key, other) == 0)
            return &ROWS[at];
    }
    for (size_t at = 0; at < ALIAS_COUNT; at++)
        if (make_key(other, ALIASES[at].name) && strcmp(key, other) == 0)
            return find_row(ALIASES[at].row);
    return NULL;
}

/* Whether `word`, in small letters, is a part of `name`. */
static bool has_word(const char *name, const char *word)
{
    for (; *name != '\0'; name++) {
        size_t at = 0;
        while (word[at] != '\0' && to_lower(name[at]) == word[at])
            at++;
        if (word[at] == '\0')
            return true;
    }
    return false;
}

/* Whether two names have the same letters, of either case. */
static bool is_same(const char *a, const char *b)
{
    while (*a != '\0' && to_lower(*a) == to_lower(*b))
        a++, b++;
    return *a == *b;
}

bool mpl_catalogue_is_own(const mpl_catalogue_row *row, const char *name)
{
    for (size_t at = 0; at < ALIAS_COUNT; at++)
        if (is_same(ALIASES[at].name, name))
            return true;
    return is_same(row->name, name) || is_same(row->source, name);
}

static memplan_status fail_unknown(const char *name, memplan_error *error)
{
    const char *const slash = strrchr(name, '/');
    mpl_nearest nearest = {.count = 0};
    for (size_t at = 0; at < ROW_COUNT; at++)
        mpl_nearest_offer(&nearest, slash != NULL ? slash + 1 : name,
                          ROWS[at].name);
    char names[MPL_WORDS_SIZE];
    return mpl_fail(
        error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
        "%.80s: no such file, and no model is known by that name%s%s%s", name,
        has_word(name, "gguf") ? ": give the path of its .gguf" : "",
        nearest.count == 0   ? ""
        : nearest.count == 1 ? "; the nearest is "
                             : "; the nearest are ",
        mpl_words_join(names, nearest.words, nearest.count, "\"", "and"));
}

const mpl_catalogue_row *mpl_catalogue_at(uint64_t index)
{
    return index < ROW_COUNT ? &ROWS[index] : NULL;
}

memplan_status mpl_catalogue_find(const mpl_catalogue_row **out,
                                  const char *name, memplan_error *error)
{
    char key[KEY_SIZE];
    const mpl_catalogue_row *const row =
        make_key(key, name) ? find_key(key) : NULL;
    if (row == NULL)
        return fail_unknown(name, error);
    *out = row;
    return MEMPLAN_OK;
}

memplan_status mpl_catalogue_config(mpl_json **out,
                                    const mpl_catalogue_row *row,
                                    memplan_error *error)
{
    enum { PADDING_BYTES = 64 }; /* that the parser reads past the text */
    const uint64_t length = strlen(row->config);
    mpl_arena *const arena = mpl_arena_create();
    uint8_t *const text =
        arena != NULL ? mpl_arena_alloc(arena, length + PADDING_BYTES, 1)
                      : NULL;
    memplan_status status = mpl_fail_memory(NULL);
    if (text != NULL) {
        memcpy(text, row->config, (size_t)length);
        status = mpl_json_parse(out, text, length, error);
    } else {
        (void)mpl_fail_memory(error);
    }
    mpl_arena_free(arena);
    return status;
}
