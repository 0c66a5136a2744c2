#include "cluster_world.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace reeve::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMachines = 2;
constexpr int kGpusOfEach = 2;
constexpr std::int64_t kGpuMib = 10'000;
constexpr const char* kUser = "ada";
constexpr std::uint64_t kAmounts = 10;       // Of memory, so that requests differ.
constexpr std::uint64_t kExpressions = 100;  // More than the ledger remembers in vain.

}  // namespace

ClusterWorld::ClusterWorld(std::uint64_t seed) : seed_(seed), random_(seed) {
    const auto coin = [this] { return random_.below(2) == 0; };
    faults_ = {
        .loses_messages = coin(),
        .repeats_messages = coin(),
        .reorders_messages = coin(),
        .crashes_controller = coin(),
        .crashes_agents = coin(),
        .restarts_machines = coin(),
        .fills_disks = coin(),
        .jumps_clocks = coin()};
    store_.on_durable = [this](const ledger::Change& change) { check_durable(change); };
    open_controller();
    for (std::size_t i = 0; i < kMachines; ++i) {
        Machine machine{.name = "n" + std::to_string(i)};
        for (int gpu = 0; gpu < kGpusOfEach; ++gpu) {
            machine.gpus.push_back(
                {.uuid = "GPU-" + machine.name + "-" + std::to_string(gpu),
                 .model = "NVIDIA A30",
                 .total_mib = kGpuMib});
        }
        machine.runtime = std::make_unique<SimRuntime>(random_);
        machine.runtime->cluster_id = controller_->header().cluster_id;
        machines_.push_back(std::move(machine));
    }
    for (Machine& machine : machines_) {
        machine.runtime->on_start = [this, &machine](const model::KnownTask& task) {
            check_started(machine, task);
        };
        start_agent(machine);
    }
}

void ClusterWorld::step() {
    const auto passed = std::chrono::milliseconds(random_.below(2000));
    now_ = now_ + passed;
    steady_ = steady_ + passed;
    switch (random_.below(is_healed_ ? 8 : 12)) {
        case 0:
        case 1:  run_controller(); break;
        case 2:
        case 3:  deliver_report(); break;
        case 4:
        case 5:  deliver_order(); break;
        case 6:
        case 7:  run_machine(); break;
        case 8:  submit_something(); break;
        case 9:  control_something(); break;
        default: break_something(); break;
    }
    if (controller_) {
        check_ledger();
    }
}

void ClusterWorld::heal() {
    faults_ = {};
    is_healed_ = true;
    store_.fault = FaultyStore::Fault::kNone;
    if (!controller_) {
        open_controller();
    }
    for (Machine& machine : machines_) {
        machine.runtime->is_disk_full = false;
        if (!machine.agent) {
            start_agent(machine);
        }
        tell(machine, agent::Connected{});
    }
}

bool ClusterWorld::is_settled() const {
    return controller_ && controller_->ledger().state().jobs().empty() && reports_.empty();
}

// ---- The controller.

void ClusterWorld::open_controller() {
    store_.has_crashed = false;
    store_.fault = FaultyStore::Fault::kNone;
    auto opened = controller::Controller::open(store_, {}, now_);
    if (!opened) {
        fail_with("cannot open: " + opened.error().message);
        return;
    }
    controller_ = *std::move(opened);
    for (const JobId id : acknowledged_) {
        const auto counts = durable_.counts_of(id);
        if (!counts || !*counts) {
            fail_with("job " + to_string(id) + " was acknowledged and is lost");
        }
    }
    for (Machine& machine : machines_) {
        if (machine.agent) {
            tell(machine, agent::Connected{});
        }
    }
}

void ClusterWorld::crash_controller() {
    ++counts_["controller crashes"];
    controller_.reset();
    requests_.clear();
    waiting_.clear();
    reports_.clear();  // Connections break.
    for (Machine& machine : machines_) {
        machine.orders.clear();
    }
}

void ClusterWorld::run_controller() {
    if (!controller_) {
        open_controller();
        return;
    }
    if (is_healed_) {  // Whoever held a job forgot it.
        for (const auto& [id, job] : controller_->ledger().state().jobs()) {
            if (job.counts[model::ElementState::kHeld] > 0) {
                requests_.push_back({
                    .command = ledger::ControlJobs{
                                                   .actor = {.identity = {kUser}},
                                                   .control = ledger::Control::kRelease,
                                                   .targets = {{id, {}}}}
                });
            }
        }
    }
    controller::TurnResult result = controller_->turn(std::exchange(requests_, {}), now_);
    if (store_.has_crashed) {
        crash_controller();
        return;
    }
    hear(result.answers);
    send(result.orders);
}

void ClusterWorld::hear(const std::vector<controller::Answer>& answers) {
    for (const controller::Answer& answer : answers) {
        const auto waiting = waiting_.extract(answer.ticket);
        if (waiting.empty() || !answer.reply) {
            continue;
        }
        if (const auto* submitted = std::get_if<ledger::Submitted>(&*answer.reply)) {
            for (std::uint32_t i = 0; i < submitted->job_count; ++i) {
                acknowledged_.insert(JobId(submitted->first_job.value() + i));
            }
        }
        if (waiting.mapped().cancelled) {
            hear_of_cancel(*waiting.mapped().cancelled);
        }
    }
}

