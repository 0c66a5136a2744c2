#include "cli/kubectl_words.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace reeve::cli {
namespace {

struct Row {
    std::string_view verb;
    std::string_view thing;  // Also with an "s" behind it.
    std::string_view ours;
};

constexpr auto kRows = std::to_array<Row>({
    {"get",      "job",     "q"           },
    {"get",      "node",    "nodes"       },
    {"get",      "gpu",     "gpus"        },
    {"get",      "project", "project list"},
    {"describe", "job",     "show"        },
    {"describe", "node",    "node show"   },
    {"describe", "gpu",     "gpu show"    },
    {"describe", "project", "project show"},
    {"delete",   "job",     "stop"        },
});

/// "jobs, nodes, gpus or projects".
std::string things_of(std::string_view verb) {
    std::vector<std::string> things;
    for (const Row& row : kRows) {
        if (row.verb == verb) {
            things.push_back(std::string(row.thing) + (verb == "get" ? "s" : ""));
        }
    }
    std::string list;
    for (std::size_t i = 0; i < things.size(); ++i) {
        list += (i == 0 ? "" : i + 1 == things.size() ? " or " : ", ") + things[i];
    }
    return list;
}

}  // namespace

bool is_kubectl_verb(std::string_view word) {
    return std::ranges::find(kRows, word, &Row::verb) != kRows.end();
}

Result<std::vector<std::string>> from_kubectl(const std::vector<std::string>& words) {
    const std::string& verb = words.front();
    const std::string thing = words.size() > 1 ? words[1] : "";
    const std::size_t slash = std::min(thing.find('/'), thing.size());
    const std::string_view kind = std::string_view(thing).substr(0, slash);
    const auto* const row = std::ranges::find_if(kRows, [&](const Row& any) {
        return any.verb == verb && (kind == any.thing || kind == std::string(any.thing) + "s");
    });
    const bool is_id = !thing.empty() && thing.front() >= '0' && thing.front() <= '9';
    if (row == kRows.end()) {
        return fail(
            ErrorCode::kInvalid,
            "`reeve " + verb + "` takes " + things_of(verb) +
                (thing.empty() || thing.starts_with('-') ? "" : ", and not '" + thing + "'") +
                (is_id ? "; that is: reeve " + verb + " job " + thing : ""));
    }
    std::vector<std::string> ours = split(row->ours, ' ');
    if (slash < thing.size()) {
        ours.push_back(thing.substr(slash + 1));
    }
    ours.insert(ours.end(), words.begin() + 2, words.end());
    return ours;
}

std::string kubectl_help(std::string_view verb) {
    std::string text = "Usage:\n";
    for (const Row& row : kRows) {
        if (row.verb == verb) {
            text += "  reeve " + std::string(verb) + " " + std::string(row.thing) +
                    (verb == "get" ? "s" : " NAME") + " [flags]   is: reeve " +
                    std::string(row.ours) + "\n";
        }
    }
    return text;
}

}  // namespace reeve::cli
