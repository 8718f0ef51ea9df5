/* SPDX-License-Identifier: MIT */
/*
 * One configuration of a real llama.cpp, and the bytes of its buffers as JSON:
 *
 *     recorder MODEL.gguf NAME=VALUE...
 *
 * Names are memplan's settings; measure=fit allocates nothing. Without a model
 * it says what the processor's backend was built to use. Built and run by
 * record_llamacpp.py against llama.cpp's own headers and libraries.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "llama-ext.h"
#include "llama.h"

namespace {

std::map<std::string, std::string> settings;
std::vector<std::pair<std::string, std::string>> overrides;

std::string text(const char *name, const char *otherwise)
{
    const auto found = settings.find(name);
    return found != settings.end() ? found->second : otherwise;
}

long number(const char *name, long otherwise)
{
    const auto found = settings.find(name);
    return found != settings.end() ? std::atol(found->second.c_str())
                                   : otherwise;
}

ggml_type cache_type(const char *name)
{
    const std::string wanted = text(name, "f16");
    for (int i = 0; i < GGML_TYPE_COUNT; i++)
        if (ggml_type_name(static_cast<ggml_type>(i)) != nullptr &&
            wanted == ggml_type_name(static_cast<ggml_type>(i)))
            return static_cast<ggml_type>(i);
    std::fprintf(stderr, "no cache type %s\n", wanted.c_str());
    std::exit(2);
}

/* "host:port,host:port": servers of RPC become devices. */
void add_servers(const std::string &servers)
{
    typedef ggml_backend_reg_t (*add_server)(const char *endpoint);
    ggml_backend_reg_t rpc = ggml_backend_reg_by_name("RPC");
    if (servers.empty() || rpc == nullptr)
        return;
    const auto add = reinterpret_cast<add_server>(
        ggml_backend_reg_get_proc_address(rpc, "ggml_backend_rpc_add_server"));
    for (size_t at = 0; add != nullptr && at < servers.size();) {
        const size_t end = servers.find(',', at);
        const std::string one = servers.substr(at, end - at);
        ggml_backend_register(add(one.c_str()));
        at = end == std::string::npos ? servers.size() : end + 1;
    }
}

/* A server's buffer type is called as its device here: "RPC0", whose own name
 * has the server's address in it. */
std::string name_of(ggml_backend_buffer_type_t type)
{
    const std::string name = ggml_backend_buft_name(type);
    const auto device = ggml_backend_buft_get_device(type);
    return name.compare(0, 3, "RPC") == 0 && device != nullptr
               ? ggml_backend_dev_name(device)
               : name;
}

ggml_backend_buffer_type_t buffer_type(const std::string &name)
{
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        const auto type =
            ggml_backend_dev_buffer_type(ggml_backend_dev_get(i));
        if (type != nullptr && name == name_of(type))
            return type;
    }
    std::fprintf(stderr, "no buffer type %s\n", name.c_str());
    std::exit(2);
}

llama_load_mode load_mode()
{
    const std::string mode = text("lm", "auto");
    return mode == "none"   ? LLAMA_LOAD_MODE_NONE
           : mode == "mmap" ? LLAMA_LOAD_MODE_MMAP
                            : LLAMA_LOAD_MODE_AUTO;
}

/* What decides how weights are packed: as built, not as the processor has it. */
int print_features()
{
    ggml_backend_reg_t cpu = ggml_backend_reg_by_name("CPU");
    const auto list = reinterpret_cast<ggml_backend_get_features_t>(
        cpu != nullptr ? ggml_backend_reg_get_proc_address(
                             cpu, "ggml_backend_get_features")
                       : nullptr);
    const char *comma = "";
    std::printf("[");
    for (const ggml_backend_feature *at = list != nullptr ? list(cpu) : nullptr;
         at != nullptr && at->name != nullptr; at++) {
        if (std::strcmp(at->value, "0") == 0)
            continue;
        std::printf("%s\"%s\"", comma, at->name);
        comma = ",";
    }
    std::printf("]\n");
    return 0;
}

/* In llama.cpp's order: servers, then other GPUs. */
void print_devices()
{
    const char *comma = "";
    std::printf("\"devices\":[");
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
            const auto device = ggml_backend_dev_get(i);
            const auto type = ggml_backend_dev_type(device);
            const bool is_server =
                std::strncmp(ggml_backend_dev_name(device), "RPC", 3) == 0;
            size_t free = 0;
            size_t total = 0;
            if ((type != GGML_BACKEND_DEVICE_TYPE_GPU &&
                 type != GGML_BACKEND_DEVICE_TYPE_IGPU) ||
                is_server != (pass == 0))
                continue;
            ggml_backend_dev_memory(device, &free, &total);
            std::printf("%s{\"name\":\"%s\",\"free\":%zu,\"total\":%zu}",
                        comma, ggml_backend_dev_name(device), free, total);
            comma = ",";
        }
    std::printf("],");
}

