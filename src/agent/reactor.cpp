#include "agent/reactor.hpp"

#include <algorithm>
#include <utility>

namespace reeve::agent {
namespace {

model::KnownTask known_task(const model::TaskOrder& order) {
    return {
        .key = order.key,
        .cluster_id = order.cluster_id,
        .identity = order.identity,
        .gpus = order.gpus,
        .order_json = model::to_json(order),
    };
}

const model::TaskKey& key_of(const std::variant<LaunchTask, HaltTask>& wish) {
    const auto* launch = std::get_if<LaunchTask>(&wish);
    return launch != nullptr ? launch->order.key : std::get<HaltTask>(wish).key;
}

}  // namespace

AgentReactor::AgentReactor(ReactorOptions options, std::vector<model::KnownTask> tasks)
    : options_(std::move(options)) {
    for (model::KnownTask& task : tasks) {
        const model::TaskKey key = task.key;
        entries_[key] = {.task = std::move(task), .report_gap = options_.repeat_after};
    }
}

std::vector<AgentEffect> AgentReactor::handle(const AgentEvent& event, Instant now) {
    Turn turn = {.now = now};
    on(event, turn);
    return std::move(turn.effects);
}

std::vector<model::KnownTask> AgentReactor::tasks() const {
    std::vector<model::KnownTask> tasks;
    tasks.reserve(entries_.size());
    for (const auto& [key, entry] : entries_) {
        tasks.push_back(entry.task);
    }
    return tasks;
}

void AgentReactor::on(const model::StartTask& order, Turn& turn) {
    const model::TaskKey& key = order.order.key;
    if (order.boot_id != options_.boot_id) {
        return;  // It was placed before this machine restarted, and will be counted as lost.
    }
    if (refused_.contains(key)) {
        return;  // It is asked for again at a tick; a stop among these is never undone by a start.
    }
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
        ask(LaunchTask{order.order}, turn);
    } else if (found->second.task.outcome) {
        report_end(found->second, turn);
    } else if (found->second.task.has_started) {
        report_start(found->second, turn);
    }
}

void AgentReactor::on(const model::StopTask& order, Turn& turn) {
    const HaltTask halt = {order.key, order.is_forced ? StopForce::kKill : StopForce::kGraceful};
    if (const auto refused = refused_.find(order.key); refused != refused_.end()) {
        refused->second.wish = halt;
        return;
    }
    const auto found = entries_.find(order.key);
    if (found != entries_.end() && found->second.task.outcome) {
        report_end(found->second, turn);
        return;
    }
    ask(halt, turn);
}

void AgentReactor::on(const model::AcknowledgeEnd& order, Turn& turn) {
    const auto found = entries_.find(order.key);
    if (found == entries_.end() || !found->second.task.outcome) {
        return;
    }
    turn.effects.emplace_back(KeepAcknowledged{order.key});
    entries_.erase(found);
}

void AgentReactor::on(const model::DeleteTask& order, Turn& turn) {
    const auto found = entries_.find(order.key);
    if (found != entries_.end()) {
        if (!found->second.task.outcome) {
            return;  // What runs is never deleted.
        }
        entries_.erase(found);  // A delete says that the end is known, even if it came first.
    }
    turn.effects.emplace_back(RemoveTask{order.key});
}

void AgentReactor::on(const model::ReportAll& /*order*/, Turn& turn) {
    say_hello(turn);
}

void AgentReactor::on(const RuntimeStarted& event, Turn& turn) {
    const auto found = entries_.find(event.key);
    if (found == entries_.end() || found->second.task.outcome) {
        return;  // Its end overtook it.
    }
    Entry& entry = found->second;
    entry.task.has_started = true;
    entry.pid = event.pid;
    if (entry.wish && std::holds_alternative<LaunchTask>(*entry.wish)) {
        entry.wish.reset();
    }
    report_start(entry, turn);
}

void AgentReactor::on(const RuntimeOverdue& event, Turn& turn) const {
    if (const auto found = entries_.find(event.key);
        found != entries_.end() && !found->second.task.outcome) {
        turn.effects.emplace_back(SendReport{
            model::TaskOverdue{options_.node, event.key}
        });
    }
}

