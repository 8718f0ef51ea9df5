/* SPDX-License-Identifier: MIT */
/*
 * Links between GPUs in an lstopo XML: square matrices of 10^6 bytes a second,
 * row by row, in texts of a few values each.
 *
 *     <distances2hetero nbobjs="28" name="NVLinkBandwidth">
 *       <indexes length="100">OSDev:802 OSDev:803 ... PCIDev:449 </indexes>
 *     <distances2 type="OSDev" nbobjs="4" name="XGMIBandwidth" indexing="gp">
 *       <indexes length="16">727 728 729 730 </indexes>
 *       <u64values length="72">1000000 100000 ... </u64values>
 *
 * Objects are named by their gp_index. The diagonal means nothing. hwloc adds
 * up the NVLinks of a pair, 20 or 25 GB/s each; of XGMI it knows only that
 * two GPUs have it, and writes 100 GB/s for any.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "machine/lstopo.h"

static const uint64_t ANY_XGMI = 100000;

static const char XGMI[] = "XGMI";

bool mpl_lstopo_add_end(mpl_lstopo *from, uint32_t report, const char *pci)
{
    uint64_t gp;
    if (!mpl_xml_number(&from->xml, "gp_index", &gp) ||
        from->end_count == MPL_LSTOPO_MAX_ENDS)
        return true;
    mpl_lstopo_end *const ends =
        mpl_arena_grow(from->topology->arena, from->ends, from->end_count,
                       &from->end_capacity, sizeof *ends);
    if (ends == NULL)
        return false;
    from->ends = ends;
    ends[from->end_count++] =
        (mpl_lstopo_end){.gp_index = gp, .report = report, .pci = pci};
    return true;
}

/* A matrix of links that is larger than any machine's is left. */
static void open_matrix(mpl_lstopo *from, mpl_lstopo_frame *made)
{
    mpl_lstopo_matrix *const matrix = &from->matrix;
    char name[32];
    char indexing[8] = "gp";
    uint64_t count;
    (void)mpl_xml_attribute(&from->xml, "indexing", indexing, sizeof indexing);
    matrix->name = NULL;
    if (!mpl_xml_attribute(&from->xml, "name", name, sizeof name) ||
        !mpl_xml_number(&from->xml, "nbobjs", &count) ||
        count > MPL_LSTOPO_MAX_MATRIX || strcmp(indexing, "gp") != 0)
        return;
    matrix->name = strcmp(name, "NVLinkBandwidth") == 0 ? "NVLink"
                   : strcmp(name, "XGMIBandwidth") == 0 ? XGMI
                                                        : NULL;
    if (matrix->name == NULL)
        return;
    matrix->count = (uint32_t)count;
    matrix->index_count = 0;
    matrix->value_count = 0;
    made->part = MPL_LSTOPO_MATRIX;
}

void mpl_lstopo_matrix_open(mpl_lstopo *from, mpl_lstopo_frame *made)
{
    const mpl_lstopo_part around =
        from->depth > 0 ? from->frames[from->depth - 1].part
                        : MPL_LSTOPO_NO_PART;
    const char *const name = from->xml.name;
    if (strcmp(name, "distances2") == 0 ||
        strcmp(name, "distances2hetero") == 0)
        open_matrix(from, made);
    else if (around == MPL_LSTOPO_MATRIX && strcmp(name, "indexes") == 0)
        made->part = MPL_LSTOPO_INDEXES;
    else if (around == MPL_LSTOPO_MATRIX && strcmp(name, "u64values") == 0)
        made->part = MPL_LSTOPO_VALUES;
}

/* The next number of a text, "802" or "OSDev:802"; false: there is none. */
static bool next_number(const char **at, const char *end, uint64_t *out)
{
    while (*at < end && (**at == ' ' || **at == '\n' || **at == '\t'))
        (*at)++;
    const char *start = *at;
    while (*at < end && **at != ' ' && **at != '\n' && **at != '\t')
        (*at)++;
    for (const char *colon = start; colon < *at; colon++)
        if (*colon == ':')
            start = colon + 1;
    *out = 0;
    for (const char *digit = start; digit < *at; digit++)
        if (*digit < '0' || *digit > '9' || !mpl_mul(out, *out, 10) ||
            !mpl_add(out, *out, (uint64_t)(*digit - '0')))
            *out = MEMPLAN_UNKNOWN;
    return start < *at;
}

