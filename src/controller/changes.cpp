#include "controller/changes.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "controller/why.hpp"
#include "scheduler/quota.hpp"

namespace reeve::controller {
namespace {

using scheduler::Alternative;
using scheduler::Wish;
using scheduler::WishPart;

/// As long as it takes to read an offer and to submit what it says.
constexpr auto kMargin = std::chrono::seconds(30);

constexpr std::int64_t kOneCpu = 1000;  // In thousandths.

struct PartRow {
    WishPart part;
    ChangeKind kind;
};

constexpr auto kParts = std::to_array<PartRow>({
    {WishPart::kGpus,      ChangeKind::kGpus     },
    {WishPart::kTime,      ChangeKind::kTimeLimit},
    {WishPart::kShare,     ChangeKind::kShare    },
    {WishPart::kGpuMemory, ChangeKind::kGpuMemory},
    {WishPart::kGpuModel,  ChangeKind::kGpuModel },
    {WishPart::kCpus,      ChangeKind::kCpus     },
    {WishPart::kMemory,    ChangeKind::kMemory   },
});

/// One limit of a quota: how `reeve project set` and the configuration name it.
struct LimitRow {
    std::string_view what;
    std::optional<std::int64_t> model::Quota::* limit;
    const char* flag;
    const char* key;
};

constexpr auto kLimits = std::to_array<LimitRow>({
    {"gpu_milli",        &model::Quota::gpu_milli,        "--gpus",    "limits.gpus"            },
    {"cpu_millicores",   &model::Quota::cpu_millicores,   "--cpus",    "limits.cpus"            },
    {"memory_mib",       &model::Quota::memory_mib,       "--mem",     "limits.memory"          },
    {"running_elements", &model::Quota::running_elements, "--running", "limits.max_running_jobs"},
});

/// 20480 -> "20G", as a flag takes it.
std::string size_flag(std::int64_t mib) {
    constexpr std::int64_t kMibPerGib = 1024;
    return mib % kMibPerGib == 0 ? std::to_string(mib / kMibPerGib) + "G"
                                 : std::to_string(mib) + "M";
}

/// "2", "a30:0.5": all that --gpus says, since it says all anew.
std::string gpus_flag(const model::GpuAsk& gpus) {
    const std::string amount =
        gpus.milli > 0 ? format_milli(gpus.milli) : std::to_string(gpus.count);
    return gpus.model.empty() ? amount : gpus.model + ":" + amount;
}

/// What is asked for of one part, as in "so much instead of so much", and what it is of.
struct Words {
    std::string amount = {};
    std::string unit = {};
};

Words words_of(WishPart part, const Wish& wish) {
    const std::int64_t cpus = wish.host.cpu_millicores;
    switch (part) {
        case WishPart::kGpus:
        case WishPart::kShare:
            if (wish.gpus.milli > 0) {
                return {format_milli(wish.gpus.milli), " of a GPU"};
            }
            return {std::to_string(wish.gpus.count), wish.gpus.count == 1 ? " GPU" : " GPUs"};
        case WishPart::kTime:
            return {
                wish.limit.count() > 0 ? format_duration(wish.limit) : "none", " of time limit"};
        case WishPart::kGpuMemory: return {format_mib(wish.gpus.memory_mib), " of GPU memory"};
        case WishPart::kGpuModel:
            return {wish.gpus.model.empty() ? "any" : wish.gpus.model, " as GPU model"};
        case WishPart::kCpus:   return {format_milli(cpus), cpus == kOneCpu ? " CPU" : " CPUs"};
        case WishPart::kMemory: return {format_mib(wish.host.memory_mib), " of memory"};
    }
    return {};
}

/// "2 GPUs instead of 4".
std::string text_of(WishPart part, const Wish& wish, const Wish& from) {
    const Words now = words_of(part, wish);
    const Words before = words_of(part, from);
    const bool is_other_unit = part == WishPart::kShare && from.gpus.milli == 0;
    return now.amount + now.unit + " instead of " + before.amount +
           (is_other_unit ? before.unit : "");
}

/// What `reeve run` takes for it. A model of a share by memory alone has no flag: a job file says
/// it.
std::string flag_of(WishPart part, const Wish& wish) {
    switch (part) {
        case WishPart::kTime:      return "--time " + format_duration(wish.limit);
        case WishPart::kGpuMemory: return "--gpu-mem " + size_flag(wish.gpus.memory_mib);
        case WishPart::kCpus:      return "--cpus " + format_milli(wish.host.cpu_millicores);
        case WishPart::kMemory:    return "--mem " + size_flag(wish.host.memory_mib);
        case WishPart::kGpus:
        case WishPart::kShare:
        case WishPart::kGpuModel:
            return wish.gpus.count + wish.gpus.milli > 0 ? "--gpus " + gpus_flag(wish.gpus) : "";
    }
    return "";
}

Change change_of(Alternative alternative, const Wish& from) {
    Change change;
    for (const WishPart part : alternative.changed) {
        change.kind = std::ranges::find(kParts, part, &PartRow::part)->kind;
        change.text += (change.text.empty() ? "" : " and ") + text_of(part, alternative.wish, from);
        const std::string flag = flag_of(part, alternative.wish);
        if (!flag.empty() && !change.flags.ends_with(flag)) {  // One --gpus says both.
            change.flags += (change.flags.empty() ? "" : " ") + flag;
        }
    }
    if (alternative.changed.size() > 1) {
        change.kind = ChangeKind::kSeveral;
    }
    change.alternative = std::move(alternative);
    return change;
}

/// A level of quota, whose it is, and how many wait below it.
struct Level {
    std::string project = {};  // "": the cluster.
    bool is_of_user = false;   // What each user of the project may hold.
    bool is_lent = false;  // What others are guaranteed leaves so much, if it is not preemptible.
    std::int64_t pending = 0;
};

class Suggestions {
  public:
    Suggestions(const Waiter& waiter, const View& view, Instant now)
        : waiter_(waiter), wish_(wish_of(waiter.job)) {
        around_ = {
            .now = std::max(now, view.at),
            .assumed_run = view.scheduling.assumed_run,
            .margin = kMargin,
            .gpu_models = view.gpu_models};
        // What is kept for it is anybody's once it has gone.
        const bool is_alone = view.usage.pending_elements <= own_pending();
        const std::optional<JobId> owner =
            is_alone ? std::optional(waiter.job.record.id) : std::nullopt;
        around_.nodes.reserve(view.nodes.size());
        const std::string& on = waiter.job.on;  // No change offers other nodes.
        const auto expression = model::parse_node_expression(on);
        for (const auto& node : view.nodes) {
            if (on.empty() || (expression && holds(*expression, facts_in(view, *node)))) {
                around_.nodes.push_back(timeline_of(*node, view, owner, waiter.job.project));
            }
        }
        add_level({.pending = view.usage.pending_elements}, view.limits, view.usage);
        for (std::string name = waiter.job.project; !name.empty();) {
            const auto project = std::ranges::find_if(
                view.projects, [&](const auto& any) { return any.record.name == name; });
            if (project == view.projects.end()) {
                break;
            }
            if (name == waiter.job.project && view.usage_of_users) {
                const model::Usage& own =
                    usage_of_user(view, project->record.id, waiter.job.record.user);
                add_level(
                    {.project = name, .is_of_user = true, .pending = own.pending_elements},
                    project->record.user_quota, own);
            }
            add_level(
                {.project = name, .pending = project->usage.pending_elements},
                project->record.quota, project->usage);
            if (name == waiter.job.project) {
                add_guarantees(view, project->record.id);
            }
            name = project->parent;
        }
    }

