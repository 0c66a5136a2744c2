// stop, hold, release, requeue.
#include <algorithm>
#include <chrono>
#include <ostream>
#include <span>

#include "base/text.hpp"
#include "cli/job_watch.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

constexpr std::size_t kBatch = 1000;  // Of POST /jobs:stop and its like.

/// What was done to each, for a person; and the worst of what went wrong.
struct Outcome {
    int exit_code = 0;
    std::size_t changed = 0;
};

class ControlVerb : public Verb {
  public:
    /// `action` is the API's word; `done` what a job then is.
    ControlVerb(std::string action, std::string done)
        : action_(std::move(action)), done_(std::move(done)) {}

    void add_options(CLI::App& app) override {
        targets_.add_to(app);
        if (action_ == "stop") {
            app.add_flag("--force", is_forced_, "Kill at once, without a signal first");
            app.add_option(
                "--grace", grace_,
                "Wait so long, such as 10s, then kill what has not ended; its own grace holds, "
                "too");
        }
    }

    Result<int> run(Session& session) override {
        auto list = targets_.parse();
        auto client = session.client();
        if (!list || !client) {
            return tl::unexpected(list ? client.error() : list.error());
        }
        if (*list == TargetList{}) {
            return fail(
                ErrorCode::kInvalid,
                "name the jobs: 1842, 1842_7, 1-9, last, a job's name, @me, -l key=value");
        }
        if (list->selector && !list->has_named()) {
            limit_to_mine(*list->selector);
        }
        const auto grace = grace_given();
        if (!grace) {
            return tl::unexpected(grace.error());
        }
        const auto targets = look_up(**client, *list);
        if (!targets) {
            return tl::unexpected(targets.error());
        }
        if (targets->empty()) {
            session.note("No job of yours is meant by that.");
            return 0;
        }
        auto done = stop_or_such(session, **client, *targets);
        return done && *grace ? end_within(**grace, session, **client, *targets, *done) : done;
    }

  private:
    /// Nothing: none is.
    [[nodiscard]] Result<std::optional<std::chrono::seconds>> grace_given() const {
        if (grace_.empty()) {
            return std::optional<std::chrono::seconds>();
        }
        const auto grace = parse_duration(grace_);
        if (!grace) {
            return fail(ErrorCode::kInvalid, "--grace: " + grace.error().message);
        }
        if (is_forced_) {
            return fail(
                ErrorCode::kInvalid,
                "--force kills at once, and --grace later; give one of the two");
        }
        return std::optional(*grace);
    }

    [[nodiscard]] Result<int> stop_or_such(
        Session& session, Client& client, const std::vector<Target>& targets) const {
        return targets.size() > 1 ? many(session, client, targets) : each(session, client, targets);
    }

    /// They are told to stop, with `status` as its outcome. What has not ended when `grace` is over
    /// is killed.
    [[nodiscard]] Result<int> end_within(
        std::chrono::seconds grace,
        Session& session,
        Client& client,
        const std::vector<Target>& targets,
        int status) {
        const auto until = session.clock() + grace;
        const auto is_over = [&] { return session.clock() >= until ? Go::kStop : Go::kOn; };
        const auto has_ended = [](const Json& job) {
            return is_end_state(text_at(job, "state")) ? Go::kStop : Go::kOn;
        };
        std::vector<Target> left;
        for (const Target& target : targets) {
            const auto ended = is_over() == Go::kStop ? Result<bool>(false)
                                                      : watch(client, target, has_ended, is_over);
            if (!ended) {
                return tl::unexpected(ended.error());
            }
            if (!*ended) {
                left.push_back(target);
            }
        }
        is_forced_ = true;
        const auto forced = left.empty() ? Result<int>(0) : stop_or_such(session, client, left);
        return forced.map([&](int each) { return std::max(status, each); });
    }

    /// "@running" of a verb that changes something: the caller's own, and what has not ended.
    static void limit_to_mine(Selector& selector) {
        selector.is_mine = true;
        if (selector.states.empty()) {
            selector.states = live_states();
        }
    }

    void tell(const Session& session, const Target& target, std::int64_t changed) const {
        if (session.look.format == Format::kName) {
            session.out() << to_string(target) << "\n";
            return;
        }
        const std::string count = changed > 1 ? " (" + std::to_string(changed) + " elements)" : "";
        session.note(
            to_string(target) + " " + (changed == 0 ? "was left as it is" : done_) + count);
    }

    [[nodiscard]] std::string body_of(const Target& target) const {
        std::string body = "{";
        body += target.element ? R"("element":)" + std::to_string(*target.element) : "";
        if (is_forced_) {
            body += std::string(target.element ? "," : "") + R"("force":true)";
        }
        return body + "}";
    }

