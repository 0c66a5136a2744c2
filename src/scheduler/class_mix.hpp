#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "model/resources.hpp"

namespace reeve::scheduler {

/// How often requests of one class came. Requests that differ in host memory, or in the nodes that
/// they may run on, are one class.
struct ClassCount {
    model::Request request = {};  // With host memory 0, for any node.
    std::uint64_t count = 0;      // Up to 2^32; more counts as that.

    friend bool operator==(const ClassCount&, const ClassCount&) = default;
};

[[nodiscard]] std::uint64_t hash_of(const model::Request& request);

struct RequestHash {
    std::size_t operator()(const model::Request& request) const {
        return static_cast<std::size_t>(hash_of(request));
    }
};

/// Counts what arrives, and says when a placement engine should learn from it. Whoever schedules
/// owns one: it is state, and the engine is derived from it.
class ClassMix {
  public:
    void observe(const model::Request& request, std::uint64_t times = 1);

    /// True if enough came since the last taken() for new weights to be worth their cost: after 50,
    /// 100 and 250 arrivals, then after every 500, from 10,000 on after a twentieth more, at last
    /// every 10,000.
    [[nodiscard]] bool is_due() const noexcept { return arrivals_ >= due_at_; }

    /// Beyond 1,024 classes the rarest quarter is forgotten, so that ever new ones cost no more.
    void taken();

    /// In the order of their first arrival.
    [[nodiscard]] const std::vector<ClassCount>& counts() const noexcept { return counts_; }

  private:
    void forget_rarest();

    std::vector<ClassCount> counts_;
    std::unordered_map<model::Request, std::size_t, RequestHash> places_;
    std::uint64_t arrivals_ = 0;
    std::uint64_t due_at_ = 50;
};

/// True if `left` goes before `right` in an order that depends on nothing but what they ask.
[[nodiscard]] bool goes_before(const model::Request& left, const model::Request& right);

}  // namespace reeve::scheduler