    /// If it would start were it preemptible, it may have what is lent.
    [[nodiscard]] std::optional<Change> preemptible() {
        const auto lent = std::ranges::find_if(levels_, &Level::is_lent);
        if (lent == levels_.end()) {
            return std::nullopt;
        }
        model::Quota& quota =
            around_.levels[static_cast<std::size_t>(lent - levels_.begin())].quota;
        const model::Quota before = std::exchange(quota, model::Quota());
        const bool is_enough = scheduler::would_start(wish_, around_);
        quota = before;
        return is_enough ? std::optional(Change{
                               .kind = ChangeKind::kPreemptible,
                               .text = "preemptible, so that it may borrow what is guaranteed to "
                                       "others",
                               .flags = "--preemptible"})
                         : std::nullopt;
    }

    [[nodiscard]] std::vector<Change> smaller_jobs() const {
        std::vector<Change> changes;
        for (Alternative& alternative : scheduler::alternatives(wish_, around_)) {
            changes.push_back(change_of(std::move(alternative), wish_));
        }
        return changes;
    }

    [[nodiscard]] std::optional<Change> release() const {
        if (!waiter_.is_submitted || !scheduler::would_start(wish_, around_)) {
            return std::nullopt;
        }
        const model::JobRecord& record = waiter_.job.record;
        const std::string id =
            waiter_.state
                ? model::to_string({.job = record.id, .index = waiter_.index}, record.is_array)
                : to_string(record.id);
        return Change{
            .kind = ChangeKind::kRelease,
            .text = "it is released",
            .command = "reeve release " + id};
    }

