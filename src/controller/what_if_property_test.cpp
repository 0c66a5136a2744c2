// What is simulated, if it is then done, is what happens: the same changes are made in a forecast
// and in a controller whose time goes on from end to end.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "controller/controller.hpp"
#include "controller/fake_store.hpp"
#include "controller/what_if.hpp"

namespace reeve::controller {
namespace {

using model::ElementState;
using std::chrono::seconds;

/// A controller, and nodes on which each task runs for its time limit and succeeds.
class LivingCluster {
  public:
    LivingCluster(Random& random, scheduler::Backfill backfill) : random_(random) {
        controller_ = Controller::open(
                          store_,
                          {
                              .scheduling = {.backfill = backfill, .order = random_rules()},
                              .silence_max = std::chrono::hours(1'000'000)
        },
                          now_)
                          .value();
        for (int i = 1; i <= 4; ++i) {
            hear(hello("n" + std::to_string(i), i % 2 == 0 ? "A30" : "H100", 1 + i % 3));
        }
        for (const char* name : {"vision", "speech"}) {
            const model::Quota quota = random_quota();
            command(ledger::PutProject{
                .actor = root(),
                .name = name,
                .parent = "default",
                .quota = quota,
                .user_quota = random_.below(2) == 0 ? random_quota() : model::Quota(),
                .guaranteed_gpu_milli = random_guarantee(quota)});
        }
        settle();
        reserve();
    }

    static ledger::Actor root() {
        return {
            .identity = {"root", 1000, 1000},
              .is_admin = true
        };
    }