void print(const llama_context *context)
{
    std::printf("{\"ok\":true,");
    print_devices();
    std::printf("\"n_ctx\":%u,\"n_ctx_seq\":%u,\"n_batch\":%u,"
                "\"n_ubatch\":%u,\"buffers\":[",
                llama_n_ctx(context), llama_n_ctx_seq(context),
                llama_n_batch(context), llama_n_ubatch(context));
    const char *comma = "";
    for (const auto &entry : llama_get_memory_breakdown(context)) {
        const auto device = ggml_backend_buft_get_device(entry.first);
        if (entry.second.total() == 0)
            continue;
        std::printf("%s{\"buffer_type\":\"%s\",\"device\":\"%s\","
                    "\"is_host\":%s,\"alignment\":%zu,\"model\":%zu,"
                    "\"context\":%zu,\"compute\":%zu}",
                    comma, name_of(entry.first).c_str(),
                    device != nullptr ? ggml_backend_dev_name(device) : "CPU",
                    ggml_backend_buft_is_host(entry.first) ? "true" : "false",
                    ggml_backend_buft_get_alignment(entry.first),
                    entry.second.model, entry.second.context,
                    entry.second.compute);
        comma = ",";
    }
    std::printf("]}\n");
}

llama_model_params model_params(
    std::vector<llama_model_tensor_buft_override> &moved,
    std::vector<float> &shares)
{
    llama_model_params params = llama_model_default_params();
    for (const auto &one : overrides)
        moved.push_back({one.first.c_str(), buffer_type(one.second)});
    if (!moved.empty()) {
        moved.push_back({nullptr, nullptr});
        params.tensor_buft_overrides = moved.data();
    }
    const std::string split = text("ts", "");
    for (size_t at = 0; at < split.size();) {
        const size_t end = split.find('/', at);
        shares.push_back(std::strtof(split.substr(at, end - at).c_str(),
                                     nullptr));
        at = end == std::string::npos ? split.size() : end + 1;
    }
    if (!shares.empty()) {
        shares.resize(llama_max_devices(), 0.0f);
        params.tensor_split = shares.data();
    }
    params.n_gpu_layers = static_cast<int32_t>(number("ngl", -1));
    params.split_mode = text("sm", "layer") == "none" ? LLAMA_SPLIT_MODE_NONE
                                                      : LLAMA_SPLIT_MODE_LAYER;
    params.load_mode = load_mode();
    params.main_gpu = static_cast<int32_t>(number("mg", 0));
    params.use_extra_bufts = number("no-repack", 0) == 0;
    params.no_alloc = text("measure", "load") == "fit";
    if (params.no_alloc)
        params.load_mode = LLAMA_LOAD_MODE_NONE;
    return params;
}

llama_context_params context_params()
{
    llama_context_params params = llama_context_default_params();
    const std::string flash = text("fa", "auto");
    params.n_ctx = static_cast<uint32_t>(number("c", 4096));
    params.n_batch = static_cast<uint32_t>(number("b", 2048));
    params.n_ubatch = static_cast<uint32_t>(number("ub", 512));
    params.n_seq_max = static_cast<uint32_t>(number("np", 1));
    params.n_outputs_max =
        static_cast<uint32_t>(number("n-outputs-max", 0));
    params.kv_unified = number("kvu", 0) != 0;
    params.offload_kqv = number("nkvo", 0) == 0;
    params.swa_full = number("swa-full", 0) != 0;
    params.op_offload = number("no-op-offload", 0) == 0;
    params.type_k = cache_type("ctk");
    params.type_v = cache_type("ctv");
    params.flash_attn_type = flash == "on"    ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                             : flash == "off" ? LLAMA_FLASH_ATTN_TYPE_DISABLED
                                              : LLAMA_FLASH_ATTN_TYPE_AUTO;
    return params;
}

} // namespace

int main(int count, char **words)
{
    if (count < 2)
        return print_features();
    for (int i = 2; i < count; i++) {
        const char *equals = std::strchr(words[i], '=');
        const std::string name(words[i],
                               equals != nullptr
                                   ? static_cast<size_t>(equals - words[i])
                                   : std::strlen(words[i]));
        const std::string value = equals != nullptr ? equals + 1 : "1";
        const size_t target = value.rfind('=');
        if (name == "ot" && target != std::string::npos)
            overrides.emplace_back(value.substr(0, target),
                                   value.substr(target + 1));
        else
            settings[name] = value;
    }
    llama_backend_init();
    add_servers(text("rpc", ""));
    std::vector<llama_model_tensor_buft_override> moved;
    std::vector<float> shares;
    llama_model *model = llama_model_load_from_file(
        words[1], model_params(moved, shares));
    if (model == nullptr)
        return 3;
    llama_context *context = llama_init_from_model(model, context_params());
    if (context == nullptr)
        return 4;
    print(context);
    llama_free(context);
    llama_model_free(model);
    return 0;
}
