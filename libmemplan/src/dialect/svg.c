/* SPDX-License-Identifier: MIT */
#include "dialect/svg.h"

#include <string.h>

#include "base/checked.h"

/* Text between tags: what XML forbids or would read as markup is replaced. */
static void add_escaped(mpl_text *text, const char *at)
{
    for (size_t left = strlen(at); left > 0;) {
        const char *shown;
        size_t length;
        const size_t step = mpl_clean_step(at, left, &shown, &length);
        if (length == 1 && *shown == '<')
            mpl_text_add(text, "&lt;");
        else if (length == 1 && *shown == '>')
            mpl_text_add(text, "&gt;");
        else if (length == 1 && *shown == '&')
            mpl_text_add(text, "&amp;");
        else
            mpl_text_add_bytes(text, shown, length);
        at += step;
        left -= step;
    }
}

/* One rule an ink: whatever stands before the class, then its colour. */
static void add_inks(mpl_text *text, const char *before, const char *also,
                     const char *(*colour)(mpl_ink))
{
    for (uint32_t ink = 0; ink < MPL_INK_COUNT; ink++) {
        mpl_text_format(text, "%s.mp-%u", before, ink);
        if (also[0] != '\0')
            mpl_text_format(text, ",%s.mp-%u", also, ink);
        mpl_text_format(text, "{fill:%s}", colour((mpl_ink)ink));
    }
}

/*
 * The system's scheme, unless a notebook has one of its own: JupyterLab and
 * VS Code mark theirs above the picture. The classes are the same in each
 * picture, so several in a page agree.
 */
static void add_style(mpl_text *text)
{
    mpl_text_add(text, "<style>.mp text{font:13px system-ui,sans-serif}"
                       ".mp .mp-b{font-weight:600}\n");
    add_inks(text, "", "", mpl_ink_light);
    mpl_text_add(text, "\n@media(prefers-color-scheme:dark){");
    add_inks(text, "", "", mpl_ink_dark);
    mpl_text_add(text, "}\n");
    add_inks(text, "[data-jp-theme-light=true] ", ".vscode-light ",
             mpl_ink_light);
    mpl_text_add(text, "\n");
    add_inks(text, "[data-jp-theme-light=false] ", ".vscode-dark ",
             mpl_ink_dark);
    mpl_text_add(text, "</style>\n");
}

mpl_svg mpl_svg_open(mpl_text *text, uint64_t height, const char *title)
{
    mpl_text_format(text,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"mp\" "
                    "role=\"img\" width=\"%d\" height=\"%llu\" "
                    "viewBox=\"0 0 %d %llu\">\n<title>",
                    MPL_SVG_WIDTH, (unsigned long long)height, MPL_SVG_WIDTH,
                    (unsigned long long)height);
    add_escaped(text, title);
    mpl_text_add(text, "</title>\n");
    add_style(text);
    return (mpl_svg){text, MPL_SVG_MARGIN};
}

void mpl_svg_close(mpl_svg *svg)
{
    mpl_text_add(svg->text, "</svg>\n");
}

void mpl_svg_text(mpl_svg *svg, uint64_t x, uint64_t y, mpl_svg_anchor anchor,
                  mpl_ink ink, bool is_strong, const char *text)
{
    static const char *const ANCHORS[] = {"start", "middle", "end"};
    mpl_text_format(svg->text,
                    "<text x=\"%llu\" y=\"%llu\" text-anchor=\"%s\" "
                    "class=\"mp-%d%s\">",
                    (unsigned long long)x, (unsigned long long)y,
                    ANCHORS[anchor], (int)ink, is_strong ? " mp-b" : "");
    add_escaped(svg->text, text);
    mpl_text_add(svg->text, "</text>\n");
}

/* Hundredths of a pixel: floor(part * width * 100 / whole). */
static uint64_t scale(mpl_u128 part, uint64_t width, uint64_t whole)
{
    const mpl_u128 scaled = part * width * 100;
    return whole == 0
               ? 0
               : (uint64_t)mpl_min((uint64_t)(scaled / whole), width * 100);
}

