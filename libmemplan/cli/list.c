/* SPDX-License-Identifier: MIT */
/* memplan list: what is known by name, for a person or as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "failure.h"
#include "page.h"

enum { LINE_SIZE = 1024 };

/* "24 GiB at 939 GiB/s, memory of its own" */
static void describe(char out[LINE_SIZE], const memplan_entry_info *entry)
{
    char bytes[32] = "";
    char rate[32] = "";
    if (entry->bytes != MEMPLAN_UNKNOWN)
        memplan_bytes_format(bytes, sizeof bytes, entry->bytes);
    if (entry->bytes_per_second != MEMPLAN_UNKNOWN)
        memplan_bytes_format(rate, sizeof rate, entry->bytes_per_second);
    (void)snprintf(out, LINE_SIZE, "%s%s%s%s%s%s", bytes,
                   rate[0] != '\0' && bytes[0] != '\0' ? " at " : "", rate,
                   rate[0] != '\0' ? "/s" : "",
                   (bytes[0] != '\0' || rate[0] != '\0') ? ", " : "",
                   entry->text);
}

static void print_page(const char *list)
{
    memplan_entry_info entry = MEMPLAN_ENTRY_INFO_INIT;
    const char *group = "";
    for (uint64_t at = 0; memplan_list_entry(list, at, &entry) == MEMPLAN_OK;
         at++) {
        char text[LINE_SIZE];
        if (strcmp(group, entry.group) != 0)
            page_heading(group = entry.group);
        describe(text, &entry);
        page_item(entry.name, text);
    }
}

static void print_string(const char *key, const char *text)
{
    printf("\"%s\": \"", key);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    printf("\", ");
}

static void print_number(const char *key, uint64_t number)
{
    if (number == MEMPLAN_UNKNOWN)
        printf("\"%s\": null", key);
    else
        printf("\"%s\": %" PRIu64, key, number);
}

static void print_json(const char *list)
{
    memplan_entry_info entry = MEMPLAN_ENTRY_INFO_INIT;
    printf("{\n  \"schema\": \"memplan.list/1\",\n  \"list\": \"%s\",\n"
           "  \"entries\": [",
           list);
    for (uint64_t at = 0; memplan_list_entry(list, at, &entry) == MEMPLAN_OK;
         at++) {
        printf(at > 0 ? ",\n    {" : "\n    {");
        print_string("name", entry.name);
        print_string("group", entry.group);
        print_string("text", entry.text);
        print_number("bytes", entry.bytes);
        printf(", ");
        print_number("bytes_per_second", entry.bytes_per_second);
        putchar('}');
    }
    printf("\n  ]\n}\n");
}

/* The list that was probably meant, or all of them. */
static bool fail_list(const char *given, memplan_error *error)
{
    enum { MOST = 16 };
    const char *words[MOST];
    uint64_t count = 0;
    memplan_entry_info entry = MEMPLAN_ENTRY_INFO_INIT;
    while (count < MOST &&
           memplan_list_entry("lists", count, &entry) == MEMPLAN_OK)
        words[count++] = entry.name;
    const char *const nearest = memplan_word_nearest(given, words, count);
    return nearest != NULL
               ? fail(error, "no list \"%.60s\"; did you mean %s?", given,
                      nearest)
               : fail(error, "no list \"%.60s\"; see memplan list", given);
}

int command_list(const options *asked)
{
    const char *const list = asked->source != NULL ? asked->source : "lists";
    memplan_entry_info entry = MEMPLAN_ENTRY_INFO_INIT;
    memplan_error error = {0};
    bool is_done = memplan_list_entry(list, 0, &entry) == MEMPLAN_OK ||
                   fail_list(list, &error);
    if (is_done) {
        if (asked->json)
            print_json(list);
        else
            print_page(list);
        is_done = fflush(stdout) == 0 ||
                  fail(&error, "standard output: %s", strerror(errno));
    }
    return is_done ? EXIT_FITS : say_wrong(&error);
}
