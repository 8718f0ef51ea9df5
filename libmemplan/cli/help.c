/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <memplan.h>
#include <stddef.h>
#include <stdio.h>

#include "options.h"
#include "page.h"

enum { PARAGRAPH_MAX = 5, EXAMPLE_MAX = 4 };

typedef struct manual {
    unsigned command;
    const char *usage;
    const char *summary;
    const char *paragraphs[PARAGRAPH_MAX];
    const char *examples[EXAMPLE_MAX];
} manual;

static const char MODEL_IS[] =
    "MODEL is a path (a .gguf, a .safetensors, a config.json, a weight index, "
    "or a folder with one of them), a name in the Hugging Face cache or the "
    "Ollama store, or a name of the built-in catalogue. Only headers are read, "
    "and nothing is downloaded.";

static const char MACHINE_IS[] =
    "--machine takes a profile (memplan machine --json > FILE), an lstopo XML, "
    "or words between commas: \"2x rtx-4090, 64GiB ram 80GB/s, 16 cores, 500GB "
    "disk 3GB/s, pcie 4.0 x16\", \"2x rtx-3090 nvlink, 64GiB ram\", \"gb10 "
    "128GB\", \"24GB gpu, 32GiB ram\". A rate is optional; what is not said "
    "and not in the catalogue of GPUs is unknown.";
static const char BUDGETS_ARE[] =
    "--max-memory names all that may be used: laid over a machine, a memory "
    "that it does not name is left out, so cpu=20GiB alone plans without GPUs.";

static const manual MANUALS[] = {
    {COMMAND_MACHINE,
     "memplan machine [OPTIONS]",
     "the memories of a machine, how fast they are, and what is free",
     {"Each figure is the one that a program may count on: limits of "
      "containers, page cache that can be reclaimed, memory that a GPU shares "
      "with the host. Where two sources disagree, a note says which one is "
      "believed and why.",
      "With --json the output is a profile: memplan plan MODEL --machine FILE "
      "plans for that machine anywhere.",
      MACHINE_IS, BUDGETS_ARE},
     {"memplan machine", "memplan machine --json > node7.json",
      "memplan machine --topology node7.xml"}},
    {COMMAND_MODEL,
     "memplan model MODEL [OPTIONS]",
     "what a model weighs, part by part, and what its cache adds",
     {MODEL_IS},
     {"memplan model llama-2-70b", "memplan model ./Qwen3-8B-Q4_K_M.gguf",
      "memplan model mistral-7b --tensors --json"}},
    {COMMAND_PLAN,
     "memplan plan MODEL [OPTIONS]",
     "the fastest placement of a model on a machine, every byte counted",
     {MODEL_IS,
      "Without --machine, --topology or --max-memory it plans for this "
      "machine, and for what is free on it now.",
      MACHINE_IS, BUDGETS_ARE,
      "A plan that does not fit says what each memory lacks and the cheapest "
      "changes that would make it fit."},
     {"memplan plan llama-2-70b --max-memory 0=20GB,cpu=60GB --dtype int4",
      "memplan plan qwen2.5-7b --machine \"rtx-4090, 64GiB ram\"",
      "memplan plan llama-3.1-8b --context 32768 --emit device_map",
      "memplan plan model.gguf --set ngl=20"}},
    {COMMAND_PRICE,
     "memplan price MODEL [OPTIONS]",
     "the bytes of exactly one placement: nothing is searched or changed",
     {MODEL_IS,
      "For transformers the placement is a device_map, or \"auto\", which is "
      "what Transformers makes of the same memories; for llama.cpp it is its "
      "parameters, and --set alone will do."},
     {"memplan price llama-2-7b --max-memory 0=20GB --placement '{\"\": 0}'",
      "memplan price llama-2-7b --placement @device_map.json",
      "memplan price model.gguf --set c=8192 --set ngl=20"}},
    {COMMAND_LIST,
     "memplan list [WHAT] [OPTIONS]",
     "what is known by name: models, GPUs, dtypes, settings, ...",
     {"Without WHAT the lists themselves. The names are those that the other "
      "commands, and the modules for C, Python and Lua, take."},
     {"memplan list", "memplan list gpus", "memplan list models --json"}},
};
enum { MANUAL_COUNT = sizeof MANUALS / sizeof *MANUALS };

static void print_exit_codes(void)
{
    page_heading("EXIT CODE");
    page_item("0", "it fits, or there was nothing to fit");
    page_item("1", "it does not fit");
    page_item("2", "the request or an input is wrong; one line on standard "
                   "error says what to change");
}

static void print_dialects(void)
{
    memplan_entry_info entry = MEMPLAN_ENTRY_INFO_INIT;
    page_heading("DIALECTS");
    for (uint64_t at = 0;
         memplan_list_entry("dialects", at, &entry) == MEMPLAN_OK; at++)
        page_item(entry.name, entry.text);
}

void help_all(void)
{
    puts("memplan: where every byte of a language model will go, before it is "
         "loaded");
    page_heading("COMMANDS");
    for (size_t at = 0; at < MANUAL_COUNT; at++)
        page_item(MANUALS[at].usage + sizeof "memplan", MANUALS[at].summary);
    page_item("help [COMMAND]", "this page, or that of a command");
    page_item("version", "the version of the library");
    page_heading("UNITS");
    page_paragraph("GB is 10^9 bytes and GiB 2^30; 20GB, 60GiB, \"1.5 GiB\" "
                   "and bare bytes are read. What is printed is binary: GiB, "
                   "MiB, KiB.");
    page_heading("ENVIRONMENT");
    page_item("CUDA_VISIBLE_DEVICES",
              "and CUDA_DEVICE_ORDER, "
              "HIP_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES: which GPUs an "
              "engine will see, and how it numbers them");
    page_item("HF_HUB_CACHE, HF_HOME", "the Hugging Face cache");
    page_item("OLLAMA_MODELS", "the Ollama store");
    page_item("NO_COLOR, COLUMNS", "how to draw");
    print_exit_codes();
}

void help_command(unsigned command)
{
    const manual *page = MANUALS;
    while (page->command != command)
        page++;
    puts(page->summary);
    page_heading("USAGE");
    page_line(page->usage);
    page_heading("DESCRIPTION");
    for (size_t at = 0; at < PARAGRAPH_MAX && page->paragraphs[at] != NULL;
         at++)
        page_paragraph(page->paragraphs[at]);
    page_heading("OPTIONS");
    options_print_help(command);
    if (command == COMMAND_PLAN || command == COMMAND_PRICE)
        print_dialects();
    page_heading("EXAMPLES");
    for (size_t at = 0; at < EXAMPLE_MAX && page->examples[at] != NULL; at++)
        page_line(page->examples[at]);
    print_exit_codes();
}
