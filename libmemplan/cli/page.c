/* SPDX-License-Identifier: MIT */
#include "page.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, INDENT = 2, TERM_COLUMNS = 24 };

/* Words from column `column` on, further lines from `indent`. */
static void wrap(int column, int indent, const char *text)
{
    int at = column;
    while (*text != '\0') {
        const int length = (int)strcspn(text, " ");
        if (at > indent && at + 1 + length > WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            putchar(' ');
            at++;
        }
        printf("%.*s", length, text);
        at += length;
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

void page_heading(const char *text)
{
    printf("\n%s\n", text);
}

void page_paragraph(const char *text)
{
    printf("%*s", INDENT, "");
    wrap(INDENT, INDENT, text);
}

void page_line(const char *text)
{
    printf("%*s%s\n", INDENT, "", text);
}

void page_item(const char *term, const char *text)
{
    const int indent = INDENT + TERM_COLUMNS;
    if (text[0] == '\0') {
        page_line(term);
        return;
    }
    printf("%*s%-*s", INDENT, "", TERM_COLUMNS, term);
    if ((int)strlen(term) >= TERM_COLUMNS)
        printf("\n%*s", indent, "");
    wrap(indent, indent, text);
}
