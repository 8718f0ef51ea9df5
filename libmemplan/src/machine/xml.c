/* SPDX-License-Identifier: MIT */
/*
 * One pass without a tree: the reader stands in the text and gives one event
 * after the other; attributes are found in the tag that it stands in. CDATA
 * and declarations inside a DOCTYPE, which lstopo does not write, are refused.
 */
#include "machine/xml.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"

void mpl_xml_begin(mpl_xml *xml, const char *text, uint64_t size)
{
    memset(xml, 0, sizeof *xml);
    xml->text = text;
    xml->size = size;
}

static bool is_space(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\n' ||
           letter == '\r';
}

static bool is_name_letter(char letter)
{
    return (letter >= 'a' && letter <= 'z') ||
           (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '_' ||
           letter == '-' || letter == ':' || letter == '.';
}

static memplan_status fail(const mpl_xml *xml, uint64_t at, const char *why,
                           memplan_error *error)
{
    uint32_t line = 1;
    for (uint64_t before = 0; before < at && before < xml->size; before++)
        line += xml->text[before] == '\n';
    const memplan_status status = mpl_fail(
        error, MEMPLAN_E_CORRUPT, at, "XML, line %u: %s", line, why);
    if (error != NULL)
        error->line = line;
    return status;
}

static bool starts_with(const mpl_xml *xml, const char *word)
{
    const uint64_t length = strlen(word);
    return xml->size - xml->at >= length &&
           memcmp(xml->text + xml->at, word, (size_t)length) == 0;
}

/* Moves past the next `word`; false where there is none. */
static bool skip_past(mpl_xml *xml, const char *word)
{
    for (; xml->at < xml->size; xml->at++) {
        if (starts_with(xml, word)) {
            xml->at += strlen(word);
            return true;
        }
    }
    return false;
}

static mpl_xml_span read_name(mpl_xml *xml)
{
    mpl_xml_span name = {xml->at, 0};
    while (xml->at < xml->size && is_name_letter(xml->text[xml->at]))
        xml->at++;
    name.length = xml->at - name.at;
    return name;
}

static void skip_spaces(mpl_xml *xml)
{
    while (xml->at < xml->size && is_space(xml->text[xml->at]))
        xml->at++;
}

/* <?...?>, <!--...-->, <!DOCTYPE ...>: true where one was skipped. */
static memplan_status skip_markup(mpl_xml *xml, bool *out_skipped,
                                  memplan_error *error)
{
    const uint64_t start = xml->at;
    *out_skipped = true;
    if (starts_with(xml, "<?"))
        return skip_past(xml, "?>")
                   ? MEMPLAN_OK
                   : fail(xml, start, "a <? is not closed", error);
    if (starts_with(xml, "<!--"))
        return skip_past(xml, "-->")
                   ? MEMPLAN_OK
                   : fail(xml, start, "a comment is not closed", error);
    if (starts_with(xml, "<!")) {
        while (xml->at < xml->size && xml->text[xml->at] != '>') {
            if (xml->text[xml->at] == '[')
                return fail(xml, xml->at,
                            "declarations inside a DOCTYPE or CDATA are not "
                            "read",
                            error);
            xml->at++;
        }
        return skip_past(xml, ">")
                   ? MEMPLAN_OK
                   : fail(xml, start, "a <! is not closed", error);
    }
    *out_skipped = false;
    return MEMPLAN_OK;
}

/* Checks name="value" pairs up to the end of the tag and remembers where
 * they are. */
static memplan_status read_attributes(mpl_xml *xml, memplan_error *error)
{
    xml->attributes.at = xml->at;
    for (;;) {
        const uint64_t before = xml->at;
        skip_spaces(xml);
        if (starts_with(xml, "/>") || starts_with(xml, ">"))
            break;
        if (xml->at == before)
            return fail(xml, xml->at, "a tag is broken", error);
        const mpl_xml_span name = read_name(xml);
        if (name.length == 0 || !starts_with(xml, "=\""))
            return fail(xml, xml->at, "an attribute is not name=\"value\"",
                        error);
        xml->at += 2;
        const char *const end = memchr(xml->text + xml->at, '"',
                                       (size_t)(xml->size - xml->at));
        if (end == NULL)
            return fail(xml, name.at, "an attribute is not closed", error);
        if (memchr(xml->text + xml->at, '<',
                   (size_t)(end - (xml->text + xml->at))) != NULL)
            return fail(xml, xml->at, "a < inside an attribute", error);
        xml->at = (uint64_t)(end - xml->text) + 1;
    }
    xml->attributes.length = xml->at - xml->attributes.at;
    return MEMPLAN_OK;
}

static memplan_status open_element(mpl_xml *xml, memplan_error *error)
{
    const uint64_t start = xml->at++;
    const mpl_xml_span name = read_name(xml);
    if (name.length == 0 || name.length >= MPL_XML_MAX_NAME)
        return fail(xml, start, "a tag has no name of at most 63 letters",
                    error);
    if (xml->depth == 0 && xml->has_root)
        return fail(xml, start, "more than one outermost element", error);
    if (xml->depth == MPL_XML_MAX_DEPTH)
        return fail(xml, start, "elements are more than 128 deep", error);
    memcpy(xml->name, xml->text + name.at, (size_t)name.length);
    xml->name[name.length] = '\0';
    const memplan_status status = read_attributes(xml, error);
    if (status != MEMPLAN_OK)
        return status;
    xml->is_empty = xml->text[xml->at] == '/';
    xml->at += xml->is_empty ? 2 : 1;
    xml->open[xml->depth++] = name;
    xml->has_root = true;
    return MEMPLAN_OK;
}

static memplan_status close_element(mpl_xml *xml, memplan_error *error)
{
    const uint64_t start = xml->at;
    xml->at += 2;
    const mpl_xml_span name = read_name(xml);
    if (xml->depth == 0)
        return fail(xml, start, "an element ends that never began", error);
    const mpl_xml_span open = xml->open[xml->depth - 1];
    if (open.length != name.length ||
        memcmp(xml->text + open.at, xml->text + name.at,
               (size_t)name.length) != 0)
        return fail(xml, start, "an element ends inside another", error);
    skip_spaces(xml);
    if (!starts_with(xml, ">"))
        return fail(xml, start, "a closing tag is broken", error);
    xml->at++;
    xml->depth--;
    return MEMPLAN_OK;
}

static memplan_status finish_document(const mpl_xml *xml,
                                      memplan_error *error)
{
    if (xml->depth > 0)
        return fail(xml, xml->size, "the file ends inside an element", error);
    if (!xml->has_root)
        return fail(xml, 0, "no element at all", error);
    return MEMPLAN_OK;
}

/* Moves to the next tag, or to the end; outside the document there may be
 * nothing but spaces before it. */
static memplan_status skip_content(mpl_xml *xml, memplan_error *error)
{
    const char *const tag =
        xml->at < xml->size
            ? memchr(xml->text + xml->at, '<', (size_t)(xml->size - xml->at))
            : NULL;
    const uint64_t end = tag != NULL ? (uint64_t)(tag - xml->text) : xml->size;
    while (xml->depth == 0 && xml->at < end && is_space(xml->text[xml->at]))
        xml->at++;
    if (xml->depth == 0 && xml->at < end)
        return fail(xml, xml->at, "text outside the document", error);
    xml->at = end;
    return MEMPLAN_OK;
}

memplan_status mpl_xml_next(mpl_xml *xml, mpl_xml_event *out,
                            memplan_error *error)
{
    if (xml->is_empty) {
        xml->is_empty = false;
        xml->depth--;
        xml->content = (mpl_xml_span){xml->at, 0};
        *out = MPL_XML_CLOSE;
        return MEMPLAN_OK;
    }
    const uint64_t content = xml->at;
    bool is_skipped = true;
    while (is_skipped) {
        memplan_status status = skip_content(xml, error);
        if (status == MEMPLAN_OK && xml->at == xml->size) {
            *out = MPL_XML_END;
            return finish_document(xml, error);
        }
        if (status == MEMPLAN_OK)
            status = skip_markup(xml, &is_skipped, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    if (starts_with(xml, "</")) {
        xml->content = (mpl_xml_span){content, xml->at - content};
        *out = MPL_XML_CLOSE;
        return close_element(xml, error);
    }
    *out = MPL_XML_OPEN;
    return open_element(xml, error);
}

/* The raw value of an attribute; length UINT64_MAX where it is absent. The
 * attributes were checked when the element was opened. */
static mpl_xml_span find_attribute(const mpl_xml *xml, const char *name)
{
    const uint64_t length = strlen(name);
    const uint64_t end = xml->attributes.at + xml->attributes.length;
    for (uint64_t at = xml->attributes.at; at < end;) {
        while (at < end && is_space(xml->text[at]))
            at++;
        const uint64_t start = at;
        while (at < end && xml->text[at] != '=')
            at++;
        const uint64_t value = at + 2;
        if (value > end)
            break;
        uint64_t close = value;
        while (close < end && xml->text[close] != '"')
            close++;
        if (at - start == length &&
            memcmp(xml->text + start, name, (size_t)length) == 0)
            return (mpl_xml_span){value, close - value};
        at = close + 1;
    }
    return (mpl_xml_span){0, UINT64_MAX};
}

/* One of XML's own entities at `text`; sets the letter and the length. A
 * character above ASCII, or an unknown entity, stays as it is written. */
static uint64_t decode_entity(const char *text, uint64_t size, char *out)
{
    static const struct {
        const char *entity;
        char letter;
    } KNOWN[] = {{"&lt;", '<'},    {"&gt;", '>'},  {"&amp;", '&'},
                 {"&quot;", '"'},  {"&apos;", '\''}, {"&#10;", ' '},
                 {"&#13;", ' '},   {"&#9;", ' '}};
    for (size_t at = 0; at < sizeof KNOWN / sizeof *KNOWN; at++) {
        const uint64_t length = strlen(KNOWN[at].entity);
        if (length <= size &&
            memcmp(text, KNOWN[at].entity, (size_t)length) == 0) {
            *out = KNOWN[at].letter;
            return length;
        }
    }
    *out = text[0];
    return 1;
}

bool mpl_xml_attribute(const mpl_xml *xml, const char *name, char *out,
                       uint64_t out_size)
{
    const mpl_xml_span value = find_attribute(xml, name);
    if (value.length == UINT64_MAX)
        return false;
    uint64_t length = 0;
    for (uint64_t at = value.at; at < value.at + value.length;) {
        if (length + 1 >= out_size)
            return false;
        char letter;
        at += decode_entity(xml->text + at, value.at + value.length - at,
                            &letter);
        out[length++] = letter;
    }
    out[length] = '\0';
    return memchr(out, '\0', (size_t)length) == NULL;
}

bool mpl_xml_number(const mpl_xml *xml, const char *name, uint64_t *out)
{
    char text[32];
    if (!mpl_xml_attribute(xml, name, text, sizeof text) || text[0] == '\0')
        return false;
    const bool is_hex = text[0] == '0' && (text[1] | 0x20) == 'x';
    const uint64_t base = is_hex ? 16 : 10;
    uint64_t value = 0;
    for (const char *at = text + (is_hex ? 2 : 0); *at != '\0'; at++) {
        const char *const digits = "0123456789abcdef";
        const char *const found = strchr(digits, *at | 0x20);
        const uint64_t digit =
            found != NULL && *found != '\0' ? (uint64_t)(found - digits) : base;
        if (digit >= base || !mpl_mul(&value, value, base) ||
            !mpl_add(&value, value, digit))
            return false;
    }
    *out = value;
    return true;
}
