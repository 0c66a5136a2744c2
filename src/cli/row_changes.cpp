#include "cli/row_changes.hpp"

#include <utility>

namespace reeve::cli {

std::vector<std::string> RowChanges::take(const Json& list) {
    std::map<std::string, std::string> now;
    std::vector<std::string> changed;
    for (const JsonValue& row : list["items"].GetArray()) {
        const std::string id = text_at(row, "id");
        std::string line = to_compact(row, schema_);
        const auto before = seen_.find(id);
        if (before == seen_.end() || before->second != line) {
            changed.push_back(line);
        }
        now.insert_or_assign(id, std::move(line));
    }
    gone_.clear();
    for (const auto& [id, line] : seen_) {
        if (!now.contains(id)) {
            gone_.push_back(id);
        }
    }
    seen_ = std::move(now);
    return changed;
}

}  // namespace reeve::cli