static memplan_status fail_matrix(const mpl_lstopo *from, memplan_error *error)
{
    return mpl_fail(error, MEMPLAN_E_CORRUPT, from->xml.content.at,
                    "XML: a matrix of links of %u objects has %u names and "
                    "%u values",
                    from->matrix.count, from->matrix.index_count,
                    from->matrix.value_count);
}

/* Takes the numbers of one text; too many of them are counted once. */
static memplan_status take_numbers(mpl_lstopo *from, uint64_t *out,
                                   uint32_t *count, uint32_t most,
                                   memplan_error *error)
{
    const char *at = from->xml.text + from->xml.content.at;
    const char *const end = at + from->xml.content.length;
    uint64_t number;
    while (next_number(&at, end, &number)) {
        if (*count == most) {
            (*count)++;
            return fail_matrix(from, error);
        }
        out[(*count)++] = number;
    }
    return MEMPLAN_OK;
}

static const mpl_lstopo_end *find_end(const mpl_lstopo *from, uint64_t gp)
{
    for (uint32_t at = 0; at < from->end_count; at++)
        if (from->ends[at].gp_index == gp)
            return &from->ends[at];
    return NULL;
}

static const char *address_of(const mpl_lstopo *from,
                              const mpl_lstopo_end *end)
{
    return end == NULL ? ""
           : end->report == UINT32_MAX
               ? end->pci
               : from->topology->reports[end->report].pci;
}

static bool add_joint(mpl_lstopo *from, uint32_t row, uint32_t column)
{
    const mpl_lstopo_matrix *const matrix = &from->matrix;
    const uint64_t value = matrix->values[row * matrix->count + column];
    const mpl_lstopo_end *const start =
        find_end(from, matrix->gp_indexes[row]);
    const mpl_lstopo_end *const end =
        find_end(from, matrix->gp_indexes[column]);
    mpl_joint joint = {.source = "hwloc",
                       .name = matrix->name,
                       .from = address_of(from, start),
                       .to = address_of(from, end),
                       .bytes_per_second = MEMPLAN_UNKNOWN};
    if (row == column || value == 0 || joint.from[0] == '\0' ||
        joint.to[0] == '\0' || start->report == UINT32_MAX ||
        from->topology->joint_count == MPL_LSTOPO_MAX_JOINTS)
        return true;
    joint.is_to_switch = end->report == UINT32_MAX;
    const bool is_any = matrix->name == XGMI && value == ANY_XGMI;
    if (is_any || !mpl_mul(&joint.bytes_per_second, value, UINT64_C(1000000)))
        joint.bytes_per_second = MEMPLAN_UNKNOWN;
    return mpl_topology_add_joint(from->topology, joint);
}

static memplan_status close_matrix(mpl_lstopo *from, memplan_error *error)
{
    const mpl_lstopo_matrix *const matrix = &from->matrix;
    if (matrix->index_count != matrix->count ||
        matrix->value_count != matrix->count * matrix->count)
        return fail_matrix(from, error);
    for (uint32_t row = 0; row < matrix->count; row++)
        for (uint32_t column = 0; column < matrix->count; column++)
            if (!add_joint(from, row, column))
                return mpl_fail_memory(error);
    return MEMPLAN_OK;
}

memplan_status mpl_lstopo_matrix_close(mpl_lstopo *from, mpl_lstopo_part part,
                                       memplan_error *error)
{
    mpl_lstopo_matrix *const matrix = &from->matrix;
    switch (part) {
    case MPL_LSTOPO_NO_PART:
        return MEMPLAN_OK;
    case MPL_LSTOPO_INDEXES:
        return take_numbers(from, matrix->gp_indexes, &matrix->index_count,
                            matrix->count, error);
    case MPL_LSTOPO_VALUES:
        return take_numbers(from, matrix->values, &matrix->value_count,
                            matrix->count * matrix->count, error);
    case MPL_LSTOPO_MATRIX:
        break;
    }
    return close_matrix(from, error);
}
