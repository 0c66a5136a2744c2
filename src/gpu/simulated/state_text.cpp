#include "gpu/simulated/state_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

namespace reeve::gpu::simulated {

namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::string_view kFormatField = "reeve_simulated_gpus";
constexpr std::size_t kUuidBytes = 80;              // What callers of NVML have room for.
constexpr std::int64_t kNvlinksMax = 36;            // NVML's.
constexpr std::int64_t kAmountMax = 1'000'000'000;  // Of any amount in the file.

template <class Struct, class Value>
struct Field {
    std::string_view name;
    Value Struct::* value;
};

// The fields of each object, written once for reading and writing.
constexpr auto kModelNumbers = std::to_array<Field<GpuModel, std::int64_t>>({
    {"memory_mib",        &GpuModel::memory_mib       },
    {"reserved_mib",      &GpuModel::reserved_mib     },
    {"compute_major",     &GpuModel::compute_major    },
    {"compute_minor",     &GpuModel::compute_minor    },
    {"architecture",      &GpuModel::architecture     },
    {"brand",             &GpuModel::brand            },
    {"pci_device_id",     &GpuModel::pci_device_id    },
    {"cores",             &GpuModel::cores            },
    {"power_idle_watts",  &GpuModel::power_idle_watts },
    {"power_min_watts",   &GpuModel::power_min_watts  },
    {"power_limit_watts", &GpuModel::power_limit_watts},
    {"sm_clock_mhz",      &GpuModel::sm_clock_mhz     },
    {"memory_clock_mhz",  &GpuModel::memory_clock_mhz },
    {"pcie_generation",   &GpuModel::pcie_generation  },
    {"nvlinks",           &GpuModel::nvlinks          },
    {"nvlink_version",    &GpuModel::nvlink_version   },
});
constexpr auto kModelFlags = std::to_array<Field<GpuModel, bool>>({
    {"has_fan",            &GpuModel::has_fan           },
    {"has_ecc",            &GpuModel::has_ecc           },
    {"has_mig",            &GpuModel::has_mig           },
    {"has_unified_memory", &GpuModel::has_unified_memory},
});
constexpr auto kModelTexts = std::to_array<Field<GpuModel, std::string>>({
    {"name", &GpuModel::name},
});
constexpr auto kGpuTexts = std::to_array<Field<Gpu, std::string>>({
    {"uuid",       &Gpu::uuid      },
    {"model",      &Gpu::model     },
    {"pci_bus_id", &Gpu::pci_bus_id},
});
constexpr auto kGpuNumbers = std::to_array<Field<Gpu, std::int64_t>>({
    {"minor",     &Gpu::minor    },
    {"numa_node", &Gpu::numa_node},
});
constexpr auto kGpuFlags = std::to_array<Field<Gpu, bool>>({
    {"has_nvswitch", &Gpu::has_nvswitch},
    {"is_lost",      &Gpu::is_lost     },
});
constexpr auto kProcessNumbers = std::to_array<Field<ProcessUse, std::int64_t>>({
    {"memory_mib",          &ProcessUse::memory_mib         },
    {"utilization_percent", &ProcessUse::utilization_percent},
});
constexpr auto kTopologyTexts = std::to_array<Field<Topology, std::string>>({
    {"preset",         &Topology::preset        },
    {"seed",           &Topology::seed          },
    {"driver_version", &Topology::driver_version},
});

using Json = rapidjson::Value;
using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void write_key(Writer& out, std::string_view key) {
    out.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
}

void write_text(Writer& out, std::string_view text) {
    out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void write_value(Writer& out, const std::string& value) {
    write_text(out, value);
}

void write_value(Writer& out, std::int64_t value) {
    out.Int64(value);
}

void write_value(Writer& out, bool value) {
    out.Bool(value);
}

void write_fields(Writer& out, const auto& fields, const auto& from) {
    for (const auto& field : fields) {
        write_key(out, field.name);
        write_value(out, from.*field.value);
    }
}

void write_model(Writer& out, const GpuModel& model) {
    out.StartObject();
    write_fields(out, kModelTexts, model);
    write_fields(out, kModelNumbers, model);
    write_fields(out, kModelFlags, model);
    out.EndObject();
}

void write_gpu(Writer& out, const Gpu& gpu) {
    out.StartObject();
    write_fields(out, kGpuTexts, gpu);
    write_fields(out, kGpuNumbers, gpu);
    write_fields(out, kGpuFlags, gpu);
    write_key(out, "processes");
    out.StartArray();
    for (const ProcessUse& process : gpu.processes) {
        out.StartObject();
        write_key(out, "pid");
        out.Uint(process.pid);
        write_key(out, "start_ticks");
        out.Uint64(process.start_ticks);
        write_fields(out, kProcessNumbers, process);
        out.EndObject();
    }
    out.EndArray();
    out.EndObject();
}

void write_xids(Writer& out, const Topology& topology) {
    write_key(out, "next_xid");
    out.Uint64(topology.next_xid);
    write_key(out, "xids");
    out.StartArray();
    for (const Xid& xid : topology.xids) {
        out.StartObject();
        write_key(out, "sequence");
        out.Uint64(xid.sequence);
        write_key(out, "uuid");
        write_text(out, xid.uuid);
        write_key(out, "xid");
        out.Int64(xid.xid);
        out.EndObject();
    }
    out.EndArray();
}

/// Takes the fields of one JSON object, each exactly once, and keeps the first thing that is wrong.
class Reader {
  public:
    Reader(const Json& json, std::string where, std::string& problem)
        : json_(json), where_(std::move(where)), problem_(problem) {
        if (!json_.IsObject()) {
            wrong(where_, "an object");
        }
    }

    void fields(const auto& table, auto& into) {
        for (const auto& field : table) {
            take(field.name, into.*field.value);
        }
    }

    void take(std::string_view name, std::string& into) {
        const Json* value = find(name);
        if (value != nullptr && !value->IsString()) {
            wrong(path(name), "a text");
        } else if (value != nullptr) {
            into.assign(value->GetString(), value->GetStringLength());
        }
    }

    void take(std::string_view name, std::int64_t& into) {
        const Json* value = find(name);
        if (value == nullptr) {
            return;
        }
        if (!value->IsInt64() || value->GetInt64() < 0 || value->GetInt64() > kAmountMax) {
            wrong(path(name), "a whole number from 0 to " + std::to_string(kAmountMax));
            return;
        }
        into = value->GetInt64();
    }

    void take(std::string_view name, std::uint64_t& into) {
        const Json* value = find(name);
        if (value != nullptr && !value->IsUint64()) {
            wrong(path(name), "a whole number");
        } else if (value != nullptr) {
            into = value->GetUint64();
        }
    }

    void take(std::string_view name, bool& into) {
        const Json* value = find(name);
        if (value != nullptr && !value->IsBool()) {
            wrong(path(name), "true or false");
        } else if (value != nullptr) {
            into = value->GetBool();
        }
    }

    /// Calls `element(name, json)` for each field of an object.
    void each_member(std::string_view name, const auto& element) {
        const Json* value = find(name);
        if (value != nullptr && !value->IsObject()) {
            wrong(path(name), "an object");
        } else if (value != nullptr) {
            for (const auto& [key, item] : value->GetObject()) {
                element(std::string(key.GetString(), key.GetStringLength()), item);
            }
        }
    }

    /// Calls `element(json, where)` for each of an array.
    void each(std::string_view name, std::size_t most, const auto& element) {
        const Json* value = find(name);
        if (value == nullptr) {
            return;
        }
        if (!value->IsArray() || value->Size() > most) {
            wrong(path(name), "a list of at most " + std::to_string(most));
            return;
        }
        for (rapidjson::SizeType i = 0; i < value->Size(); ++i) {
            element((*value)[i], path(name) + "[" + std::to_string(i) + "]");
        }
    }

    /// Refuses what was not taken.
    void finish() {
        if (!problem_.empty()) {
            return;
        }
        std::set<std::string_view> seen;
        for (const auto& member : json_.GetObject()) {
            const std::string_view name(member.name.GetString(), member.name.GetStringLength());
            if (!known_.contains(name) || !seen.insert(name).second) {
                problem_ = path(name) + ": unknown, or twice";
                return;
            }
        }
    }

    [[nodiscard]] std::string path(std::string_view name) const {
        return where_ + "." + std::string(name);
    }

  private:
    /// The field, or null if it is missing or something was wrong before.
    [[nodiscard]] const Json* find(std::string_view name) {
        if (!problem_.empty()) {
            return nullptr;
        }
        known_.insert(name);
        const auto found = json_.FindMember(
            Json(rapidjson::StringRef(name.data(), static_cast<rapidjson::SizeType>(name.size()))));
        if (found == json_.MemberEnd()) {
            wrong(path(name), "given");
            return nullptr;
        }
        return &found->value;
    }

    void wrong(const std::string& what, const std::string& wanted) {
        if (problem_.empty()) {
            problem_ = what + ": must be " + wanted;
        }
    }

    const Json& json_;
    std::string where_;
    std::string& problem_;
    std::set<std::string_view> known_;
};

GpuModel read_model(const Json& json, const std::string& where, std::string& problem) {
    GpuModel model;
    Reader reader(json, where, problem);
    reader.fields(kModelTexts, model);
    reader.fields(kModelNumbers, model);
    reader.fields(kModelFlags, model);
    reader.finish();
    return model;
}

ProcessUse read_process(const Json& json, const std::string& where, std::string& problem) {
    ProcessUse process;
    std::int64_t pid = 0;
    Reader reader(json, where, problem);
    reader.take("pid", pid);
    reader.take("start_ticks", process.start_ticks);
    reader.fields(kProcessNumbers, process);
    reader.finish();
    process.pid = static_cast<std::uint32_t>(pid);
    if (problem.empty() && (pid == 0 || process.utilization_percent > 100)) {
        problem = where + ": a pid above 0 and at most 100 percent";
    }
    return process;
}

Gpu read_gpu(const Json& json, const std::string& where, std::string& problem) {
    Gpu gpu;
    Reader reader(json, where, problem);
    reader.fields(kGpuTexts, gpu);
    reader.fields(kGpuNumbers, gpu);
    reader.fields(kGpuFlags, gpu);
    reader.each("processes", kProcessesMax, [&](const Json& item, const std::string& at) {
        gpu.processes.push_back(read_process(item, at, problem));
    });
    reader.finish();
    return gpu;
}

Xid read_xid(const Json& json, const std::string& where, std::string& problem) {
    Xid xid;
    Reader reader(json, where, problem);
    reader.take("sequence", xid.sequence);
    reader.take("uuid", xid.uuid);
    reader.take("xid", xid.xid);
    reader.finish();
    return xid;
}

Topology read_topology(const Json& json, std::string& problem) {
    Topology topology;
    Reader reader(json, "$", problem);
    std::int64_t format = kFormat;
    reader.take(kFormatField, format);
    if (problem.empty() && format != kFormat) {
        problem = "$." + std::string(kFormatField) + ": written by another version of Reeve";
    }
    reader.fields(kTopologyTexts, topology);
    reader.take("cuda_version", topology.cuda_version);
    reader.take("next_xid", topology.next_xid);
    reader.each_member("models", [&](const std::string& key, const Json& item) {
        topology.models[key] = read_model(item, "$.models." + key, problem);
    });
    reader.each("gpus", kGpusMax, [&](const Json& item, const std::string& at) {
        topology.gpus.push_back(read_gpu(item, at, problem));
    });
    reader.each("xids", kXidsKept, [&](const Json& item, const std::string& at) {
        topology.xids.push_back(read_xid(item, at, problem));
    });
    reader.finish();
    return topology;
}

/// "00000000:17:00.0".
bool is_bus_id(const std::string& text) {
    constexpr std::string_view kPattern = "xxxxxxxx:xx:xx.x";
    return text.size() == kPattern.size() &&
           std::ranges::equal(text, kPattern, [](char c, char pattern) {
               return pattern == 'x'
                          ? std::string_view("0123456789ABCDEF").find(c) != std::string_view::npos
                          : c == pattern;
           });
}

/// What is wrong with one GPU, or "".
std::string broken(const Topology& topology, const Gpu& gpu) {
    if (!topology.models.contains(gpu.model)) {
        return gpu.uuid + ": no model '" + gpu.model + "' in models";
    }
    if (!gpu.uuid.starts_with("GPU-") || gpu.uuid.size() >= kUuidBytes) {
        return "'" + gpu.uuid + "': a UUID is GPU-…, shorter than " + std::to_string(kUuidBytes);
    }
    return is_bus_id(gpu.pci_bus_id) ? "" : gpu.uuid + ": pci_bus_id is like 00000000:17:00.0";
}

std::string broken_xids(const Topology& topology) {
    std::uint64_t before = 0;
    for (const Xid& xid : topology.xids) {
        if (xid.sequence <= before || xid.sequence >= topology.next_xid) {
            return "xids: sequences must rise and stay below next_xid";
        }
        before = xid.sequence;
    }
    return "";
}

/// The invariant of Topology; what is broken, or "".
std::string broken(const Topology& topology) {
    if (topology.gpus.empty()) {
        return "gpus: none";
    }
    std::set<std::string> names;
    for (const Gpu& gpu : topology.gpus) {
        if (std::string problem = broken(topology, gpu); !problem.empty()) {
            return problem;
        }
        if (!names.insert(gpu.uuid).second || !names.insert(gpu.pci_bus_id).second) {
            return gpu.uuid + ": its UUID or bus id is there twice";
        }
    }
    for (const auto& [key, model] : topology.models) {
        if (model.reserved_mib > model.memory_mib || model.nvlinks > kNvlinksMax) {
            return key + ": reserves more than it has, or has over 36 NVLinks";
        }
    }
    return broken_xids(topology);
}

}  // namespace

std::string format_topology(const Topology& topology) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.SetIndent(' ', 2);
    out.StartObject();
    write_key(out, kFormatField);
    out.Int64(kFormat);
    write_fields(out, kTopologyTexts, topology);
    write_key(out, "cuda_version");
    out.Int64(topology.cuda_version);
    write_key(out, "models");
    out.StartObject();
    for (const auto& [key, model] : topology.models) {
        write_key(out, key);
        write_model(out, model);
    }
    out.EndObject();
    write_key(out, "gpus");
    out.StartArray();
    for (const Gpu& gpu : topology.gpus) {
        write_gpu(out, gpu);
    }
    out.EndArray();
    write_xids(out, topology);
    out.EndObject();
    return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

Result<Topology> parse_topology(std::string_view text) {
    rapidjson::Document document;
    // Iterative: no input can exhaust the stack.
    document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
        text.data(), text.size());
    if (document.HasParseError()) {
        return fail(
            ErrorCode::kInvalid, "no JSON at byte " + std::to_string(document.GetErrorOffset()) +
                                     ": " + rapidjson::GetParseError_En(document.GetParseError()));
    }
    std::string problem;
    Topology topology = read_topology(document, problem);
    if (problem.empty()) {
        problem = broken(topology);
    }
    if (!problem.empty()) {
        return fail(ErrorCode::kInvalid, problem);
    }
    return topology;
}

}  // namespace reeve::gpu::simulated
