#include "cli/targets.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "cli/words.hpp"

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
            "' is not a job; write an id (1842), an element (1842_7), a range (1800-1842 or "
            "1800-1842:2), a list (1,5,9), last, a job's name, @me, @running, @pending, or -l "
            "key=value");
}

/// A word with a letter, or something that is no ASCII, may be the name of a job; "5-" and "1.5"
/// are numbers gone wrong.
bool is_name(std::string_view word) {
    return !word.starts_with('@') && !word.starts_with('-') &&
           std::ranges::any_of(word, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      static_cast<unsigned char>(c) >= 0x80;
           });
}

tl::unexpected<Error> too_many(const std::string& what, std::size_t count) {
    return fail(
        ErrorCode::kTooLarge, what + " " + std::to_string(count) + " jobs; a command takes " +
                                  std::to_string(kTargetsMax) +
                                  " by id, and any number by @me, @running, @pending or -l "
                                  "key=value");
}

Result<void> add_range(std::string_view word, std::size_t dash, TargetList& list) {
    const std::int64_t first = id_in(word.substr(0, dash), kJobIdMax);
    const std::size_t colon = std::min(word.find(':'), word.size());
    const std::int64_t last = id_in(word.substr(dash + 1, colon - dash - 1), kJobIdMax);
    const std::int64_t step = colon == word.size() ? 1 : id_in(word.substr(colon + 1), kJobIdMax);
    if (first < 1 || last < first || step < 1) {
        return bad_target(word);
    }
    if (const auto count = static_cast<std::size_t>((last - first) / step) + 1;
        count > kTargetsMax) {
        return too_many("'" + std::string(word) + "' means", count);
    }
    for (std::int64_t id = first; id <= last; id += step) {
        list.named.push_back({static_cast<std::uint64_t>(id), {}});
    }
    return {};
}

