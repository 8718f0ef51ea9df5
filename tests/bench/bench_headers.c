/* SPDX-License-Identifier: MIT */
/*
 * How long opening the two largest kinds of header takes, beside reading the
 * same bytes, and how much memory: a GGUF with a vocabulary of 150,000 tokens,
 * a safetensors header of 90,000 tensors. Prints; asserts nothing about time.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "memplan.h"
#include "support/folder.h"
#include "support/gguf_writer.h"
#include "support/safetensors_writer.h"

enum { TOKENS = 150000, MERGES = 280000, TENSORS = 90000, RUNS = 15 };

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Into memory that is new, as it is for whoever reads a file once. */
static void read_bytes(const char *path, uint64_t bytes)
{
    const int file = open(path, O_RDONLY);
    uint8_t *const buffer = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint64_t done = 0; buffer != MAP_FAILED && done < bytes;) {
        const ssize_t step = read(file, buffer + done, bytes - done);
        if (step <= 0)
            break;
        done += (uint64_t)step;
    }
    (void)munmap(buffer, bytes);
    (void)close(file);
}

static void open_model(const char *path, uint64_t bytes)
{
    (void)bytes;
    memplan_model *model = NULL;
    memplan_error error = {0};
    if (memplan_model_open(&model, path, NULL, &error) != MEMPLAN_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    memplan_model_free(model);
}

/* The best of some runs: what else the machine does only adds to them. */
static uint64_t best_ns(void (*work)(const char *, uint64_t), const char *path,
                        uint64_t bytes)
{
    uint64_t best = UINT64_MAX;
    for (int run = 0; run < RUNS; run++) {
        const uint64_t begin = now_ns();
        work(path, bytes);
        const uint64_t took = now_ns() - begin;
        best = took < best ? took : best;
    }
    return best;
}

/* The most memory that a process of its own takes for one opening. */
static uint64_t peak_bytes(const char *path, int is_open)
{
    const pid_t child = fork();
    if (child == 0) {
        if (is_open)
            open_model(path, 0);
        _exit(0);
    }
    int status;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) < 0 || status != 0)
        return 0;
    return (uint64_t)usage.ru_maxrss * 1024;
}

static void report(const char *what, const char *path, uint64_t header_bytes,
                   double limit_ms)
{
    const uint64_t plain = best_ns(read_bytes, path, header_bytes);
    const uint64_t opened = best_ns(open_model, path, header_bytes);
    const uint64_t peak = peak_bytes(path, 1) - peak_bytes(path, 0);
    (void)printf("%s\n"
                 "  header        %8.2f MB\n"
                 "  reading it    %8.2f ms\n"
                 "  opening it    %8.2f ms   limit %.0f ms\n"
                 "  ratio         %8.2f\n"
                 "  peak memory   %8.2f MB   limit %.2f MB\n",
                 what, (double)header_bytes / 1e6, (double)plain / 1e6,
                 (double)opened / 1e6, limit_ms, (double)opened / (double)plain,
                 (double)peak / 1e6,
                 (double)(3 * header_bytes + (16u << 20)) / 1e6);
}

static uint64_t write_vocabulary(const folder *at)
{
    gguf_writer out = {0};
    char text[64];
    gguf_header(&out, 3, 9 * 32 + 3, 7);
    gguf_key_text(&out, "general.architecture", "llama");
    gguf_key_u32(&out, "llama.block_count", 32);
    gguf_key_u32(&out, "llama.embedding_length", 4096);
    gguf_key_array(&out, "tokenizer.ggml.tokens", 8, TOKENS);
    for (int i = 0; i < TOKENS; i++) {
        (void)snprintf(text, sizeof text, "%.*s%d", 1 + i % 5, "abcde", i);
        gguf_string(&out, text);
    }
    gguf_key_array(&out, "tokenizer.ggml.scores", 6, TOKENS);
    for (int i = 0; i < TOKENS; i++)
        gguf_u32(&out, 0);
    gguf_key_array(&out, "tokenizer.ggml.token_type", 5, TOKENS);
    for (int i = 0; i < TOKENS; i++)
        gguf_u32(&out, 1);
    gguf_key_array(&out, "tokenizer.ggml.merges", 8, MERGES);
    for (int i = 0; i < MERGES; i++) {
        (void)snprintf(text, sizeof text, "%d %.*s", i % 1000, 1 + i % 7,
                       "abcdefg");
        gguf_string(&out, text);
    }
    static const char *const PARTS[] = {"attn_norm", "attn_q",      "attn_k",
                                        "attn_v",    "attn_output", "ffn_norm",
                                        "ffn_gate",  "ffn_up",      "ffn_down"};
    gguf_tensor(&out, "token_embd.weight", 8, 2, (uint64_t[]){4096, TOKENS});
    for (int layer = 0; layer < 32; layer++)
        for (int part = 0; part < 9; part++) {
            (void)snprintf(text, sizeof text, "blk.%d.%s.weight", layer,
                           PARTS[part]);
            gguf_tensor(&out, text, 8, 2, (uint64_t[]){4096, 4096});
        }
    gguf_tensor(&out, "output_norm.weight", 0, 1, (uint64_t[]){4096});
    gguf_tensor(&out, "output.weight", 8, 2, (uint64_t[]){4096, TOKENS});
    gguf_finish(&out);
    (void)folder_write(at, "m.gguf", out.data, out.size);
    const uint64_t bytes = out.size;
    gguf_free(&out);
    return bytes;
}

/* Names and offsets as a checkpoint of fine-grained experts has them. */
static uint64_t write_tensors(const folder *at)
{
    const size_t capacity = (size_t)TENSORS * 200;
    char *const text = malloc(capacity);
    if (text == NULL)
        exit(1);
    size_t length = 1;
    text[0] = '{';
    for (int i = 0; i < TENSORS; i++) {
        const uint64_t begin = (uint64_t)i * 8192;
        length += (size_t)snprintf(
            text + length, capacity - length,
            "%s\"model.layers.%d.mlp.experts.%d.%s.weight\":{\"dtype\":"
            "\"BF16\",\"shape\":[64,64],\"data_offsets\":[%" PRIu64 ",%" PRIu64
            "]}",
            i > 0 ? "," : "", i / 1500, i / 3 % 500,
            i % 3 == 0   ? "down_proj"
            : i % 3 == 1 ? "gate_proj"
                         : "up_proj",
            begin, begin + 8192);
    }
    text[length++] = '}';
    text[length] = '\0';
    (void)safetensors_write(at, "m.safetensors", text, SAFETENSORS_OWN_LENGTH,
                            (uint64_t)TENSORS * 8192);
    free(text);
    return 8 + length;
}

int main(void)
{
    folder at;
    folder_make(&at);
    char path[128];
    const uint64_t gguf_bytes = write_vocabulary(&at);
    (void)snprintf(path, sizeof path, "%s/m.gguf", at.path);
    report("GGUF, 150,000 tokens and 280,000 merges", path, gguf_bytes, 10);
    const uint64_t json_bytes = write_tensors(&at);
    (void)snprintf(path, sizeof path, "%s/m.safetensors", at.path);
    report("safetensors, 90,000 tensors", path, json_bytes, 60);
    folder_remove(&at);
    return 0;
}
