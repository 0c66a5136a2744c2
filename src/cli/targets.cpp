#include "cli/targets.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace reeve::cli {
namespace {

constexpr std::int64_t kJobIdMax = 9'007'199'254'740'991;  // What JSON numbers hold exactly.

std::int64_t id_in(std::string_view text, std::int64_t most) {
    const bool is_plain =
        !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    const auto value = parse_integer(text);
    return is_plain && value && *value <= most ? *value : -1;
}

tl::unexpected<Error> bad_target(std::string_view word) {
    return fail(
        ErrorCode::kInvalid,
        "'" + std::string(word) +
            "' is not a job; write an id (1842), an element (1842_7), a range (1800-1842), a list "
            "(1,5,9), last, @me, @running, @pending, or -l key=value");
}

Result<void> add_range(std::string_view word, std::size_t dash, TargetList& list) {
    const std::int64_t first = id_in(word.substr(0, dash), kJobIdMax);
    const std::int64_t last = id_in(word.substr(dash + 1), kJobIdMax);
    if (first < 1 || last < first) {
        return bad_target(word);
    }
    if (static_cast<std::size_t>(last - first) >= kTargetsMax) {
        return fail(ErrorCode::kTooLarge, "'" + std::string(word) + "' means more than 10000 jobs");
    }
    for (std::int64_t id = first; id <= last; ++id) {
        list.named.push_back({static_cast<std::uint64_t>(id), {}});
    }
    return {};
}

Result<void> add_named(std::string_view word, TargetList& list) {
    if (const std::size_t dash = word.find('-'); dash != std::string_view::npos) {
        return add_range(word, dash, list);
    }
    const std::size_t under = word.find('_');
    const std::int64_t job = id_in(word.substr(0, under), kJobIdMax);
    const std::int64_t element =
        under == std::string_view::npos ? 0 : id_in(word.substr(under + 1), UINT32_MAX - 1);
    if (job < 1 || element < 0) {
        return bad_target(word);
    }
    Target target{static_cast<std::uint64_t>(job), {}};
    if (under != std::string_view::npos) {
        target.element = static_cast<std::uint32_t>(element);
    }
    list.named.push_back(target);
    return {};
}

Result<void> add_word(std::string_view word, TargetList& list) {
    const auto selector = [&]() -> Selector& {
        return list.selector ? *list.selector : list.selector.emplace();
    };
    if (word == "last") {
        list.is_last = true;
    } else if (word == "@me") {
        selector().is_mine = true;
    } else if (word == "@running") {
        selector().states.insert(selector().states.end(), {"scheduled", "running", "stopping"});
    } else if (word == "@pending") {
        selector().states.emplace_back("pending");
    } else {
        return add_named(word, list);
    }
    return {};
}

std::string joined(const std::vector<std::string>& parts) {
    std::string all;
    for (const std::string& part : parts) {
        all += (all.empty() ? "" : ",") + part;
    }
    return all;
}

std::uint64_t id_of(const JsonValue& job) {
    return static_cast<std::uint64_t>(integer_at(job, "id").value_or(0));
}

}  // namespace

std::string to_string(const Target& target) {
    return std::to_string(target.job) +
           (target.element ? "_" + std::to_string(*target.element) : "");
}

Result<TargetList> parse_targets(
    const std::vector<std::string>& words, const std::vector<std::string>& labels) {
    TargetList list;
    for (const std::string& word : words) {
        for (const std::string& part : split(word, ',')) {
            if (auto added = add_word(part, list); !added) {
                return tl::unexpected(std::move(added.error()));
            }
        }
    }
    for (const std::string& label : labels) {
        if (label.find('=') == std::string::npos || label.front() == '=' ||
            label.find(',') != std::string::npos) {
            return fail(ErrorCode::kInvalid, "'" + label + "' is not a label; write -l key=value");
        }
        if (!list.selector) {
            list.selector.emplace();
        }
        list.selector->labels.push_back(label);
    }
    if (list.named.size() > kTargetsMax) {
        return fail(ErrorCode::kTooLarge, "these are more than 10000 jobs");
    }
    return list;
}

std::string jobs_path(const Selector& selector) {
    std::string query;
    const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) {
            query += (query.empty() ? "?" : "&") + std::string(name) + "=" + escaped(value);
        }
    };
    add("state", joined(selector.states));
    add("user", selector.is_mine ? "@me" : selector.user);
    add("project", selector.project);
    add("name", selector.name);
    add("label", joined(selector.labels));
    return "/api/v1/jobs" + query;
}

Result<std::vector<Target>> look_up(Client& client, const TargetList& list) {
    std::vector<Target> found = list.named;
    if (list.is_last) {
        const auto newest = client.get("/api/v1/jobs?user=@me&limit=1");
        if (!newest) {
            return tl::unexpected(newest.error());
        }
        const JsonValue* items = find(*newest, "items");
        if (items == nullptr || !items->IsArray() || items->Empty()) {
            return fail(ErrorCode::kNotFound, "you have no job yet; `reeve run` submits one");
        }
        found.push_back({id_of((*items)[0]), {}});
    }
    if (list.selector) {
        const auto jobs = client.get_all(jobs_path(*list.selector), kTargetsMax);
        if (!jobs) {
            return tl::unexpected(jobs.error());
        }
        for (const JsonValue& job : (*jobs)["items"].GetArray()) {
            found.push_back({id_of(job), {}});
        }
    }
    return found;
}

Result<std::vector<Target>> look_up_or_last(Client& client, TargetList list) {
    list.is_last = list.is_last || list == TargetList{};
    return look_up(client, list);
}

Result<std::vector<Target>> look_up_some(Client& client, const TargetList& list) {
    if (list == TargetList{}) {
        return fail(
            ErrorCode::kInvalid,
            "name the jobs: 1842, 1842_7, 1-9, last, @me, @running, @pending, -l key=value");
    }
    auto found = look_up(client, list);
    if (found && found->empty()) {
        return fail(ErrorCode::kNotFound, "no job matches");
    }
    return found;
}

Result<Target> look_up_one(Client& client, const TargetList& list) {
    auto found = look_up_some(client, list);
    if (!found) {
        return tl::unexpected(std::move(found.error()));
    }
    if (found->size() > 1) {
        return fail(
            ErrorCode::kInvalid,
            "that means " + std::to_string(found->size()) + " jobs; name one of them");
    }
    return found->front();
}

}  // namespace reeve::cli
