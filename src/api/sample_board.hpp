#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/instant.hpp"
#include "model/agent_messages.hpp"

namespace reeve::api {

/// What a node measured, and when that came.
struct Observed {
    model::NodeSample sample = {};
    Instant at = Instant(std::chrono::microseconds(0));
};

/// The newest sample of each node. Any thread may use it.
class SampleBoard {
  public:
    void put(model::NodeSample sample, Instant at) {
        const std::string node = sample.node;
        auto observed = std::make_shared<const Observed>(Observed{std::move(sample), at});
        const std::scoped_lock lock(mutex_);
        newest_[node] = std::move(observed);
    }

    /// Null before the first one.
    [[nodiscard]] std::shared_ptr<const Observed> newest(const std::string& node) const {
        const std::scoped_lock lock(mutex_);
        const auto found = newest_.find(node);
        return found == newest_.end() ? nullptr : found->second;
    }

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<const Observed>> newest_;
};

}  // namespace reeve::api