Result<void> add_named(std::string_view word, TargetList& list) {
    if (is_name(word)) {
        list.names.emplace_back(word);
        return {};
    }
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

/// What the selector asks for, as it is written.
std::string in_words(const Selector& selector) {
    std::string words;
    const auto add = [&words](std::string_view what, const std::string& value) {
        if (!value.empty()) {
            words += (words.empty() ? "" : ", ") + std::string(what) + value;
        }
    };
    add("", selector.is_mine ? "@me" : "");
    add("state ", joined(selector.states));
    add("user ", selector.user);
    add("project ", selector.project);
    add("name ", selector.name);
    for (const std::string& label : selector.labels) {
        add("-l ", label);
    }
    return words;
}

/// `path` with one parameter more.
std::string with(const std::string& path, const std::string& parameter) {
    return path + (path.find('?') == std::string::npos ? "?" : "&") + parameter;
}

/// All jobs of a list, newest first.
Result<std::vector<std::uint64_t>> all_of(Client& client, const std::string& path) {
    std::vector<std::uint64_t> ids;
    const auto read = client.each_page(with(path, "fields=id"), [&ids](const Json& page) {
        for (const JsonValue& job : page["items"].GetArray()) {
            ids.push_back(id_of(job));
        }
        return Go::kOn;
    });
    return read ? Result<std::vector<std::uint64_t>>(std::move(ids)) : tl::unexpected(read.error());
}

/// Those of `named` that match the selector, too. Only they are asked for, however many others do.
Result<std::set<std::uint64_t>> matching_of(
    Client& client, const std::vector<Target>& named, const Selector& selector) {
    constexpr std::size_t kAtOnce = 500;  // Of the longest ids: half of what a request may be long.
    std::set<std::uint64_t> asked;
    for (const Target& target : named) {
        asked.insert(target.job);
    }
    std::set<std::uint64_t> matching;
    for (auto next = asked.begin(); next != asked.end();) {
        std::vector<std::string> ids;
        while (next != asked.end() && ids.size() < kAtOnce) {
            ids.push_back(std::to_string(*next++));
        }
        const auto jobs = all_of(client, with(jobs_path(selector), "id=" + joined(ids)));
        if (!jobs) {
            return tl::unexpected(jobs.error());
        }
        matching.insert(jobs->begin(), jobs->end());
    }
    return matching;
}

/// Errors: kNotFound, naming those of `named` that do not match the selector.
Result<void> expect_matches(
    Client& client, const std::vector<Target>& named, const Selector& selector) {
    const auto found = matching_of(client, named, selector);
    if (!found) {
        return tl::unexpected(found.error());
    }
    const std::set<std::uint64_t>& matching = *found;
    std::set<std::string> others;
    for (const Target& target : named) {
        if (!matching.contains(target.job)) {
            others.insert(to_string(target));
        }
    }
    if (others.empty()) {
        return {};
    }
    return fail(
        ErrorCode::kNotFound, list_of(others) + (others.size() > 1 ? " do" : " does") +
                                  " not match " + in_words(selector) +
                                  ", and what is named has to; nothing was done");
}

/// The newest jobs of the selector, newest first.
Result<std::vector<std::uint64_t>> newest_of(
    Client& client, const Selector& selector, std::size_t count) {
    std::string path = jobs_path(selector);
    path += "&limit=" + std::to_string(count);
    const auto page = client.get(path);
    if (!page) {
        return tl::unexpected(page.error());
    }
    std::vector<std::uint64_t> ids;
    const JsonValue* items = find(*page, "items");
    for (rapidjson::SizeType i = 0; items != nullptr && items->IsArray() && i < items->Size();
         ++i) {
        ids.push_back(id_of((*items)[i]));
    }
    return ids;
}

Result<std::uint64_t> look_up_last(Client& client) {
    const auto newest = newest_of(client, {.is_mine = true}, 1);
    if (!newest) {
        return tl::unexpected(newest.error());
    }
    if (newest->empty()) {
        return fail(ErrorCode::kNotFound, "you have no job yet; `reeve run` submits one");
    }
    return newest->front();
}

Result<std::uint64_t> look_up_name(Client& client, const std::string& name) {
    constexpr std::size_t kNamed = 12;
    Selector selector{.is_mine = true, .states = live_states(), .name = name};
    const auto live = newest_of(client, selector, kNamed);
    if (!live) {
        return tl::unexpected(live.error());
    }
    if (live->size() > 1) {
        std::string ids;
        for (const std::uint64_t id : *live) {
            ids += (ids.empty() ? "" : ", ") + std::to_string(id);
        }
        return fail(
            ErrorCode::kConflict, "several jobs of yours are named '" + name + "': " + ids +
                                      (live->size() == kNamed ? ", …" : "") + "; name one by id");
    }
    selector.states.clear();
    const auto newest =
        live->empty() ? newest_of(client, selector, 1) : Result<std::vector<std::uint64_t>>(*live);
    if (!newest) {
        return tl::unexpected(newest.error());
    }
    if (newest->empty()) {
        return fail(
            ErrorCode::kNotFound, "no job of yours is named '" + name +
                                      "'; others are named by id (1842), an element so: 1842_7");
    }
    return newest->front();
}

/// What is named, without the selector.
Result<std::vector<Target>> look_up_named(Client& client, const TargetList& list) {
    std::vector<Target> found = list.named;
    const auto add = [&found](const Result<std::uint64_t>& id) {
        if (id) {
            found.push_back({*id, {}});
        }
        return id.has_value() ? Result<void>() : tl::unexpected(id.error());
    };
    Result<void> added = list.is_last ? add(look_up_last(client)) : Result<void>();
    for (const std::string& name : list.names) {
        added = added ? add(look_up_name(client, name)) : added;
    }
    return added ? Result<std::vector<Target>>(std::move(found))
                 : tl::unexpected(std::move(added.error()));
}

}  // namespace

std::vector<std::string> live_states() {
    return {"pending", "scheduled", "running", "stopping"};
}

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
        return too_many("these are", list.named.size());
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
    auto found = look_up_named(client, list);
    if (!found || !list.selector) {
        return found;
    }
    if (list.has_named()) {
        auto matched = expect_matches(client, *found, *list.selector);
        return matched ? std::move(found) : tl::unexpected(std::move(matched.error()));
    }
    const auto jobs = all_of(client, jobs_path(*list.selector));
    if (!jobs) {
        return tl::unexpected(jobs.error());
    }
    for (const std::uint64_t id : *jobs) {
        found->push_back({id, {}});
    }
    return found;
}

Result<std::uint64_t> look_up_job(Client& client, std::string_view word) {
    const auto list = parse_targets({std::string(word)}, {});
    if (!list) {
        return tl::unexpected(list.error());
    }
    const auto target = look_up_one(client, *list);
    if (target && target->element) {
        return fail(
            ErrorCode::kInvalid,
            "'" + std::string(word) + "' is an element; what is meant here is a whole job");
    }
    return target ? Result<std::uint64_t>(target->job) : tl::unexpected(target.error());
}

Result<std::vector<Target>> look_up_or_last(Client& client, TargetList list) {
    list.is_last = list.is_last || list == TargetList{};
    return look_up(client, list);
}

Result<std::vector<Target>> look_up_some(Client& client, const TargetList& list) {
    if (list == TargetList{}) {
        return fail(
            ErrorCode::kInvalid,
            "name the jobs: 1842, 1842_7, 1-9, last, a job's name, @me, @running, @pending, -l "
            "key=value");
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
