/* SPDX-License-Identifier: MIT */
/*
 * The tables as arrays, and three ways into them: by what a driver tells of a
 * GPU (PCI id first, then the words of its name, then its memory), by what a
 * person calls it (the model that leaves the fewest words of its key unsaid),
 * and by key, for links and capabilities, which are tables of keys.
 */
#include "data/gpu_catalogue.h"

#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "memplan.h"

/* Keeps a table's 0, "not stated", apart from a figure. */
#define OR_UNKNOWN(figure, unit) \
    ((figure) == 0 ? MEMPLAN_UNKNOWN : UINT64_C(figure) * (unit))

#define NVIDIA "nvidia", 0x10de
#define AMD "amd", 0x1002
#define INTEL "intel", 0x8086
#define APPLE "apple", 0
#define WITH_VENDOR(key_, name_, id_, words_, ids_, kind_, bytes_, rate_, \
                    flops_, source_)                                      \
    {.key = key_,                                                         \
     .vendor = name_,                                                     \
     .words = words_,                                                     \
     .pci_ids = ids_,                                                     \
     .vendor_id = id_,                                                    \
     .memory = MPL_GPU_##kind_,                                           \
     .memory_bytes = bytes_,                                              \
     .bandwidth_bytes_per_second = rate_,                                 \
     .fp16_flops_per_second = flops_,                                     \
     .source = source_},
#define EXPAND(key_, vendor_, ...) WITH_VENDOR(key_, vendor_, __VA_ARGS__)
#define GPU(key_, vendor_, words_, ids_, mib_, mega_, giga_, kind_, source_) \
    EXPAND(key_, vendor_, words_, ids_, kind_,                               \
           OR_UNKNOWN(mib_, UINT64_C(1) << 20),                              \
           OR_UNKNOWN(mega_, UINT64_C(1000000)),                             \
           OR_UNKNOWN(giga_, UINT64_C(1000000000)), source_)

static const mpl_gpu_model MODELS[] = {
#include "data/gpus_nvidia.def"
#include "data/gpus_others.def"
};
enum { MODEL_COUNT = sizeof MODELS / sizeof *MODELS };

#define PCIE(generation_, lanes_, keys_)                 \
    {.generation = generation_,                          \
     .lanes = lanes_,                                    \
     .name = "PCIe " #generation_ ".0 x" #lanes_,        \
     .keys = keys_},
static const mpl_gpu_link LINKS[] = {
#include "data/gpu_links.def"
};
enum { LINK_COUNT = sizeof LINKS / sizeof *LINKS };

enum { FABRIC, BRIDGE };
#define NVLINK(mega_, join_, keys_)                       \
    {.bytes_per_second = (mega_) * UINT64_C(1000000),     \
     .is_bridge = (join_) == BRIDGE,                      \
     .keys = keys_},
static const mpl_gpu_nvlink NVLINKS[] = {
#include "data/gpu_nvlinks.def"
};
enum { NVLINK_COUNT = sizeof NVLINKS / sizeof *NVLINKS };

/* What people call a machine or a processor, by its words. */
static const struct {
    const char *words;
    const char *key;
} ALIASES[] = {
    {"dgx spark", "gb10"},
    {"grace hopper", "gh200"},
    {"strix halo", "radeon-8060s"},
    {"ryzen ai max 395", "radeon-8060s"},
    {"ryzen ai max pro 395", "radeon-8060s"},
    {"ryzen ai max 390", "radeon-8050s"},
    {"ryzen ai max pro 390", "radeon-8050s"},
    {"ryzen ai max 385", "radeon-8050s"},
    {"ryzen ai max pro 385", "radeon-8050s"},
    {"strix point", "radeon-890m"},
    {"ryzen ai 9 hx 370", "radeon-890m"},
    {"ryzen ai 9 hx 375", "radeon-890m"},
};

static const struct gpu_capability {
    uint32_t capability;
    const char *keys;
} CAPABILITIES[] = {
#define CAPABILITY(capability, keys) {capability, keys},
#include "data/gpu_capabilities.def"
#undef CAPABILITY
};
enum { CAPABILITY_COUNT = sizeof CAPABILITIES / sizeof *CAPABILITIES };

