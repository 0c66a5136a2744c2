#include "model/script_lines.hpp"

#include <cstddef>

namespace reeve::model {

bool has_sbatch_lines(std::string_view script) {
    while (!script.empty()) {
        const std::size_t end = script.find('\n');
        const std::string_view line = script.substr(0, end);
        script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
        const std::size_t first = line.find_first_not_of(" \t\r");
        if (first != std::string_view::npos && line[first] != '#') {
            return false;
        }
        if (line.starts_with("#SBATCH")) {
            return true;
        }
    }
    return false;
}

}  // namespace reeve::model