    [[nodiscard]] Result<int> each(
        Session& session, Client& client, const std::vector<Target>& targets) const {
        int exit_code = 0;
        for (const Target& target : targets) {
            const auto answer = client.post(
                "/api/v1/jobs/" + std::to_string(target.job) + ":" + action_, body_of(target));
            if (answer) {
                tell(session, target, integer_at(*answer, "changed").value_or(0));
                continue;
            }
            if (targets.size() == 1) {
                return tl::unexpected(answer.error());
            }
            session.warn(to_string(target) + ": " + answer.error().message);
            exit_code = row_of(answer.error().code).exit_code;
        }
        return exit_code;
    }

    /// Whole jobs by the thousand, elements one by one.
    [[nodiscard]] Result<int> many(
        Session& session, Client& client, const std::vector<Target>& targets) const {
        std::vector<Target> elements;
        std::vector<Target> jobs;
        for (const Target& target : targets) {
            (target.element ? elements : jobs).push_back(target);
        }
        int exit_code = 0;
        for (std::size_t from = 0; from < jobs.size(); from += kBatch) {
            const std::size_t to = std::min(jobs.size(), from + kBatch);
            const auto code = batch(session, client, {&jobs[from], to - from});
            if (!code) {
                return code;
            }
            exit_code = std::max(exit_code, *code);
        }
        if (!elements.empty()) {
            const auto code = each(session, client, elements);
            return code ? Result<int>(std::max(exit_code, *code)) : code;
        }
        return exit_code;
    }

    [[nodiscard]] Result<int> batch(
        Session& session, Client& client, std::span<const Target> jobs) const {
        std::string ids;
        for (const Target& job : jobs) {
            ids += (ids.empty() ? "" : ",") + std::to_string(job.job);
        }
        const auto answer = client.post(
            "/api/v1/jobs:" + action_,
            R"({"ids":[)" + ids + (is_forced_ ? R"(],"force":true})" : "]}"));
        return answer ? Result<int>(tell_rows(session, *answer)) : tl::unexpected(answer.error());
    }

    [[nodiscard]] int tell_rows(const Session& session, const Json& answer) const {
        int exit_code = 0;
        const JsonValue* items = find(answer, "items");
        if (items == nullptr || !items->IsArray()) {
            return 1;
        }
        for (const JsonValue& row : items->GetArray()) {
            const Target target{static_cast<std::uint64_t>(integer_at(row, "id").value_or(0)), {}};
            if (find(row, "error") != nullptr) {
                session.warn(to_string(target) + ": " + text_at(row, "error.detail"));
                exit_code = 1;
            } else {
                tell(session, target, integer_at(row, "changed").value_or(0));
            }
        }
        return exit_code;
    }

    std::string action_;
    std::string done_;
    TargetFlags targets_;
    bool is_forced_ = false;
    std::string grace_;  // "": the job's own.
};

class StopVerb final : public ControlVerb {
  public:
    StopVerb() : ControlVerb("stop", "is told to stop") {}
};

class HoldVerb final : public ControlVerb {
  public:
    HoldVerb() : ControlVerb("hold", "is held") {}
};

class ReleaseVerb final : public ControlVerb {
  public:
    ReleaseVerb() : ControlVerb("release", "is released") {}
};

class RequeueVerb final : public ControlVerb {
  public:
    RequeueVerb()
        : ControlVerb("requeue", "is told to stop, and is queued again when it has ended") {}
};

}  // namespace

std::vector<VerbRow> control_verbs() {
    return {
        {"stop",    "Stop jobs; what has not started never will", "TARGET… [flags]",
         "  reeve stop 1842\n  reeve stop 1842_7 --force     kill one element at once\n"
         "  reeve stop 1842 --grace 10s   and kill what still runs then\n"
         "  reeve stop @pending           all of yours that wait\n"
         "  reeve stop 5-9 -l sweep=7     of these, if all have that label\n",                                 make_verb<StopVerb>   },
        {"hold",    "Keep queued jobs from starting",             "TARGET…",         "  reeve hold 1842\n",
         make_verb<HoldVerb>                                                                                                         },
        {"release", "Let held jobs go on",                        "TARGET…",         "  reeve release 1842\n",
         make_verb<ReleaseVerb>                                                                                                      },
        {"requeue", "End what runs of a job, and queue it again", "TARGET…",
         "  reeve requeue 1842\n"
         "A job that has ended is not queued again; submit it anew.\n",                                        make_verb<RequeueVerb>},
    };
}

}  // namespace reeve::cli