/* Words that make another product of a name. */
static const char *const QUALIFIERS[] = {
    "ti",   "super", "d",     "laptop", "mobile", "max",  "q",   "xt",
    "xtx",  "gre",   "ultra", "pro",    "ada",    "sff",  "nvl", "pcie",
    "sxm2", "sxm3",  "sxm4",  "mig",    "gtx",    "grid", "lp",  "blackwell",
    "40"};

enum { MAX_WORDS = 24, WORD_BYTES = 24 };

typedef struct word_list {
    uint32_t count;
    char words[MAX_WORDS][WORD_BYTES];
} word_list;

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter;
}

static bool is_word_letter(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
}

/* Letters and digits in lower case; all else parts words. What a word or a
 * name has too much is left out. */
static void split(word_list *out, const char *text)
{
    out->count = 0;
    uint32_t length = 0;
    for (const char *at = text;; at++) {
        const char letter = lower(*at);
        if (is_word_letter(letter)) {
            if (length + 1 < WORD_BYTES)
                out->words[out->count][length++] = letter;
            continue;
        }
        if (length > 0) {
            out->words[out->count++][length] = '\0';
            length = 0;
        }
        if (*at == '\0' || out->count == MAX_WORDS)
            return;
    }
}

static bool has_word(const word_list *list, const char *word)
{
    for (uint32_t at = 0; at < list->count; at++)
        if (strcmp(list->words[at], word) == 0)
            return true;
    return false;
}

static bool has_all(const word_list *list, const word_list *wanted)
{
    for (uint32_t at = 0; at < wanted->count; at++)
        if (!has_word(list, wanted->words[at]))
            return false;
    return true;
}

static bool has_other_qualifier(const word_list *name, const word_list *model)
{
    for (size_t at = 0; at < sizeof QUALIFIERS / sizeof *QUALIFIERS; at++)
        if (has_word(name, QUALIFIERS[at]) && !has_word(model, QUALIFIERS[at]))
            return true;
    return false;
}

/* "1eb8" in "1eb8 20f3". */
static bool has_pci_id(const char *ids, uint32_t id)
{
    for (const char *at = ids; *at != '\0'; at += *at == ' ') {
        uint32_t value = 0;
        for (; *at != '\0' && *at != ' '; at++)
            value = value << 4 | (uint32_t)(*at <= '9' ? *at - '0'
                                                       : *at - 'a' + 10);
        if (value == id)
            return true;
    }
    return false;
}

/* Drivers report up to an eighth less than makers state. */
static bool is_near(uint64_t stated, uint64_t found)
{
    if (stated == MEMPLAN_UNKNOWN || found == MEMPLAN_UNKNOWN)
        return true;
    return found <= stated + stated / 16 && found >= stated - stated / 8;
}

static bool is_smaller(const mpl_gpu_model *a, const mpl_gpu_model *b)
{
    if (a->memory_bytes != b->memory_bytes)
        return a->memory_bytes < b->memory_bytes;
    if (a->bandwidth_bytes_per_second != b->bandwidth_bytes_per_second)
        return a->bandwidth_bytes_per_second < b->bandwidth_bytes_per_second;
    return a->fp16_flops_per_second < b->fp16_flops_per_second;
}

const mpl_gpu_model *mpl_gpu_at(uint32_t index)
{
    return index < MODEL_COUNT ? &MODELS[index] : NULL;
}

const mpl_gpu_link *mpl_gpu_link_at(uint32_t index)
{
    return index < LINK_COUNT ? &LINKS[index] : NULL;
}

/* "rtx-4090" is in "rtx-4090 rtx-4090-d"; "rtx-409" is not. */
static bool has_key(const char *keys, const char *key)
{
    const size_t length = strlen(key);
    for (const char *at = keys; *at != '\0'; at += *at == ' ') {
        const size_t word = strcspn(at, " ");
        if (word == length && memcmp(at, key, length) == 0)
            return true;
        at += word;
    }
    return false;
}

