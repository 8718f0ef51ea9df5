/* SPDX-License-Identifier: MIT */
/*
 * Amounts of memory as Accelerate reads them: int(float(number) * unit), and
 * "gb", "mb", "kb" with a small b are bits. The number is a double there, so
 * it is one here: "4.35GB" must be cut the same way.
 */
#include <string.h>

#include "base/arena.h"
#include "base/failure.h"
#include "base/json.h"
#include "engine/accelerate/document.h"
#include "memplan/accelerate.h"

static const struct {
    const char *suffix; /* in capitals */
    double bytes;
    bool may_be_bits;
} UNITS[] = {
    {"GIB", 1073741824.0, false},
    {"MIB", 1048576.0, false},
    {"KIB", 1024.0, false},
    {"GB", 1e9, true},
    {"MB", 1e6, true},
    {"KB", 1e3, true},
};

enum { MAX_NUMBER = 512 };

static char upper(char letter)
{
    return letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A') : letter;
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static bool is_space(char letter)
{
    return letter == ' ' || (letter >= '\t' && letter <= '\r');
}

static bool ends_with(const char *text, size_t length, const char *suffix)
{
    const size_t tail = strlen(suffix);
    if (length < tail)
        return false;
    for (size_t at = 0; at < tail; at++)
        if (upper(text[length - tail + at]) != suffix[at])
            return false;
    return true;
}

/* A number on its way from Python's spelling to JSON's. */
typedef struct spelling {
    const char *at;
    const char *end;
    char text[MAX_NUMBER + 8];
    size_t length;
} spelling;

static void put(spelling *number, char letter)
{
    number->text[number->length++] = letter;
}

/* Digits, with single underscores between them. False for none. */
static bool put_digits(spelling *number)
{
    const char *from = number->at;
    while (number->at < number->end) {
        const bool is_joint = *number->at == '_' && number->at > from &&
                              is_digit(number->at[-1]) &&
                              number->at + 1 < number->end &&
                              is_digit(number->at[1]);
        if (is_digit(*number->at))
            put(number, *number->at);
        else if (!is_joint)
            break;
        number->at++;
    }
    return number->at > from;
}

static bool take(spelling *number, const char *letters)
{
    if (number->at == number->end || strchr(letters, *number->at) == NULL)
        return false;
    number->at++;
    return true;
}

/* [sign] digits [. digits] [e [sign] digits], where either side of the point
 * may be empty; written as JSON, with a point so that it is read as a double.
 */
static bool spell(spelling *number)
{
    put(number, '[');
    if (number->at < number->end && *number->at == '-')
        put(number, '-');
    (void)take(number, "+-");
    while (number->end - number->at > 1 && *number->at == '0' &&
           is_digit(number->at[1]))
        number->at++;
    const bool has_whole = put_digits(number);
    if (!has_whole)
        put(number, '0');
    put(number, '.');
    const bool has_part = take(number, ".") && put_digits(number);
    if (!has_part)
        put(number, '0');
    if (!has_whole && !has_part)
        return false;
    if (take(number, "eE")) {
        put(number, 'e');
        if (number->at < number->end && *number->at == '-')
            put(number, '-');
        (void)take(number, "+-");
        if (!put_digits(number))
            return false;
    }
    put(number, ']');
    return number->at == number->end;
}

static memplan_status not_valid(const char *text, memplan_error *error)
{
    return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                    "\"%s\" is no amount: write a number and one of GB, MB, "
                    "KB, GiB, MiB, KiB",
                    text);
}

static memplan_status read_number(double *out, const char *text, size_t length,
                                  const char *whole, memplan_error *error)
{
    spelling number = {.at = text, .end = text + length};
    while (number.at < number.end && is_space(*number.at))
        number.at++;
    while (number.at < number.end && is_space(number.end[-1]))
        number.end--;
    if (number.end - number.at > MAX_NUMBER || !spell(&number))
        return not_valid(whole, error);
    mpl_json *document = NULL;
    const memplan_status status =
        mpl_document_parse(&document, number.text, number.length, NULL);
    if (status == MEMPLAN_E_NO_MEMORY)
        return mpl_fail_memory(error);
    if (status != MEMPLAN_OK)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "\"%s\" is larger than any number", whole);
    (void)mpl_json_real(mpl_json_at(mpl_json_root(document), 0), out);
    mpl_json_free(document);
    return MEMPLAN_OK;
}

memplan_status memplan_accelerate_bytes_parse(uint64_t *out_bytes,
                                              const char *text,
                                              memplan_error *error)
{
    const size_t length = strlen(text);
    for (size_t at = 0; at < sizeof UNITS / sizeof *UNITS; at++) {
        if (!ends_with(text, length, UNITS[at].suffix))
            continue;
        double number = 0;
        const memplan_status status = read_number(
            &number, text, length - strlen(UNITS[at].suffix), text, error);
        if (status != MEMPLAN_OK)
            return status;
        const double amount = number * UNITS[at].bytes;
        if (amount <= -1)
            return not_valid(text, error);
        if (amount >= 9223372036854775808.0)
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "\"%s\" passes 63 bits", text);
        const bool is_bits = UNITS[at].may_be_bits && text[length - 1] == 'b';
        *out_bytes = (uint64_t)(int64_t)amount / (is_bits ? 8 : 1);
        return MEMPLAN_OK;
    }
    return not_valid(text, error);
}
