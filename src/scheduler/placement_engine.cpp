#include "scheduler/placement_engine.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>

#include "base/assert.hpp"
#include "base/random.hpp"

namespace reeve::scheduler {
namespace {

/// The grant of `option` on a node with these GPUs: the lowest of those that are equal.
model::Grant grant_of(
    const model::Request& request,
    const DeviceOption& option,
    const std::vector<model::Gpu>& gpus) {
    model::Grant grant{.host = request.host};
    if (const auto* share = std::get_if<model::GpuShare>(&request.gpus)) {
        const auto gpu = std::ranges::find(gpus, option.device, state_of);
        REEVE_ASSERT(gpu != gpus.end(), "an option names a device of its set");
        grant.gpus.push_back({.gpu = gpu->id, .amount = amount_of(*share, gpu->total_mib)});
        return grant;
    }
    const auto& whole = std::get<model::WholeGpus>(request.gpus);
    std::vector<const model::Gpu*> wanted;
    for (const model::Gpu& gpu : gpus) {
        const bool is_kind =
            model::accepts(whole.models, gpu.model) && gpu.total_mib >= whole.total_mib_min;
        if (is_kind && is_untouched(state_of(gpu))) {
            wanted.push_back(&gpu);
        }
    }
    std::ranges::sort(wanted, {}, [](const model::Gpu* gpu) {  // As the set is sorted.
        return std::tuple(gpu->model, gpu->total_mib, gpu->id);
    });
    wanted.resize(static_cast<std::size_t>(whole.count));
    for (const model::Gpu* gpu : wanted) {
        grant.gpus.push_back({.gpu = gpu->id, .amount = gpu->free});
    }
    return grant;
}

DeviceSetId set_of(DeviceSets& sets, const std::vector<model::Gpu>& gpus) {
    std::vector<DeviceState> devices;
    devices.reserve(gpus.size());
    for (const model::Gpu& gpu : gpus) {
        devices.push_back(state_of(gpu));
    }
    return sets.intern(std::move(devices));
}

/// True if the two differ in what is free at most.
bool is_same_hardware(const NodeView& left, const NodeView& right) {
    return left.host_total == right.host_total &&
           std::ranges::equal(
               left.free.gpus, right.free.gpus, [](const model::Gpu& a, const model::Gpu& b) {
                   return a.id == b.id && a.model == b.model && a.total_mib == b.total_mib;
               });
}

}  // namespace

std::size_t PlacementEngine::ShapeKeyHash::operator()(const ShapeKey& key) const noexcept {
    constexpr std::uint64_t kPrime = 0x9E3779B97F4A7C15ULL;
    std::uint64_t hash = key.set * kPrime;
    hash = (hash ^ static_cast<std::uint64_t>(key.host.cpu_millicores)) * kPrime;
    hash ^= hash >> 29U;
    hash = (hash ^ static_cast<std::uint64_t>(key.host.memory_mib)) * kPrime;
    hash ^= hash >> 29U;
    hash = (hash ^ key.node_class.value()) * kPrime;
    return static_cast<std::size_t>(hash ^ (hash >> 32U));
}

PlacementEngine::PlacementEngine(EngineOptions options)
    : options_(options), scorer_(make_scorer(options.policy, *sets_)) {}

void PlacementEngine::put_node(const NodeView& node) {
    Slot* known = find(node.id);
    if (known == nullptr) {
        const auto at = std::ranges::lower_bound(
            slots_, node.id, {}, [](const Slot& slot) { return slot.view.id; });
        slots_.insert(at, Slot{.view = node});
        is_stale_ = true;
        return;
    }
    is_stale_ = is_stale_ || !is_same_hardware(known->view, node);
    known->view = node;
    change(*known);
}

void PlacementEngine::remove_node(NodeId id) {
    if (const Slot* known = find(id)) {
        slots_.erase(slots_.begin() + (known - slots_.data()));
        is_stale_ = true;
    }
}

void PlacementEngine::learn(std::span<const ClassCount> mix) {
    mix_.assign(mix.begin(), mix.end());
    if (is_stale_) {
        return;  // Learnt when the nodes are looked at again.
    }
    relearn();
}

Decision PlacementEngine::place(const model::Request& request, std::uint64_t draw) {
    prepare();
    Ask*& ask = ask_of(request);
    return scorer_ ? place_best(ask, request) : place_at_random(*ask, request, draw);
}

void PlacementEngine::take(NodeId id, const model::Grant& grant) {
    Slot* slot = find(id);
    REEVE_ASSERT(slot != nullptr, "what is taken is of a node that was shown");
    Result<model::Resources> left = model::take(std::move(slot->view.free), grant);
    REEVE_ASSERT(left.has_value(), "no more is taken than is free");
    slot->view.free = std::move(*left);
    change(*slot);
}

void PlacementEngine::give_back(NodeId id, const model::Grant& grant) {
    if (Slot* slot = find(id)) {
        slot->view.free = model::give_back(std::move(slot->view.free), grant);
        change(*slot);
    }
}

std::optional<std::int64_t> PlacementEngine::score(NodeId id, const model::Request& request) {
    prepare();
    const Ask& ask = *ask_of(request);
    const Slot* slot = find(id);
    if (slot == nullptr || slot->shape == kNoShape ||
        request.host.memory_mib > slot->view.free.host.memory_mib) {
        return std::nullopt;
    }
    Shape& shape = shapes_[slot->shape];
    const std::span<const DeviceOption> options = options_of(shape, ask);
    return options.empty() ? std::nullopt : std::optional(choose(shape, ask, options).score);
}

const model::Resources* PlacementEngine::free_of(NodeId id) const {
    const Slot* slot = find(id);
    return slot == nullptr ? nullptr : &slot->view.free;
}

std::size_t PlacementEngine::shape_count() {
    prepare();
    return live_.size();
}

PlacementEngine::Slot* PlacementEngine::find(NodeId id) {
    return const_cast<Slot*>(std::as_const(*this).find(id));
}

const PlacementEngine::Slot* PlacementEngine::find(NodeId id) const {
    const auto at =
        std::ranges::lower_bound(slots_, id, {}, [](const Slot& slot) { return slot.view.id; });
    return at == slots_.end() || at->view.id != id ? nullptr : &*at;
}

// ---- Shapes.

/// The node is not what it was.
void PlacementEngine::change(Slot& slot) {
    if (is_stale_) {
        return;
    }
    const auto id = static_cast<SlotId>(&slot - slots_.data());
    leave(id);
    join(id);
}

void PlacementEngine::join(SlotId id) {
    Slot& slot = slots_[id];
    ++stamps_[id];
    if (slot.view.availability != Availability::kReady) {
        return;
    }
    const ShapeKey key{
        .set = set_of(*sets_, slot.view.free.gpus),
        .host = slot.view.free.host,
        .node_class = slot.view.node_class};
    const auto [place, is_new] = shape_ids_.try_emplace(key, kNoShape);
    if (is_new) {
        if (unused_.empty()) {
            unused_.push_back(static_cast<ShapeId>(shapes_.size()));
            shapes_.emplace_back();
        }
        place->second = unused_.back();
        unused_.pop_back();
        Shape& shape = shapes_[place->second];
        shape.key = key;
        shape.members.clear();
        shape.epoch = 0;
        shape.live_at = live_.size();
        live_.push_back(place->second);
    }
    slot.shape = place->second;
    Shape& shape = shapes_[slot.shape];
    constexpr std::size_t kSlack = 16;
    if (shape.members.size() > 2 * shape.count + kSlack) {  // Mostly of those that left.
        std::ranges::sort(shape.members);
        const auto repeated = std::ranges::unique(shape.members);
        shape.members.erase(repeated.begin(), repeated.end());
        std::erase_if(shape.members, [&](SlotId each) { return slots_[each].shape != slot.shape; });
    }
    const bool is_lowest = shape.count == 0 || id < shape.lowest;
    shape.members.push_back(id);
    std::ranges::push_heap(shape.members, std::greater());
    ++shape.count;
    if (is_lowest) {
        shape.lowest = id;
        log(slot.shape);
    }
}

void PlacementEngine::leave(SlotId id) {
    Slot& slot = slots_[id];
    if (slot.shape == kNoShape) {
        return;
    }
    const ShapeId shape_id = std::exchange(slot.shape, kNoShape);
    Shape& shape = shapes_[shape_id];
    --shape.count;
    if (shape.count == 0) {
        shape_ids_.erase(shape.key);
        live_[shape.live_at] = live_.back();
        shapes_[live_.back()].live_at = shape.live_at;
        live_.pop_back();
        unused_.push_back(shape_id);
    } else if (shape.lowest == id) {
        drop_departed(shape, shape_id);
        log(shape_id);
    }
}

/// Makes the first of the members one that is there. There is one.
void PlacementEngine::drop_departed(Shape& shape, ShapeId id) {
    while (slots_[shape.members.front()].shape != id) {
        std::ranges::pop_heap(shape.members, std::greater());
        shape.members.pop_back();
    }
    shape.lowest = shape.members.front();
}

void PlacementEngine::log(ShapeId id) {
    constexpr std::size_t kMin = 1024;
    // An ask that is further behind than there are shapes looks at all of them instead.
    if (log_.size() > 4 * std::max(live_.size(), kMin)) {
        const std::size_t dropped = log_.size() / 2;
        log_.erase(log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(dropped));
        log_begin_ += dropped;
    }
    shapes_[id].logged_at = log_begin_ + log_.size();
    log_.push_back(id);
}

/// Makes what is derived fit what was shown.
void PlacementEngine::prepare() {
    const bool has_new_hardware = is_stale_;
    if (memo_size() > options_.memo_max) {
        routes_.clear();
        asks_.clear();
        ranked_ = 0;
        sets_->clear();
        if (scorer_) {
            scorer_->forget();
        }
        is_stale_ = true;
    }
    if (is_stale_) {
        reindex();
    }
    if (has_new_hardware) {  // Only then: when the memos are full must decide nothing.
        relearn();
    }
}

void PlacementEngine::reindex() {
    shapes_.clear();
    unused_.clear();
    live_.clear();
    shape_ids_.clear();
    log_begin_ += log_.size();
    log_.clear();
    is_stale_ = false;
    stamps_.resize(slots_.size());
    for (Slot& slot : slots_) {
        slot.shape = kNoShape;
    }
    for (SlotId id = 0; id < slots_.size(); ++id) {
        join(id);
    }
    count_hardware();
    ++epoch_;
}

void PlacementEngine::count_hardware() {
    constexpr std::int64_t kCpuMax = UINT32_MAX;
    kinds_.clear();
    cpu_max_ = 1;
    milli_max_ = 1;
    for (const Slot& slot : slots_) {
        const auto gpus = static_cast<std::int64_t>(slot.view.free.gpus.size());
        milli_max_ = std::max(milli_max_, gpus * model::kWholeGpuMilli);
        cpu_max_ = std::max(cpu_max_, std::min(slot.view.host_total.cpu_millicores, kCpuMax));
        for (const model::Gpu& gpu : slot.view.free.gpus) {
            const KindId kind = sets_->kind_of({.model = gpu.model, .total_mib = gpu.total_mib});
            while (kinds_.size() <= kind) {
                kinds_.push_back({.kind = static_cast<KindId>(kinds_.size()), .gpus = 0});
            }
            ++kinds_[kind].gpus;
        }
    }
}

void PlacementEngine::relearn() {
    if (!scorer_) {
        return;
    }
    Lesson lesson{.mix = mix_, .kinds = kinds_};
    lesson.cpu_max = cpu_max_;
    lesson.milli_max = milli_max_;
    std::vector<ShapeCount> shapes;
    shapes.reserve(live_.size());
    for (const ShapeId id : live_) {
        const Shape& shape = shapes_[id];
        shapes.push_back(
            {.set = shape.key.set,
             .cpu = shape.key.host.cpu_millicores,
             .nodes = static_cast<std::int64_t>(shape.count)});
    }
    lesson.shapes = shapes;
    if (scorer_->learn(lesson)) {
        ++epoch_;
    }
}

std::size_t PlacementEngine::memo_size() const {
    constexpr std::size_t kOfAsk = 8;
    return (scorer_ ? scorer_->memo_size() : 0) + sets_->memo_size() + ranked_ / 2 +
           (asks_.size() + routes_.size()) * kOfAsk;
}

// ---- Decisions.

/// The ask that a request is looked up in.
PlacementEngine::Ask*& PlacementEngine::ask_of(const model::Request& request) {
    const auto [route, is_new] = routes_.try_emplace(request, nullptr);
    if (is_new) {
        model::Request shared = request;
        shared.host.memory_mib = 0;
        route->second = &ask_with(shared);
    }
    return route->second;
}

PlacementEngine::Ask& PlacementEngine::ask_with(const model::Request& request) {
    const auto [place, is_new] = asks_.try_emplace(request);
    if (is_new) {
        place->second.cpu = request.host.cpu_millicores;
        place->second.memory_mib = request.host.memory_mib;
        place->second.demand = sets_->intern(request.gpus);
        place->second.node_classes = request.node_classes;
    }
    return place->second;
}

/// The first of the ranked that has the memory. Few have not, as a rule, so requests that differ in
/// memory share an ask; one that passes many over gets one of its own, which ranks none of those.
Decision PlacementEngine::place_best(Ask*& ask, const model::Request& request) {
    constexpr std::size_t kPassedOverMax = 8;
    catch_up(*ask);
    passed_over_.clear();
    std::vector<Ranked>& ranked = ask->ranked;
    for (drop_void(*ask); !ranked.empty(); drop_void(*ask)) {
        const Slot& slot = slots_[ranked.front().slot];
        if (slot.view.free.host.memory_mib >= request.host.memory_mib) {
            break;
        }
        passed_over_.push_back(ranked.front());
        std::ranges::pop_heap(ranked, is_worse);
        ranked.pop_back();
    }
    const std::optional<SlotId> best =
        ranked.empty() ? std::nullopt : std::optional(ranked.front().slot);
    for (const Ranked& each : passed_over_) {
        ranked.push_back(each);
        std::ranges::push_heap(ranked, is_worse);
    }
    Decision decision = NotPlaced{};
    if (best) {
        const Slot& slot = slots_[*best];
        Shape& shape = shapes_[slot.shape];
        const std::span<const DeviceOption> options = options_of(shape, *ask);
        const DeviceOption& option = options[choose(shape, *ask, options).option];
        decision = Placed{slot.view.id, grant_of(request, option, slot.view.free.gpus)};
    }
    if (passed_over_.size() > kPassedOverMax) {
        ask = &ask_with(request);
    }
    return decision;
}

/// Makes the best of the ranked one that is as it was when it was ranked.
void PlacementEngine::drop_void(Ask& ask) {
    while (!ask.ranked.empty() && stamps_[ask.ranked.front().slot] != ask.ranked.front().stamp) {
        std::ranges::pop_heap(ask.ranked, is_worse);
        ask.ranked.pop_back();
        --ranked_;
    }
}

Decision PlacementEngine::place_at_random(
    const Ask& ask, const model::Request& request, std::uint64_t draw) {
    std::vector<SlotId> able;
    for (SlotId id = 0; id < slots_.size(); ++id) {
        const ShapeId shape = slots_[id].shape;
        if (shape != kNoShape && fits(request.host, slots_[id].view.free.host) &&
            !options_of(shapes_[shape], ask).empty()) {
            able.push_back(id);
        }
    }
    if (able.empty()) {
        return NotPlaced{};
    }
    SeededRandom random(draw);
    const Slot& slot = slots_[able[random.below(able.size())]];
    const Shape& shape = shapes_[slot.shape];
    std::vector<std::size_t> devices;  // The option of each device that fits.
    const std::span<const DeviceOption> options = options_of(shape, ask);
    for (std::size_t i = 0; i < options.size(); ++i) {
        const auto equal = std::ranges::count(sets_->set(shape.key.set).devices, options[i].device);
        devices.insert(
            devices.end(), static_cast<std::size_t>(std::max(equal, std::ptrdiff_t{1})), i);
    }
    const DeviceOption& option = options[devices[random.below(devices.size())]];
    return Placed{slot.view.id, grant_of(request, option, slot.view.free.gpus)};
}

bool PlacementEngine::is_worse(const Ranked& left, const Ranked& right) noexcept {
    return left.score != right.score ? left.score < right.score : left.slot > right.slot;
}

/// Takes in what changed since the ask was last looked at.
void PlacementEngine::catch_up(Ask& ask) {
    const std::uint64_t log_end = log_begin_ + log_.size();
    const bool is_far = ask.log_at < log_begin_ || log_end - ask.log_at > live_.size();
    const bool is_long = ask.ranked.size() > 2 * live_.size() + log_end - ask.log_at;
    if (ask.epoch != epoch_ || is_far || is_long) {
        rebuild(ask);
        return;
    }
    for (std::uint64_t at = ask.log_at; at < log_end; ++at) {
        const ShapeId id = log_[at - log_begin_];
        if (shapes_[id].count > 0 && shapes_[id].logged_at == at && rank(ask, id)) {
            std::ranges::push_heap(ask.ranked, is_worse);
        }
    }
    ask.log_at = log_end;
}

void PlacementEngine::rebuild(Ask& ask) {
    ranked_ -= ask.ranked.size();
    ask.ranked.clear();
    for (const ShapeId id : live_) {
        (void)rank(ask, id);
    }
    std::ranges::make_heap(ask.ranked, is_worse);
    ask.epoch = epoch_;
    ask.log_at = log_begin_ + log_.size();
    ++counts_.rebuilds;
}

/// Puts the shape at the end of the ranked, if it can take the ask.
bool PlacementEngine::rank(Ask& ask, ShapeId id) {
    Shape& shape = shapes_[id];
    const std::span<const DeviceOption> options = options_of(shape, ask);
    if (options.empty()) {
        return false;
    }
    const SlotId slot = shape.lowest;
    ask.ranked.push_back(
        {.score = choose(shape, ask, options).score, .slot = slot, .stamp = stamps_[slot]});
    ++ranked_;
    return true;
}

std::span<const DeviceOption> PlacementEngine::options_of(const Shape& shape, const Ask& ask) {
    const model::HostAmount& free = shape.key.host;
    if (ask.cpu > free.cpu_millicores || ask.memory_mib > free.memory_mib ||
        !model::accepts(ask.node_classes, shape.key.node_class)) {
        return {};
    }
    return sets_->options(shape.key.set, ask.demand);
}

Choice PlacementEngine::choose(
    Shape& shape, const Ask& ask, std::span<const DeviceOption> options) {
    ++counts_.scores;
    const std::int64_t cpu = shape.key.host.cpu_millicores;
    if (shape.epoch != epoch_) {
        shape.value = scorer_->value(shape.key.set, cpu);
        shape.epoch = epoch_;
    }
    return scorer_->best(
        {.before = shape.key.set, .cpu_after = cpu - ask.cpu, .value_before = shape.value},
        options);
}

}  // namespace reeve::scheduler
