/* SPDX-License-Identifier: MIT */
/*
 * XGMI between AMD's GPUs, as their compute driver shows it:
 *
 *     /sys/class/kfd/kfd/topology/nodes/N/properties
 *         domain, location_id          the PCI address; a processor has 0
 *     .../nodes/N/io_links/M/properties
 *         type 11, node_to, max_bandwidth      XGMI, in 10^6 bytes a second
 *
 * 0 is how the driver says that it does not know a rate. GPUs that no line
 * joins directly are not in the list.
 */
#include <string.h>

#include "base/checked.h"
#include "machine/gpus.h"

enum { XGMI = 11 };

static const char NODES[] = "/sys/class/kfd/kfd/topology/nodes";

/* location_id is bus << 8 | device << 3 | function. "" where a node is no
 * GPU; NULL: no memory. */
static const char *read_address(const mpl_tree *tree, mpl_arena *arena,
                                const char *node)
{
    char text[MPL_TREE_FILE_BYTES];
    uint64_t domain = 0;
    uint64_t place;
    if (!mpl_tree_text(tree, text, sizeof text, "%s/%s/properties", NODES,
                       node) ||
        !mpl_tree_field(text, "location_id", &place) || place == 0 ||
        place > 0xffff)
        return "";
    (void)mpl_tree_field(text, "domain", &domain);
    return mpl_arena_format(arena, "%04x:%02x:%02x.%x",
                            (unsigned)(domain & 0xffffffff),
                            (unsigned)(place >> 8),
                            (unsigned)(place >> 3 & 0x1f),
                            (unsigned)(place & 0x7));
}

static bool read_link(mpl_topology *to, const mpl_tree *tree,
                      const char *const *nodes, const char *const *addresses,
                      uint32_t count, uint32_t from, const char *link)
{
    char text[MPL_TREE_FILE_BYTES];
    uint64_t type;
    uint64_t node;
    uint64_t mega_bytes = 0;
    if (!mpl_tree_text(tree, text, sizeof text, "%s/%s/io_links/%s/properties",
                       NODES, nodes[from], link) ||
        !mpl_tree_field(text, "type", &type) || type != XGMI ||
        !mpl_tree_field(text, "node_to", &node))
        return true;
    mpl_joint joint = {.source = "amdgpu",
                       .name = "XGMI",
                       .from = addresses[from],
                       .to = "",
                       .bytes_per_second = MEMPLAN_UNKNOWN};
    (void)mpl_tree_field(text, "max_bandwidth", &mega_bytes);
    if (mega_bytes > 0 &&
        !mpl_mul(&joint.bytes_per_second, mega_bytes, UINT64_C(1000000)))
        joint.bytes_per_second = MEMPLAN_UNKNOWN;
    for (uint32_t at = 0; at < count; at++) {
        uint64_t number;
        if (mpl_tree_parse(nodes[at], &number) && number == node)
            joint.to = addresses[at];
    }
    return joint.to[0] == '\0' || mpl_topology_add_joint(to, joint);
}

static bool read_node(mpl_topology *to, const mpl_tree *tree,
                      const char *const *nodes, const char *const *addresses,
                      uint32_t count, uint32_t from)
{
    const char *const folder = mpl_arena_format(
        to->arena, "%s/%s/io_links", NODES, nodes[from]);
    const char **links;
    uint32_t link_count;
    if (folder == NULL ||
        !mpl_tree_list(tree, to->arena, &links, &link_count, folder))
        return false;
    for (uint32_t at = 0; at < link_count; at++)
        if (!read_link(to, tree, nodes, addresses, count, from, links[at]))
            return false;
    return true;
}

bool mpl_gpu_read_amd_links(mpl_topology *to, const mpl_tree *tree)
{
    enum { MOST = 256 };
    const char **nodes;
    uint32_t count;
    if (!mpl_tree_list(tree, to->arena, &nodes, &count, NODES))
        return false;
    count = count < MOST ? count : MOST;
    const char **const addresses =
        mpl_arena_alloc(to->arena, count, sizeof *addresses);
    if (addresses == NULL)
        return false;
    for (uint32_t at = 0; at < count; at++)
        if ((addresses[at] = read_address(tree, to->arena, nodes[at])) == NULL)
            return false;
    for (uint32_t at = 0; at < count; at++)
        if (addresses[at][0] != '\0' &&
            !read_node(to, tree, nodes, addresses, count, at))
            return false;
    return true;
}
