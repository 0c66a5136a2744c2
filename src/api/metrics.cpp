#include "api/metrics.hpp"

#include <array>
#include <charconv>

#include "api/cluster_json.hpp"
#include "model/records.hpp"

namespace reeve::api {
namespace {

using controller::NodeStatus;
using controller::View;

void escape(std::string& out, std::string_view value) {
    for (const char c : value) {
        if (c == '\\' || c == '"') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
}

void write_elements(MetricsText& text, const View& view) {
    text.begin("reeve_elements", "gauge", "Elements of jobs that have not ended, by state.");
    for (std::size_t i = 0; i < model::kElementStates; ++i) {
        const auto state = static_cast<model::ElementState>(i);
        if (!model::is_end(state)) {
            text.sample(
                {
                    {"state", model::word_of(state)}
            },
                view.element_counts.at(i));
        }
    }
}

/// One gauge with a sample for each GPU; `value` gives it, or a negative number for "unknown".
template <class Value>
void write_gpu_gauge(
    MetricsText& text,
    const View& view,
    std::pair<std::string_view, std::string_view> name_and_help,
    Value value) {
    text.begin(name_and_help.first, "gauge", name_and_help.second);
    for (const auto& node : view.nodes) {
        for (const model::NodeGpu& gpu : node->record.gpus) {
            const std::optional<double> number = value(*node, gpu);
            if (number) {
                text.sample(
                    {
                        {"node",      node->record.name                  },
                        {"uuid",      gpu.uuid                           },
                        {"simulated", gpu.is_simulated ? "true" : "false"}
                },
                    *number);
            }
        }
    }
}

void write_reserved(MetricsText& text, const View& view) {
    const auto free_of = [](const NodeStatus& node, const model::NodeGpu& gpu) {
        const model::Gpu* free = free_gpu(node, gpu.id);
        return free == nullptr ? model::GpuAmount{} : free->free;
    };
    write_gpu_gauge(
        text, view,
        {"reeve_gpu_reserved_milli", "Compute of a GPU that is granted, in thousandths."},
        [&](const NodeStatus& node, const model::NodeGpu& gpu) {
            return std::optional(
                static_cast<double>(model::kWholeGpuMilli - free_of(node, gpu).milli));
        });
    write_gpu_gauge(
        text, view, {"reeve_gpu_reserved_memory_mib", "Memory of a GPU that is granted."},
        [&](const NodeStatus& node, const model::NodeGpu& gpu) {
            return std::optional(
                static_cast<double>(gpu.total_mib - free_of(node, gpu).memory_mib));
        });
}

void write_observed(MetricsText& text, const View& view, const SampleBoard& samples) {
    using Field = std::optional<std::int64_t> model::GpuSample::*;

    struct Row {
        std::string_view name;
        std::string_view help;
        Field field;
        double unit = 1;  // What one of the field is, in the metric's unit.
    };

    // Named as DCGM's exporter does, where the meaning is the same.
    constexpr auto kRows = std::to_array<Row>({
        {"DCGM_FI_DEV_GPU_UTIL", "GPU utilization (percent).",
         &model::GpuSample::utilization_percent},
        {"DCGM_FI_DEV_FB_USED", "Framebuffer memory used (MiB).",
         &model::GpuSample::memory_used_mib},
        {"DCGM_FI_DEV_GPU_TEMP", "GPU temperature (Celsius).",
         &model::GpuSample::temperature_celsius},
        {"DCGM_FI_DEV_POWER_USAGE", "Power draw (W).", &model::GpuSample::power_milliwatts, 0.001},
        {"DCGM_FI_DEV_SM_CLOCK", "SM clock (MHz).", &model::GpuSample::sm_clock_mhz},
        {"DCGM_FI_DEV_MEM_CLOCK", "Memory clock (MHz).", &model::GpuSample::memory_clock_mhz},
    });
    for (const Row& row : kRows) {
        write_gpu_gauge(
            text, view, {row.name, row.help},
            [&](const NodeStatus& node, const model::NodeGpu& gpu) -> std::optional<double> {
                const auto observed = samples.newest(node.record.name);
                if (!observed) {
                    return std::nullopt;
                }
                for (const model::GpuSample& sample : observed->sample.gpus) {
                    if (sample.uuid == gpu.uuid && sample.*row.field) {
                        return static_cast<double>(*(sample.*row.field)) * row.unit;
                    }
                }
                return std::nullopt;
            });
    }
}

void write_server(MetricsText& text, const ApiParts& parts) {
    const auto counter = [&text](
                             std::string_view name, std::string_view help, std::uint64_t value) {
        text.begin(name, "counter", help);
        text.sample({}, value);
    };
    const auto gauge = [&text](std::string_view name, std::string_view help, std::uint64_t value) {
        text.begin(name, "gauge", help);
        text.sample({}, value);
    };
    if (const HttpCounters* http = parts.http_counters ? parts.http_counters() : nullptr) {
        counter("reeve_http_requests_total", "Requests answered.", http->requests.load());
        text.begin("reeve_http_errors_total", "counter", "Answers that refused, by class.");
        text.sample(
            {
                {"class", "4xx"}
        },
            http->refused_4xx.load());
        text.sample(
            {
                {"class", "5xx"}
        },
            http->failed_5xx.load());
        gauge("reeve_http_connections", "Open connections.", http->connections.load());
        gauge("reeve_http_streams", "Open event streams.", http->streams.load());
    }
    if (const controller::WriterCounters* writer = parts.writer_counters) {
        counter("reeve_writer_turns_total", "Turns of the writer.", writer->turns.load());
        counter("reeve_writer_commands_total", "Commands taken.", writer->commands.load());
        counter("reeve_writer_rejections_total", "Commands refused.", writer->rejections.load());
        counter("reeve_writer_changes_total", "Changes made durable.", writer->changes.load());
        counter(
            "reeve_writer_turn_microseconds_total", "Time spent in turns.",
            writer->turn_microseconds.load());
        counter(
            "reeve_writer_troubles_total",
            "Failures beside requests: old jobs not deleted, a node's hello not taken in.",
            writer->troubles.load());
        counter(
            "reeve_writer_queue_refusals_total", "Commands refused because too many waited.",
            writer->queue_refusals.load());
    }
    if (const AuditCounters* audit = parts.audit_counters) {
        counter("reeve_audit_entries_total", "Lines of the audit log.", audit->written.load());
        counter(
            "reeve_audit_lost_total", "Entries that the audit log could not take.",
            audit->lost.load());
    }
}

}  // namespace

void MetricsText::begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += "# HELP ";
    text_ += name;
    text_ += ' ';
    text_ += help;
    text_ += "\n# TYPE ";
    text_ += name;
    text_ += ' ';
    text_ += type;
    text_ += '\n';
}

void MetricsText::write_name(Labels labels) {
    text_ += name_;
    std::string_view before = "{";
    for (const auto& [label, value] : labels) {
        text_ += before;
        text_ += label;
        text_ += "=\"";
        escape(text_, value);
        text_ += '"';
        before = ",";
    }
    text_ += labels.size() == 0 ? " " : "} ";
}

void MetricsText::sample(Labels labels, double value) {
    write_name(labels);
    std::array<char, 32> digits = {};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    text_.append(digits.data(), end);
    text_ += '\n';
}

void MetricsText::sample(Labels labels, std::uint64_t value) {
    write_name(labels);
    text_ += std::to_string(value);
    text_ += '\n';
}

std::string metrics_text(const ApiParts& parts) {
    const auto view = parts.commands.view();
    MetricsText text;
    text.begin("reeve_build_info", "gauge", "1, with the version as a label.");
    text.sample(
        {
            {"version", parts.version}
    },
        std::uint64_t{1});
    text.begin("reeve_revision", "gauge", "The newest change.");
    text.sample({}, view->rev.value());
    text.begin("reeve_storage_ok", "gauge", "0 while nothing can be made durable.");
    text.sample({}, std::uint64_t{view->storage_trouble.empty() ? 1U : 0U});
    write_elements(text, *view);
    text.begin("reeve_node_ready", "gauge", "1 for a node that takes new work.");
    for (const auto& node : view->nodes) {
        const bool is_ready = node->view.availability == scheduler::Availability::kReady;
        text.sample(
            {
                {"node", node->record.name}
        },
            std::uint64_t{is_ready ? 1U : 0U});
    }
    write_reserved(text, *view);
    write_observed(text, *view, parts.samples);
    write_server(text, parts);
    return text.take();
}

}  // namespace reeve::api
