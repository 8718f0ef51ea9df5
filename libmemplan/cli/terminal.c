/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* COLUMNS, else the window's, else the library's default. */
static uint64_t find_width(const options *asked, bool is_terminal)
{
    const char *const columns = getenv("COLUMNS");
    struct winsize window;
    if (asked->width > 0)
        return asked->width;
    if (columns != NULL && atoi(columns) > 0)
        return (uint64_t)atoi(columns);
    if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0)
        return window.ws_col;
    return 0;
}

static bool shows_colour(bool is_terminal)
{
    const char *const off = getenv("NO_COLOR");
    const char *const term = getenv("TERM");
    return is_terminal && (off == NULL || off[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

memplan_render_options terminal_style(const options *asked)
{
    const bool is_terminal = isatty(STDOUT_FILENO) == 1;
    memplan_render_options style = MEMPLAN_RENDER_OPTIONS_INIT;
    (void)setlocale(LC_CTYPE, "");
    const bool is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    style.width = find_width(asked, is_terminal);
    style.use_colour = asked->color == WHEN_ALWAYS ||
                       (asked->color == WHEN_AUTO && shows_colour(is_terminal));
    style.use_unicode =
        asked->bars == WHEN_ALWAYS || (asked->bars != WHEN_ASCII && is_utf8);
    style.without_bars =
        asked->bars == WHEN_NEVER || (asked->bars == WHEN_AUTO && !is_terminal);
    style.with_tensors = asked->tensors;
    style.with_rules = asked->rules;
    return style;
}
