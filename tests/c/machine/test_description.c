/* SPDX-License-Identifier: MIT */
/* Machines in words, and profiles that come back as they went. */
#include <criterion/criterion.h>
#include <string.h>

#include "data/gpu_catalogue.h"
#include "machine/machine.h"
#include "support/folder.h"

#define GIB (UINT64_C(1) << 30)
#define GIGA UINT64_C(1000000000)

static memplan_machine *parse(const char *text)
{
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    cr_assert_eq(memplan_machine_parse(&machine, text, &error), MEMPLAN_OK,
                 "%s", error.message);
    return machine;
}

Test(description, gpus_host_and_cores)
{
    memplan_machine *const machine =
        parse("2x rtx-4090, 64GiB ram 80GB/s, 16 cores, 32 threads, pcie 4.0 "
              "x16, 500GB disk 3GB/s");
    cr_assert_eq(machine->device_count, 2);
    const mpl_device *const gpu = &machine->devices[1];
    cr_expect_eq(gpu->index, 1);
    cr_expect_str_eq(gpu->vendor, "nvidia");
    cr_expect_eq(gpu->total_bytes.value, 24 * GIB);
    cr_expect_str_eq(gpu->total_bytes.source, "catalogue");
    cr_expect_eq(gpu->free_bytes.value, 24 * GIB - 24 * GIB / 64);
    cr_expect_eq(gpu->bandwidth_bytes_per_second.value, 1008 * GIGA);
    cr_expect_str_eq(gpu->link, "PCIe 4.0 x16");
    cr_expect_str_eq(gpu->link_bytes_per_second.source, "declared");
    cr_expect_eq(machine->host.total_bytes.value, 64 * GIB);
    cr_expect_str_eq(machine->host.total_bytes.source, "declared");
    cr_expect_eq(machine->host.read_bytes_per_second.value, 80 * GIGA);
    cr_expect_eq(machine->host.core_count, 16);
    cr_expect_eq(machine->host.thread_count, 32);
    cr_expect_eq(machine->pool_count, 4);
    cr_expect_eq(machine->pools[3].capacity_bytes, 500 * GIGA);
    cr_expect_eq(machine->pools[3].bandwidth_bytes_per_second, 3 * GIGA);
    memplan_machine_free(machine);
}

Test(description, a_size_that_is_said_wins)
{
    memplan_machine *machine = parse("rtx 4090 20 GiB, 60 GB RAM");
    cr_expect_eq(machine->devices[0].total_bytes.value, 20 * GIB);
    cr_expect_str_eq(machine->devices[0].total_bytes.source, "declared");
    cr_expect_eq(machine->devices[0].bandwidth_bytes_per_second.value,
                 1008 * GIGA);
    memplan_machine_free(machine);
    machine = parse("20 GB GPU, 60 GB RAM");
    cr_expect_eq(machine->pools[0].capacity_bytes, 20 * GIGA);
    cr_expect_eq(machine->pools[1].capacity_bytes, 60 * GIGA);
    cr_expect_eq(machine->pools[0].bandwidth_bytes_per_second,
                 MEMPLAN_UNKNOWN);
    memplan_machine_free(machine);
}

/* What is not stated is not known, which is not 0. */
Test(description, memory_of_the_host_not_stated)
{
    memplan_machine *const machine = parse("rtx-4090");
    cr_assert_eq(machine->pool_count, 1);
    cr_expect_eq(machine->pools[0].kind, MPL_POOL_DEVICE);
    cr_expect_eq(machine->host.total_bytes.value, MEMPLAN_UNKNOWN);
    cr_assert_eq(machine->note_count, 1);
    cr_expect_not_null(strstr(machine->notes[0], "the host"));
    memplan_machine_free(machine);
}

