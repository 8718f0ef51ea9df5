/* SPDX-License-Identifier: MIT */
/*
 * A part is words in any order: how many ("2x", "x2", "2"), amounts ("64GiB",
 * "64 GiB", "80GB/s"), what it is ("ram", "cores"), and a name, which is all
 * the rest. Commas, new lines, " + ", " and " and " with " stand between
 * parts.
 */
#include "machine/description_part.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "data/gpu_catalogue.h"

enum { WORD_BYTES = 64, MAX_COUNT = 64 };

/* A word that ends in '*' is the beginning of one: "ddr5-5600". */
static const struct {
    const char *word;
    mpl_part_role role;
} ROLES[] = {
    {"ram", MPL_PART_HOST},       {"memory", MPL_PART_HOST},
    {"mem", MPL_PART_HOST},       {"host", MPL_PART_HOST},
    {"cpu", MPL_PART_HOST},       {"ddr*", MPL_PART_HOST},
    {"lpddr*", MPL_PART_HOST},    {"gpu", MPL_PART_GPU},
    {"gpus", MPL_PART_GPU},       {"vram", MPL_PART_GPU},
    {"disk", MPL_PART_DISK},      {"ssd", MPL_PART_DISK},
    {"nvme", MPL_PART_DISK},      {"core", MPL_PART_CORES},
    {"cores", MPL_PART_CORES},    {"thread", MPL_PART_THREADS},
    {"threads", MPL_PART_THREADS}, {"pcie", MPL_PART_PCIE},
};

/* Said beside an amount, and nothing more. */
static const char *const FILLERS[] = {"of", "system", "unified", "shared",
                                      "gddr*"};

memplan_status mpl_part_fail(const mpl_part *part, memplan_status status,
                             const char *rule, memplan_error *error)
{
    return mpl_fail(error, status, part->offset, "machine: \"%.*s\": %s",
                    part->length < 60 ? part->length : 60, part->start, rule);
}

bool mpl_part_is_blank(const mpl_part *part)
{
    return part->role == MPL_PART_UNNAMED && part->name[0] == '\0' &&
           part->bytes == MEMPLAN_UNKNOWN && part->rate == MEMPLAN_UNKNOWN;
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static bool is_space(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '(' || letter == ')';
}

static void lower(char *out, const char *word)
{
    size_t at = 0;
    for (; word[at] != '\0'; at++)
        out[at] = word[at] >= 'A' && word[at] <= 'Z' ? (char)(word[at] | 0x20)
                                                     : word[at];
    out[at] = '\0';
}

static bool is_word(const char *pattern, const char *word)
{
    const char *const star = strchr(pattern, '*');
    return star != NULL
               ? strncmp(pattern, word, (size_t)(star - pattern)) == 0
               : strcmp(pattern, word) == 0;
}

/* The next word of a part; its length. */
static size_t next_word(const char **at, const char *end, char *out)
{
    while (*at < end && is_space(**at))
        (*at)++;
    size_t length = 0;
    while (*at < end && !is_space(**at)) {
        if (length + 1 < WORD_BYTES)
            out[length++] = **at;
        (*at)++;
    }
    out[length] = '\0';
    return length;
}

static bool find_role(const char *word, mpl_part_role *out)
{
    char name[WORD_BYTES];
    lower(name, word);
    for (size_t at = 0; at < sizeof ROLES / sizeof *ROLES; at++)
        if (is_word(ROLES[at].word, name)) {
            *out = ROLES[at].role;
            return true;
        }
    return false;
}

static bool is_filler(const char *word)
{
    char name[WORD_BYTES];
    lower(name, word);
    for (size_t at = 0; at < sizeof FILLERS / sizeof *FILLERS; at++)
        if (is_word(FILLERS[at], name))
            return true;
    return false;
}

/* The digits at the start of a word; how many there are. */
static size_t read_digits(const char *word, uint32_t *out)
{
    size_t length = 0;
    *out = 0;
    for (; is_digit(word[length]); length++)
        if (*out <= MAX_COUNT)
            *out = *out * 10 + (uint32_t)(word[length] - '0');
    return length;
}

/* A unit as it must be spelled, or as people misspell it: then an amount was
 * meant, and memplan_bytes_parse() says what is wrong with it. */
static bool is_unit(const char *word)
{
    static const char LETTERS[] = "kmgtp";
    char unit[WORD_BYTES];
    lower(unit, word);
    char *const slash = strstr(unit, "/s");
    if (slash != NULL && slash[2] == '\0')
        *slash = '\0';
    const char *rest = unit + 1;
    if (unit[0] == '\0' || strchr(LETTERS, unit[0]) == NULL)
        return false;
    rest += *rest == 'i';
    return strcmp(rest, "b") == 0 || (unit[1] == '\0');
}

/* "64GiB", "64 GiB", "80GB/s". `word` holds the number and perhaps its unit;
 * `at` goes past a unit that stands by itself. */
static bool take_amount(const char *word, const char **at, const char *end,
                        char *out)
{
    size_t digits = 0;
    while (is_digit(word[digits]) || word[digits] == '.')
        digits++;
    if (digits == 0)
        return false;
    (void)strcpy(out, word);
    if (word[digits] != '\0')
        return is_unit(word + digits);
    char unit[WORD_BYTES];
    const char *after = *at;
    const size_t length = next_word(&after, end, unit);
    if (length == 0 || !is_unit(unit) || digits + length >= WORD_BYTES)
        return false;
    (void)strcpy(out + digits, unit);
    *at = after;
    return true;
}

static memplan_status set_amount(mpl_part *of, char *amount,
                                 memplan_error *error)
{
    char *const slash = strchr(amount, '/');
    uint64_t *const place = slash != NULL ? &of->rate : &of->bytes;
    if (slash != NULL)
        *slash = '\0';
    if (*place != MEMPLAN_UNKNOWN)
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                             "two amounts in one part", error);
    const memplan_status status = memplan_bytes_parse(place, amount, error);
    if (status != MEMPLAN_OK && error != NULL) {
        mpl_fail_in(error, "machine");
        error->offset = of->offset;
    }
    return status;
}