/// Answered as "cancelled", and not as "stopping": then no start may be on its way.
void ClusterWorld::hear_of_cancel(JobId job) {
    const model::JobRecord* left = controller_->ledger().state().job(job);
    const bool has_started =
        std::ranges::any_of(ever_started_, [&](const auto& key) { return key.job == job; });
    if (!has_started && (left == nullptr || left->counts.live() == 0)) {
        cancelled_unstarted_.insert(job);
    }
}

void ClusterWorld::send(const std::vector<controller::Order>& orders) {
    for (const controller::Order& order : orders) {
        for (Machine& machine : machines_) {
            if (machine.name == order.node) {
                machine.orders.push_back(order.order);
            }
        }
    }
}

void ClusterWorld::submit_something() {
    ledger::SubmitJobs command{.actor = {.identity = {kUser, 1000, 1000}}};
    const std::uint64_t count = 1 + random_.below(2);
    for (std::uint64_t i = 0; i < count; ++i) {
        model::JobTerms terms{.name = "job"};
        switch (random_.below(3)) {
            case 0:  terms.gpus.count = 1; break;
            case 1:  terms.gpus.count = 2; break;
            default: terms.gpus.milli = 400; break;
        }
        terms.memory_mib = static_cast<std::int64_t>((last_ticket_ + i) % kAmounts);
        if ((last_ticket_ + i) % 3 == 0) {  // Of all nodes, but each is another one to the ledger.
            terms.on = "node.name!=x" + std::to_string(last_ticket_ % kExpressions);
        }
        terms.priority = static_cast<std::int32_t>(random_.below(3));
        terms.is_preemptible = random_.below(3) == 0;
        terms.retries_max = static_cast<std::int32_t>(random_.below(3));
        terms.is_held = random_.below(10) == 0;
        if (random_.below(4) == 0) {
            terms.array = {
                .first = 0,
                .last = static_cast<std::uint32_t>(random_.below(5)),
                .running_max = static_cast<std::uint32_t>(random_.below(3))};
        }
        if (random_.below(4) == 0 && !acknowledged_.empty()) {
            terms.after = {
                {static_cast<model::DependencyKind>(random_.below(3)), *acknowledged_.rbegin()}
            };
        }
        command.jobs.push_back(
            {.terms = terms, .spec_json = model::to_json(model::JobSpec{.terms = terms})});
    }
    waiting_[++last_ticket_] = {.jobs = command.jobs.size()};
    requests_.push_back({.ticket = last_ticket_, .command = std::move(command)});
}

void ClusterWorld::control_something() {
    if (acknowledged_.empty()) {
        return;
    }
    auto chosen = acknowledged_.begin();
    std::advance(chosen, random_.below(acknowledged_.size()));
    const auto control = static_cast<ledger::Control>(random_.below(5));
    const bool is_whole = random_.below(2) == 0;
    const bool is_stop =
        control == ledger::Control::kStop || control == ledger::Control::kStopForced;
    waiting_[++last_ticket_] = {
        .cancelled = is_whole && is_stop ? std::optional(*chosen) : std::nullopt};
    const std::optional<std::uint32_t> index =
        is_whole ? std::nullopt : std::optional(static_cast<std::uint32_t>(random_.below(5)));
    requests_.push_back({
        .ticket = last_ticket_,
        .command = ledger::ControlJobs{
                                       .actor = {.identity = {kUser}}, .control = control, .targets = {{*chosen, index}}}
    });
}

// ---- The network.

