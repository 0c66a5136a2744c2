#include "simulate/project_rules.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "simulate/trace_rows.hpp"
#include "simulate/workload_builder.hpp"

namespace reeve::simulate {
namespace {

enum Column : std::uint8_t { kProject, kParent, kShare, kGuaranteed, kGpus, kPreemptible };

struct Row {
    std::string name = {};
    std::string parent = {};
    std::size_t line = 0;
    std::size_t place = 0;  // Of its name in those of the workload.
    model::ProjectRecord record = {};
    bool is_preemptible = false;
};

Result<Row> read_row(TraceRows& rows) {
    if (const auto named = rows.check_name(rows.text(kProject)); !named) {
        return tl::unexpected(named.error());
    }
    Row row{
        .name = std::string(rows.text(kProject)),
        .parent = std::string(rows.text(kParent)),
        .line = rows.line()};
    const std::int64_t share = rows.amount_or_zero(kShare, model::kShareMax);
    const std::int64_t guaranteed = rows.amount_or_zero(kGuaranteed, kTraceGpusMax);
    const bool has_limit = rows.has(kGpus) && !rows.text(kGpus).empty();
    const std::int64_t limit = rows.amount_or_zero(kGpus, kTraceGpusMax);
    row.is_preemptible = rows.amount_or_zero(kPreemptible, 1) == 1;
    if (rows.error()) {
        return tl::unexpected(*rows.error());
    }
    if (has_limit && guaranteed > limit) {
        return rows.wrong("guaranteed_gpus: more than its limit, gpus");
    }
    row.record.share = static_cast<std::int32_t>(std::max<std::int64_t>(share, 1));
    row.record.guaranteed_gpu_milli = guaranteed * model::kWholeGpuMilli;
    if (has_limit) {
        row.record.quota.gpu_milli = limit * model::kWholeGpuMilli;
    }
    return row;
}

std::size_t place_of(std::vector<std::string>& names, const std::string& name) {
    const auto known = std::ranges::find(names, name);
    if (known != names.end()) {
        return static_cast<std::size_t>(known - names.begin());
    }
    names.push_back(name);
    return names.size() - 1;
}

/// True if the project is above itself.
bool is_in_a_ring(const std::vector<model::ProjectRecord>& records, std::size_t place) {
    std::size_t steps = 0;
    for (auto parent = records[place].parent; parent;
         parent = records[parent->value() - 1].parent) {
        if (++steps > records.size()) {
            return true;
        }
    }
    return false;
}

Result<std::vector<Row>> read_rows(const std::string& file, std::string_view text) {
    auto rows = TraceRows::open(
        file, text,
        {
            .needed = {"project"},
            .optional = {"parent", "share", "guaranteed_gpus", "gpus", "preemptible"}
    });
    if (!rows) {
        return tl::unexpected(std::move(rows.error()));
    }
    if (const auto known = rows->check_no_others(); !known) {
        return tl::unexpected(known.error());
    }
    std::vector<Row> read;
    const auto done = rows->each([&]() -> Result<void> {
        auto row = read_row(*rows);
        if (!row) {
            return tl::unexpected(std::move(row.error()));
        }
        read.push_back(std::move(*row));
        return {};
    });
    if (!done) {
        return tl::unexpected(done.error());
    }
    return read;
}

/// Puts a row in its place of `records`, which are as `names`.
Result<void> put_row(
    const std::string& file,
    Row& row,
    const std::vector<std::string>& names,
    std::vector<model::ProjectRecord>& records) {
    if (!row.parent.empty()) {
        const auto parent = std::ranges::find(names, row.parent);
        if (parent == names.end()) {
            return fail(
                ErrorCode::kInvalid, file + ":" + std::to_string(row.line) +
                                         ": parent: there is no project '" + row.parent +
                                         "', neither here nor in the trace");
        }
        row.record.parent = ProjectId(static_cast<std::uint64_t>(parent - names.begin()) + 1);
    }
    records[row.place] = std::move(row.record);
    return {};
}

}  // namespace

Result<void> read_project_rules(
    const std::string& file, std::string_view text, Workload& workload) {
    auto rows = read_rows(file, text);
    if (!rows) {
        return tl::unexpected(std::move(rows.error()));
    }
    std::vector<std::string> names = workload.projects;
    for (Row& row : *rows) {
        row.place = place_of(names, row.name);
    }
    std::vector<model::ProjectRecord> records(names.size());
    std::vector<bool> are_preemptible(names.size(), false);
    for (Row& row : *rows) {
        if (const auto put = put_row(file, row, names, records); !put) {
            return tl::unexpected(put.error());
        }
        are_preemptible[row.place] = row.is_preemptible;
    }
    for (const Row& row : *rows) {
        if (is_in_a_ring(records, row.place)) {
            return fail(
                ErrorCode::kInvalid, file + ":" + std::to_string(row.line) + ": parent: '" +
                                         row.name + "' is above itself");
        }
    }
    workload.projects = std::move(names);
    workload.project_rules = std::move(records);
    for (TraceJob& job : workload.jobs) {
        job.is_preemptible = job.is_preemptible || are_preemptible[job.project];
    }
    return {};
}

}  // namespace reeve::simulate