Test(description, one_memory_for_both)
{
    memplan_machine *const machine = parse("apple m2 max, 64GiB ram");
    cr_assert_eq(machine->device_count, 1);
    cr_expect(machine->devices[0].is_unified);
    cr_expect_eq(machine->devices[0].total_bytes.value, 64 * GIB);
    cr_expect_eq(machine->pools[0].capacity_bytes, 48 * GIB,
                 "three quarters by Metal's default");
    cr_expect_eq(machine->budget_bytes[machine->pools[0].budget], 64 * GIB);
    cr_expect_eq(machine->pools[0].budget, machine->pools[1].budget);
    memplan_machine_free(machine);
}

/* Each has its part, and never more than the product comes with. */
Test(description, one_memory_for_several)
{
    static const struct {
        const char *text;
        uint64_t each_gib;
        uint64_t shared_gib;
    } CASES[] = {
        {"mi300a, 128GiB ram", 128, 128},
        {"2x mi300a, 256GiB ram", 128, 256},
        {"4x mi300a, 256GiB ram", 64, 256},
        {"mi300a, 512GiB ram", 128, 512},
        {"gb10, 120GiB ram", 120, 120},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_machine *const machine = parse(CASES[at].text);
        for (uint32_t device = 0; device < machine->device_count; device++) {
            cr_expect_eq(machine->pools[device].capacity_bytes,
                         CASES[at].each_gib * GIB, "%s", CASES[at].text);
            cr_expect_eq(machine->pools[device].budget, 0);
            cr_expect_not_null(
                strstr(machine->devices[device].link_bytes_per_second.source,
                       "assumed"));
        }
        cr_expect_eq(machine->budget_bytes[0], CASES[at].shared_gib * GIB,
                     "%s", CASES[at].text);
        memplan_machine_free(machine);
    }
}

static const struct {
    const char *text;
    memplan_status status;
    uint64_t offset;
    const char *message;
} REFUSED[] = {
    {"", MEMPLAN_E_ARGUMENT, 0, "empty part"},
    {"rtx-4090,", MEMPLAN_E_ARGUMENT, 9, "empty part"},
    {"rtx-4099, 64GiB ram", MEMPLAN_E_NOT_FOUND, 0, "rtx-4090"},
    {"64GiB ram, h100", MEMPLAN_E_NOT_FOUND, 10, "several"},
    {"rtx-4090, 64G ram", MEMPLAN_E_ARGUMENT, 9, "64GiB"},
    {"rtx-4090, 64gb ram", MEMPLAN_E_ARGUMENT, 9, "64GB"},
    {"rtx-4090, ram", MEMPLAN_E_ARGUMENT, 9, "64GiB ram"},
    {"0x rtx-4090", MEMPLAN_E_ARGUMENT, 0, "1 to 64"},
    {"99x rtx-4090", MEMPLAN_E_ARGUMENT, 0, "1 to 64"},
    {"64x 1GB gpu,64x 1GB gpu,64x 1GB gpu,64x 1GB gpu,1GB gpu",
     MEMPLAN_E_TOO_LARGE, 48, "256"},
    {"gpu", MEMPLAN_E_ARGUMENT, 0, "24GB gpu"},
    {"many cores", MEMPLAN_E_ARGUMENT, 0, "16 cores"},
    {"rtx-4090, pcie 9 x16", MEMPLAN_E_ARGUMENT, 9, "pcie 4.0 x16"},
    {"gb10", MEMPLAN_E_ARGUMENT, 0, "gb10, 64GiB ram"},
    {"rtx-4090 1GB 2GB", MEMPLAN_E_ARGUMENT, 0, "two amounts"},
    {"rtx-4090; 64GiB", MEMPLAN_E_ARGUMENT, 0, "commas part"},
    {"64GiB ram, 32GiB ram", MEMPLAN_E_ARGUMENT, 10, "said twice"},
    {"64GiB ram, pcie 3 x8, pcie 4 x8", MEMPLAN_E_ARGUMENT, 21,
     "said twice"},
    {"apple-m4-max, 64GiB", MEMPLAN_E_ARGUMENT, 13,
     "of what? write 64GiB ram"},
    {"rtx-4090, 80GB/s", MEMPLAN_E_ARGUMENT, 9, "of what?"},
    {"16 cores", MEMPLAN_E_ARGUMENT, 0, "no memory is said"},
    {"rtx-4090 64GB ram", MEMPLAN_E_ARGUMENT, 0, "a comma parts them"},
    {"fast 64GB ram", MEMPLAN_E_ARGUMENT, 0, "64GiB ram"},
    {"rtx-4090, nvlink", MEMPLAN_E_ARGUMENT, 0, "two GPUs"},
    {"2x rtx-3090, nvlink 4GB", MEMPLAN_E_ARGUMENT, 12, "nvlink 50GB/s"},
    {"epyc 9654, xeon gold, 1GB ram", MEMPLAN_E_ARGUMENT, 10, "a second"},
    {"m3 max 128gb", MEMPLAN_E_ARGUMENT, 0, "128GiB"},
    {"ryzen 9 7950x 64GB", MEMPLAN_E_NOT_FOUND, 0, "no GPU"},
};

