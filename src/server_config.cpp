#include "server_config.hpp"

#include <functional>
#include <map>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "base/text.hpp"
#include "model/spec_rules.hpp"

namespace reeve {
namespace {

constexpr std::string_view kLabelsKey = "node.labels";
constexpr std::string_view kPrioritiesKey = "scheduler.priorities";

using Setter = std::function<Result<void>(ServerConfig&, const std::string&)>;

Result<bool> parse_bool(const std::string& text) {
    if (text == "true" || text == "false") {
        return text == "true";
    }
    return fail(ErrorCode::kInvalid, "'" + text + "' is neither true nor false");
}

/// A setter that parses with `parse` and stores what comes of it in what `field` picks.
template <class Parse, class Field>
Setter set(Parse parse, Field field) {
    return [parse, field](ServerConfig& config, const std::string& text) -> Result<void> {
        auto value = parse(text);
        if (!value) {
            return tl::unexpected<Error>(std::move(value.error()));
        }
        field(config) = *std::move(value);
        return {};
    };
}

Result<std::string> as_text(const std::string& text) {
    return text;
}

Result<std::vector<std::string>> as_list(const std::string& text) {
    std::vector<std::string> items = split(text, ',');
    std::erase(items, "");
    return items;
}

Result<std::map<std::string, std::string>> as_labels(const std::string& text) {
    std::map<std::string, std::string> labels;
    if (Result<void> added = add_node_labels(text, labels); !added) {
        return tl::unexpected<Error>(std::move(added.error()));
    }
    return labels;
}

template <std::int64_t Least>
Result<std::int32_t> as_priority(const std::string& text) {
    const Result<std::int64_t> value = parse_integer(text);
    if (!value || *value < Least || *value > model::kPriorityMax) {
        return fail(
            ErrorCode::kInvalid, "a whole number from " + std::to_string(Least) + " to " +
                                     std::to_string(model::kPriorityMax) + " was expected, not '" +
                                     text + "'");
    }
    return static_cast<std::int32_t>(*value);
}

/// "urgent=100,low=-100".
Result<std::map<std::string, std::int32_t>> as_priority_names(const std::string& text) {
    constexpr std::size_t kMost = 64;
    std::map<std::string, std::int32_t> names;
    const std::vector<std::string> parts =
        text.empty() ? std::vector<std::string>() : split(text, ',');
    if (parts.size() > kMost) {
        return fail(
            ErrorCode::kInvalid, "up to " + std::to_string(kMost) + " names were expected, not " +
                                     std::to_string(parts.size()));
    }
    for (const std::string& part : parts) {
        const std::size_t equals = part.find('=');
        if (equals == std::string::npos) {
            return fail(
                ErrorCode::kInvalid,
                "'" + part + "' is no name with its number; write {urgent: 100, low: -100}");
        }
        const std::string name = part.substr(0, equals);
        if (!model::fault_of_priority_name(name).empty()) {
            return fail(
                ErrorCode::kInvalid, "'" + name +
                                         "' is no name of a priority, which has 1 to 63 of a-z 0-9 "
                                         "_ - and begins with a letter");
        }
        const auto priority = as_priority<-model::kPriorityMax>(part.substr(equals + 1));
        if (!priority) {
            return fail(ErrorCode::kInvalid, name + ": " + priority.error().message);
        }
        if (!names.emplace(name, *priority).second) {
            return fail(ErrorCode::kInvalid, "'" + name + "' is named twice");
        }
    }
    return names;
}

Result<std::int64_t> as_count(const std::string& text) {
    Result<std::int64_t> value = parse_integer(text);
    if (value && *value < 0) {
        return fail(ErrorCode::kInvalid, "'" + text + "' is below 0");
    }
    return value;
}

Result<std::int64_t> as_audit_files(const std::string& text) {
    constexpr std::int64_t kMost = 1000;
    Result<std::int64_t> value = as_count(text);
    if (value && *value > kMost) {
        return fail(ErrorCode::kInvalid, "'" + text + "' is above " + std::to_string(kMost));
    }
    return value;
}

Result<std::int64_t> as_bytes(const std::string& text) {
    return parse_size_mib(text).map([](std::int64_t mib) { return mib << 20; });
}

Result<std::int64_t> as_log_bytes(const std::string& text) {
    // Sizes are whole MiB: 64K and 1K both become 1M, and the second one cannot be meant.
    constexpr std::int64_t kLeastKib = 64;
    const std::size_t unit = text.find_first_of("kK");
    const Result<std::int64_t> kib = unit == std::string::npos
                                         ? Result<std::int64_t>(kLeastKib)
                                         : parse_integer(text.substr(0, unit));
    if (kib && *kib < kLeastKib) {
        return fail(ErrorCode::kInvalid, "64K or more was expected, not '" + text + "'");
    }
    return as_bytes(text);
}

template <std::int64_t Most>
Result<std::int64_t> as_count_up_to(const std::string& text) {
    Result<std::int64_t> value = as_count(text);
    if (value && *value > Most) {
        return fail(
            ErrorCode::kInvalid,
            "from 0 to " + std::to_string(Most) + " was expected, not '" + text + "'");
    }
    return value;
}

Result<std::chrono::milliseconds> as_interval(const std::string& text) {
    const Result<std::chrono::seconds> seconds = parse_duration(text);
    if (!seconds) {
        return tl::unexpected<Error>(seconds.error());
    }
    return std::chrono::milliseconds(*seconds);
}

Result<std::chrono::seconds> as_run(const std::string& text) {
    Result<std::chrono::seconds> seconds = parse_duration(text);
    if (seconds && (*seconds < std::chrono::minutes(1) || *seconds > std::chrono::days(366))) {
        return fail(ErrorCode::kInvalid, "from 1m to 366d was expected, not '" + text + "'");
    }
    return seconds;
}

Result<std::chrono::seconds> as_min_run(const std::string& text) {
    Result<std::chrono::seconds> seconds = parse_duration(text);
    if (seconds && *seconds > std::chrono::days(366)) {
        return fail(ErrorCode::kInvalid, "up to 366d was expected, not '" + text + "'");
    }
    return seconds;
}

/// A time, or "off".
Result<std::chrono::seconds> as_time_or_off(
    const std::string& text, std::chrono::seconds least, const char* range) {
    if (text == "off") {
        return std::chrono::seconds(0);
    }
    Result<std::chrono::seconds> seconds = parse_duration(text);
    if (seconds && (*seconds < least || *seconds > std::chrono::days(366))) {
        return fail(
            ErrorCode::kInvalid, std::string(range) + " or off was expected, not '" + text + "'");
    }
    return seconds;
}

Result<std::chrono::seconds> as_half_life(const std::string& text) {
    return as_time_or_off(text, std::chrono::hours(1), "from 1h to 366d");
}

Result<std::chrono::seconds> as_ageing(const std::string& text) {
    return as_time_or_off(text, std::chrono::minutes(1), "from 1m to 366d");
}

template <auto Parse>
Result<std::int64_t> as_above_0(const std::string& text) {
    Result<std::int64_t> value = Parse(text);
    if (value && *value <= 0) {
        return fail(ErrorCode::kInvalid, "'" + text + "' is not above 0");
    }
    return value;
}

ledger::Gate& gate_of(ServerConfig& config) {
    if (!config.ledger.gate) {
        config.ledger.gate.emplace();
    }
    return *config.ledger.gate;
}

/// How jobs are ordered and placed.
std::map<std::string, Setter> scheduling_setters() {
    using C = ServerConfig;
    return {
        {"scheduler.policy",
         set(scheduler::parse_policy,                                [](C& c) -> auto& { return c.ledger.scheduling.policy; })         },
        {"scheduler.backfill",        set(scheduler::parse_backfill,
         [](C& c) -> auto& { return c.ledger.scheduling.backfill; })                                                                   },
        {"scheduler.preemption",
         set(scheduler::parse_preemption,                            [](C& c) -> auto& { return c.preemption; })                       },
        {"scheduler.min_run",
         set(as_min_run,                                             [](C& c) -> auto& { return c.ledger.scheduling.min_run; })        },
        {"scheduler.assumed_run",
         set(as_run,                                                 [](C& c) -> auto& { return c.ledger.scheduling.assumed_run; })    },
        {"scheduler.priorities",
         set(as_priority_names,                                      [](C& c) -> auto& { return c.priorities.names; })                 },
        {"limits.priority",           // Not below 0, which is the priority of who says none.
         set(as_priority<0>,              [](C& c) -> auto& { return c.priorities.users_most; })            },
        {"scheduler.ageing",
         set(as_ageing,                                              [](C& c) -> auto& { return c.ledger.scheduling.order.ageing; })   },
        {"fair_share.half_life",
         set(as_half_life,                                           [](C& c) -> auto& { return c.ledger.scheduling.order.half_life; })},
        {"fair_share.cpus_per_gpu",
         set(as_above_0<parse_milli>,
         [](C& c) -> auto& { return c.ledger.scheduling.order.cpu_millicores_per_gpu; })                                               },
        {"fair_share.memory_per_gpu",
         set(as_above_0<parse_size_mib>,
         [](C& c) -> auto& { return c.ledger.scheduling.order.memory_mib_per_gpu; })                                                   },
    };
}

/// Every key, "section.key" for those in a section. docs/reference/configuration.md explains them.
const std::map<std::string, Setter>& setters() {
    using C = ServerConfig;
    static const std::map<std::string, Setter> table = [] {
        std::map<std::string, Setter> all = {
            {"data",                       set(as_text,        [](C& c) -> auto& { return c.data; })                          },
            {"listen",                     set(parse_endpoint, [](C& c) -> auto& { return c.listen; })                        },
            {"hosts",                      set(as_list,        [](C& c) -> auto& { return c.hosts; })                         },
            {"admins",                     set(as_list,        [](C& c) -> auto& { return c.admins; })                        },
            {"allow_root_jobs",
             set(parse_bool,                                   [](C& c) -> auto& { return c.ledger.allows_root_jobs; })       },
            {"retention_days",             set(as_count,       [](C& c) -> auto& { return c.retention_days; })                },
            {"audit.files",                set(as_audit_files, [](C& c) -> auto& { return c.audit_files; })                   },
            {"audit.file_max",             set(as_bytes,       [](C& c) -> auto& { return c.audit_file_bytes; })              },
            {"node.name",                  set(as_text,        [](C& c) -> auto& { return c.node_name; })                     },
            {"node.labels",                set(as_labels,      [](C& c) -> auto& { return c.node_labels; })                   },
            {"node.status_listen",
             set(parse_endpoint,                               [](C& c) -> auto& { return c.node_status; })                   },
            {"node.sample_interval",
             set(as_interval,                                  [](C& c) -> auto& { return c.sample_interval; })               },
            {"node.nvml_library",          set(as_text,        [](C& c) -> auto& { return c.nvml_library; })                  },
            {"node.gpus_simulated",        set(as_text,        [](C& c) -> auto& { return c.gpus_simulated; })                },
            {"node.log_max",               set(as_log_bytes,   [](C& c) -> auto& { return c.log_bytes_max; })                 },
            {"node.pids_max",              set(as_count,       [](C& c) -> auto& { return c.pids_max; })                      },
            {"limits.max_running_jobs",
             set(as_count,                                     [](C& c) -> auto& { return c.ledger.limits.running_elements; })},
            {"limits.max_pending_jobs",
             set(as_count,                                     [](C& c) -> auto& { return c.ledger.limits.pending_elements; })},
            {"limits.gpus",
             set(parse_milli,                                  [](C& c) -> auto& { return c.ledger.limits.gpu_milli; })       },
            {"limits.cpus",
             set(parse_milli,                                  [](C& c) -> auto& { return c.ledger.limits.cpu_millicores; })  },
            {"limits.memory",
             set(parse_size_mib,                               [](C& c) -> auto& { return c.ledger.limits.memory_mib; })      },
            {"gate.gpu_memory_free_above",
             set(parse_size_mib,
             [](C& c) -> auto& { return gate_of(c).gpu_memory_free_mib_above; })                                              },
            {"gate.gpu_utilization_below",
             set(as_count_up_to<100>,
             [](C& c) -> auto& { return gate_of(c).gpu_utilization_below; })                                                  },
            {"gate.cpu_permille_below",
             set(as_count_up_to<1000>,
             [](C& c) -> auto& { return gate_of(c).cpu_permille_below; })                                                     },
            {"gate.memory_permille_below",
             set(as_count_up_to<1000>,
             [](C& c) -> auto& { return gate_of(c).memory_permille_below; })                                                  },
            {"gate.enabled",
             [](C& c,                                          const std::string& text) -> Result<void> {
                 const Result<bool> is_enabled = parse_bool(text);
                 if (!is_enabled) {
                     return tl::unexpected<Error>(is_enabled.error());
                 }
                 if (*is_enabled) {
                     gate_of(c);
                 } else {
                     c.ledger.gate.reset();
                 }
                 return {};
             }                                                                                           },
            {"compat.anonymous",           set(parse_bool,     [](C& c) -> auto& { return c.compat_anonymous; })              },
            {"compat.submit_template",
             set(as_text,                                      [](C& c) -> auto& { return c.compat_submit_template; })        },
            {"compat.user",                set(as_text,        [](C& c) -> auto& { return c.compat_user; })                   },
        };
        all.merge(scheduling_setters());
        return all;
    }();
    return table;
}

tl::unexpected<Error> unknown_key(const std::string& key) {
    std::vector<std::string> known;
    for (const auto& [name, setter] : setters()) {
        known.push_back(name);
    }
    const std::string near = nearest(key, known);
    return fail(
        ErrorCode::kInvalid, "configuration: there is no key '" + key + "'" +
                                 (near.empty() ? "; see docs/reference/configuration.md"
                                               : "; did you mean '" + near + "'?"));
}

/// A map of scalars as "key=value", joined by commas.
Result<std::string> pairs_of(const std::string& key, const YAML::Node& map) {
    std::string joined;
    for (const auto& entry : map) {
        if (!entry.second.IsScalar()) {
            return fail(ErrorCode::kInvalid, "configuration: " + key + " holds plain values");
        }
        joined += (joined.empty() ? "" : ",") + entry.first.Scalar() + "=" + entry.second.Scalar();
    }
    return joined;
}

/// A scalar, or a list of scalars joined by commas; of two keys also a map, as "key=value".
Result<std::string> text_of(const std::string& key, const YAML::Node& node) {
    if (node.IsScalar()) {
        return node.Scalar();
    }
    std::string joined;
    if (node.IsSequence()) {
        for (const YAML::Node& item : node) {
            if (!item.IsScalar()) {
                return fail(ErrorCode::kInvalid, "configuration: " + key + " holds plain values");
            }
            joined += (joined.empty() ? "" : ",") + item.Scalar();
        }
        return joined;
    }
    if (node.IsMap() && (key == kLabelsKey || key == kPrioritiesKey)) {
        return pairs_of(key, node);
    }
    return fail(ErrorCode::kInvalid, "configuration: " + key + " needs a value");
}

Result<void> read_section(
    ServerConfig& config, const YAML::Node& section, const std::string& prefix) {
    for (const auto& entry : section) {
        const std::string key = prefix + entry.first.Scalar();
        if (entry.second.IsMap() && prefix.empty()) {
            if (Result<void> read = read_section(config, entry.second, key + "."); !read) {
                return read;
            }
            continue;
        }
        const auto setter = setters().find(key);
        if (setter == setters().end()) {
            return unknown_key(key);
        }
        const Result<std::string> text = text_of(key, entry.second);
        if (!text) {
            return tl::unexpected<Error>(text.error());
        }
        if (Result<void> done = setter->second(config, *text); !done) {
            return fail(ErrorCode::kInvalid, "configuration: " + key + ": " + done.error().message);
        }
    }
    return {};
}

/// What one key alone cannot say.
Result<void> settle(ServerConfig& config) {
    scheduler::CoreOptions& scheduling = config.ledger.scheduling;
    const bool is_asked = config.preemption.value_or(scheduler::PreemptionMode::kNone) !=
                          scheduler::PreemptionMode::kNone;
    if (is_asked && scheduling.backfill == scheduler::Backfill::kNone) {
        return fail(
            ErrorCode::kInvalid,
            "configuration: scheduler.preemption: room is kept for who preempts, so that "
            "scheduler.backfill has to be easy or conservative, not none");
    }
    scheduling.preemption = config.preemption.value_or(scheduling.preemption);
    config.ledger.priorities = std::make_shared<const ledger::Priorities>(config.priorities);
    return {};
}

}  // namespace

Result<ServerConfig> read_server_config(const std::string& yaml, ServerConfig config) {
    constexpr std::size_t kBytesMax = 1 << 20;
    if (yaml.size() > kBytesMax) {
        return fail(ErrorCode::kTooLarge, "configuration: the file is over 1 MiB");
    }
    try {
        const YAML::Node root = YAML::Load(yaml);
        if (root.IsNull()) {
            return config;
        }
        if (!root.IsMap()) {
            return fail(ErrorCode::kInvalid, "configuration: the file is a map of keys");
        }
        if (Result<void> read = read_section(config, root, ""); !read) {
            return tl::unexpected<Error>(std::move(read.error()));
        }
        if (Result<void> settled = settle(config); !settled) {
            return tl::unexpected<Error>(std::move(settled.error()));
        }
    } catch (const YAML::Exception& error) {
        return fail(
            ErrorCode::kInvalid,
            "configuration: line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
    }
    return config;
}

Result<void> add_node_labels(const std::string& text, std::map<std::string, std::string>& labels) {
    for (const std::string& label : split(text, ',')) {
        const std::size_t equals = label.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(
                ErrorCode::kInvalid, "'" + label +
                                         "' is not a label; write key=value, and a "
                                         "comma between two");
        }
        const std::string key = label.substr(0, equals);
        std::string value = label.substr(equals + 1);
        for (const std::string& fault :
             {model::fault_of_label_key(key), model::fault_of_label_value(value)}) {
            if (!fault.empty()) {
                return fail(ErrorCode::kInvalid, fault);
            }
        }
        labels.insert_or_assign(key, std::move(value));
    }
    if (labels.size() > model::kLabelsMax) {
        return fail(
            ErrorCode::kInvalid, "a node has up to " + std::to_string(model::kLabelsMax) +
                                     " labels, not " + std::to_string(labels.size()));
    }
    return {};
}

Result<Endpoint> parse_endpoint(const std::string& text) {
    Endpoint endpoint;
    const std::size_t colon = text.rfind(':');
    const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
    if (colon != std::string::npos && colon > 0) {
        endpoint.address = text.substr(0, colon);
    }
    if (endpoint.address.starts_with('[') && endpoint.address.ends_with(']')) {
        endpoint.address = endpoint.address.substr(1, endpoint.address.size() - 2);
    }
    const Result<std::int64_t> number = parse_integer(port);
    if (!number || *number < 0 || *number > 65535) {
        return fail(
            ErrorCode::kInvalid,
            "'" + text + "' is not an address; write 127.0.0.1:8081, with a port of 0 to 65535");
    }
    endpoint.port = static_cast<std::uint16_t>(*number);
    return endpoint;
}

}  // namespace reeve
