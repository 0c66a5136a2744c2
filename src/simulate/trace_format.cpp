#include "simulate/trace_format.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "simulate/csv_table.hpp"
#include "simulate/job_log_trace.hpp"
#include "simulate/openb_trace.hpp"
#include "simulate/philly_trace.hpp"
#include "simulate/reeve_trace.hpp"
#include "simulate/swf_trace.hpp"

namespace reeve::simulate {
namespace {

/// True if the first line names all of `columns`.
bool has_columns(std::string_view text, std::initializer_list<std::string_view> columns) {
    const auto table = CsvTable::open("", text);
    return table && std::ranges::all_of(columns, [&](std::string_view column) {
               return table->find_column(column).has_value();
           });
}

constexpr auto kFormats = std::to_array<TraceFormat>({
    {"reeve",  "Reeve's own CSV: submitted_s, run_s, gpus, limit_s and others",
     [](std::string_view text) { return has_columns(text, {"submitted_s", "run_s"}); },
     parse_reeve_trace                                                                                        },
    {"openb",  "pod list of the Alibaba 2023 GPU trace, CSV",
     [](std::string_view text) { return has_columns(text, {"cpu_milli", "num_gpu"}); },
     parse_openb_workload                                                                                     },
    {"philly", "Microsoft Philly, CSV: timestamp, duration, num_gpus",
     [](std::string_view text) { return has_columns(text, {"timestamp", "duration", "num_gpus"}); },
     parse_philly                                                                                             },
    {"helios", "cluster_log.csv of Helios",
     [](std::string_view text) { return has_columns(text, {"job_id", "gpu_num", "vc"}); },
     parse_helios                                                                                             },
    {"acme",   "trace_seren.csv or trace_kalos.csv of Acme",
     [](std::string_view text) { return has_columns(text, {"job_id", "gpu_num", "type"}); },
     parse_acme                                                                                               },
    {"swf",    "Standard Workload Format: lines of 18 numbers",                 looks_like_swf,      parse_swf},
});

std::string names_of_formats() {
    std::string names;
    for (const TraceFormat& each : kFormats) {
        names += (names.empty() ? "" : ", ") + std::string(each.name);
    }
    return names;
}

}  // namespace

std::span<const TraceFormat> trace_formats() {
    return kFormats;
}

Result<const TraceFormat*> find_trace_format(std::string_view name) {
    const auto* const row = std::ranges::find(kFormats, name, &TraceFormat::name);
    if (row != kFormats.end()) {
        return row;
    }
    return fail(
        ErrorCode::kInvalid,
        "there is no trace format '" + std::string(name) + "'; there are " + names_of_formats());
}

Result<const TraceFormat*> detect_trace_format(const std::string& file, std::string_view text) {
    const auto* const row = std::ranges::find_if(
        kFormats, [&](const TraceFormat& format) { return format.is_it(text); });
    if (row != kFormats.end()) {
        return row;
    }
    return fail(
        ErrorCode::kInvalid,
        file + ":1: its first line is that of no known format (" + names_of_formats() + ")");
}

bool is_openb_without_times(std::string_view text) {
    return has_columns(text, {"cpu_milli", "num_gpu"}) && !has_columns(text, {"creation_time"}) &&
           !has_columns(text, {"deletion_time"});
}

}  // namespace reeve::simulate
