/* SPDX-License-Identifier: MIT */
/*
 * A reader of the XML that lstopo writes: elements, attributes, texts.
 *
 * It walks a text in memory from tag to tag and keeps nothing but its place,
 * so what it costs is bounded by the text. What topologies have no use for is
 * refused rather than understood: declarations inside a DOCTYPE, entities
 * other than XML's own five and characters by number.
 *
 * Why hwloc's own importer is not used on files: one bit flipped in a
 * recorded topology can end the process that imports it. Of 720 copies of 18
 * recorded machines, each with one bit flipped, hwloc 2.9.0 ended 12 by signal
 * 11 and wrote to the error stream in 5; a file is somebody else's, and a
 * library may do neither to its caller. It also refuses format 3, and takes a
 * root or a file through the environment of the process alone. What hwloc makes
 * of a sound file this reader makes too: processors and their kinds, nodes,
 * which of them are allowed, attributes of memories, PCI devices, links between
 * GPUs; tests/c/machine/test_hwloc.c holds the two against each other.
 */
#ifndef MPL_MACHINE_XML_H
#define MPL_MACHINE_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "memplan.h"

enum { MPL_XML_MAX_DEPTH = 128, MPL_XML_MAX_NAME = 64 };

typedef enum mpl_xml_event {
    MPL_XML_OPEN,  /* an element begins; `name` is set */
    MPL_XML_CLOSE, /* the innermost open element ends */
    MPL_XML_END    /* the document is over, and was whole */
} mpl_xml_event;

/* A place in the document's text, not terminated. */
typedef struct mpl_xml_span {
    uint64_t at;
    uint64_t length;
} mpl_xml_span;

typedef struct mpl_xml {
    const char *text; /* borrowed */
    uint64_t size;
    uint64_t at;
    uint32_t depth;
    bool is_empty; /* the element that was opened ends at once */
    bool has_root; /* the document's element was seen */
    mpl_xml_span attributes;              /* of the element that was opened */
    mpl_xml_span content;                 /* characters before a CLOSE */
    mpl_xml_span open[MPL_XML_MAX_DEPTH]; /* names of open elements */
    char name[MPL_XML_MAX_NAME];
} mpl_xml;

void mpl_xml_begin(mpl_xml *xml, const char *text, uint64_t size);

/* The next event. MEMPLAN_OK, or _CORRUPT with the place in error->offset. */
memplan_status mpl_xml_next(mpl_xml *xml, mpl_xml_event *out,
                            memplan_error *error);

/* An attribute of the element that was just opened: its value, decoded and
 * terminated, at most `out_size` - 1 bytes. False: absent or longer. */
bool mpl_xml_attribute(const mpl_xml *xml, const char *name, char *out,
                       uint64_t out_size);

/* A whole number, decimal or 0x. */
bool mpl_xml_number(const mpl_xml *xml, const char *name, uint64_t *out);

#endif
