#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "api/routes.hpp"

namespace reeve::api {

/// Writes Prometheus' text format 0.0.4. The samples of one name come one after the other.
class MetricsText {
  public:
    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    /// Begins a metric. `type` is "counter" or "gauge".
    void begin(std::string_view name, std::string_view type, std::string_view help);
    void sample(Labels labels, double value);
    void sample(Labels labels, std::uint64_t value);

    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    void write_name(Labels labels);

    std::string text_;
    std::string name_;
};

/// All that this server measures.
[[nodiscard]] std::string metrics_text(const ApiParts& parts);

}  // namespace reeve::api