Test(description, refusals_name_the_place)
{
    for (size_t at = 0; at < sizeof REFUSED / sizeof *REFUSED; at++) {
        memplan_machine *machine = NULL;
        memplan_error error = {0};
        cr_expect_eq(memplan_machine_parse(&machine, REFUSED[at].text, &error),
                     REFUSED[at].status, "\"%s\": %s", REFUSED[at].text,
                     error.message);
        cr_expect_null(machine);
        cr_expect_not_null(strstr(error.message, REFUSED[at].message),
                           "\"%s\": %s", REFUSED[at].text, error.message);
        cr_expect_eq(error.offset, REFUSED[at].offset, "\"%s\": %llu",
                     REFUSED[at].text, (unsigned long long)error.offset);
    }
}

/* What people write; the first GPU's model, or "", and the host's memory. */
static const struct {
    const char *text;
    uint32_t device_count;
    const char *model;
    uint64_t host_giga; /* 0: not known */
} PEOPLE[] = {
    {"rtx 4090 + 128GB DDR5-5600", 1, "rtx-4090", 128},
    {"rtx 4090 and 64GB ram", 1, "rtx-4090", 64},
    {"rtx4090, 64 GB of RAM", 1, "rtx-4090", 64},
    {"rx7900xtx, DDR4 64 GB", 1, "rx-7900-xtx", 64},
    {"RTX 4090 (24GB), 64GB system memory", 1, "rtx-4090", 64},
    {"2x3090", 2, "rtx-3090", 0},
    {"2 x rtx 3090", 2, "rtx-3090", 0},
    {"2 rtx 3090s", 2, "rtx-3090", 0},
    {"rtx 3090 x2", 2, "rtx-3090", 0},
    {"2xt4", 2, "t4", 0},
    {"24GB gpu memory", 1, "", 0},
    {"2x mi300x, 1TB ram", 2, "mi300x", 1000},
    {"ryzen ai max+ 395 128GB", 1, "radeon-8060s", 128},
    {"dgx spark 128GB", 1, "gb10", 128},
    {"m3 max 128GB", 1, "apple-m3-max", 128},
    {"macbook pro m3 max with 128GB memory", 1, "apple-m3-max", 128},
    {"Mac mini M4 Pro 64GB unified memory", 1, "apple-m4-pro", 64},
    {"jetson agx orin 64GB", 1, "jetson-agx-orin", 64},
    {"grace hopper", 1, "gh200", 0},
    {"radeon 780m 32GB", 1, "radeon-780m", 32},
    {"780m, 32GB ram", 1, "radeon-780m", 32},
    {"rtx pro 6000 blackwell", 1, "rtx-pro-6000", 0},
    {"epyc 9654, 768GB ram", 0, "", 768},
    {"ryzen 9 7950x 64GB ram", 0, "", 64},
    {"cpu only, 64GB ram", 0, "", 64},
    {"no gpu, 64GB ram", 0, "", 64},
};

