---@meta memplan
-- SPDX-License-Identifier: MIT
--
-- What `require "memplan"` gives: the manual, and the types for editors.
--
-- Bytes are whole numbers: exact integers in Lua 5.4, exact to 2^53 in LuaJIT
-- and 5.1. What is not known is nil. What the library refuses is returned as
-- nil, message, status ("ARGUMENT", "NOT_FOUND", "CORRUPT", ...), so
-- assert(memplan.plan(...)) is the idiom; misuse (a wrong type, an unknown
-- option) raises, and the message names the field. "Does not fit" is a plan.

---@class memplan
---@field version string of the library, "0.1.0"
local memplan = {}

---@alias memplan.bytes integer|string whole bytes, or "20GB" (10^9), "60GiB" (2^30)
---@alias memplan.pool_key integer|"cpu"|"disk" 0, 1, ... are devices

---@class memplan.machine_options
---@field open? string a machine one is not on: an lstopo XML, a JSON profile, or words ("2x rtx-4090, 64GiB ram")
---@field declare? string budgets alone: "0=20GB,cpu=60GB,disk=500GB"
---@field root? string a recorded file tree that stands for "/"
---@field nvml_path? string NVML's shared object; "" for none
---@field cuda_visible_devices? string as the variable
---@field cuda_device_order? string as the variable
---@field hip_visible_devices? string as the variable
---@field rocr_visible_devices? string as the variable
---@field disk_path? string a path on the disk that may hold offloaded weights

--- A machine: this one, or with `open` or `declare` another. The library reads
--- no environment variable; pass what shall count.
---@param options? memplan.machine_options
---@return memplan.machine? machine
---@return string? message
---@return string? status
function memplan.machine(options) end

---@class memplan.model_options
---@field hub_cache? string Hugging Face's cache, ".../hub"; none unless given
---@field hub_revision? string branch, tag or commit; "main" unless given
---@field ollama_store? string Ollama's "models" folder; none unless given
---@field header_max_bytes? memplan.bytes refuse a longer header; 1 GiB unless given

--- A model from its headers alone: a path (.gguf, .safetensors, config.json, a
--- folder), a name in a cache that the options name, or a name of the built-in
--- catalogue ("llama-2-70b").
---@param source string
---@param options? memplan.model_options
---@return memplan.model? model
---@return string? message lists the nearest names where none is found
---@return string? status
function memplan.model(source, options) end

---@class memplan.request
---@field machine? memplan.machine|string a string is budgets ("0=20GB"), a path or words ("2x rtx-4090, 64GiB ram"); this machine unless given
---@field max_memory? string|table<memplan.pool_key, memplan.bytes> budgets; alone they are the machine, else they are laid over it
---@field context? integer tokens a sequence may hold; the model's own, at most 4096, unless given
---@field sequences? integer at once; 1 unless given
---@field prompt? integer tokens read in one step; the engine's default unless given
---@field dtype? string of weights: "fp32", "fp16", "bf16", "int8", "int4", "nf4"; the file's unless given
---@field kv_dtype? string of the cache; the engine's default unless given
---@field cache? string how transformers keeps it: "dynamic", "static", "offloaded", "offloaded_static", "quantized"
---@field encoder_tokens? integer what an encoder reads, for cross attention; the model's own, else the prompt's, unless given
---@field engine? "transformers"|"llama.cpp" llama.cpp for a GGUF, else transformers
---@field settings? string the engine's own parameters: "ngl=20,ub=512"
---@field pins? string units fixed to pools: "model.layers.0..9=0,lm_head=cpu"
---@field reserve? memplan.bytes kept free on each device, in place of the engine's reserve

--- The fastest placement of a model on a machine.
---@param model memplan.model|string a name is opened as memplan.model does
---@param request? memplan.request
---@return memplan.plan? plan
---@return string? message
---@return string? status
function memplan.plan(model, request) end

--- Exactly one placement, priced: no search.
---@param model memplan.model|string
---@param placement string? in the engine's words: a device_map as JSON, or llama.cpp's settings
---@param request? memplan.request
---@return memplan.plan? plan
---@return string? message
---@return string? status
function memplan.price(model, placement, request) end

--- Bytes of "20GB", "60GiB", "1.5 GiB", "1000000". "24G" and "20gb" are refused
--- with both readings.
---@param text string
---@return integer? bytes
---@return string? message
---@return string? status
function memplan.bytes_parse(text) end

--- "7.9 GiB", "512 MiB", "0 B"; nil is "unknown".
---@param bytes integer?
---@return string
function memplan.bytes_format(bytes) end

---@class memplan.entry
---@field name string as it is written: "rtx-4090"
---@field group string a GPU's vendor; the engine that takes a dtype, a cache or a setting; else ""
---@field text string what it is, in a few words, or ""
---@field bytes integer? of a GPU's memory
---@field bytes_per_second integer? at which it is read

--- What is known by name. `list_entries("lists")` says which lists there are.
---@param list "models"|"gpus"|"engines"|"architectures"|"dtypes"|"kv_dtypes"|"caches"|"settings"|"dialects"|"lists"
---@return memplan.entry[]
function memplan.list_entries(list) end

