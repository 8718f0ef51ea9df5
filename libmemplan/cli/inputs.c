/* SPDX-License-Identifier: MIT */
/*
 * What the library leaves to its caller: the environment says where the caches
 * are and which GPUs an engine will see, and goes into options.
 */
#include "inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

enum { PATH_SIZE = 4096 };

/* A variable that is set and not empty, or NULL. */
static const char *variable(const char *name)
{
    const char *const value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* "folder/rest", or NULL where the folder is not known or the path too long. */
static const char *join_path(char out[PATH_SIZE], const char *folder,
                             const char *rest)
{
    if (folder == NULL)
        return NULL;
    const int length = snprintf(out, PATH_SIZE, "%s/%s", folder, rest);
    return length > 0 && length < PATH_SIZE ? out : NULL;
}

/* Where huggingface_hub looks, in its order. */
static const char *find_hub_cache(char out[PATH_SIZE])
{
    if (variable("HF_HUB_CACHE") != NULL)
        return variable("HF_HUB_CACHE");
    if (variable("HF_HOME") != NULL)
        return join_path(out, variable("HF_HOME"), "hub");
    if (variable("XDG_CACHE_HOME") != NULL)
        return join_path(out, variable("XDG_CACHE_HOME"), "huggingface/hub");
    return join_path(out, variable("HOME"), ".cache/huggingface/hub");
}

static const char *find_ollama_store(char out[PATH_SIZE])
{
    if (variable("OLLAMA_MODELS") != NULL)
        return variable("OLLAMA_MODELS");
    return join_path(out, variable("HOME"), ".ollama/models");
}

bool inputs_open_model(memplan_model **out, const options *asked,
                       memplan_error *error)
{
    char hub[PATH_SIZE];
    char ollama[PATH_SIZE];
    memplan_model_options how = MEMPLAN_MODEL_OPTIONS_INIT;
    how.hub_cache = find_hub_cache(hub);
    how.hub_revision = asked->revision;
    how.ollama_store = find_ollama_store(ollama);
    return memplan_model_open(out, asked->source, &how, error) == MEMPLAN_OK;
}

static memplan_machine_options machine_options(const options *asked)
{
    memplan_machine_options how = MEMPLAN_MACHINE_OPTIONS_INIT;
    how.cuda_visible_devices = getenv("CUDA_VISIBLE_DEVICES");
    how.cuda_device_order = getenv("CUDA_DEVICE_ORDER");
    how.hip_visible_devices = getenv("HIP_VISIBLE_DEVICES");
    how.rocr_visible_devices = getenv("ROCR_VISIBLE_DEVICES");
    how.disk_path = asked->disk;
    return how;
}

/* The machine below the budgets; *out stays NULL where they are all of it. */
static bool open_base(memplan_machine **out, const options *asked,
                      memplan_error *error)
{
    const memplan_machine_options how = machine_options(asked);
    const bool is_here = asked->machine != NULL
                             ? strcmp(asked->machine, "here") == 0
                             : asked->max_memory == NULL;
    if (asked->machine != NULL && asked->topology != NULL)
        return fail(error, "--machine and --topology both name a machine; "
                           "write one of them");
    if (asked->topology != NULL)
        return memplan_machine_open(out, asked->topology, error) == MEMPLAN_OK;
    if (is_here)
        return memplan_machine_detect(out, &how, error) == MEMPLAN_OK;
    if (asked->machine != NULL)
        return memplan_machine_open(out, asked->machine, error) == MEMPLAN_OK;
    return true;
}

/* A disk is of this machine, and budgets leave out what they do not name. */
static bool check_disk(const options *asked, memplan_error *error)
{
    if (asked->disk == NULL)
        return true;
    if (asked->topology != NULL ||
        (asked->machine != NULL && strcmp(asked->machine, "here") != 0))
        return fail(error, "--disk is a path of this machine; say of another "
                           "what its disk has: --machine \"..., 500GB disk\"");
    if (asked->max_memory != NULL &&
        (asked->machine == NULL || strstr(asked->max_memory, "disk") == NULL))
        return fail(error, "--disk: budgets say what each memory has, and "
                           "leave out the others; write disk=AMOUNT in "
                           "--max-memory");
    return true;
}

/* Puts measured rates in place of stated ones; only this machine can be. */
static bool measure_base(memplan_machine **base, const options *asked,
                         memplan_error *error)
{
    memplan_machine *measured = NULL;
    if (asked->topology != NULL || *base == NULL ||
        (asked->machine != NULL && strcmp(asked->machine, "here") != 0)) {
        memplan_machine_free(*base);
        return fail(error, "--measure measures this machine; leave out the "
                           "other one, or write --machine here");
    }
    const memplan_status status =
        memplan_machine_measure(&measured, *base, asked->disk, error);
    memplan_machine_free(*base);
    *base = measured;
    return status == MEMPLAN_OK;
}

bool inputs_open_machine(memplan_machine **out, const options *asked,
                         memplan_error *error)
{
    memplan_machine *base = NULL;
    if (!check_disk(asked, error))
        return false;
    if (!open_base(&base, asked, error))
        return false;
    if (asked->measure && !measure_base(&base, asked, error))
        return false;
    if (asked->max_memory == NULL) {
        *out = base;
        return true;
    }
    const memplan_status status =
        memplan_machine_declare(out, base, asked->max_memory, error);
    memplan_machine_free(base);
    return status == MEMPLAN_OK;
}

memplan_request inputs_request(const options *asked)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.engine = asked->engine;
    request.context_tokens = asked->context_tokens;
    request.sequences = asked->sequences;
    request.prompt_tokens = asked->prompt_tokens;
    request.dtype = asked->dtype;
    request.kv_dtype = asked->kv_dtype;
    request.cache = asked->cache;
    request.encoder_tokens = asked->encoder_tokens;
    request.settings = asked->settings;
    request.pins = asked->pins;
    request.reserve_bytes = asked->reserve_bytes;
    return request;
}
