#include "scheduler/victims.hpp"

#include <algorithm>
#include <tuple>
#include <utility>
#include <variant>

namespace reeve::scheduler {
namespace {

/// The search on one node. Stoppable are sorted, the cheapest first.
class Search {
  public:
    Search(
        const NodeView& node,
        const model::Request& request,
        const std::vector<Stoppable>& stoppable,
        Instant now,
        Loans loans)
        : request_(request),
          stoppable_(stoppable),
          views_(stoppable.size() + 1, node),
          loans_(std::move(loans)) {
        costs_.reserve(stoppable.size());
        for (const Stoppable& each : stoppable) {
            costs_.push_back(cost_of(*each.hold, now));
        }
    }

    std::optional<Victims> run() {
        if (!is_enough_to_stop_all()) {
            return std::nullopt;
        }
        for (std::size_t size = fewest(); size <= stoppable_.size() && !best_; ++size) {
            chosen_.clear();
            try_sets(0, size);
            if (tried_ > kVictimSetsMax) {
                return leaving_out();
            }
        }
        return best_;
    }

  private:
    void stop(NodeView& view, std::size_t index) const {
        view.free = model::give_back(std::move(view.free), stoppable_[index].hold->grant);
    }

    [[nodiscard]] bool is_enough_to_stop_all() {
        NodeView& view = views_.back();
        for (std::size_t i = 0; i < stoppable_.size(); ++i) {
            stop(view, i);
        }
        return can_take(view, request_);
    }

    /// No smaller set can do: each gives back so many whole GPUs at most.
    [[nodiscard]] std::size_t fewest() const {
        const auto* whole = std::get_if<model::WholeGpus>(&request_.gpus);
        std::size_t most = 0;
        for (const Stoppable& each : stoppable_) {
            most = std::max(most, each.hold->grant.gpus.size());
        }
        if (whole == nullptr || most == 0) {
            return 0;
        }
        const auto free = std::ranges::count(
            views_.front().free.gpus, model::kWholeGpuMilli,
            [](const model::Gpu& gpu) { return gpu.free.milli; });
        const std::int64_t missing = std::max<std::int64_t>(whole->count - free, 0);
        return (static_cast<std::size_t>(missing) + most - 1) / most;
    }

    /// Tries each set of `missing` more, from `next` on.
    void try_sets(std::size_t next, std::size_t missing) {
        if (missing == 0) {
            ++tried_;
            if (can_take(views_[chosen_.size()], request_)) {
                keep_if_better();
            }
            return;
        }
        for (std::size_t i = next; i + missing <= stoppable_.size() && tried_ <= kVictimSetsMax;
             ++i) {
            if (!stoppable_[i].is_in(loans_)) {
                ++tried_;  // Else a tree of sets that all are too much would be walked whole.
                continue;
            }
            NodeView& view = views_[chosen_.size() + 1];
            view.free = views_[chosen_.size()].free;
            stop(view, i);
            chosen_.push_back(i);
            stoppable_[i].take(loans_);
            try_sets(i + 1, missing - 1);
            stoppable_[i].leave(loans_);
            chosen_.pop_back();
        }
    }

    void keep_if_better() {
        StopCost cost;
        for (const std::size_t index : chosen_) {
            cost += costs_[index];
        }
        if (!best_ || cost < best_->cost) {
            best_ = victims_of(chosen_);
        }
    }

    /// All that may be taken together, the cheapest first, but those that need not be stopped, the
    /// dearest left out first.
    [[nodiscard]] std::optional<Victims> leaving_out() const {
        std::vector<std::size_t> kept;
        Loans loans = loans_;
        NodeView all = views_.front();
        for (std::size_t i = 0; i < stoppable_.size(); ++i) {
            if (stoppable_[i].is_in(loans)) {
                stoppable_[i].take(loans);
                stop(all, i);
                kept.push_back(i);
            }
        }
        if (!can_take(all, request_)) {
            return std::nullopt;
        }
        for (std::size_t i = stoppable_.size(); i-- > 0;) {
            std::vector<std::size_t> without = kept;
            if (std::erase(without, i) == 0) {
                continue;
            }
            NodeView view = views_.front();
            for (const std::size_t index : without) {
                stop(view, index);
            }
            if (can_take(view, request_)) {
                kept = std::move(without);
            }
        }
        return victims_of(kept);
    }

    [[nodiscard]] Victims victims_of(const std::vector<std::size_t>& indices) const {
        Victims victims;
        for (const std::size_t index : indices) {
            victims.ids.push_back(stoppable_[index].id);
            victims.cost += costs_[index];
        }
        std::ranges::sort(victims.ids);
        return victims;
    }

    const model::Request& request_;
    const std::vector<Stoppable>& stoppable_;
    std::vector<StopCost> costs_;
    std::vector<NodeView> views_;  // With as many stopped as its index says; the last: all.
    std::vector<std::size_t> chosen_;
    std::size_t tried_ = 0;
    Loans loans_;  // With what is chosen taken.
    std::optional<Victims> best_;
};

}  // namespace

StopCost& StopCost::operator+=(const StopCost& other) {
    count += other.count;
    gpu_milli_seconds += other.gpu_milli_seconds;
    seconds_run += other.seconds_run;
    return *this;
}

StopCost cost_of(const Hold& hold, Instant now) {
    const auto run = std::chrono::duration_cast<std::chrono::seconds>(now - hold.since).count();
    return {.count = 1, .gpu_milli_seconds = gpu_milli_of(hold) * run, .seconds_run = run};
}

std::int64_t gpu_milli_of(const Hold& hold) {
    std::int64_t gpu_milli = 0;
    for (const model::GpuGrant& granted : hold.grant.gpus) {
        gpu_milli += granted.amount.milli;
    }
    return gpu_milli;
}

bool Stoppable::is_in(const Loans& loans) const {
    return loans.may_take(hold->preemptible->project, gpu_milli_of(*hold));
}

void Stoppable::take(Loans& loans) const {
    loans.take(hold->preemptible->project, gpu_milli_of(*hold));
}

void Stoppable::leave(Loans& loans) const {
    loans.take(hold->preemptible->project, -gpu_milli_of(*hold));
}

std::optional<Victims> cheapest_victims(
    const NodeView& node,
    const model::Request& request,
    std::vector<Stoppable> stoppable,
    Instant now,
    const Loans& loans) {
    std::ranges::sort(stoppable, {}, [now](const Stoppable& each) {
        return std::pair(cost_of(*each.hold, now), each.id);
    });
    return Search(node, request, stoppable, now, loans).run();
}

}  // namespace reeve::scheduler