    /// The one limit that stands in the way, if it stands there alone and nobody else waits for it.
    [[nodiscard]] std::optional<Change> raised_quota() {
        for (std::size_t i = 0; i < levels_.size(); ++i) {
            if (levels_[i].is_lent) {
                continue;
            }
            scheduler::QuotaLevel& level = around_.levels[i];
            for (const LimitRow& row : kLimits) {
                const model::Quota before = level.quota;
                const std::optional<std::int64_t> needed = needed_of(row, level);
                if (!needed || levels_[i].pending > own_pending()) {
                    continue;
                }
                level.quota.*row.limit = needed;
                const bool is_enough = scheduler::would_start(wish_, around_);
                level.quota = before;
                if (is_enough) {
                    return quota_change(levels_[i], row, *needed);
                }
            }
        }
        return std::nullopt;
    }

  private:
    [[nodiscard]] static Wish wish_of(const ledger::JobRow& job) {
        return {
            .gpus = job.gpus,
            .host = job.host,
            .limit = std::chrono::seconds(job.record.time_limit_s)};
    }

    void add_guarantees(const View& view, ProjectId project) {
        if (!view.guarantees || waiter_.job.record.is_preemptible) {
            return;
        }
        const std::int64_t asked = wish_.gpus.count * model::kWholeGpuMilli +
                                   (wish_.gpus.count == 0 ? model::kWholeGpuMilli : 0);
        add_level({.is_lent = true}, {.gpu_milli = view.guarantees->firm_room(project, asked)}, {});
    }

    void add_level(Level level, const model::Quota& quota, const model::Usage& used) {
        levels_.push_back(std::move(level));
        around_.levels.push_back({.quota = quota, .used = used});
    }

    /// Of those that wait, by the counts of the view.
    [[nodiscard]] std::int64_t own_pending() const {
        if (!waiter_.is_submitted) {
            return 0;
        }
        return waiter_.state ? 1 : waiter_.job.record.counts.pending();
    }

