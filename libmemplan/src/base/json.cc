/* SPDX-License-Identifier: MIT */
/*
 * The only C++ file: simdjson behind the C functions of json.h.
 *
 * A mpl_json_value is simdjson's element, which is a document and a place on
 * its tape; the copies below turn one into the other.
 */
#include "base/json.h"

#include <cstring>
#include <new>
#include <string>
#include <type_traits>

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

extern "C" {
#include "base/failure.h"
#include "base/input.h"
#include "base/utf8.h"
}

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

struct mpl_json {
    dom::document document;
};

namespace
{
constexpr size_t MAX_DEPTH = 512;
constexpr mpl_json_value ABSENT = {nullptr, 0};

static_assert(sizeof(dom::element) == sizeof(mpl_json_value) &&
                  std::is_trivially_copyable<dom::element>::value,
              "an element is a document and an index");

mpl_json_value pack(dom::element element)
{
    mpl_json_value value;
    std::memcpy(&value, &element, sizeof value);
    return value;
}

dom::element unpack(mpl_json_value value)
{
    dom::element element;
    std::memcpy(static_cast<void *>(&element), &value, sizeof value);
    return element;
}

/* Reads everything below a value; stops at the first error. This parser does
 * not count how deep it is. */
simdjson::error_code visit(ondemand::value value, size_t depth)
{
    ondemand::json_type type;
    if (depth == MAX_DEPTH)
        return simdjson::DEPTH_ERROR;
    if (auto error = value.type().get(type))
        return error;
    if (type == ondemand::json_type::array) {
        ondemand::array array;
        if (auto error = value.get_array().get(array))
            return error;
        for (auto item : array) {
            ondemand::value inner;
            if (auto error = item.get(inner))
                return error;
            if (auto error = visit(inner, depth + 1))
                return error;
        }
        return simdjson::SUCCESS;
    }
    if (type == ondemand::json_type::object) {
        ondemand::object object;
        if (auto error = value.get_object().get(object))
            return error;
        for (auto field : object) {
            ondemand::value inner;
            if (auto error = field.value().get(inner))
                return error;
            if (auto error = visit(inner, depth + 1))
                return error;
        }
        return simdjson::SUCCESS;
    }
    if (type == ondemand::json_type::number) {
        double number;
        return value.get_double().get(number);
    }
    if (type == ondemand::json_type::boolean) {
        bool flag;
        return value.get_bool().get(flag);
    }
    if (type == ondemand::json_type::string) {
        std::string_view text;
        return value.get_string().get(text);
    }
    bool is_null = false;
    if (auto error = value.is_null().get(is_null))
        return error;
    return is_null ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
}

/* The first byte that is no UTF-8, or `size`. */
uint64_t find_bad_character(const uint8_t *text, uint64_t size)
{
    for (uint64_t at = 0; at < size;) {
        const size_t step =
            mpl_utf8_step(reinterpret_cast<const char *>(text) + at, size - at);
        if (step == 0)
            return at;
        at += step;
    }
    return size;
}

/* The opening quote of a string that never ends, or `size`. */
uint64_t find_open_quote(const uint8_t *text, uint64_t size)
{
    uint64_t opened = size;
    for (uint64_t at = 0; at < size; at++) {
        if (text[at] == '\\' && opened != size)
            at++;
        else if (text[at] == '"')
            opened = opened == size ? at : size;
    }
    return opened;
}

/*
 * Where a text goes wrong. simdjson's fast parser does not say, so the slow
 * one walks the text again: this happens once, for a text that is refused.
 */
uint64_t locate(const uint8_t *text, uint64_t size, simdjson::error_code code)
{
    if (code == simdjson::UTF8_ERROR)
        return find_bad_character(text, size);
    if (code == simdjson::UNCLOSED_STRING)
        return find_open_quote(text, size);
    ondemand::parser parser;
    ondemand::document document;
    if (parser.allocate(size, MAX_DEPTH) != simdjson::SUCCESS ||
        parser.iterate(text, size, size + simdjson::SIMDJSON_PADDING)
                .get(document) != simdjson::SUCCESS)
        return size;
    ondemand::value root;
    if (document.get_value().get(root) == simdjson::SUCCESS)
        (void)visit(root, 0);
    const char *place = nullptr;
    if (document.current_location().get(place) != simdjson::SUCCESS)
        return size;
    const char *const begin = reinterpret_cast<const char *>(text);
    return place >= begin && place <= begin + size
               ? static_cast<uint64_t>(place - begin)
               : size;
}

/* What is wrong, in our words: simdjson's are sentences of their own. */
const char *reason(simdjson::error_code code)
{
    switch (code) {
    case simdjson::EMPTY:
        return "nothing but white space";
    case simdjson::UTF8_ERROR:
        return "a character is not UTF-8";
    case simdjson::UNCLOSED_STRING:
        return "a string does not end";
    case simdjson::UNESCAPED_CHARS:
        return "a control character in a string";
    case simdjson::STRING_ERROR:
        return "an escape in a string is not known";
    case simdjson::NUMBER_ERROR:
        return "a number is malformed or too large";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
        return "a word that is not true, false or null";
    default:
        return "a comma, colon, key or bracket is missing or too many";
    }
}

uint32_t line_of(const uint8_t *text, uint64_t offset)
{
    uint32_t line = 1;
    for (uint64_t at = 0; at < offset; at++)
        line += text[at] == '\n';
    return line;
}

memplan_status fail_json(memplan_error *error, const uint8_t *text,
                         uint64_t size, simdjson::error_code code)
{
    if (code == simdjson::MEMALLOC)
        return mpl_fail_memory(error);
    if (code == simdjson::CAPACITY)
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "JSON of %llu bytes is too long",
                        static_cast<unsigned long long>(size));
    const uint64_t at = locate(text, size, code);
    const uint32_t line = line_of(text, at);
    const memplan_status status =
        code == simdjson::DEPTH_ERROR
            ? mpl_fail(error, MEMPLAN_E_TOO_LARGE, at,
                       "JSON nested more than %d deep",
                       static_cast<int>(MAX_DEPTH))
            : mpl_fail(error, MEMPLAN_E_CORRUPT, at,
                       "not valid JSON at line %u, byte %llu: %s", line,
                       static_cast<unsigned long long>(at),
                       reason(code));
    if (error != nullptr)
        error->line = line;
    return status;
}

