// What would let a job that waits start now. The core starts whoever fits beside what is promised,
// whatever its place in the queue, so a look at the nodes is enough: no queue has to be replayed.
#include "scheduler/changes.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "model/spec_rules.hpp"
#include "scheduler/core.hpp"
#include "scheduler/placement.hpp"
#include "scheduler/quota.hpp"

namespace reeve::scheduler {
namespace {

using std::chrono::seconds;

constexpr auto kParts = std::to_array<WishPart>(
    {WishPart::kGpus, WishPart::kTime, WishPart::kShare, WishPart::kGpuMemory, WishPart::kGpuModel,
     WishPart::kCpus, WishPart::kMemory});

constexpr std::size_t kModelsMax = 16;   // So many others are tried.
constexpr std::size_t kLooksMax = 2000;  // At all nodes; then nothing more is found.
constexpr std::int64_t kMibPerGib = 1024;
constexpr std::int64_t kMilli = 1000;

/// Answers for one cluster; remembers what does not depend on the wish.
class Judge {
  public:
    explicit Judge(const Surroundings& around) : around_(around) {
        for (const Timeline& node : around.nodes) {
            (node.has_promises() || node.has_bookings() ? kept_ : free_).push_back(&node);
        }
    }

    [[nodiscard]] bool would_start(const Wish& wish) {
        if (++looks_ > kLooksMax) {
            return false;
        }
        const model::Request request =
            model::request_of(wish.gpus, wish.host, models_of(wish.gpus.model));
        return has_quota(wish, request) &&
               (std::ranges::any_of(
                    free_, [&](const auto* node) { return can_take(node->view(), request); }) ||
                std::ranges::any_of(views_during(wish.limit), [&](const NodeView& view) {
                    return can_take(view, request);
                }));
    }

  private:
    [[nodiscard]] std::optional<std::vector<GpuModelId>> models_of(const std::string& asked) {
        if (asked.empty()) {
            return std::nullopt;
        }
        const auto [known, is_new] = models_.try_emplace(asked);
        if (is_new) {
            for (const auto& [id, name] : around_.gpu_models) {
                if (model::is_model(asked, name)) {
                    known->second.push_back(id);
                }
            }
        }
        return known->second;
    }

    /// What is free all the time, on the nodes of which something is promised or booked.
    [[nodiscard]] const std::vector<NodeView>& views_during(seconds limit) {
        const seconds run = limit > seconds(0) ? planning_limit(limit) : around_.assumed_run;
        const auto [known, is_new] = views_.try_emplace(run);
        if (is_new) {
            for (const Timeline* node : kept_) {
                known->second.push_back(
                    node->view_during(around_.now, around_.now, run + around_.margin, JobId(0)));
            }
        }
        return known->second;
    }

    [[nodiscard]] bool has_quota(const Wish& wish, const model::Request& request) const {
        const model::Usage more{
            .gpu_milli = most_milli(wish, request),
            .cpu_millicores = wish.host.cpu_millicores,
            .memory_mib = wish.host.memory_mib,
            .running_elements = 1};
        return std::ranges::all_of(around_.levels, [&](const QuotaLevel& level) {
            return is_within(level.quota, level.used, more);
        });
    }

    /// A share by memory is most of the smallest GPU that it may get.
    [[nodiscard]] std::int64_t most_milli(const Wish& wish, const model::Request& request) const {
        const auto* share = std::get_if<model::GpuShare>(&request.gpus);
        const bool has_limit = std::ranges::any_of(
            around_.levels, [](const auto& level) { return level.quota.gpu_milli.has_value(); });
        if (share == nullptr || share->milli || !has_limit) {
            return wish.gpus.count * model::kWholeGpuMilli + wish.gpus.milli;
        }
        std::int64_t most = 0;
        for (const Timeline& node : around_.nodes) {
            for (const model::Gpu& gpu : node.view().free.gpus) {
                const model::GpuAmount amount = model::amount_of(*share, gpu.total_mib);
                if (amount.milli <= model::kWholeGpuMilli &&
                    model::accepts(share->models, gpu.model)) {
                    most = std::max(most, amount.milli);
                }
            }
        }
        return most;
    }

