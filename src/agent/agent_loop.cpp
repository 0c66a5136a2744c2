#include "agent/agent_loop.hpp"

#include <algorithm>

#include <poll.h>

#include "platform/clock.hpp"

namespace reeve::agent {
namespace {

using std::chrono::microseconds;

/// For poll(): never less than is left, so that it does not spin.
int milliseconds_until(microseconds at) {
    const auto left = at - platform::monotonic_now();
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(left);
    return static_cast<int>(std::clamp<std::int64_t>(rounded.count(), 0, 60'000));
}

/// Says whose the processes are: what runs is known when the sample arrives here.
void find_tasks(const Runtime& runtime, model::NodeSample& sample) {
    for (model::GpuSample& gpu : sample.gpus) {
        for (model::GpuProcess& process : gpu.processes) {
            process.task = runtime.task_of(static_cast<pid_t>(process.pid));
        }
    }
}

}  // namespace

Result<std::unique_ptr<AgentLoop>> AgentLoop::start(
    LoopOptions options, const std::vector<AgentNode>& nodes) {
    Result<platform::EventFd> inbox = platform::EventFd::open();
    Result<platform::EventFd> stop = platform::EventFd::open();
    if (!inbox || !stop) {
        return tl::unexpected(inbox ? stop.error() : inbox.error());
    }
    std::unique_ptr<AgentLoop> loop(
        new AgentLoop(std::move(options), std::move(*inbox), std::move(*stop)));
    for (const AgentNode& node : nodes) {
        if (Result<void> added = loop->add(node); !added) {
            return tl::unexpected(std::move(added.error()).with_context("node " + node.name));
        }
    }
    loop->loop_ = std::thread([raw = loop.get()] { raw->run(); });
    loop->sampling_ = std::thread([raw = loop.get()] { raw->sample(); });
    return loop;
}

AgentLoop::~AgentLoop() {
    {
        const std::scoped_lock lock(mutex_);
        is_stopping_ = true;
    }
    inbox_bell_.notify();
    stop_sampling_.notify();
    for (std::thread* thread : {&sampling_, &loop_}) {
        if (thread->joinable()) {
            thread->join();
        }
    }
}

Result<void> AgentLoop::add(const AgentNode& node) {
    Sampler sampler(node.gpus);
    const MachineDescribed machine = sampler.describe();
    node.runtime->set_gpus(machine.gpus);
    Result<std::vector<model::KnownTask>> tasks = node.runtime->list();
    if (!tasks) {
        return tl::unexpected(tasks.error());
    }
    AgentReactor reactor(
        {
            .node = node.name,
            .cluster_id = node.cluster_id,
            .boot_id = node.boot_id,
            .enforcement = node.enforcement,
            .labels = node.labels,
            .host = machine.host,
            .gpus = machine.gpus,
        },
        std::move(*tasks));
    nodes_.push_back({node.name, node.runtime, std::move(sampler), std::move(reactor)});
    return {};
}

Result<void> AgentLoop::send(const std::string& node, model::AgentOrder order) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].name == node) {
            put(i, std::move(order));
            return {};
        }
    }
    return fail(ErrorCode::kNotFound, "this process has no node " + node);
}

void AgentLoop::put(std::size_t node, AgentEvent event) {
    {
        const std::scoped_lock lock(mutex_);
        const auto* order = std::get_if<model::AgentOrder>(&event);
        const bool is_stop = order != nullptr && std::holds_alternative<model::StopTask>(*order);
        (is_stop ? stops_ : inbox_).push_back({node, std::move(event)});
    }
    inbox_bell_.notify();
}

void AgentLoop::run() {
    for (Node& node : nodes_) {
        handle(node, Connected{});
    }
    microseconds tick_at = platform::monotonic_now() + options_.tick_every;
    std::vector<pollfd> wanted = {
        {inbox_bell_.fd(), POLLIN, 0}
    };
    for (const Node& node : nodes_) {
        wanted.push_back({node.runtime->fd(), POLLIN, 0});
    }
    while (true) {
        poll(wanted.data(), wanted.size(), milliseconds_until(tick_at));
        {
            const std::scoped_lock lock(mutex_);
            if (is_stopping_) {
                return;
            }
        }
        read_inbox();
        if (platform::monotonic_now() >= tick_at) {
            tick_at = platform::monotonic_now() + options_.tick_every;
            for (Node& node : nodes_) {
                handle(node, Tick{});
            }
        }
        collect_all();
    }
}

/// A stop goes first, even before a start that came earlier: what is cancelled by then never
/// starts.
std::optional<AgentLoop::Letter> AgentLoop::next_letter() {
    const std::scoped_lock lock(mutex_);
    std::deque<Letter>& queue = stops_.empty() ? inbox_ : stops_;
    if (queue.empty()) {
        return {};
    }
    Letter letter = std::move(queue.front());
    queue.pop_front();
    return letter;
}

void AgentLoop::read_inbox() {
    static_cast<void>(
        inbox_bell_.consume());  // Before the letters: one that comes now rings again.
    std::size_t letters_max = 0;
    {
        const std::scoped_lock lock(mutex_);
        letters_max = inbox_.size() + stops_.size();
    }
    for (std::size_t i = 0; i < letters_max; ++i) {
        std::optional<Letter> letter = next_letter();
        if (!letter) {
            return;
        }
        Node& node = nodes_[letter->node];
        if (const auto* machine = std::get_if<MachineDescribed>(&letter->event)) {
            node.runtime->set_gpus(machine->gpus);
        } else if (auto* sampled = std::get_if<Sampled>(&letter->event)) {
            find_tasks(*node.runtime, sampled->sample);
        }
        handle(node, letter->event);
    }
}

/// Until nobody has anything: what one node collects can be another one's news.
void AgentLoop::collect_all() {
    bool is_more = true;
    while (is_more) {
        is_more = false;
        for (Node& node : nodes_) {
            for (const RuntimeEvent& event : node.runtime->collect()) {
                handle(node, event);
                is_more = true;
            }
        }
    }
}

void AgentLoop::handle(Node& node, const AgentEvent& event) {
    for (const AgentEffect& effect : node.reactor.handle(event, platform::now_utc())) {
        perform(node, effect);
    }
}

void AgentLoop::perform(Node& node, const AgentEffect& effect) {
    struct Performer {
        Runtime& runtime;
        const LoopOptions& options;

        void operator()(const LaunchTask& launch) const { runtime.launch(launch.order); }

        void operator()(const HaltTask& halt) const { runtime.stop(halt.key, halt.force); }

        void operator()(const KeepAcknowledged& keep) const { runtime.acknowledge(keep.key); }

        void operator()(const RemoveTask& remove) const { runtime.remove(remove.key); }

        void operator()(const SendReport& send) const { options.sink(send.report); }
    };

    std::visit(Performer{*node.runtime, options_}, effect);
}

void AgentLoop::sample() {
    microseconds sample_at = platform::monotonic_now();
    microseconds describe_at = sample_at + options_.describe_every;
    while (true) {
        pollfd wanted = {stop_sampling_.fd(), POLLIN, 0};
        if (poll(&wanted, 1, milliseconds_until(sample_at)) > 0) {
            return;
        }
        const microseconds now = platform::monotonic_now();
        if (now < sample_at) {
            continue;
        }
        sample_at = now + options_.sample_every;
        const bool describes = now >= describe_at;
        if (describes) {
            describe_at = now + options_.describe_every;
        }
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (describes) {
                put(i, nodes_[i].sampler.describe());
            }
            put(i, nodes_[i].sampler.sample());
        }
    }
}

}  // namespace reeve::agent