const mpl_gpu_nvlink *mpl_gpu_nvlink_at(uint32_t index)
{
    return index < NVLINK_COUNT ? &NVLINKS[index] : NULL;
}

const mpl_gpu_nvlink *mpl_gpu_nvlink_of(const char *key)
{
    for (uint32_t at = 0; at < NVLINK_COUNT; at++)
        if (has_key(NVLINKS[at].keys, key))
            return &NVLINKS[at];
    return NULL;
}

const mpl_gpu_link *mpl_gpu_card_link(const mpl_gpu_model *model)
{
    for (uint32_t at = 0; at < LINK_COUNT; at++)
        if (has_key(LINKS[at].keys, model->key))
            return &LINKS[at];
    return NULL;
}

uint32_t mpl_gpu_compute_capability(const mpl_gpu_model *model)
{
    for (uint32_t at = 0; at < CAPABILITY_COUNT; at++)
        if (has_key(CAPABILITIES[at].keys, model->key))
            return CAPABILITIES[at].capability;
    return 0;
}

const mpl_gpu_model *mpl_gpu_match(uint32_t vendor_id, uint32_t device_id,
                                   const char *name, uint64_t memory_bytes)
{
    enum { PCI_SCORE = 1000 }; /* above any count of words */
    word_list words;
    split(&words, name);
    const mpl_gpu_model *best = NULL;
    uint32_t best_score = 0;
    for (uint32_t at = 0; at < MODEL_COUNT; at++) {
        const mpl_gpu_model *const model = &MODELS[at];
        if ((vendor_id != 0 && model->vendor_id != vendor_id) ||
            (model->memory < MPL_GPU_UNIFIED &&
             !is_near(model->memory_bytes, memory_bytes)))
            continue;
        word_list wanted;
        split(&wanted, model->words);
        uint32_t score = 0;
        if (device_id != 0 && has_pci_id(model->pci_ids, device_id))
            score += PCI_SCORE;
        if (has_all(&words, &wanted) && !has_other_qualifier(&words, &wanted))
            score += wanted.count;
        if (score > best_score ||
            (score > 0 && score == best_score && is_smaller(model, best))) {
            best = model;
            best_score = score;
        }
    }
    return best;
}

/* Maker's words that a user may add to a key. */
static bool is_decoration(const char *word)
{
    static const char *const WORDS[] = {
        "nvidia", "geforce", "amd",    "radeon", "intel",    "instinct",
        "gpu",    "tesla",   "apple",  "gpus",   "graphics", "blackwell",
        "card",   "cards",   "devkit", "kit",    "developer"};
    for (size_t at = 0; at < sizeof WORDS / sizeof *WORDS; at++)
        if (strcmp(WORDS[at], word) == 0)
            return true;
    return false;
}

