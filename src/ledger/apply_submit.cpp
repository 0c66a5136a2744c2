#include <algorithm>
#include <string>

#include "ledger/fit.hpp"
#include "ledger/ledger.hpp"
#include "ledger/refusals.hpp"

namespace reeve::ledger {
namespace {

std::int64_t element_count(const model::JobTerms& terms) {
    return terms.array ? terms.array->count() : 1;
}

}  // namespace

Result<Reply> Ledger::submit(SubmitJobs& command, const Lookups& lookups) {
    const model::Identity& identity = command.actor.identity;
    if (identity.uid == 0 && !options_.allows_root_jobs) {
        return fail(
            ErrorCode::kPolicy,
            "root does not submit jobs here; submit as yourself, or, if root runs the server, "
            "start "
            "it with allow_root_jobs");
    }
    if (const std::optional<Result<Reply>> answer = earlier(command, lookups)) {
        return *answer;
    }
    if (const Result<void> admitted = check_admission(command); !admitted) {
        return tl::unexpected<Error>(admitted.error());
    }
    const UserId user = intern_user(identity);
    const JobId first(last_job_.value() + 1);
    for (std::size_t i = 0; i < command.jobs.size(); ++i) {
        if (Result<void> done = submit_one(command.actor, user, command.jobs[i], lookups); !done) {
            Error error = std::move(done.error());
            if (command.jobs.size() > 1) {
                error.message = "jobs[" + std::to_string(i) + "]: " + error.message;
            }
            return tl::unexpected<Error>(std::move(error));
        }
    }
    if (command.is_dry_run) {
        return Reply(Checked{.job = *state_.job(first)});
    }
    if (scheduler::learns(options_.scheduling.policy)) {
        for (std::uint64_t id = first.value(); id <= last_job_.value(); ++id) {
            const model::JobRecord& job = *state_.job(JobId(id));
            state_.observe(*state_.request(job.request), job.range.count());
        }
    }
    const auto count = static_cast<std::uint32_t>(command.jobs.size());
    if (!command.idempotency_key.empty()) {
        const model::IdempotencyRecord record{
            .user = user,
            .key = command.idempotency_key,
            .fingerprint = command.fingerprint,
            .first_job = first,
            .job_count = count,
            .at = state_.now()};
        requests_of_turn_.insert_or_assign({user, record.key}, record);
        put(Put<model::IdempotencyRecord>{.after = record});
    }
    return Reply(Submitted{.first_job = first, .job_count = count});
}

std::optional<Result<Reply>> Ledger::earlier(
    const SubmitJobs& command, const Lookups& lookups) const {
    if (command.idempotency_key.empty()) {
        return std::nullopt;
    }
    std::optional<model::IdempotencyRecord> record = lookups.earlier_request;
    if (const auto* user = state_.user_named(command.actor.identity.user)) {
        const auto found = requests_of_turn_.find({user->id, command.idempotency_key});
        if (found != requests_of_turn_.end()) {
            record = found->second;
        }
    }
    if (!record) {
        return std::nullopt;
    }
    if (record->fingerprint != command.fingerprint) {
        return Result<Reply>(fail(
            ErrorCode::kConflict,
            "this Idempotency-Key came with another request before; use a new key for a new one"));
    }
    return Result<Reply>(Reply(Submitted{
        .first_job = record->first_job, .job_count = record->job_count, .is_replay = true}));
}

Result<void> Ledger::check_admission(const SubmitJobs& command) const {
    if (command.jobs.empty()) {
        return fail(ErrorCode::kInvalid, "jobs: at least one is needed");
    }
    std::map<ProjectId, std::int64_t> more;
    std::int64_t total = 0;
    for (const NewJob& job : command.jobs) {
        const model::ProjectRecord* project = state_.project_named(job.terms.project);
        if (project == nullptr) {
            std::vector<std::string> names;
            for (const auto& [id, record] : state_.projects()) {
                names.push_back(record.name);
            }
            return tl::unexpected<Error>(no_project(job.terms.project, names));
        }
        more[project->id] += element_count(job.terms);
        total += element_count(job.terms);
    }
    const auto pending = static_cast<std::uint64_t>(state_.usage_of_all().pending_elements + total);
    const std::uint64_t pending_max = std::min<std::uint64_t>(
        options_.pending_elements_max,
        static_cast<std::uint64_t>(options_.limits.pending_elements.value_or(INT64_MAX)));
    if (pending > pending_max) {
        return tl::unexpected<Error>(queue_is_full(pending_max));
    }
    for (const auto& [project, count] : more) {
        const model::UserRecord* user = state_.user_named(command.actor.identity.user);
        const UserId id = user == nullptr ? UserId(0) : user->id;
        if (Result<void> fits = check_pending(project, id, count); !fits) {
            return fits;
        }
    }
    return {};
}

/// `user` is 0 for one who has submitted nothing yet.
Result<void> Ledger::check_pending(ProjectId project, UserId user, std::int64_t more) const {
    const model::ProjectRecord& own = *state_.project(project);
    const std::int64_t of_user = state_.usage(project, user).pending_elements;
    if (own.user_quota.pending_elements && of_user + more > *own.user_quota.pending_elements) {
        return tl::unexpected<Error>(too_many_pending_of_user(own, of_user, more));
    }
    for (std::optional<ProjectId> at = project; at; at = state_.project(*at)->parent) {
        const model::ProjectRecord& record = *state_.project(*at);
        const std::int64_t pending = state_.usage(*at).pending_elements;
        if (record.quota.pending_elements && pending + more > *record.quota.pending_elements) {
            return tl::unexpected<Error>(too_many_pending(record, pending, more));
        }
    }
    return {};
}

Result<void> Ledger::submit_one(
    const Actor& actor, UserId user, NewJob& job, const Lookups& lookups) {
    const model::JobTerms& terms = job.terms;
    const Result<std::int32_t> priority = priority_of(*options_.priorities, terms, actor.is_admin);
    if (!priority) {
        return tl::unexpected<Error>(priority.error());
    }
    const Result<model::RequestId> request = intern_request(terms);
    if (!request) {
        return tl::unexpected<Error>(request.error());
    }
    if (Result<void> fits = check_can_ever_run(*request); !fits) {
        return fits;
    }
    const ProjectId project = state_.project_named(terms.project)->id;
    if (Result<void> fits = check_quota_of_one(project, *request); !fits) {
        return fits;
    }
    Result<std::vector<model::Dependency>> after = unsettled(actor, terms, lookups);
    if (!after) {
        return tl::unexpected<Error>(std::move(after.error()));
    }
    last_job_ = JobId(last_job_.value() + 1);
    model::JobRecord record{
        .id = last_job_,
        .user = user,
        .project = project,
        .request = *request,
        .priority = *priority,
        .retries_max = terms.retries_max,
        .retry_backoff_s = terms.retry_backoff_s,
        .time_limit_s = terms.time_limit_s,
        .submitted_at = state_.now(),
        .range = terms.array.value_or(model::ArrayRange{}),
        .is_array = terms.array.has_value(),
        .on_node_loss = terms.on_node_loss,
        .is_preemptible = terms.is_preemptible,
        .waiting_state = terms.is_held ? model::ElementState::kHeld : model::ElementState::kQueued,
        .run_name = scheduler::run_name(terms.name),
        .after = std::move(*after)};
    if (state_.has_fair_share()) {
        const scheduler::Load load = state_.fair_share().load_of(
            project, user, state_.milli_seconds_of(record), state_.now());
        record.fair_load = load.before;
        record.fair_step = record.is_array ? load.each : 0;
    }
    record.counts[record.waiting_state] = record.range.count();
    put_job(
        std::move(record), JobTexts{
                               .name = std::move(job.terms.name),
                               .labels = std::move(job.terms.labels),
                               .spec_json = std::move(job.spec_json)});
    return {};
}

UserId Ledger::intern_user(const model::Identity& identity) {
    if (const model::UserRecord* known = state_.user_named(identity.user)) {
        return known->id;
    }
    const auto& users = state_.users();
    const UserId id(users.empty() ? 1 : users.rbegin()->first.value() + 1);
    put(Put<model::UserRecord>{
        .after = {{.id = id, .name = identity.user, .uid = identity.uid, .gid = identity.gid}}});
    return id;
}

Result<model::RequestId> Ledger::intern_request(const model::JobTerms& terms) {
    model::RequestRecord request{
        .gpus = terms.gpus,
        .host = {.cpu_millicores = terms.cpu_millicores, .memory_mib = terms.memory_mib}
    };
    if (!terms.on.empty()) {
        const auto on = model::parse_node_expression(terms.on);
        if (!on) {
            return fail(on.error().code, "on: " + on.error().message);
        }
        request.on = to_string(*on);  // So that those that are equal share a request.
    }
    if (const std::optional<model::RequestId> known = state_.find_request(request)) {
        return *known;
    }
    if (Result<void> may = check_is_room(request); !may) {
        return tl::unexpected<Error>(std::move(may.error()));
    }
    last_request_ = model::RequestId(last_request_.value() + 1);
    request.id = last_request_;
    put(Put<model::RequestRecord>{.after = request});
    return request.id;
}

/// They are in memory as long as jobs that ask for them, and each expression is asked of every
/// node.
Result<void> Ledger::check_is_room(const model::RequestRecord& request) const {
    if (state_.requests().size() >= options_.requests_max) {
        return fail(
            ErrorCode::kLimit,
            "the jobs that have not ended ask for " + std::to_string(options_.requests_max) +
                " different amounts and nodes, which is the most; ask for just what one of them "
                "does, such as memory in whole GiB, or wait until some have ended");
    }
    const NodeClasses& known = state_.node_classes();
    if (!request.on.empty() && !known.has(request.on) &&
        known.expression_count() >= options_.expressions_max) {
        return fail(
            ErrorCode::kLimit,
            "on: the jobs that have not ended name " + std::to_string(options_.expressions_max) +
                " different choices of nodes, which is the most; use one of theirs, leave it out, "
                "or wait until some have ended");
    }
    return {};
}

Result<void> Ledger::check_can_ever_run(model::RequestId id) {
    if (state_.nodes().empty() || known_to_fit_.contains(id)) {
        return {};
    }
    const model::RequestRecord& request = *state_.request(id);
    const Candidate candidate(request, state_.resolved(id), [this](GpuModelId model) {
        return state_.gpu_model_name(model);
    });
    // Mostly the first could, so that what is asked for anew costs no look at all of them.
    const bool could_run = std::ranges::any_of(state_.nodes(), [&](const auto& node) {
        return candidate.could_run_on(node.second.record);
    });
    if (could_run) {
        known_to_fit_.insert(id);
        return {};
    }
    return tl::unexpected<Error>(never_runs(hardware_of(state_), request));
}

/// One element alone is more than a quota lets all of the project hold: it would wait for ever.
Result<void> Ledger::check_quota_of_one(ProjectId project, model::RequestId request) const {
    const model::Usage one = usage_of_one(*state_.request(request));
    const model::ProjectRecord& own = *state_.project(project);
    for (const scheduler::Excess& excess : scheduler::excess(own.user_quota, {}, one)) {
        return tl::unexpected<Error>(more_than_user_quota(own.name, excess));
    }
    for (std::optional<ProjectId> at = project; at; at = state_.project(*at)->parent) {
        const model::ProjectRecord& record = *state_.project(*at);
        for (const scheduler::Excess& excess : scheduler::excess(record.quota, {}, one)) {
            return tl::unexpected<Error>(more_than_quota(record.name, excess));
        }
    }
    return {};
}

Result<std::vector<model::Dependency>> Ledger::unsettled(
    const Actor& actor, const model::JobTerms& terms, const Lookups& lookups) const {
    std::vector<model::Dependency> open;
    for (const model::Dependency& dependency : terms.after) {
        const model::JobRecord* job = state_.job(dependency.job);
        const std::string owner = owner_of(dependency.job, lookups);
        if (owner.empty() || !actor.reach().covers(owner)) {
            return tl::unexpected<Error>(no_job_to_wait_for(dependency.job));
        }
        const model::StateCounts& counts =
            job != nullptr ? job->counts : lookups.ended_jobs.at(dependency.job).counts;
        if (job != nullptr && counts.ended() < job->range.count()) {
            open.push_back(dependency);
        } else if (!has_happened(dependency.kind, counts)) {
            return tl::unexpected<Error>(never_starts_after(dependency.job, counts));
        }
    }
    return open;
}

/// Jobs that have just come to their end: what waits for them goes on, or never can. A list and no
/// recursion, since a chain of jobs may be as long as the queue.
void Ledger::settle_dependents() {
    if (is_settling_) {
        return;
    }
    is_settling_ = true;
    while (!to_settle_.empty()) {
        const JobId ended = to_settle_.back();
        to_settle_.pop_back();
        const model::StateCounts counts = state_.job(ended)->counts;
        for (const JobId id : state_.dependents_of(ended)) {
            model::JobRecord job = *state_.job(id);
            const auto is_never_now = [&](const model::Dependency& dependency) {
                return dependency.job == ended && !has_happened(dependency.kind, counts);
            };
            const bool is_never = std::ranges::any_of(job.after, is_never_now);
            const bool says_why = is_never && job.counts.live() == 0;  // It ends by this.
            std::erase_if(job.after, [&](const model::Dependency& dependency) {
                return says_why ? !is_never_now(dependency) : dependency.job == ended;
            });
            put_job(std::move(job));
            if (is_never) {
                end_waiting(id, model::ElementEvent::kDependencyNever);
            }
        }
    }
    is_settling_ = false;
}

}  // namespace reeve::ledger