static memplan_status add_to_name(mpl_part *of, const char *word,
                                  memplan_error *error)
{
    const size_t have = strlen(of->name);
    const size_t more = strlen(word);
    if (have + more + 2 > sizeof of->name)
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT, "too long", error);
    if (have > 0)
        of->name[have] = ' ';
    (void)strcpy(of->name + have + (have > 0), word);
    return MEMPLAN_OK;
}

/* "nvme disk" is one kind, "cpu cores" are cores, "gpu memory" is a GPU's. */
static memplan_status take_role(mpl_part *of, mpl_part_role role,
                                memplan_error *error)
{
    const bool is_refined =
        of->role == MPL_PART_HOST &&
        (role == MPL_PART_CORES || role == MPL_PART_THREADS);
    if (of->role == MPL_PART_GPU && role == MPL_PART_HOST)
        return MEMPLAN_OK;
    if (of->role != MPL_PART_UNNAMED && of->role != role && !is_refined)
        return mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                             "names two kinds of things; commas part them",
                             error);
    of->role = role;
    return MEMPLAN_OK;
}

/* A name begins here: not a unit, nor what a number counts but GPUs. */
static bool begins_name(const char *at, const char *end)
{
    char word[WORD_BYTES];
    mpl_part_role role;
    return next_word(&at, end, word) > 0 && !is_unit(word) &&
           (!find_role(word, &role) || role == MPL_PART_GPU) &&
           !is_digit(word[0]);
}

/* "2x", "2x3090", "2 rtx-3090" before a name; "x2" after one. What of the
 * word is not the count is left in it. */
static bool take_count(mpl_part *of, char *word, const char *at,
                       const char *end)
{
    uint32_t count;
    const bool is_before = of->name[0] == '\0';
    const size_t skipped = !is_before && (word[0] | 0x20) == 'x';
    const size_t digits = read_digits(word + skipped, &count);
    const char *rest = word + skipped + digits;
    if (digits == 0 || of->has_count || of->role == MPL_PART_PCIE)
        return false;
    if (is_before && (*rest | 0x20) == 'x')
        rest++;
    else if (*rest != '\0' || (is_before && (count > MAX_COUNT ||
                                             !begins_name(at, end))))
        return false;
    else if (!is_before && skipped == 0)
        return false;
    of->count = count;
    of->has_count = true;
    memmove(word, rest, strlen(rest) + 1);
    return true;
}