/* Python writes NaN, Infinity and -Infinity into JSON; here they are null.
 * Returns false where the text has none outside its strings. */
bool replace_python_numbers(const uint8_t *text, uint64_t size,
                            std::string &out)
{
    static const char *const WORDS[] = {"-Infinity", "Infinity", "NaN"};
    bool found = false;
    bool in_string = false;
    for (uint64_t at = 0; at < size; at++) {
        const char letter = static_cast<char>(text[at]);
        const char *word = nullptr;
        if (in_string && letter == '\\' && at + 1 < size) {
            out += letter;
            out += static_cast<char>(text[++at]);
            continue;
        }
        if (letter == '"')
            in_string = !in_string;
        for (const char *candidate : WORDS)
            if (!in_string && size - at >= std::strlen(candidate) &&
                std::memcmp(text + at, candidate, std::strlen(candidate)) == 0)
                word = candidate;
        if (word != nullptr) {
            out += "null";
            at += std::strlen(word) - 1;
            found = true;
        } else {
            out += letter;
        }
    }
    return found;
}

simdjson::error_code parse(dom::document &document, const uint8_t *text,
                           uint64_t size)
{
    dom::parser parser;
    if (auto error = parser.allocate(size, MAX_DEPTH))
        return error;
    return parser.parse_into_document(document, text, size, false).error();
}

/* The outcome `code` of a first try, or that of a second one without Python's
 * numbers. */
simdjson::error_code parse_again(dom::document &document, const uint8_t *text,
                                 uint64_t size, simdjson::error_code code)
try {
    std::string patched;
    if (!replace_python_numbers(text, size, patched))
        return code;
    const uint64_t length = patched.size();
    patched.append(simdjson::SIMDJSON_PADDING, '\0');
    const auto again =
        parse(document, reinterpret_cast<const uint8_t *>(patched.data()),
              length);
    return again == simdjson::SUCCESS || again == simdjson::MEMALLOC ? again
                                                                     : code;
} catch (const std::bad_alloc &) {
    return simdjson::MEMALLOC;
}
} /* namespace */

memplan_status mpl_json_parse(mpl_json **out, const uint8_t *text,
                              uint64_t size, memplan_error *error)
{
    mpl_json *const made = new (std::nothrow) mpl_json;
    if (made == nullptr)
        return mpl_fail_memory(error);
    simdjson::error_code code = parse(made->document, text, size);
    if (code != simdjson::SUCCESS && code != simdjson::UTF8_ERROR &&
        code != simdjson::DEPTH_ERROR && code != simdjson::MEMALLOC)
        code = parse_again(made->document, text, size, code);
    if (code != simdjson::SUCCESS) {
        delete made;
        return fail_json(error, text, size, code);
    }
    *out = made;
    return MEMPLAN_OK;
}

memplan_status mpl_json_open(mpl_json **out, const char *path,
                             uint64_t cap_bytes, memplan_error *error)
{
    mpl_input input;
    memplan_status status = mpl_input_read_all(&input, path, cap_bytes, error);
    if (status != MEMPLAN_OK)
        return status;
    status = mpl_json_parse(out, input.data, input.size_bytes, error);
    mpl_input_close(&input);
    if (status != MEMPLAN_OK)
        mpl_fail_in(error, path);
    return status;
}

void mpl_json_free(mpl_json *json)
{
    delete json;
}

mpl_json_value mpl_json_root(const mpl_json *json)
{
    return pack(json->document.root());
}