bool mpl_gpu_has_word(const char *word)
{
    word_list wanted;
    word_list key;
    split(&wanted, word);
    for (uint32_t at = 0; wanted.count == 1 && at < MODEL_COUNT; at++) {
        split(&key, MODELS[at].key);
        if (has_word(&key, wanted.words[0]))
            return true;
    }
    return false;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

/* "macbook pro m3 max" is an M3 Max, and no M3 Pro. */
static void drop_computer(word_list *words)
{
    static const char *const MACS[] = {"mac", "macbook", "imac", NULL};
    static const char *const KINDS[] = {"pro", "air", "mini", "studio", NULL};
    uint32_t kept = 0;
    bool is_after = false;
    for (uint32_t at = 0; at < words->count; at++) {
        const bool is_mac = is_one_of(words->words[at], MACS);
        if (!is_mac && !(is_after && is_one_of(words->words[at], KINDS)))
            memmove(words->words[kept++], words->words[at], WORD_BYTES);
        is_after = is_mac;
    }
    words->count = kept;
}

/* "rtx4090" and "7900xtx" as "rtx 4090" and "7900 xtx"; "3090s" as "3090".
 * Two letters and three digits at least: "m2" and "a100" are words. */
static void split_apart(word_list *out, const word_list *words)
{
    char text[MAX_WORDS * WORD_BYTES * 2];
    size_t length = 0;
    for (uint32_t item = 0; item < words->count; item++) {
        const char *const word = words->words[item];
        size_t run = 0;
        for (size_t at = 0; word[at] != '\0'; at++, run++) {
            const bool is_digit = word[at] <= '9';
            const bool is_turn = at > 0 && (word[at - 1] <= '9') != is_digit;
            if (is_turn && run >= (is_digit ? 2U : 3U))
                text[length++] = ' ';
            run = is_turn ? 0 : run;
            if (is_turn && strcmp(word + at, "s") == 0)
                break;
            text[length++] = word[at];
        }
        text[length++] = ' ';
    }
    text[length] = '\0';
    split(out, text);
}

static const mpl_gpu_model *find_alias(const word_list *wanted)
{
    for (size_t at = 0; at < sizeof ALIASES / sizeof *ALIASES; at++) {
        word_list words;
        uint32_t said = 0;
        split(&words, ALIASES[at].words);
        for (uint32_t word = 0; word < wanted->count; word++)
            said += has_word(&words, wanted->words[word]) ||
                    is_decoration(wanted->words[word]);
        if (said != wanted->count || !has_all(wanted, &words))
            continue;
        for (uint32_t row = 0; row < MODEL_COUNT; row++)
            if (strcmp(MODELS[row].key, ALIASES[at].key) == 0)
                return &MODELS[row];
    }
    return NULL;
}

/* The words of a key that the user did not say; UINT32_MAX where the user
 * said one that the key does not have. */
static uint32_t count_unsaid(const mpl_gpu_model *model,
                             const word_list *wanted)
{
    word_list key;
    split(&key, model->key);
    uint32_t said = 0;
    for (uint32_t at = 0; at < wanted->count; at++) {
        if (has_word(&key, wanted->words[at]))
            said++;
        else if (!is_decoration(wanted->words[at]))
            return UINT32_MAX;
    }
    return said > 0 ? key.count - said : UINT32_MAX;
}

/* The model that leaves the fewest words unsaid; *out_unsaid UINT32_MAX:
 * none. */
static const mpl_gpu_model *find_words(const word_list *words,
                                       uint32_t *out_unsaid, bool *out_several)
{
    const mpl_gpu_model *best = NULL;
    *out_unsaid = UINT32_MAX;
    *out_several = false;
    for (uint32_t at = 0; at < MODEL_COUNT; at++) {
        const uint32_t unsaid = count_unsaid(&MODELS[at], words);
        if (unsaid < *out_unsaid) {
            best = &MODELS[at];
            *out_unsaid = unsaid;
            *out_several = false;
        } else if (unsaid == *out_unsaid && unsaid != UINT32_MAX) {
            *out_several = true;
        }
    }
    return best;
}

/* "thor" names one, and "x", of "titan-x-pascal", nothing yet. */
static bool is_too_short(const word_list *words)
{
    enum { LETTERS_MIN = 4 }; /* of one word without a digit */
    return words->count == 0 ||
           (words->count == 1 && strlen(words->words[0]) < LETTERS_MIN &&
            strpbrk(words->words[0], "0123456789") == NULL);
}

const mpl_gpu_model *mpl_gpu_find(const char *wanted, mpl_nearest *near,
                                  bool *out_several)
{
    word_list words;
    word_list apart;
    uint32_t unsaid;
    split(&words, wanted);
    drop_computer(&words);
    const mpl_gpu_model *best = find_words(&words, &unsaid, out_several);
    if (best == NULL) {
        best = find_alias(&words);
        split_apart(&apart, &words);
        if (best == NULL)
            best = find_words(&apart, &unsaid, out_several);
        words = apart;
    }
    if (best != NULL && !*out_several && !is_too_short(&words))
        return best;
    for (uint32_t at = 0; near != NULL && at < MODEL_COUNT; at++) {
        if (!*out_several)
            mpl_nearest_offer(near, wanted, MODELS[at].key);
        else if (count_unsaid(&MODELS[at], &words) == unsaid)
            mpl_nearest_rank(near, wanted, MODELS[at].key);
    }
    return NULL;
}