void AgentReactor::on(const RuntimeEnded& event, Turn& turn) {
    refused_.erase(event.key);
    Entry& entry = entries_[event.key];
    entry.task.key = event.key;
    if (entry.task.cluster_id.empty()) {
        entry.task.cluster_id = options_.cluster_id;
    }
    entry.wish.reset();
    entry.report_gap = options_.repeat_after;
    entry.task.outcome = event.outcome;
    report_end(entry, turn);
}

void AgentReactor::on(const RuntimeRemoved& event, Turn& /*turn*/) {
    refused_.erase(event.key);
    entries_.erase(event.key);
}

void AgentReactor::on(const RuntimeRefused& event, Turn& turn) {
    const auto found = entries_.find(event.key);
    if (found == entries_.end() || !found->second.wish) {
        return;
    }
    refused_.insert_or_assign(
        event.key, Refused{std::move(*found->second.wish), turn.now + options_.retry_after});
    entries_.erase(found);  // It is not on the disk, so a hello must not have it.
}

void AgentReactor::on(const MachineDescribed& event, Turn& turn) {
    if (event.host == options_.host && event.gpus == options_.gpus) {
        return;
    }
    options_.host = event.host;
    options_.gpus = event.gpus;
    say_hello(turn);
}

void AgentReactor::on(const Sampled& event, Turn& turn) {
    model::NodeSample sample = event.sample;
    sample.node = options_.node;
    turn.effects.emplace_back(SendReport{std::move(sample)});
}

void AgentReactor::on(const Connected& /*event*/, Turn& turn) {
    say_hello(turn);
}

void AgentReactor::on(const Tick& /*event*/, Turn& turn) {
    ask_again(turn);
    std::size_t left = options_.repeats_per_tick_max;
    for (auto& [key, entry] : entries_) {
        if (left == 0) {
            return;
        }
        if (entry.task.outcome && entry.report_at <= turn.now) {
            report_end(entry, turn);
            --left;
        }
    }
}

void AgentReactor::say_hello(Turn& turn) {
    model::NodeHello hello = {
        .node = options_.node,
        .boot_id = options_.boot_id,
        .host = options_.host,
        .gpus = options_.gpus,
        .tasks = tasks(),
        .enforcement = options_.enforcement,
        .labels = options_.labels,
    };
    turn.effects.emplace_back(SendReport{std::move(hello)});
    for (auto& [key, entry] : entries_) {  // The hello has told them.
        entry.report_at = turn.now + entry.report_gap;
    }
}

void AgentReactor::report_start(const Entry& entry, Turn& turn) const {
    turn.effects.emplace_back(SendReport{
        model::TaskStarted{options_.node, entry.task.key, entry.pid}
    });
}

void AgentReactor::report_end(Entry& entry, Turn& turn) const {
    turn.effects.emplace_back(SendReport{
        model::TaskEnded{options_.node, entry.task.key, *entry.task.outcome}
    });
    entry.report_at = turn.now + entry.report_gap;
    entry.report_gap = std::min(entry.report_gap * 2, options_.repeat_after_max);
}

/// The runtime claims the key at once, or refuses; so it is known from here on.
void AgentReactor::ask(Wish wish, Turn& turn) {
    Entry& entry = entries_[key_of(wish)];
    if (const auto* launch = std::get_if<LaunchTask>(&wish)) {
        entry.task = known_task(launch->order);
        turn.effects.emplace_back(*launch);
    } else {
        entry.task.key = key_of(wish);
        if (entry.task.cluster_id.empty()) {
            entry.task.cluster_id = options_.cluster_id;
        }
        turn.effects.emplace_back(std::get<HaltTask>(wish));
    }
    entry.wish = std::move(wish);
}

void AgentReactor::ask_again(Turn& turn) {
    for (auto at = refused_.begin(); at != refused_.end();) {
        if (at->second.retry_at > turn.now) {
            ++at;
            continue;
        }
        Wish wish = std::move(at->second.wish);
        at = refused_.erase(at);
        ask(std::move(wish), turn);
    }
}

}  // namespace reeve::agent