mpl_json_type mpl_json_type_of(mpl_json_value value)
{
    if (value.document == nullptr)
        return MPL_JSON_NONE;
    switch (unpack(value).type()) {
    case dom::element_type::ARRAY:
        return MPL_JSON_ARRAY;
    case dom::element_type::OBJECT:
        return MPL_JSON_OBJECT;
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
        return MPL_JSON_INTEGER;
    case dom::element_type::DOUBLE:
        return MPL_JSON_REAL;
    case dom::element_type::STRING:
        return MPL_JSON_STRING;
    case dom::element_type::BOOL:
        return MPL_JSON_BOOL;
    default:
        return MPL_JSON_NULL;
    }
}

const char *mpl_json_type_name(mpl_json_value value)
{
    static const char *const NAMES[] = {"nothing",  "null",     "true or false",
                                        "a number", "a number", "a string",
                                        "an array", "an object"};
    return NAMES[mpl_json_type_of(value)];
}

bool mpl_json_bool(mpl_json_value value, bool *out)
{
    return value.document != nullptr &&
           unpack(value).get_bool().get(*out) == simdjson::SUCCESS;
}

bool mpl_json_u64(mpl_json_value value, uint64_t *out)
{
    return value.document != nullptr &&
           unpack(value).get_uint64().get(*out) == simdjson::SUCCESS;
}

bool mpl_json_i64(mpl_json_value value, int64_t *out)
{
    return value.document != nullptr &&
           unpack(value).get_int64().get(*out) == simdjson::SUCCESS;
}

bool mpl_json_real(mpl_json_value value, double *out)
{
    return value.document != nullptr &&
           unpack(value).get_double().get(*out) == simdjson::SUCCESS;
}

const char *mpl_json_string(mpl_json_value value, uint64_t *length)
{
    std::string_view text;
    if (value.document == nullptr ||
        unpack(value).get_string().get(text) != simdjson::SUCCESS)
        return nullptr;
    if (length != nullptr)
        *length = text.size();
    else if (text.find('\0') != std::string_view::npos)
        return nullptr;
    return text.data(); /* the tape's strings end with a NUL */
}

mpl_json_value mpl_json_get(mpl_json_value object, const char *key)
{
    dom::element found;
    if (mpl_json_type_of(object) != MPL_JSON_OBJECT ||
        unpack(object).at_key(key).get(found) != simdjson::SUCCESS)
        return ABSENT;
    return pack(found);
}

mpl_json_value mpl_json_at(mpl_json_value array, uint64_t position)
{
    dom::element found;
    if (mpl_json_type_of(array) != MPL_JSON_ARRAY ||
        unpack(array).at(position).get(found) != simdjson::SUCCESS)
        return ABSENT;
    return pack(found);
}

mpl_json_walk mpl_json_begin(mpl_json_value container)
{
    mpl_json_walk walk = {};
    const mpl_json_type type = mpl_json_type_of(container);
    if (type != MPL_JSON_ARRAY && type != MPL_JSON_OBJECT)
        return walk;
    mpl_json_value begin;
    mpl_json_value end;
    if (type == MPL_JSON_ARRAY) {
        const dom::array array = unpack(container).get_array().value_unsafe();
        const dom::array::iterator first = array.begin();
        const dom::array::iterator last = array.end();
        static_assert(sizeof first == sizeof begin, "an iterator is a place");
        std::memcpy(&begin, &first, sizeof begin);
        std::memcpy(&end, &last, sizeof end);
    } else {
        const dom::object object =
            unpack(container).get_object().value_unsafe();
        const dom::object::iterator first = object.begin();
        const dom::object::iterator last = object.end();
        static_assert(sizeof first == sizeof begin, "an iterator is a place");
        std::memcpy(&begin, &first, sizeof begin);
        std::memcpy(&end, &last, sizeof end);
        walk.is_object = true;
    }
    walk.document = begin.document;
    walk.next = begin.index;
    walk.end = end.index;
    return walk;
}

bool mpl_json_next(mpl_json_walk *walk)
{
    if (walk->next == walk->end)
        return false;
    const mpl_json_value place = {walk->document, walk->next};
    if (walk->is_object) {
        dom::object::iterator at;
        std::memcpy(static_cast<void *>(&at), &place, sizeof place);
        walk->key = at.key_c_str();
        walk->key_length = at.key_length();
        walk->value = pack(at.value());
        ++at;
        mpl_json_value next;
        std::memcpy(&next, static_cast<const void *>(&at), sizeof next);
        walk->next = next.index;
    } else {
        dom::array::iterator at;
        std::memcpy(static_cast<void *>(&at), &place, sizeof place);
        walk->value = pack(*at);
        ++at;
        mpl_json_value next;
        std::memcpy(&next, static_cast<const void *>(&at), sizeof next);
        walk->next = next.index;
    }
    return true;
}

uint64_t mpl_json_count(mpl_json_value container)
{
    uint64_t count = 0;
    for (mpl_json_walk walk = mpl_json_begin(container); mpl_json_next(&walk);)
        count++;
    return count;
}