Test(description, words_of_people)
{
    for (size_t at = 0; at < sizeof PEOPLE / sizeof *PEOPLE; at++) {
        memplan_machine *machine = NULL;
        memplan_error error = {0};
        const uint64_t host_giga = PEOPLE[at].host_giga;
        cr_assert_eq(memplan_machine_parse(&machine, PEOPLE[at].text, &error),
                     MEMPLAN_OK, "%s", error.message);
        cr_expect_eq(machine->device_count, PEOPLE[at].device_count, "%s: %u",
                     PEOPLE[at].text, machine->device_count);
        if (machine->device_count > 0) {
            cr_expect_str_eq(machine->devices[0].model, PEOPLE[at].model, "%s",
                             PEOPLE[at].text);
            cr_expect_not(machine->devices[0].is_left_out);
        }
        cr_expect_eq(machine->host.total_bytes.value,
                     host_giga > 0 ? host_giga * GIGA : MEMPLAN_UNKNOWN, "%s",
                     PEOPLE[at].text);
        memplan_machine_free(machine);
    }
}

/* A bridge joins two; switches join all. 112.5 GB/s of two directions. */
Test(description, nvlinks)
{
    static const struct {
        const char *text;
        uint32_t peer_count;
        uint64_t bytes_per_second;
        const char *source;
    } CASES[] = {
        {"2x rtx-3090 nvlink", 2, UINT64_C(56250000000), "catalogue"},
        {"4x rtx-3090, nvlink", 4, UINT64_C(56250000000), "catalogue"},
        {"8x h100-sxm, nvlink", 56, UINT64_C(450000000000),
         "catalogue: all links of a GPU"},
        {"nvlink 300GB/s, 4x a100-sxm-80gb", 12, UINT64_C(300000000000),
         "declared"},
        {"2x 24GB gpu nvlink", 2, MEMPLAN_UNKNOWN, ""},
        {"rtx-4090, 2x rtx-3090 nvlink", 2, UINT64_C(56250000000),
         "catalogue"},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_machine *const machine = parse(CASES[at].text);
        cr_assert_eq(machine->peer_count, CASES[at].peer_count, "%s: %u",
                     CASES[at].text, machine->peer_count);
        const mpl_peer *const peer = &machine->peers[0];
        cr_expect_eq(peer->bytes_per_second.value, CASES[at].bytes_per_second,
                     "%s", CASES[at].text);
        cr_expect_str_eq(peer->bytes_per_second.source, CASES[at].source);
        cr_expect_eq(strcmp(machine->devices[peer->from].model,
                            machine->devices[peer->to].model),
                     0);
        memplan_machine_free(machine);
    }
}

/* What the user says of a GPU that uses the host's memory is its limit. */
Test(description, a_share_that_is_said)
{
    memplan_machine *const machine = parse("gb10 48GB, 128GB ram");
    cr_expect_eq(machine->host.total_bytes.value, 128 * GIGA);
    cr_expect_eq(machine->pools[0].capacity_bytes, 48 * GIGA);
    cr_expect_str_eq(machine->devices[0].total_bytes.source, "declared");
    cr_expect_eq(machine->budget_bytes[0], 128 * GIGA);
    memplan_machine_free(machine);
}

