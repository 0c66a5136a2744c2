#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/assert.hpp"
#include "ledger/ledger.hpp"

// For tests of the ledger: a small world around one, driven step by step.
namespace reeve::ledger {

inline constexpr Instant kStart = Instant(std::chrono::seconds(1'000'000));

inline model::JobTerms one_gpu() {
    return {.name = "train", .gpus = {.count = 1}};
}

/// A ledger with one node of `gpus` GPUs of 10,000 MiB, whose time goes on by a second at each
/// step.
class World {
  public:
    explicit World(int gpus, const LedgerOptions& options = {})
        : ledger(options, {.cluster_id = "c"}) {
        ledger.begin(now);
        hello.node = "n1";
        hello.boot_id = "b1";
        hello.host = {"n1", 16000, 64000};
        for (int i = 0; i < gpus; ++i) {
            hello.gpus.push_back(
                {.uuid = "GPU-" + std::to_string(i), .model = "NVIDIA A30", .total_mib = 10000});
        }
        say(hello);
    }

    [[nodiscard]] Result<Reply> apply(Command command) {
        now = now + std::chrono::seconds(1);
        return ledger.apply(std::move(command), lookups, now);
    }

    void say(model::AgentReport report) {
        const Result<Reply> heard = apply(Report{std::move(report)});
        REEVE_ASSERT(heard.has_value(), "a report is never refused");
        step();
    }

    /// Schedules and commits.
    void step() {
        while (ledger.schedule(1, 1)) {  // The smallest budget: what is left goes on next time.
        }
        ledger.committed();
    }

    [[nodiscard]] Result<Reply> try_submit(
        std::vector<model::JobTerms> terms, const std::string& user = "ada") {
        SubmitJobs command{.actor = {.identity = {user, 1000, 1000}}};
        for (model::JobTerms& one : terms) {
            command.jobs.push_back({.terms = std::move(one), .spec_json = "{}"});
        }
        return apply(std::move(command));
    }

    JobId submit(model::JobTerms terms, const std::string& user = "ada") {
        const Result<Reply> reply = try_submit({std::move(terms)}, user);
        REEVE_ASSERT(reply.has_value(), "the test submits what is accepted");
        step();
        return std::get<Submitted>(*reply).first_job;
    }

    [[nodiscard]] Result<Reply> control(
        Control what, JobId job, std::optional<std::uint32_t> index = {}) {
        auto reply = apply(ControlJobs{
            .actor = {.identity = {"ada"}}, .control = what, .targets = {{job, index}}});
        step();
        return reply;
    }

    void start(JobId job, std::uint32_t index = 0) {
        say(model::TaskStarted{.node = "n1", .key = key(job, index), .pid = 7});
    }

    void end(JobId job, const model::TaskOutcome& outcome, std::uint32_t index = 0) {
        say(model::TaskEnded{.node = "n1", .key = key(job, index), .outcome = outcome});
    }

    model::TaskKey key(JobId job, std::uint32_t index = 0) {
        const model::ElementRecord* element = ledger.state().element({job, index});
        return {
            .element = {job, index},
              .attempt = element == nullptr ? 1 : element->attempt
        };
    }

    /// The state of an element as the ledger knows it; "gone" once it ended.
    std::string state(JobId job, std::uint32_t index = 0) {
        const model::ElementRecord* element = ledger.state().element({job, index});
        if (element != nullptr) {
            return std::string(word_of(element->state));
        }
        const model::JobRecord* record = ledger.state().job(job);
        return record == nullptr ? "gone" : std::string(word_of(record->waiting_state));
    }

    /// What was noted of who asked what, and is not committed yet; each has the number of its
    /// change.
    [[nodiscard]] std::vector<model::ControlRecord> controls() const {
        std::vector<model::ControlRecord> found;
        for (const Change& change : ledger.changes()) {
            if (const auto* put = std::get_if<Put<model::ControlRecord>>(&change.body)) {
                REEVE_ASSERT(put->after->rev == change.rev, "a control is numbered as its change");
                found.push_back(*put->after);
            }
        }
        return found;
    }

    Ledger ledger;
    Lookups lookups;
    Instant now = kStart;
    model::NodeHello hello;
};

}  // namespace reeve::ledger
