#include "controller/writer.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace reeve::controller {
namespace {

/// Time is looked at this often at least: a clock that jumps must not stop the back-offs.
constexpr std::chrono::microseconds kSleepMax = std::chrono::seconds(1);

}  // namespace

Writer::Writer(std::unique_ptr<Controller> controller, Clock clock)
    : controller_(std::move(controller)), clock_(std::move(clock)), view_(controller_->view()) {}

Writer::~Writer() {
    stop();
}

void Writer::start() {
    thread_ = std::thread([this] { run(); });
}

void Writer::stop() {
    {
        const std::scoped_lock lock(mutex_);
        is_stopping_ = true;
    }
    wakes_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
    std::vector<Waiting> left;
    {
        const std::scoped_lock lock(mutex_);
        left.swap(waiting_);
    }
    for (Waiting& waiting : left) {
        if (waiting.callback) {
            waiting.callback(fail(ErrorCode::kUnavailable, "the server is stopping; try again"));
        }
    }
}

void Writer::submit(ledger::Command command, Callback callback) {
    {
        const std::scoped_lock lock(mutex_);
        if (waiting_.size() < kWaitingCommandsMax && !is_stopping_) {
            waiting_.push_back({std::move(command), std::move(callback)});
            wakes_.notify_one();
            return;
        }
    }
    counters_.queue_refusals.fetch_add(1, std::memory_order_relaxed);
    callback(fail(
        ErrorCode::kLimit, std::to_string(kWaitingCommandsMax) +
                               " requests wait to be written; try again in a second"));
}

void Writer::report(model::AgentReport report) {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back({ledger::Report{std::move(report)}, {}});
    wakes_.notify_one();
}

void Writer::connect(const std::string& node, AgentLink link) {
    const std::scoped_lock lock(mutex_);
    links_.insert_or_assign(node, std::move(link));
}

std::shared_ptr<const View> Writer::view() const {
    const std::scoped_lock lock(view_mutex_);
    return view_;
}

void Writer::on_commit(std::function<void(Revision)> listener) {
    const std::scoped_lock lock(mutex_);
    listeners_.push_back(std::move(listener));
}

std::size_t Writer::waiting() const {
    const std::scoped_lock lock(mutex_);
    return waiting_.size();
}

/// Waits for commands, for a timer, or not at all if the step before had more to do.
std::vector<Writer::Waiting> Writer::take(bool has_more) {
    std::unique_lock lock(mutex_);
    if (!has_more) {
        std::chrono::microseconds sleep = kSleepMax;
        if (const std::optional<Instant> wakeup = controller_->next_wakeup()) {
            sleep = std::clamp<std::chrono::microseconds>(
                *wakeup - clock_(), std::chrono::microseconds(0), kSleepMax);
        }
        wakes_.wait_for(lock, sleep, [this] { return is_stopping_ || !waiting_.empty(); });
    }
    std::vector<Waiting> taken;
    if (waiting_.size() <= kTurnRequestsMax) {
        taken.swap(waiting_);
        return taken;
    }
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(kTurnRequestsMax);
    taken.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    return taken;
}

void Writer::run() {
    bool has_more = false;
    while (true) {
        std::vector<Waiting> taken = take(has_more);
        {
            const std::scoped_lock lock(mutex_);
            if (is_stopping_) {
                waiting_.insert(
                    waiting_.begin(), std::make_move_iterator(taken.begin()),
                    std::make_move_iterator(taken.end()));
                return;
            }
        }
        std::vector<Request> requests;
        requests.reserve(taken.size());
        for (std::size_t i = 0; i < taken.size(); ++i) {
            const std::uint64_t ticket = taken[i].callback ? i + 1 : 0;
            requests.push_back({.ticket = ticket, .command = std::move(taken[i].command)});
        }
        const Instant from = clock_();
        TurnResult result = controller_->turn(std::move(requests), from);
        has_more = result.has_more;
        counters_.turns.fetch_add(1, std::memory_order_relaxed);
        counters_.commands.fetch_add(taken.size(), std::memory_order_relaxed);
        counters_.changes.fetch_add(result.change_count, std::memory_order_relaxed);
        counters_.turn_microseconds.fetch_add(
            static_cast<std::uint64_t>(std::max<std::int64_t>(0, (clock_() - from).count())),
            std::memory_order_relaxed);
        tell(result.troubles);
        deliver(std::move(result), taken);
    }
}

void Writer::on_trouble(std::function<void(const Error&)> listener) {
    trouble_listener_ = std::move(listener);
}

void Writer::tell(const std::vector<Error>& troubles) {
    for (const Error& trouble : troubles) {
        counters_.troubles.fetch_add(1, std::memory_order_relaxed);
        const std::string words = trouble.context + trouble.message;
        if (std::exchange(last_trouble_, words) != words && trouble_listener_) {
            trouble_listener_(trouble);
        }
    }
}

void Writer::deliver(TurnResult result, std::vector<Waiting>& taken) {
    if (result.view) {
        const std::scoped_lock lock(view_mutex_);
        view_ = result.view;
    }
    std::vector<std::pair<AgentLink, model::AgentOrder>> orders;
    std::vector<std::function<void(Revision)>> listeners;
    {
        const std::scoped_lock lock(mutex_);
        for (Order& order : result.orders) {
            if (const auto link = links_.find(order.node); link != links_.end()) {
                orders.emplace_back(link->second, std::move(order.order));
            }
        }
        if (result.change_count > 0) {
            listeners = listeners_;
        }
    }
    // Before the answers: when a cancel is answered, the agent has the stop, and reads it before
    // any start that it has not begun.
    for (auto& [link, order] : orders) {
        link(std::move(order));
    }
    for (Answer& answer : result.answers) {
        if (!answer.reply) {
            counters_.rejections.fetch_add(1, std::memory_order_relaxed);
        }
        taken[answer.ticket - 1].callback(std::move(answer.reply));
    }
    for (const auto& listener : listeners) {
        listener(result.view->rev);
    }
}

}  // namespace reeve::controller
