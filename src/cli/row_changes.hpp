#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/json.hpp"

namespace reeve::cli {

/// Tells what is new in each picture of a list, for `--watch` where there is no terminal. Rows are
/// known by their "id".
class RowChanges {
  public:
    /// The lines say that they are of `schema`.
    explicit RowChanges(std::string schema) : schema_(std::move(schema)) {}

    /// Rows that are new, or differ from the picture before, as JSON lines in the order of the
    /// list.
    [[nodiscard]] std::vector<std::string> take(const Json& list);

    /// The ids that the picture before had, and that the last one has not.
    [[nodiscard]] const std::vector<std::string>& gone() const { return gone_; }

  private:
    std::string schema_;
    std::map<std::string, std::string> seen_;
    std::vector<std::string> gone_;
};

}  // namespace reeve::cli