/* What is written and read again is written the same. */
Test(profile, comes_back_as_it_went)
{
    static const char *const MACHINES[] = {
        "2x rtx-4090, 64GiB ram 80GB/s, 16 cores, pcie 4.0 x16, 500GB disk",
        "gb10, 128GiB ram", "8x h100-sxm 70GiB, 2TiB ram, nvlink",
        "4x rtx-3090 nvlink, 1GiB ram", "16GiB ram"};
    for (size_t at = 0; at < sizeof MACHINES / sizeof *MACHINES; at++) {
        folder files;
        char *written = NULL;
        char *again = NULL;
        memplan_machine *back = NULL;
        memplan_error error = {0};
        folder_make(&files);
        memplan_machine *const machine = parse(MACHINES[at]);
        cr_assert_eq(memplan_machine_render(&written, machine, "json", NULL,
                                            NULL),
                     MEMPLAN_OK);
        cr_assert_eq(memplan_machine_open(
                         &back,
                         folder_write_text(&files, "profile.json", written),
                         &error),
                     MEMPLAN_OK, "%s", error.message);
        cr_assert_eq(
            memplan_machine_render(&again, back, "json", NULL, NULL),
            MEMPLAN_OK);
        cr_expect_str_eq(again, written);
        cr_expect_eq(back->pool_count, machine->pool_count);
        for (uint32_t pool = 0; pool < back->pool_count; pool++)
            cr_expect_eq(back->pools[pool].capacity_bytes,
                         machine->pools[pool].capacity_bytes);
        memplan_text_free(written);
        memplan_text_free(again);
        memplan_machine_free(machine);
        memplan_machine_free(back);
        folder_remove(&files);
    }
}

Test(profile, refusals)
{
    static const struct {
        const char *text;
        memplan_status status;
        const char *message;
    } CASES[] = {
        {"{", MEMPLAN_E_CORRUPT, ""},
        {"{}", MEMPLAN_E_CORRUPT, "schema"},
        {"{\"schema\": \"memplan.machine/9\"}", MEMPLAN_E_UNSUPPORTED,
         "memplan.machine/9"},
        {"{\"schema\": \"memplan.machine/1\", \"host\": {\"total_bytes\": "
         "\"64\"}}",
         MEMPLAN_E_CORRUPT, "\"total_bytes\" is not a whole number"},
        {"{\"schema\": \"memplan.machine/1\", \"devices\": [{\"index\": 0}, "
         "{\"index\": 0}]}",
         MEMPLAN_E_CORRUPT, "\"index\""},
        {"{\"schema\": \"memplan.machine/1\", \"devices\": 7}",
         MEMPLAN_E_CORRUPT, "an array"},
        {"[]", MEMPLAN_E_UNSUPPORTED, "neither"},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        folder files;
        memplan_machine *machine = NULL;
        memplan_error error = {0};
        folder_make(&files);
        cr_expect_eq(memplan_machine_open(
                         &machine,
                         folder_write_text(&files, "p.json", CASES[at].text),
                         &error),
                     CASES[at].status, "%s: %s", CASES[at].text,
                     error.message);
        cr_expect_not_null(strstr(error.message, CASES[at].message), "%s: %s",
                           CASES[at].text, error.message);
        cr_expect_not_null(strstr(error.message, "p.json: "), "%s",
                           error.message);
        memplan_machine_free(machine);
        folder_remove(&files);
    }
}

/* A path that is not there is said to be that, not a bad description. */
Test(open, absent_files)
{
    memplan_machine *machine = NULL;
    memplan_error error = {0};
    cr_expect_eq(memplan_machine_open(&machine, "node7.xml", &error),
                 MEMPLAN_E_NOT_FOUND);
    cr_expect_not_null(strstr(error.message, "node7.xml"), "%s",
                       error.message);
    cr_expect_eq(memplan_machine_open(&machine, "a/64GB/s", &error),
                 MEMPLAN_E_NOT_FOUND);
    static const char *const WORDS[] = {"24GB gpu", "64GiB ram 60GB/s",
                                        "64GiB ram 60GB/s, 24GB gpu"};
    for (size_t at = 0; at < sizeof WORDS / sizeof *WORDS; at++) {
        machine = NULL;
        cr_expect_eq(memplan_machine_open(&machine, WORDS[at], &error),
                     MEMPLAN_OK, "%s: %s", WORDS[at], error.message);
        memplan_machine_free(machine);
    }
}

