#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/change.hpp"
#include "ledger/store.hpp"
#include "model/records.hpp"
#include "store/sqlite/database.hpp"

// Records as rows: for each kind the columns, how they are bound and how they are read, in one
// order.
namespace reeve::store_sqlite {

/// What the indexes of `jobs` need of a record beside its own fields.
struct JobIndexes {
    model::ElementState state = model::ElementState::kQueued;
    std::int64_t phase = 0;
    std::optional<std::int64_t> queue_class = {};

    friend bool operator==(const JobIndexes&, const JobIndexes&) = default;
};

inline constexpr std::int64_t kLivePhase = 2;

[[nodiscard]] JobIndexes indexes_of(const model::JobRecord& job);

/// The state, but kLivePhase for scheduled, running and stopping.
[[nodiscard]] std::int64_t phase_of(model::ElementState state);

/// 64-bit FNV-1a: the same on every machine, as it is kept on disk. Never trusted alone.
[[nodiscard]] std::uint64_t hash_of(std::string_view text);
[[nodiscard]] std::uint64_t hash_of_label(std::string_view key, std::string_view value);
[[nodiscard]] std::uint64_t hash_of_request(UserId user, std::string_view key);

/// Labels as "3:key5:value…": lengths first, so that no character needs an escape.
[[nodiscard]] std::string pack_labels(const std::map<std::string, std::string>& labels);
[[nodiscard]] std::map<std::string, std::string> unpack_labels(std::string_view packed);

// Each k…Columns names what bind() binds and read_…() reads, in that order.

inline constexpr std::string_view kUserColumns = "id, name, uid, gid";
inline constexpr std::string_view kRequestColumns =
    "id, gpu_count, gpu_milli, gpu_memory_mib, gpu_model, cpu_millicores, memory_mib, "
    "node_expression";
inline constexpr std::string_view kGpuModelColumns = "id, name";
inline constexpr std::string_view kProjectColumns =
    "id, name, parent, gpu_milli_max, cpu_millicores_max, memory_mib_max, running_elements_max, "
    "pending_elements_max, share, user_gpu_milli_max, user_cpu_millicores_max, "
    "user_memory_mib_max, user_running_elements_max, user_pending_elements_max, "
    "guaranteed_gpu_milli";
inline constexpr std::string_view kAccountColumns = "project, user, used_milli_s, at";
inline constexpr std::string_view kNodeColumns =
    "id, name, boot_id, cpu_millicores, memory_mib, is_drained, drain_reason, enforcement, "
    "labels";
inline constexpr std::string_view kNodeGpuColumns =
    "node, position, id, uuid, model, total_mib, is_present, is_simulated";
inline constexpr std::string_view kJobColumns =  // Fixed; what may change; what has an index.
    "id, user, project, submitted_at, range_first, range_last, range_step, range_running_max, "
    "is_array, fair_step, run_name, "
    "request, priority, fair_load, retries_max, retry_backoff_s, time_limit_s, on_node_loss, "
    "is_preemptible, "
    "waiting_state, next, taken, "
    "after, counts, state, rev, "
    "rank, ended_at";
inline constexpr std::string_view kElementColumns =
    "job, element, attempt, state, intent, is_forced, end_reason, exit_code, signal, "
    "retries_used, not_before, queued_at, scheduled_at, started_at, ended_at, node, allocation, "
    "pid, memory_peak_mib, cpu_ms, log_bytes, message";
inline constexpr std::string_view kAllocationColumns =
    "id, job, element, attempt, rank, owner, node, project, cpu_millicores, memory_mib, "
    "gpus, state, reserved_at, released_at";
inline constexpr std::string_view kBookingColumns =
    "id, name, starts_at, ends_at, project, parts, release_after_s, is_used, made_by";
inline constexpr std::string_view kControlColumns = "job, rev, control, element, actor, at";
inline constexpr std::string_view kIdempotencyColumns =
    "user, key, fingerprint, first_job, job_count, at";

inline constexpr std::string_view kRunStatsColumns =
    "project, user, name, size, told, leaning, runs, shares";
inline constexpr std::string_view kForecastColumns =
    "job, at, class, sampled_from_s, sampled_until_s, from_s, until_s";
inline constexpr std::string_view kOutcomeColumns =
    "id, number, class, verdict, past_from, past_until";

/// Texts that a record has to be packed into live here until the statement has run.
struct Packed {
    std::string first = {};
    std::string second = {};
    std::string third = {};
};

void bind(Run& run, const model::UserRecord& user);
void bind(Run& run, const model::RequestRecord& request);
void bind(Run& run, const model::GpuModelRecord& gpu_model);
void bind(Run& run, const model::ProjectRecord& project);
void bind(Run& run, const model::AccountRecord& account);
void bind(Run& run, const model::NodeRecord& node, Packed& packed);  // Without its GPUs.
void bind_node_gpu(Run& run, const model::NodeRecord& node, std::size_t position);
void bind_job_fixed(Run& run, const model::JobRecord& job);
void bind_job_changing(Run& run, const model::JobRecord& job, Packed& packed);
void bind_job_indexed(Run& run, const model::JobRecord& job);  // And phase and queue_class.
void bind(Run& run, const model::ElementRecord& element);
void bind(Run& run, const model::AllocationRecord& allocation, Packed& packed);
void bind(Run& run, const model::BookingRecord& booking, Packed& packed);
void bind(Run& run, const model::ControlRecord& control);
void bind(Run& run, const model::IdempotencyRecord& request);
void bind(Run& run, const ledger::RunStatsRecord& stats, Packed& packed);
void bind(Run& run, const ledger::ForecastRecord& forecast);
void bind(Run& run, const ledger::OutcomeRecord& outcome);

[[nodiscard]] model::UserRecord read_user(Run& run);
[[nodiscard]] model::RequestRecord read_request(Run& run);
[[nodiscard]] model::GpuModelRecord read_gpu_model(Run& run);
[[nodiscard]] model::ProjectRecord read_project(Run& run);
[[nodiscard]] model::AccountRecord read_account(Run& run);
[[nodiscard]] model::NodeRecord read_node(Run& run);
[[nodiscard]] model::NodeGpu read_node_gpu(Run& run);  // After node and position.
[[nodiscard]] model::JobRecord read_job(Run& run);
[[nodiscard]] model::ElementRecord read_element(Run& run);
[[nodiscard]] model::AllocationRecord read_allocation(Run& run);
[[nodiscard]] model::BookingRecord read_booking(Run& run);
[[nodiscard]] model::ControlRecord read_control(Run& run);
[[nodiscard]] model::IdempotencyRecord read_idempotency(Run& run);
[[nodiscard]] ledger::RunStatsRecord read_run_stats(Run& run);
[[nodiscard]] ledger::ForecastRecord read_forecast(Run& run);
[[nodiscard]] ledger::OutcomeRecord read_outcome(Run& run);

/// "1 0 0 …" as it stands in the column `counts`; empty: one element, in `state`.
[[nodiscard]] model::StateCounts unpack_counts(std::string_view packed, model::ElementState state);

}  // namespace reeve::store_sqlite