    /// What the limit would have to be.
    [[nodiscard]] std::optional<std::int64_t> needed_of(
        const LimitRow& row, const scheduler::QuotaLevel& level) const {
        const model::Usage more{
            .gpu_milli = wish_.gpus.count * model::kWholeGpuMilli + wish_.gpus.milli,
            .cpu_millicores = wish_.host.cpu_millicores,
            .memory_mib = wish_.host.memory_mib,
            .running_elements = 1};
        for (const scheduler::Excess& excess : scheduler::excess(level.quota, level.used, more)) {
            if (excess.what == row.what) {
                return excess.used + excess.asked;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] static Change quota_change(
        const Level& level, const LimitRow& row, std::int64_t needed) {
        const bool is_milli = row.what == "gpu_milli" || row.what == "cpu_millicores";
        const std::string amount = is_milli                   ? format_milli(needed)
                                   : row.what == "memory_mib" ? size_flag(needed)
                                                              : std::to_string(needed);
        if (level.project.empty()) {
            return {
                .kind = ChangeKind::kQuota,
                .text =
                    "the configuration of the server had " + std::string(row.key) + ": " + amount};
        }
        const std::string of = row.what == "running_elements" ? "run " : "hold ";
        const std::string what = row.what == "gpu_milli"          ? " GPUs"
                                 : row.what == "cpu_millicores"   ? " CPUs"
                                 : row.what == "running_elements" ? " at once"
                                                                  : " of memory";
        return {
            .kind = ChangeKind::kQuota,
            .text = (level.is_of_user ? "each user of project " : "project ") + level.project +
                    " may " + of + amount + what,
            .command = "reeve project set " + level.project + " " +
                       (level.is_of_user ? "--user-" + std::string(row.flag).substr(2)
                                         : std::string(row.flag)) +
                       " " + amount};
    }

    const Waiter& waiter_;
    Wish wish_;
    scheduler::Surroundings around_;
    std::vector<Level> levels_;
};

}  // namespace

std::vector<Change> changes_for(
    const Waiter& waiter, const std::vector<Blocker>& binding, const View& view, Instant now) {
    const auto has = [&](BlockerKind kind) {
        return std::ranges::find(binding, kind, &Blocker::kind) != binding.end();
    };
    if (binding.empty() || has(BlockerKind::kDependency) || has(BlockerKind::kBackoff) ||
        has(BlockerKind::kArrayLimit) || has(BlockerKind::kNoNode)) {
        return {};
    }
    Suggestions suggestions(waiter, view, now);
    std::vector<Change> changes;
    if (has(BlockerKind::kHeld)) {
        if (auto release = suggestions.release()) {
            changes.push_back(*std::move(release));
        }
        return changes;
    }
    if (auto preemptible = suggestions.preemptible(); preemptible && has(BlockerKind::kGuarantee)) {
        changes.push_back(*std::move(preemptible));
    }
    std::ranges::move(suggestions.smaller_jobs(), std::back_inserter(changes));
    if (auto quota = suggestions.raised_quota()) {
        changes.push_back(*std::move(quota));
    }
    return changes;
}

scheduler::Timeline timeline_of(
    const NodeStatus& node,
    const View& view,
    std::optional<JobId> owner,
    std::string_view project) {
    scheduler::Timeline timeline(node.view, view.scheduling.assumed_run);
    for (const BookingStatus& booking : *view.bookings) {
        if (!lets_in(booking, view, project)) {
            timeline.put_booking(booking.booking);
        }
    }
    for (const KeptRoom& room : view.kept) {
        for (const scheduler::Placed& part : room.reservation.parts) {
            if (part.node == node.record.id && room.reservation.job != owner) {
                timeline.put_promise(
                    {.job = room.reservation.job,
                     .grant = part.grant,
                     .at = room.reservation.at,
                     .run = room.run});
            }
        }
    }
    if (!timeline.has_promises() && !timeline.has_bookings()) {
        return timeline;  // What ends when does not matter.
    }
    for (const Holding& holding : node.holdings) {
        timeline.put_hold(holding.allocation.id, hold_of(holding));
    }
    return timeline;
}

std::string_view word_of(ChangeKind kind) {
    switch (kind) {
        case ChangeKind::kGpus:        return "gpus";
        case ChangeKind::kTimeLimit:   return "time_limit";
        case ChangeKind::kShare:       return "share";
        case ChangeKind::kGpuMemory:   return "gpu_memory";
        case ChangeKind::kGpuModel:    return "gpu_model";
        case ChangeKind::kCpus:        return "cpus";
        case ChangeKind::kMemory:      return "memory";
        case ChangeKind::kSeveral:     return "several";
        case ChangeKind::kRelease:     return "release";
        case ChangeKind::kQuota:       return "quota";
        case ChangeKind::kPreemptible: return "preemptible";
    }
    return "gpus";
}

}  // namespace reeve::controller