    [[nodiscard]] static model::NodeHello hello(
        const std::string& name, const std::string& gpu_model, int gpus) {
        model::NodeHello hello{
            .node = name,
            .boot_id = "b1",
            .host = {name, 16'000, 65'536},
            .labels = {{"zone", gpus == 2 ? "a" : "b"}}
        };
        for (int gpu = 0; gpu < gpus; ++gpu) {
            hello.gpus.push_back(
                {.uuid = name + "-" + std::to_string(gpu),
                 .model = gpu_model,
                 .total_mib = 24'000});
        }
        return hello;
    }

    [[nodiscard]] scheduler::OrderRules random_rules() {
        return {
            .half_life = std::chrono::hours(random_.below(2) * 24),
            .ageing = std::chrono::hours(random_.below(2))};
    }

    [[nodiscard]] std::int64_t random_guarantee(const model::Quota& quota) {
        constexpr std::int64_t kMost = 2000;
        return random_.below(3) == 0 ? std::min(quota.gpu_milli.value_or(kMost), kMost) : 0;
    }

    [[nodiscard]] model::Quota random_quota() {
        model::Quota quota;
        if (random_.below(2) == 0) {
            quota.gpu_milli = 1000 * static_cast<std::int64_t>(random_.below(4));
        }
        if (random_.below(3) == 0) {
            quota.running_elements = 1 + static_cast<std::int64_t>(random_.below(4));
        }
        return quota;
    }

    [[nodiscard]] model::JobTerms random_terms() {
        constexpr const char* kProjects[] = {"default", "vision", "speech"};
        constexpr const char* kWhere[] = {"", "", "zone==a", "gpu.model==H100", "node.name!=n2"};
        model::JobTerms terms{
            .name = "job",
            .project = kProjects[random_.below(3)],
            .on = kWhere[random_.below(5)],
            .cpu_millicores = 1000 * static_cast<std::int64_t>(1 + random_.below(8)),
            .time_limit_s = 60 * static_cast<std::int64_t>(random_.below(100)),
            .priority = static_cast<std::int32_t>(random_.below(3)) - 1,
            .is_held = random_.below(10) == 0};
        if (random_.below(4) == 0) {
            terms.gpus.milli = 250 * static_cast<std::int64_t>(1 + random_.below(3));
        } else {
            terms.gpus.count = static_cast<std::int64_t>(random_.below(4));
        }
        if (random_.below(5) == 0) {
            terms.array = model::ArrayRange{
                .last = static_cast<std::uint32_t>(random_.below(4)),
                .running_max = static_cast<std::uint32_t>(random_.below(3))};
        }
        const auto& jobs = controller_->ledger().state().jobs();
        if (random_.below(5) == 0 && !jobs.empty()) {
            const auto at = std::next(jobs.begin(), static_cast<int>(random_.below(jobs.size())));
            terms.after.push_back(
                {.kind = static_cast<model::DependencyKind>(random_.below(3)), .job = at->first});
        }
        return terms;
    }

    /// Some nodes, or GPUs of them, for a project or for nobody, now and then with an end before
    /// its time.
    void reserve() {
        constexpr const char* kProjects[] = {"", "vision", "speech"};
        for (int i = 0; i < 2 && random_.below(2) == 0; ++i) {
            const Instant from = now_ + seconds(600 * random_.below(20));
            ledger::PutBooking booking{
                .actor = root(),
                .name = "r" + std::to_string(i),
                .from = from,
                .until = from + seconds(600 * (1 + random_.below(30))),
                .project = kProjects[random_.below(3)],
                .node_count = static_cast<std::int64_t>(1 + random_.below(2))};
            if (!booking.project.empty()) {
                booking.gpus = static_cast<std::int64_t>(random_.below(2));
                booking.release_after_s = 900 * static_cast<std::int64_t>(random_.below(2));
            }
            command(booking);
        }
        settle();
    }

    /// Puts it before what settle() does next.
    void command(ledger::Command command) {
        requests_.push_back({.ticket = ++tickets_, .command = std::move(command)});
    }

    void hear(model::AgentReport report) { command(ledger::Report{std::move(report)}); }

    /// Does what was asked, and all that follows from it at this time. What was answered.
    std::vector<Result<ledger::Reply>> settle() {
        std::vector<Result<ledger::Reply>> replies;
        const std::uint64_t last_asked = tickets_;
        for (bool goes_on = true; goes_on;) {
            TurnResult result = controller_->turn(std::exchange(requests_, {}), now_);
            for (Answer& answer : result.answers) {
                if (answer.ticket <= last_asked) {
                    replies.push_back(std::move(answer.reply));
                }
            }
            goes_on = start_what_is_scheduled() || result.has_more;
        }
        return replies;
    }

    /// When what is reserved begins, ends or is released next.
    [[nodiscard]] std::optional<Instant> next_booking_turn() const {
        std::optional<Instant> next;
        for (const BookingStatus& booking : *controller_->view()->bookings) {
            for (const Instant at :
                 {booking.record.from, booking.record.until, booking.release_at.value_or(now_)}) {
                next = at > now_ ? std::min(next.value_or(at), at) : next;
            }
        }
        return next;
    }

    /// Goes on to when something ends, or what is reserved changes; false if nothing will.
    bool advance() {
        std::optional<Instant> next = next_booking_turn();
        if (!ends_.empty()) {
            next = std::min(next.value_or(ends_.begin()->first), ends_.begin()->first);
        }
        if (!next) {
            return false;
        }
        now_ = std::max(now_, *next);
        while (!ends_.empty() && ends_.begin()->first <= now_) {
            hear(model::TaskEnded{
                .node = ends_.begin()->second.first,
                .key = ends_.begin()->second.second,
                .outcome = {.end = model::TaskEnd::kExited, .exit_code = 0}
            });
            ends_.erase(ends_.begin());
        }
        settle();
        return true;
    }

    /// What is true now, as a reader and the view say it.
    [[nodiscard]] Scenario scenario() const {
        Scenario scenario{.view = *controller_->view()};
        scenario.view.at = now_;
        for (const auto& [id, record] : controller_->ledger().state().jobs()) {
            if (record.counts.pending() > 0) {
                scenario.queue.push_back(row_of(id));
            }
        }
        return scenario;
    }

    [[nodiscard]] ledger::JobRow row_of(JobId id) const {
        const ledger::State& state = controller_->ledger().state();
        ledger::JobRow row;
        row.record = *state.job(id);
        row.user = state.user(row.record.user)->name;
        row.project = state.project(row.record.project)->name;
        const model::RequestRecord& request = *state.request(row.record.request);
        row.gpus = request.gpus;
        row.host = request.host;
        row.on = request.on;
        return row;
    }

    [[nodiscard]] bool has_job(JobId id) const {
        return controller_->ledger().state().job(id) != nullptr;
    }

    [[nodiscard]] Random& random() { return random_; }

    std::map<JobId, Instant> first_starts = {};  // Since it was last cleared.

  private:
    bool start_what_is_scheduled() {
        std::vector<model::AgentReport> started;
        for (const auto& [key, element] : controller_->ledger().state().elements()) {
            if (element.state != ElementState::kScheduled) {
                continue;
            }
            const model::JobRecord& job = *controller_->ledger().state().job(key.job);
            const std::string node = controller_->ledger().state().node(element.node)->record.name;
            const model::TaskKey task{.element = key, .attempt = element.attempt};
            const seconds run =
                job.time_limit_s > 0 ? seconds(job.time_limit_s) : std::chrono::hours(24);
            first_starts.try_emplace(key.job, now_);
            ends_.emplace(now_ + run, std::pair(node, task));
            started.emplace_back(model::TaskStarted{.node = node, .key = task, .pid = 7});
        }
        for (model::AgentReport& report : started) {
            hear(std::move(report));
        }
        return !started.empty();
    }

    Random& random_;
    FakeStore store_;
    Instant now_ = Instant(seconds(1'000'000));
    std::unique_ptr<Controller> controller_;
    std::vector<Request> requests_;
    std::uint64_t tickets_ = 0;
    std::multimap<Instant, std::pair<std::string, model::TaskKey>> ends_;
};

/// Changes that can be made for real without a restart, each with the command that does it.
class RandomChanges {
  public:
    RandomChanges(LivingCluster& cluster, const Scenario& now) {
        Random& random = cluster.random();
        const std::string node = "n" + std::to_string(1 + random.below(4));
        const auto on_nodes = random.below(4);
        if (on_nodes == 0) {
            what_if.drained.push_back(node);
            commands.emplace_back(ledger::ControlNode{
                .actor = LivingCluster::root(),
                .control = ledger::NodeControl::kDrain,
                .node = node});
        } else if (on_nodes == 1) {
            what_if.resumed.push_back(node);
            commands.emplace_back(ledger::ControlNode{
                .actor = LivingCluster::root(),
                .control = ledger::NodeControl::kResume,
                .node = node});
        } else if (on_nodes == 2) {
            what_if.added.push_back({.count = 1, .like = "n1"});
            commands.emplace_back(
                ledger::Report{LivingCluster::hello("added-1", "H100", 1 + 1 % 3)});
        }
        if (random.below(2) == 0) {
            const model::Quota quota = cluster.random_quota();
            const std::int64_t guaranteed = cluster.random_guarantee(quota);
            what_if.quotas.push_back(
                {.name = "vision", .quota = quota, .guaranteed_gpu_milli = guaranteed});
            commands.emplace_back(ledger::PutProject{
                .actor = LivingCluster::root(),
                .name = "vision",
                .quota = quota,
                .guaranteed_gpu_milli = guaranteed});
        }
        for (const ledger::JobRow& job : now.queue) {
            if (random.below(5) == 0) {
                change(job, random);
            }
        }
        for (std::uint64_t i = random.below(4); i > 0; --i) {
            what_if.jobs.push_back({.terms = cluster.random_terms()});
        }
    }

    WhatIf what_if = {.user = "root"};
    std::vector<ledger::Command> commands = {};

  private:
    void change(const ledger::JobRow& job, Random& random) {
        const bool is_held = job.record.counts[ElementState::kHeld] > 0;
        const auto wish = job.record.counts.live() == 0 && random.below(2) == 0 ? JobWish::kCancel
                          : is_held                                             ? JobWish::kRelease
                                                                                : JobWish::kHold;
        what_if.changes.push_back({.job = job.record.id, .wish = wish});
        commands.emplace_back(ledger::ControlJobs{
            .actor = LivingCluster::root(),
            .control = wish == JobWish::kCancel ? ledger::Control::kStop
                       : wish == JobWish::kHold ? ledger::Control::kHold
                                                : ledger::Control::kRelease,
            .targets = {{.job = job.record.id}}});
    }
};

/// Submits for real what was tried, and holds the answers to each other. The ids.
std::vector<JobId> submit(
    LivingCluster& cluster, RandomChanges& changes, const Result<Scenario>& tried) {
    for (ledger::Command& command : changes.commands) {
        cluster.command(std::move(command));
    }
    ledger::SubmitJobs submission{.actor = LivingCluster::root()};
    for (const HypotheticalJobs& jobs : changes.what_if.jobs) {
        submission.jobs.push_back({.terms = jobs.terms, .spec_json = "{}"});
    }
    std::vector<JobId> ids;
    if (submission.jobs.empty()) {
        EXPECT_TRUE(tried.has_value()) << tried.error().message;
        cluster.settle();
        return ids;
    }
    cluster.command(std::move(submission));
    const auto answers = cluster.settle();
    const auto& answer = answers.back();
    EXPECT_EQ(answer.has_value(), tried.has_value())
        << (answer ? tried.error().message : answer.error().message);
    if (!answer || !tried) {
        EXPECT_EQ(answer ? "" : answer.error().message, tried ? "" : tried.error().message);
        return ids;
    }
    const auto& submitted = std::get<ledger::Submitted>(*answer);
    for (std::uint32_t i = 0; i < submitted.job_count; ++i) {
        ids.emplace_back(submitted.first_job.value() + i);
    }
    return ids;
}

void make_history(LivingCluster& cluster) {
    for (int step = 0; step < 15; ++step) {
        cluster.command(ledger::SubmitJobs{
            .actor = LivingCluster::root(),
            .jobs = {{.terms = cluster.random_terms(), .spec_json = "{}"}}});
        cluster.settle();
        if (step % 3 == 2) {
            cluster.advance();
        }
    }
}

/// Makes random changes both ways. How many jobs start; nothing if the changes are refused.
std::optional<std::size_t> hold_to_each_other(LivingCluster& cluster) {
    const Scenario now = cluster.scenario();
    RandomChanges changes(cluster, now);
    const auto then = scenario_of(now, changes.what_if, [&](JobId id) -> Result<ledger::JobRow> {
        return cluster.has_job(id) ? Result<ledger::JobRow>(cluster.row_of(id))
                                   : tl::unexpected(ledger::no_job(id));
    });
    const Forecast foreseen = then ? forecast(*then, {}) : Forecast();
    cluster.first_starts.clear();
    const std::vector<JobId> ids = submit(cluster, changes, then);
    if (!then) {
        return std::nullopt;
    }
    std::map<JobId, Instant> expected;
    for (const auto& [id, start] : foreseen.jobs) {
        if (start.fate == Fate::kExpected) {
            const bool is_new = id >= kFirstHypothetical;
            expected.emplace(
                is_new ? ids.at(id.value() - kFirstHypothetical.value()) : id, start.at);
        }
    }
    while (cluster.advance()) {
    }
    EXPECT_EQ(cluster.first_starts, expected);
    return expected.size();
}

TEST(WhatIfProperty, WhatIsForeseenIsWhatHappensIfItIsDone) {
    std::size_t starts_seen = 0;
    std::size_t refusals = 0;
    for (std::uint64_t seed = 1; seed <= 550; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        LivingCluster cluster(random, static_cast<scheduler::Backfill>(random.below(3)));
        make_history(cluster);
        const auto starts = hold_to_each_other(cluster);
        starts_seen += starts.value_or(0);
        refusals += starts ? 0U : 1U;
    }
    EXPECT_GT(starts_seen, 1000U);
    EXPECT_GT(refusals, 10U);
    EXPECT_LT(refusals, 300U);
}

}  // namespace
}  // namespace reeve::controller
