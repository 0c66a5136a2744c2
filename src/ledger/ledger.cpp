#include "ledger/ledger.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace reeve::ledger {
namespace {

template <class... Lambdas>
struct Overloaded : Lambdas... {
    using Lambdas::operator()...;
};

template <class... Lambdas>
Overloaded(Lambdas...) -> Overloaded<Lambdas...>;

constexpr const char* kOwnActor = "reeve";

}  // namespace

Ledger::Ledger(const LedgerOptions& options, const StoreHeader& header)
    : options_(options),
      cluster_id_(header.cluster_id),
      state_(options.scheduling),
      last_rev_(header.last_rev),
      last_job_(header.last_job),
      last_request_(header.last_request),
      last_allocation_(header.last_allocation) {
    state_.set_limits(options.limits);
    state_.advance(header.last_at);
}

void Ledger::restore(Recovered&& record) {
    std::visit(
        Overloaded{
            [&](model::JobRecord& job) {
                JobPut put;
                put.after = std::move(job);
                state_.replace(put);
            },
            [&](model::ElementRecord& element) {
                ElementPut put;
                put.after = std::move(element);
                state_.replace(put);
            },
            [&](model::NodeRecord& node) {
                NodePut put;
                put.after = std::move(node);
                state_.replace(put);
            },
            [&](auto& other) {
                Put<std::remove_reference_t<decltype(other)>> put;
                put.after = std::move(other);
                state_.replace(put);
            }},
        record);
}

void Ledger::begin(Instant now) {
    state_.advance(now);
    began_at_ = state_.now();
    act_for_nobody();
    if (state_.project_named("default") == nullptr) {
        put(Put<model::ProjectRecord>{.after = {{.id = ProjectId(1), .name = "default"}}});
    }
}

bool Ledger::rank_anew(std::size_t jobs_max) {
    act_for_nobody();
    std::vector<JobId> elsewhere;
    for (const auto& [id, job] : state_.jobs()) {
        if (elsewhere.size() < jobs_max && job.rank != state_.rank_of(job)) {
            elsewhere.push_back(id);
        }
    }
    for (const JobId id : elsewhere) {
        put_job(*state_.job(id));
    }
    return elsewhere.size() == jobs_max;
}

/// What changes from now on follows by itself.
void Ledger::act_for_nobody() {
    actor_ = kOwnActor;
    source_.clear();
    request_id_.clear();
}

Result<Reply> Ledger::apply(Command command, const Lookups& lookups, Instant now) {
    act_for_nobody();
    std::visit(
        [&](const auto& any) {
            if constexpr (requires { any.actor; }) {
                actor_ = any.actor.name();
                source_ = any.actor.source;
                request_id_ = any.actor.request_id;
            }
        },
        command);
    state_.advance(now);
    const std::size_t mark = changes_.size();
    const auto* submitted = std::get_if<SubmitJobs>(&command);
    const bool is_dry_run = submitted != nullptr && submitted->is_dry_run;
    const JobId last_job = last_job_;
    Result<Reply> reply = std::visit(
        Overloaded{
            [&](SubmitJobs& submission) { return submit(submission, lookups); },
            [&](ControlJobs& control_jobs) { return control(control_jobs, lookups); },
            [&](PutProject& project) { return put_project(project); },
            [&](ControlNode& node) { return control_node(node); },
            [&](ControlQuarantine& task) { return control_quarantine(task, lookups); },
            [&](PutBooking& booking) { return put_booking(booking); },
            [&](DropBooking& booking) { return drop_booking(booking); },
            [&](Report& any) {
                std::visit([&](const auto& said) { report(said, lookups); }, any.report);
                return Result<Reply>(Reply());
            },
            [&](NoteForecasts& forecasts) { return note_forecasts(forecasts); },
            [&](Tick&) {
                tick();
                return Result<Reply>(Reply());
            }},
        command);
    if (!reply || is_dry_run) {
        undo_to(mark);
        last_job_ = last_job;
    }
    return reply;
}

void Ledger::put(Body body) {
    last_rev_ = Revision(last_rev_.value() + 1);
    state_.replace(body);
    if (std::holds_alternative<NodePut>(body) ||
        std::holds_alternative<Put<model::GpuModelRecord>>(body)) {
        known_to_fit_.clear();
    }
    changes_.push_back(
        {.rev = last_rev_,
         .at = state_.now(),
         .actor = actor_,
         .source = source_,
         .request_id = request_id_,
         .body = std::move(body)});
}