Test(description, a_card_has_its_own_link)
{
    static const struct {
        const char *text;
        const char *link;
        uint64_t rate;
        const char *source;
    } CASES[] = {
        {"rtx-4090", "PCIe 4.0 x16", UINT64_C(31507692307),
         "catalogue: the card's own link"},
        {"rtx-4060", "PCIe 4.0 x8", UINT64_C(15753846153),
         "catalogue: the card's own link"},
        {"rtx-5060", "PCIe 5.0 x8", UINT64_C(31507692307),
         "catalogue: the card's own link"},
        {"rtx-4090, pcie 3.0 x8", "PCIe 3.0 x8", UINT64_C(7876923076),
         "declared"},
        {"rtx-4090-laptop", "", MEMPLAN_UNKNOWN, ""},
        {"24GB gpu", "", MEMPLAN_UNKNOWN, ""},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_machine *const machine = parse(CASES[at].text);
        const mpl_device *const gpu = &machine->devices[0];
        cr_expect_str_eq(gpu->link, CASES[at].link, "%s", CASES[at].text);
        cr_expect_eq(gpu->link_bytes_per_second.value, CASES[at].rate, "%s",
                     CASES[at].text);
        cr_expect_str_eq(gpu->link_bytes_per_second.source, CASES[at].source,
                         "%s", CASES[at].text);
        memplan_machine_free(machine);
    }
}

Test(catalogue, names_of_drivers)
{
    static const struct {
        uint32_t vendor_id;
        uint32_t device_id;
        const char *name;
        uint64_t mib; /* 0: not known */
        const char *key;
    } CASES[] = {
        {0x10de, 0, "NVIDIA GeForce RTX 4070 Ti SUPER", 16376,
         "rtx-4070-ti-super"},
        {0x10de, 0, "NVIDIA GeForce RTX 4090 Laptop GPU", 16376,
         "rtx-4090-laptop"},
        {0x10de, 0, "NVIDIA GeForce RTX 3080", 12288, "rtx-3080-12gb"},
        {0x10de, 0, "NVIDIA GeForce RTX 3080", 10240, "rtx-3080"},
        {0x10de, 0, "NVIDIA GeForce RTX 3080", 0, "rtx-3080"},
        {0x10de, 0, "NVIDIA H100 80GB HBM3", 81559, "h100-sxm"},
        {0x10de, 0, "NVIDIA H200 NVL", 143771, "h200-nvl"},
        {0x10de, 0, "NVIDIA RTX 6000 Ada Generation", 49140, "rtx-6000-ada"},
        {0x10de, 0, "Quadro RTX 6000", 24220, "quadro-rtx-6000"},
        {0x10de, 0, "NVIDIA A100-SXM4-80GB MIG 3g.40gb", 40192, NULL},
        {0x10de, 0, "GeForce GTX TITAN X", 12288, NULL},
        {0x10de, 0, "NVIDIA A10G", 23028, "a10g"},
        {0x1002, 0x744c, "", 24560, "rx-7900-xtx"},
        {0x1002, 0x744c, "", 20464, "rx-7900-xt"},
        {0x1002, 0x74a1, "AMD Instinct MI300X", 196592, "mi300x"},
        {0x8086, 0xe20b, "", 12216, "arc-b580"},
        {0, 0, "Apple M3 Max", 0, "apple-m3-max"},
        {0x10de, 0xffff, "NVIDIA Graphics Device", 0, NULL},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        const mpl_gpu_model *const model = mpl_gpu_match(
            CASES[at].vendor_id, CASES[at].device_id, CASES[at].name,
            CASES[at].mib == 0 ? MEMPLAN_UNKNOWN : CASES[at].mib << 20);
        if (CASES[at].key == NULL)
            cr_expect_null(model, "%s is %s", CASES[at].name,
                           model != NULL ? model->key : "");
        else
            cr_expect(model != NULL && strcmp(model->key, CASES[at].key) == 0,
                      "%s (%x) is %s", CASES[at].name, CASES[at].device_id,
                      model != NULL ? model->key : "none");
    }
}