    const Surroundings& around_;
    std::size_t looks_ = 0;
    std::vector<const Timeline*> kept_;
    std::vector<const Timeline*> free_;
    std::map<std::string, std::vector<GpuModelId>> models_;
    std::map<seconds, std::vector<NodeView>> views_;
};

/// Amounts of `unit` below `amount` that people would write, descending: one by one up to 32 of
/// them, then by a sixteenth at most; below one the `parts`.
std::vector<std::int64_t> amounts_below(
    std::int64_t amount, std::int64_t unit, const std::vector<std::int64_t>& parts) {
    constexpr std::int64_t kStepsPerDoubling = 16;
    std::vector<std::int64_t> amounts(parts.rbegin(), parts.rend());
    for (std::int64_t at = 1, step = 1; at * unit < amount; at += step) {
        step = at >= 2 * kStepsPerDoubling * step ? 2 * step : step;
        amounts.push_back(at * unit);
    }
    std::erase_if(amounts, [&](std::int64_t each) { return each >= amount; });
    std::ranges::reverse(amounts);
    return amounts;
}

std::vector<std::int64_t> limits_below(seconds limit) {
    struct Stretch {
        std::chrono::minutes until;
        std::chrono::minutes step;
    };

    using std::chrono::hours;
    using std::chrono::minutes;
    constexpr auto kStretches = std::to_array<Stretch>({
        {hours(2),             minutes(1) },
        {hours(12),            minutes(10)},
        {hours(3 * 24),        hours(1)   },
        {hours(10 * 366 * 24), hours(24)  },
    });
    std::vector<std::int64_t> limits;
    minutes at(0);
    for (const Stretch& stretch : kStretches) {
        for (; at < stretch.until && at + stretch.step < limit; at += stretch.step) {
            limits.push_back(std::chrono::seconds(at + stretch.step).count());
        }
    }
    std::ranges::reverse(limits);
    return limits;
}

std::vector<std::int64_t> counts_below(std::int64_t count) {
    std::vector<std::int64_t> counts;
    for (std::int64_t less = count - 1; less > 0; --less) {
        counts.push_back(less);
    }
    return counts;
}

/// Of a whole GPU (1000) or of a share.
std::vector<std::int64_t> shares_below(std::int64_t milli) {
    std::vector<std::int64_t> shares = {900, 800, 750, 700, 600, 500, 400, 300,
                                        250, 200, 150, 100, 50,  20,  10};
    std::erase_if(shares, [&](std::int64_t each) { return each >= milli; });
    return shares;
}

std::vector<std::int64_t> mib_below(std::int64_t mib) {
    return amounts_below(mib, kMibPerGib, {512, 256, 128, 64});
}

/// The amounts that one part may have instead.
std::vector<std::int64_t> amounts_of(WishPart part, const Wish& wish, seconds assumed_run) {
    const model::GpuAsk& gpus = wish.gpus;
    switch (part) {
        case WishPart::kGpus: return counts_below(gpus.count);
        case WishPart::kTime:
            return limits_below(wish.limit.count() > 0 ? wish.limit : assumed_run);
        case WishPart::kShare:     return shares_below(gpus.count > 0 ? kMilli : gpus.milli);
        case WishPart::kGpuMemory: return mib_below(gpus.memory_mib);
        case WishPart::kCpus:
            return amounts_below(wish.host.cpu_millicores, kMilli, {500, 250, 100});
        case WishPart::kMemory:   return mib_below(wish.host.memory_mib);
        case WishPart::kGpuModel: break;  // Not an amount.
    }
    return {};
}

void set_amount(WishPart part, std::int64_t amount, Wish& wish) {
    switch (part) {
        case WishPart::kGpus: wish.gpus.count = amount; return;
        case WishPart::kTime: wish.limit = seconds(amount); return;
        case WishPart::kShare:
            wish.gpus.count = 0;
            wish.gpus.milli = amount;
            return;
        case WishPart::kGpuMemory: wish.gpus.memory_mib = amount; return;
        case WishPart::kCpus:      wish.host.cpu_millicores = amount; return;
        case WishPart::kMemory:    wish.host.memory_mib = amount; return;
        case WishPart::kGpuModel:  return;
    }
}

/// How much of a part is given up, in thousandths of it.
std::int64_t loss_of(WishPart part, const Wish& from, const Wish& to, seconds assumed_run) {
    constexpr std::int64_t kOfAModel = 500;
    const auto lost = [](std::int64_t before, std::int64_t after) {
        return before <= 0 ? 0 : kMilli - after * kMilli / before;
    };
    const auto limit = [&](const Wish& wish) {
        return (wish.limit.count() > 0 ? wish.limit : assumed_run).count();
    };
    const auto milli = [](const Wish& wish) {
        return wish.gpus.count * model::kWholeGpuMilli + wish.gpus.milli;
    };
    switch (part) {
        case WishPart::kGpus:
        case WishPart::kShare:     return lost(milli(from), milli(to));
        case WishPart::kTime:      return lost(limit(from), limit(to));
        case WishPart::kGpuMemory: return lost(from.gpus.memory_mib, to.gpus.memory_mib);
        case WishPart::kGpuModel:  return kOfAModel;
        case WishPart::kCpus:      return lost(from.host.cpu_millicores, to.host.cpu_millicores);
        case WishPart::kMemory:    return lost(from.host.memory_mib, to.host.memory_mib);
    }
    return 0;
}

class Search {
  public:
    Search(const Wish& wish, const Surroundings& around)
        : wish_(wish), around_(around), judge_(around) {}

    [[nodiscard]] std::vector<Alternative> run() {
        if (judge_.would_start(wish_)) {
            return {};
        }
        std::vector<Alternative> found = singles();
        if (found.empty()) {
            if (auto pair = least_pair()) {
                found.push_back(*std::move(pair));
            }
        }
        return found;
    }