/* The "x" of "2 x rtx-4090". */
static bool is_times(const mpl_part *of, const char *word)
{
    return of->has_count && of->name[0] == '\0' && (word[0] | 0x20) == 'x' &&
           word[1] == '\0';
}

/* "780m" is a GPU, and no amount. */
static bool is_model(const char *word)
{
    uint32_t number;
    const size_t digits = read_digits(word, &number);
    return (word[digits] | 0x20) == 'm' && word[digits + 1] == '\0' &&
           mpl_gpu_has_word(word);
}

static bool is_nvlink(const char *word)
{
    char name[WORD_BYTES];
    lower(name, word);
    return strcmp(name, "nvlink") == 0;
}

static memplan_status take_nvlink(mpl_part *of, memplan_error *error)
{
    if (of->name[0] == '\0' && of->role != MPL_PART_GPU)
        return take_role(of, MPL_PART_NVLINK, error);
    of->has_nvlink = true;
    return MEMPLAN_OK;
}

/* `at` is behind the word, and goes past a unit of its own. */
static memplan_status take_word(mpl_part *of, char *word, const char **at,
                                const char *end, memplan_error *error)
{
    char amount[WORD_BYTES];
    mpl_part_role role;
    if (take_count(of, word, *at, end) && word[0] == '\0')
        return MEMPLAN_OK;
    if (of->role == MPL_PART_PCIE)
        return add_to_name(of, word, error);
    if (is_nvlink(word))
        return take_nvlink(of, error);
    if (is_times(of, word))
        return MEMPLAN_OK;
    if (is_model(word))
        return add_to_name(of, word, error);
    if (take_amount(word, at, end, amount))
        return set_amount(of, amount, error);
    if (find_role(word, &role))
        return take_role(of, role, error);
    return is_filler(word) ? MEMPLAN_OK : add_to_name(of, word, error);
}

/* What would be skipped as a part of a name parts nothing. */
static memplan_status check_letters(const mpl_part *of, const char *end,
                                    memplan_error *error)
{
    for (const char *at = of->start; at < end; at++)
        if (strchr(";|&\"'", *at) != NULL && *at != '\0')
            return mpl_part_fail(of, MEMPLAN_E_ARGUMENT,
                                 "commas part what a machine has, nothing "
                                 "else",
                                 error);
    return MEMPLAN_OK;
}

/* The end of the part at `at`, and where the next one starts; NULL: nowhere. */
static const char *find_end(const char *at, const char **out_next)
{
    static const char *const SEPARATORS[] = {" + ", " and ", " with "};
    for (; *at != '\0'; at++) {
        if (*at == ',' || *at == '\n') {
            *out_next = at + 1;
            return at;
        }
        for (size_t item = 0; item < sizeof SEPARATORS / sizeof *SEPARATORS;
             item++) {
            const size_t length = strlen(SEPARATORS[item]);
            if (strncmp(at, SEPARATORS[item], length) == 0) {
                *out_next = at + length;
                return at;
            }
        }
    }
    *out_next = NULL;
    return at;
}

memplan_status mpl_part_read(mpl_part *out, const char *text, const char **at,
                             memplan_error *error)
{
    char word[WORD_BYTES];
    const char *const start = *at;
    const char *const end = find_end(start, at);
    *out = (mpl_part){.start = start,
                      .offset = (uint64_t)(start - text),
                      .length = (int)mpl_min((uint64_t)(end - start), 1000),
                      .count = 1,
                      .bytes = MEMPLAN_UNKNOWN,
                      .rate = MEMPLAN_UNKNOWN};
    memplan_status status = check_letters(out, end, error);
    for (const char *place = start;
         status == MEMPLAN_OK && next_word(&place, end, word) > 0;)
        status = take_word(out, word, &place, end, error);
    if (status == MEMPLAN_OK && (out->count == 0 || out->count > MAX_COUNT))
        return mpl_part_fail(out, MEMPLAN_E_ARGUMENT, "1 to 64 of a kind",
                             error);
    return status;
}