/// The next message, or a later one; perhaps it stays to come again, perhaps it is lost.
template <class Message>
std::optional<Message> ClusterWorld::take_message(std::deque<Message>& queue) {
    if (queue.empty()) {
        return std::nullopt;
    }
    const std::size_t at = faults_.reorders_messages ? random_.below(queue.size()) : 0;
    Message message = queue.at(at);
    if (!faults_.repeats_messages || random_.below(8) != 0) {
        queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (faults_.loses_messages && random_.below(8) == 0) {
        ++counts_["messages lost"];
        return std::nullopt;
    }
    return message;
}

void ClusterWorld::deliver_report() {
    for (std::uint64_t i = random_.below(4); i != UINT64_MAX; --i) {
        if (const std::optional<model::AgentReport> report = take_message(reports_)) {
            requests_.push_back({.command = ledger::Report{*report}});
        }
    }
}

void ClusterWorld::deliver_order() {
    Machine& machine = machines_.at(random_.below(machines_.size()));
    if (!machine.agent) {
        return;
    }
    for (std::uint64_t i = random_.below(4); i != UINT64_MAX; --i) {
        if (const std::optional<model::AgentOrder> order = take_message(machine.orders)) {
            tell(machine, *order);
        }
    }
}

// ---- Machines.

void ClusterWorld::start_agent(Machine& machine) {
    agent::ReactorOptions options{
        .node = machine.name,
        .cluster_id = machine.runtime->cluster_id,
        .boot_id = "boot" + std::to_string(machine.boot),
        .host = {.hostname = machine.name, .cpu_millicores = 64'000, .memory_mib = 64'000},
        .gpus = machine.gpus
    };
    machine.agent =
        std::make_unique<agent::AgentReactor>(std::move(options), *machine.runtime->list());
    tell(machine, agent::Connected{});
}

void ClusterWorld::tell(Machine& machine, const agent::AgentEvent& event) {
    perform(machine, machine.agent->handle(event, steady_));
}

void ClusterWorld::perform(Machine& machine, std::vector<agent::AgentEffect> effects) {
    for (agent::AgentEffect& effect : effects) {
        if (const auto* launch = std::get_if<agent::LaunchTask>(&effect)) {
            machine.runtime->launch(launch->order);
        } else if (const auto* halt = std::get_if<agent::HaltTask>(&effect)) {
            machine.runtime->stop(halt->key, halt->force);
        } else if (const auto* keep = std::get_if<agent::KeepAcknowledged>(&effect)) {
            machine.runtime->acknowledge(keep->key);
        } else if (const auto* remove = std::get_if<agent::RemoveTask>(&effect)) {
            machine.runtime->remove(remove->key);
        } else {
            reports_.push_back(std::move(std::get<agent::SendReport>(effect).report));
        }
    }
}

void ClusterWorld::run_machine() {
    Machine& machine = machines_.at(random_.below(machines_.size()));
    machine.runtime->progress();
    if (!machine.agent) {
        if (random_.below(3) == 0) {
            start_agent(machine);
        }
        return;
    }
    for (const agent::RuntimeEvent& event : machine.runtime->collect()) {
        tell(machine, event);
    }
    tell(machine, agent::Tick{});
    if (random_.below(3) == 0) {
        tell(machine, agent::Sampled{});
    }
}

void ClusterWorld::break_something() {
    Machine& machine = machines_.at(random_.below(machines_.size()));
    const std::uint64_t kind = random_.below(6);
    const bool coin = random_.below(2) == 0;
    if (kind == 0 && faults_.crashes_controller && controller_) {
        store_.fault = coin ? FaultyStore::Fault::kCrashBefore : FaultyStore::Fault::kCrashAfter;
    } else if (kind == 1 && faults_.crashes_agents) {
        ++counts_["agent crashes"];
        machine.agent.reset();
        machine.runtime->lose_agent();
        machine.orders.clear();
    }
    break_more(machine, kind);
}

void ClusterWorld::break_more(Machine& machine, std::uint64_t kind) {
    const bool coin = random_.below(2) == 0;
    if (kind == 2 && faults_.restarts_machines && random_.below(4) == 0) {
        restart_machine(machine);
    } else if (kind == 3 && faults_.fills_disks) {
        store_.fault = coin ? FaultyStore::Fault::kFull : FaultyStore::Fault::kNone;
        machine.runtime->is_disk_full = random_.below(2) == 0;
    } else if (kind == 4 && faults_.jumps_clocks) {
        const auto jump = std::chrono::seconds(random_.below(7200));
        now_ = now_ + (coin ? jump : -jump);
    }
}

void ClusterWorld::restart_machine(Machine& machine) {
    ++counts_["machine restarts"];
    machine.agent.reset();
    machine.orders.clear();
    std::erase_if(reports_, [&](const model::AgentReport& report) {
        return std::visit([](const auto& any) { return any.node; }, report) == machine.name;
    });
    machine.runtime->restart_machine();
    ++machine.boot;
}

std::string ClusterWorld::summary() const {
    std::string text = "seed " + std::to_string(seed_) + ": " +
                       std::to_string(acknowledged_.size()) + " jobs acknowledged, " +
                       std::to_string(ended_.size()) + " elements ended";
    for (const auto& [what, count] : counts_) {
        text += ", " + std::to_string(count) + " " + what;
    }
    for (const Machine& machine : machines_) {
        text += "\n  " + machine.name + " boot" + std::to_string(machine.boot) + " " +
                std::to_string(machine.orders.size()) + " orders on their way";
        for (const auto& [key, task] : machine.runtime->tasks()) {
            text += task.phase == SimRuntime::Phase::kEnded ? "" : " " + model::to_string(key);
        }
    }
    return controller_ ? text + ledger_summary() : text;
}

std::string ClusterWorld::ledger_summary() const {
    const ledger::State& state = controller_->ledger().state();
    std::string text;
    for (const auto& [id, node] : state.nodes()) {
        text += "\n  " + node.record.name + " " + node.record.boot_id +
                (node.liveness.is_reachable ? "" : " unreachable");
    }
    for (const auto& [id, job] : state.jobs()) {
        text += "\n  job " + to_string(id) + " " +
                std::string(model::word_of(model::state_of(job.counts)));
    }
    for (const auto& [key, element] : state.elements()) {
        text += "\n    " + model::to_string(key, true) + " attempt " +
                std::to_string(element.attempt) + " " + std::string(model::word_of(element.state));
    }
    return text;
}

}  // namespace reeve::simulation