static void add_rect(mpl_svg *svg, uint64_t x, uint64_t width, mpl_ink ink,
                     const char *label)
{
    mpl_text_format(
        svg->text,
        "<rect x=\"%llu.%02llu\" y=\"%llu\" width=\"%llu.%02llu\" "
        "height=\"%d\" class=\"mp-%d\">",
        (unsigned long long)(x / 100), (unsigned long long)(x % 100),
        (unsigned long long)(svg->y +
                             (MPL_SVG_ROW_HEIGHT - MPL_SVG_BAR_HEIGHT) / 2),
        (unsigned long long)(width / 100), (unsigned long long)(width % 100),
        MPL_SVG_BAR_HEIGHT, (int)ink);
    if (label != NULL) {
        mpl_text_add(svg->text, "<title>");
        add_escaped(svg->text, label);
        mpl_text_add(svg->text, "</title>");
    }
    mpl_text_add(svg->text, "</rect>\n");
}

void mpl_svg_row(mpl_svg *svg, const mpl_svg_bar *bar)
{
    const uint64_t left = MPL_SVG_MARGIN + (uint64_t)bar->label_width;
    const uint64_t width =
        MPL_SVG_WIDTH - left - MPL_SVG_AMOUNT_WIDTH - MPL_SVG_MARGIN;
    const uint64_t base = svg->y + MPL_SVG_ROW_HEIGHT / 2 + 5;
    const uint64_t gap = 100; /* a pixel between parts */
    mpl_u128 sum = 0;
    mpl_svg_text(svg, MPL_SVG_MARGIN + (uint64_t)bar->label_indent, base,
                 MPL_SVG_START, MPL_INK_PLAIN, bar->label_indent == 0,
                 bar->label);
    add_rect(svg, left * 100, width * 100, MPL_INK_FREE, NULL);
    for (uint32_t at = 0; at < bar->slice_count; at++) {
        const mpl_svg_slice *const slice = &bar->slices[at];
        const uint64_t begin = scale(sum, width, bar->whole);
        sum += slice->bytes;
        const uint64_t end = scale(sum, width, bar->whole);
        if (slice->bytes == 0)
            continue;
        /* A part too thin to see is drawn a pixel wide. */
        const uint64_t wide = mpl_max(end - begin, 2 * gap) - gap;
        add_rect(svg, left * 100 + begin, wide, slice->ink, slice->label);
    }
    if (bar->limit_bytes < bar->whole) {
        const uint64_t at = scale(bar->limit_bytes, width, bar->whole);
        add_rect(svg, left * 100 + at, width * 100 - at, MPL_INK_OVER,
                 mpl_ink_label(MPL_INK_OVER));
    }
    mpl_svg_text(svg, MPL_SVG_WIDTH - MPL_SVG_MARGIN, base, MPL_SVG_END,
                 MPL_INK_PLAIN, false, bar->amount);
    svg->y += MPL_SVG_ROW_HEIGHT;
}

void mpl_svg_legend(mpl_svg *svg, uint64_t x, const mpl_ink *inks,
                    const char *const *labels, uint32_t count)
{
    const uint64_t base = svg->y + 16;
    for (uint32_t at = 0; at < count; at++) {
        mpl_text_format(svg->text,
                        "<rect x=\"%llu\" y=\"%llu\" width=\"12\" "
                        "height=\"12\" rx=\"2\" class=\"mp-%d\"/>\n",
                        (unsigned long long)x, (unsigned long long)base - 11,
                        (int)inks[at]);
        mpl_svg_text(svg, x + 18, base, MPL_SVG_START, MPL_INK_FAINT, false,
                     labels[at]);
        x += 34 + 7 * strlen(labels[at]);
    }
    svg->y += MPL_SVG_ROW_HEIGHT - 4;
}