---@class memplan.render_options
---@field width? integer columns; 80 unless given
---@field colour? boolean ANSI colours
---@field unicode? boolean block characters in bars
---@field tensors? boolean a model's tensors too

---@class memplan.model_info
---@field source string
---@field name string
---@field format string "gguf", "safetensors", "config", "index", "catalogue"
---@field architecture string
---@field dtype string of most weight bytes
---@field parameter_count integer
---@field weight_bytes integer
---@field file_bytes integer?
---@field tensor_count integer
---@field unit_count integer
---@field layer_count integer
---@field context_tokens integer? trained length

---@class memplan.unit
---@field name string "model.layers.7"
---@field kind string "embedding", "layer", "norm", "head", "other"
---@field weight_bytes integer
---@field parameter_count integer
---@field tensor_count integer

--- Never changes once made; closed by close(), `<close>` or the collector.
---@class memplan.model
local model = {}

---@return memplan.model_info
function model:info() end

--- The units in execution order.
---@return memplan.unit[]
function model:units() end

--- How its bytes were found, where that is not what one expects.
---@return string[]
function model:notes() end

---@param dialect? "table"|"json" "table" unless given
---@param options? memplan.render_options
---@return string? text
---@return string? message
---@return string? status
function model:render(dialect, options) end

--- Gives its memory back now. Any later use raises; closing twice does not.
function model:close() end

---@class memplan.machine_info
---@field name string
---@field total_bytes integer?
---@field available_bytes integer? what one may use now, limits included
---@field limit_bytes integer?
---@field swap_free_bytes integer?
---@field cpu_model string?
---@field core_count integer
---@field thread_count integer
---@field device_count integer
---@field numa_count integer

---@class memplan.device
---@field name string
---@field vendor string "nvidia", "amd", "intel", "apple" or ""
---@field pci string "0000:01:00.0" or ""
---@field index integer as the engine numbers it
---@field total_bytes integer?
---@field free_bytes integer?
---@field is_unified boolean its memory is the host's
---@field numa_index integer?
---@field bandwidth_bytes_per_second integer?
---@field link_bytes_per_second integer?

---@class memplan.machine
local machine = {}

---@return memplan.machine_info
function machine:info() end

---@return memplan.device[]
function machine:devices() end

--- Disagreements that were found, in plain words.
---@return string[]
function machine:notes() end

---@param dialect? "table"|"json"
---@param options? memplan.render_options
---@return string? text
---@return string? message
---@return string? status
function machine:render(dialect, options) end

--- As for a model.
function machine:close() end

---@class memplan.plan_info
---@field fits boolean
---@field is_optimal boolean nothing that claim compares with is faster
---@field gap_parts_per_million integer? of time above the proven bound
---@field engine string
---@field profile string whose rules: "transformers-5"
---@field dtype string
---@field kv_dtype string
---@field context_tokens integer
---@field sequences integer
---@field decode_ns_per_token integer? at least; nil: a speed is not known
---@field claim string what is proven about the placement, or ""
---@field cache string how transformers keeps it: "dynamic", "static", ...; else ""

---@class memplan.row
---@field category string "weights", "kv_cache", "staging", ...
---@field certainty "exact"|"bound"|"estimate"
---@field rule string whose rule: one sentence
---@field bytes integer

---@class memplan.pool
---@field name string for people
---@field key string "0", "cpu", "disk"
---@field capacity_bytes integer?
---@field used_bytes integer the sum of its rows
---@field short_bytes integer what is missing; 0 where it fits
---@field free_bytes integer? what is left; nil: no limit known
---@field rows memplan.row[]

---@class memplan.placed
---@field unit string
---@field pool memplan.pool_key
---@field weight_bytes integer as placed

---@class memplan.fix
---@field kind "prompt"|"context"|"kv_dtype"|"cache"|"dtype"|"memory"
---@field text string one sentence
---@field value string the value to set
---@field bytes integer memory to add, where kind is "memory"

---@class memplan.plan
local plan = {}

---@return memplan.plan_info
function plan:info() end

---@return boolean
function plan:fits() end

--- Devices first, then cpu, then disk.
---@return memplan.pool[]
function plan:pools() end

--- A row a unit, in execution order.
---@return memplan.placed[]
function plan:placement() end

--- As Transformers takes it, the longest common modules.
---@return table<string, memplan.pool_key>? map
---@return string? message where the engine has no such map
---@return string? status
function plan:device_map() end

--- As Transformers takes it, in bytes, reserves taken off.
---@return table<memplan.pool_key, integer>? map
---@return string? message
---@return string? status
function plan:max_memory() end

--- Changes that would make it fit, cheapest first.
---@return memplan.fix[]
function plan:fixes() end

---@return string[]
function plan:notes() end

--- "table", "json", "device_map", "max_memory", "llamacpp", "svg", ...
---@param dialect? string "table" unless given
---@param options? memplan.render_options
---@return string? text
---@return string? message
---@return string? status
function plan:render(dialect, options) end

--- As for a model.
function plan:close() end

return memplan
