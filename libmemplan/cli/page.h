/* SPDX-License-Identifier: MIT */
/* Help pages: headings, paragraphs and items, wrapped at 80 columns. */
#ifndef MEMPLAN_CLI_PAGE_H
#define MEMPLAN_CLI_PAGE_H

void page_heading(const char *text);
void page_paragraph(const char *text);

/* A line as it is, indented: a command to type. */
void page_line(const char *text);

/* A term, and what it means beside it. */
void page_item(const char *term, const char *text);

#endif
