/* SPDX-License-Identifier: MIT */
/*
 * JSON read by simdjson (the one C++ file, json.cc): strict, exact 64-bit
 * integers, UTF-8 checked, nesting at most 512 deep.
 *
 * A value is two words, passed by value; it lives as long as its document.
 * Asking a value for what it is not is no failure: the answer is false, or
 * MPL_JSON_ABSENT.
 */
#ifndef MPL_BASE_JSON_H
#define MPL_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "memplan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mpl_json mpl_json;

typedef struct mpl_json_value {
    const void *document; /* NULL: absent */
    uint64_t index;
} mpl_json_value;

#define MPL_JSON_ABSENT ((mpl_json_value){0})

typedef enum mpl_json_type {
    MPL_JSON_NONE, /* absent */
    MPL_JSON_NULL,
    MPL_JSON_BOOL,
    MPL_JSON_INTEGER, /* fits int64_t or uint64_t */
    MPL_JSON_REAL,
    MPL_JSON_STRING,
    MPL_JSON_ARRAY,
    MPL_JSON_OBJECT
} mpl_json_type;

/* Parses `size` bytes, which 64 readable bytes must follow. The text may go
 * once this returns. Python's NaN, Infinity and -Infinity read as null.
 * MEMPLAN_OK, _CORRUPT (error->offset and line say where), _TOO_LARGE,
 * _NO_MEMORY. */
memplan_status mpl_json_parse(mpl_json **out, const uint8_t *text,
                              uint64_t size, memplan_error *error);

/* Reads and parses a file of at most `cap_bytes`; the message names it. */
memplan_status mpl_json_open(mpl_json **out, const char *path,
                             uint64_t cap_bytes, memplan_error *error);

void mpl_json_free(mpl_json *json);

mpl_json_value mpl_json_root(const mpl_json *json);

mpl_json_type mpl_json_type_of(mpl_json_value value);

/* "a number", "an object", ...: for messages. */
const char *mpl_json_type_name(mpl_json_value value);

bool mpl_json_bool(mpl_json_value value, bool *out);

/* Whole numbers in range; 4096.0 is not one. */
bool mpl_json_u64(mpl_json_value value, uint64_t *out);
bool mpl_json_i64(mpl_json_value value, int64_t *out);

/* Any number. */
bool mpl_json_real(mpl_json_value value, double *out);

/* Terminated; a string with a NUL inside counts as no string, unless `length`
 * is asked for. */
const char *mpl_json_string(mpl_json_value value, uint64_t *length);

/* The first member of that name, linear in the members; or absent. */
mpl_json_value mpl_json_get(mpl_json_value object, const char *key);

/* The item at a position, linear; or absent. */
mpl_json_value mpl_json_at(mpl_json_value array, uint64_t position);

/* Items of an array or members of an object; 0 for others. */
uint64_t mpl_json_count(mpl_json_value container);

/* Walks an array or an object from the front, in the order of the file:
 *
 *     mpl_json_walk walk = mpl_json_begin(value);
 *     while (mpl_json_next(&walk)) use(walk.key, walk.value);
 */
typedef struct mpl_json_walk {
    mpl_json_value value; /* the current item */
    const char *key;      /* of an object's member, terminated; else NULL */
    uint64_t key_length;
    uint64_t next; /* private */
    uint64_t end;  /* private */
    const void *document;
    bool is_object;
} mpl_json_walk;

mpl_json_walk mpl_json_begin(mpl_json_value container);
bool mpl_json_next(mpl_json_walk *walk);

#ifdef __cplusplus
}
#endif

#endif