  private:
    [[nodiscard]] std::vector<Alternative> singles() {
        std::vector<Alternative> found;
        for (const WishPart part : kParts) {
            const bool is_too_little = part == WishPart::kShare && wish_.gpus.count > 1 &&
                                       !found.empty() &&
                                       found.front().changed.front() == WishPart::kGpus;
            if (auto wish = is_too_little ? std::nullopt : largest(part, wish_)) {
                found.push_back({.changed = {part}, .wish = *std::move(wish)});
            }
        }
        return found;
    }

    /// The largest step of `part` below `from` that would start.
    [[nodiscard]] std::optional<Wish> largest(WishPart part, const Wish& from) {
        const std::vector<Wish> steps = steps_below(part, from, around_);
        const auto fails = [this](const Wish& wish) { return !judge_.would_start(wish); };
        const auto first = part == WishPart::kGpuModel ? std::ranges::find_if_not(steps, fails)
                                                       : std::ranges::partition_point(steps, fails);
        return first == steps.end() ? std::nullopt : std::optional(*first);
    }

    [[nodiscard]] std::optional<Alternative> least_pair() {
        std::optional<Alternative> best;
        std::int64_t best_loss = 0;
        for (auto first = kParts.begin(); first != kParts.end(); ++first) {
            for (auto second = std::next(first); second != kParts.end(); ++second) {
                for (Alternative& pair : pairs_of(*first, *second)) {
                    const std::int64_t loss = loss_of(*first, wish_, pair.wish, assumed_run()) +
                                              loss_of(*second, wish_, pair.wish, assumed_run());
                    if (!best || loss < best_loss) {
                        best = std::move(pair);
                        best_loss = loss;
                    }
                }
            }
        }
        return best;
    }

    /// With the largest step of `kept` that goes with any of `other`, the largest of `other`. Of a
    /// model: for each of them.
    [[nodiscard]] std::vector<Alternative> pairs_of(WishPart kept, WishPart other) {
        if ((kept == WishPart::kGpus || wish_.gpus.count > 1) && other == WishPart::kShare) {
            return {};
        }
        if (other == WishPart::kGpuModel) {
            std::swap(kept, other);
        }
        std::vector<Wish> steps = steps_below(kept, wish_, around_);
        if (kept != WishPart::kGpuModel) {
            const auto first = std::ranges::partition_point(steps, [&](const Wish& wish) {
                const std::vector<Wish> least = steps_below(other, wish, around_);
                return least.empty() || !judge_.would_start(least.back());
            });
            steps.erase(steps.begin(), first);
            steps.resize(std::min<std::size_t>(steps.size(), 1));
        }
        std::vector<Alternative> pairs;
        for (const Wish& step : steps) {
            if (auto wish = largest(other, step)) {
                pairs.push_back({
                    .changed = {std::min(kept, other), std::max(kept, other)},
                    .wish = *std::move(wish)
                });
            }
        }
        return pairs;
    }

    [[nodiscard]] seconds assumed_run() const { return around_.assumed_run; }

    const Wish& wish_;
    const Surroundings& around_;
    Judge judge_;
};

bool has_letter(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
}

bool has_digit(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Words of a model's name in lower case, split where a person would see a gap.
std::vector<std::string> words_of(std::string_view name) {
    std::vector<std::string> words(1);
    for (char c : name) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            words.back() += c;
        } else if (!words.back().empty()) {
            words.emplace_back();
        }
    }
    return words;
}

}  // namespace

bool would_start(const Wish& wish, const Surroundings& around) {
    return Judge(around).would_start(wish);
}

std::vector<Alternative> alternatives(const Wish& wish, const Surroundings& around) {
    return Search(wish, around).run();
}

std::vector<Wish> steps_below(WishPart part, const Wish& wish, const Surroundings& around) {
    std::vector<Wish> steps;
    if (part != WishPart::kGpuModel) {
        for (const std::int64_t amount : amounts_of(part, wish, around.assumed_run)) {
            steps.push_back(wish);
            set_amount(part, amount, steps.back());
        }
        return steps;
    }
    if (wish.gpus.model.empty()) {
        return steps;
    }
    for (const auto& [id, name] : around.gpu_models) {
        if (steps.size() < kModelsMax && !model::is_model(wish.gpus.model, name)) {
            steps.push_back(wish);
            steps.back().gpus.model = short_name_of(id, around.gpu_models);
        }
    }
    steps.push_back(wish);
    steps.back().gpus.model.clear();
    return steps;
}

std::string short_name_of(GpuModelId model, const std::map<GpuModelId, std::string>& models) {
    const std::vector<std::string> words = words_of(models.at(model));
    std::string best;
    std::string all;
    for (std::size_t from = 0; from < words.size(); ++from) {
        std::string joined;
        for (std::size_t i = from; i < words.size(); ++i) {
            joined += words[i];
            const bool is_its_own = std::ranges::none_of(models, [&](const auto& other) {
                return other.first != model && model::is_model(joined, other.second);
            });
            const bool is_shorter = best.empty() || joined.size() < best.size();
            if (is_its_own && is_shorter && has_letter(joined) && has_digit(joined)) {
                best = joined;
            }
        }
        all = from == 0 ? joined : all;
    }
    return best.empty() ? all.substr(0, model::kGpuModelBytesMax) : best;
}

}  // namespace reeve::scheduler