void Ledger::put_job(model::JobRecord job, std::optional<JobTexts> texts) {
    JobPut change;
    if (const model::JobRecord* before = state_.job(job.id)) {
        change.before = *before;
    }
    const bool has_ended = job.counts.ended() == job.range.count();
    if (has_ended && job.ended_at == model::kNever) {
        job.ended_at = state_.now();
        std::erase_if(job.after, [&](const model::Dependency& dependency) {
            const model::JobRecord* other = state_.job(dependency.job);
            return other != nullptr && other->ended_at == model::kNever;
        });  // What is left can never happen, and says why it ended.
    }
    const bool ends_now =
        has_ended && change.before && change.before->counts.ended() < change.before->range.count();
    const JobId id = job.id;
    if (job.counts[model::ElementState::kQueued] == 0) {
        drop_forecast(id);
    }
    job.rank = state_.rank_of(job);
    job.rev = Revision(last_rev_.value() + 1);  // put() gives it this one.
    change.after = std::move(job);
    change.texts = std::move(texts);
    put(std::move(change));
    if (ends_now) {
        to_settle_.push_back(id);
        settle_dependents();
    }
}

void Ledger::put_element(const model::ElementRecord& element) {
    const model::JobRecord* job = state_.job(element.key.job);
    REEVE_ASSERT(job != nullptr, "an element's job stays in memory while the element lives");
    ElementPut change;
    change.user = job->user;
    change.project = job->project;
    change.is_array = job->is_array;
    if (const model::ElementRecord* before = state_.element(element.key)) {
        change.before = *before;
    }
    change.after = element;
    put(std::move(change));
}

void Ledger::put_allocation(const model::AllocationRecord& allocation) {
    Put<model::AllocationRecord> change;
    if (const model::AllocationRecord* before = state_.allocation(allocation.id)) {
        change.before = *before;
    }
    change.after = allocation;
    put(std::move(change));
}

void Ledger::undo_to(std::size_t mark) {
    while (changes_.size() > mark) {
        state_.replace(State::reversed(changes_.back().body));
        changes_.pop_back();
        last_rev_ = Revision(last_rev_.value() - 1);
    }
    known_to_fit_.clear();
}

void Ledger::committed() {
    changes_.clear();
    requests_of_turn_.clear();
    for (const auto& [node, until] : std::exchange(xids_until_of_turn_, {})) {
        xids_until_.insert_or_assign(node, until);
    }
    for (const model::RequestId id : state_.forget_ended()) {
        known_to_fit_.erase(id);
    }
}

void Ledger::undo() {
    undo_to(0);
    bookings_turned_at_ = model::kNever;
    requests_of_turn_.clear();
    xids_until_of_turn_.clear();  // Its node says them again.
    unwanted_.clear();
    acknowledged_.clear();
}

std::set<JobId> Ledger::unknown_jobs(const Command& command) const {
    std::set<JobId> unknown;
    const auto look_at = [&](JobId id) {
        if (state_.job(id) == nullptr) {
            unknown.insert(id);
        }
    };
    if (const auto* submission = std::get_if<SubmitJobs>(&command)) {
        for (const NewJob& job : submission->jobs) {
            for (const model::Dependency& dependency : job.terms.after) {
                look_at(dependency.job);
            }
        }
    } else if (const auto* control_jobs = std::get_if<ControlJobs>(&command)) {
        for (const Target& target : control_jobs->targets) {
            look_at(target.job);
        }
    } else if (const auto* quarantine = std::get_if<ControlQuarantine>(&command)) {
        look_at(quarantine->task.element.job);
    }
    return unknown;
}

std::set<model::TaskKey> Ledger::unknown_tasks(const Command& command) const {
    std::set<model::TaskKey> unknown;
    const auto look_at = [&](const model::TaskKey& key) {
        const model::ElementRecord* element = state_.element(key.element);
        if (element == nullptr || element->attempt != key.attempt) {
            unknown.insert(key);
        }
    };
    if (const auto* any = std::get_if<Report>(&command)) {
        if (const auto* hello = std::get_if<model::NodeHello>(&any->report)) {
            for (const model::KnownTask& task : hello->tasks) {
                look_at(task.key);
            }
        } else if (const auto* ended = std::get_if<model::TaskEnded>(&any->report)) {
            look_at(ended->key);
        }
    }
    return unknown;
}

std::optional<Instant> Ledger::next_wakeup() const {
    std::optional<Instant> next = state_.next_timer();
    if (const auto reserved = state_.core().next_wakeup();
        reserved && (!next || *reserved < *next)) {
        next = reserved;
    }
    if (const auto turn = next_booking_turn(); turn && (!next || *turn < *next)) {
        next = turn;
    }
    for (const auto& [id, node] : state_.nodes()) {
        if (node.liveness.is_reachable) {
            const Instant silent_at = node.liveness.heard_at + options_.silence_max;
            next = next ? std::min(*next, silent_at) : silent_at;
        }
    }
    return next;
}

}  // namespace reeve::ledger
