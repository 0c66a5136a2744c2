#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/process/cgroups.hpp"
#include "base/text.hpp"
#include "platform/files.hpp"
#include "platform/system_error.hpp"

namespace reeve::agent::process {
namespace {

constexpr std::size_t kProcBytesMax = 4 << 20;

/// A mounted hierarchy: which part of it is mounted, where, and with which controllers.
struct Mount {
    std::string part;  // "/" or, in a container, the part that it sees.
    std::string point;
    bool is_v2 = false;
    std::vector<std::string> options;
};

/// One line of mountinfo, if it is of a cgroup: "36 35 98:0 /part /point opts … - cgroup src sup".
std::optional<Mount> parse_mount(const std::string& line) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) {
        return std::nullopt;
    }
    std::istringstream before(line.substr(0, dash));
    std::istringstream after(line.substr(dash + 3));
    std::string skipped;
    std::string type;
    std::string super_options;
    Mount mount;
    before >> skipped >> skipped >> skipped >> mount.part >> mount.point;
    after >> type >> skipped >> super_options;
    if (!before || (type != "cgroup" && type != "cgroup2")) {
        return std::nullopt;
    }
    mount.is_v2 = type == "cgroup2";
    mount.options = split(super_options, ',');
    return mount;
}

/// Controller -> this process's group in its hierarchy; "" is the one of v2.
std::map<std::string, std::string> parse_own_groups(const std::string& text) {
    std::map<std::string, std::string> groups;
    std::istringstream lines(text);
    std::string line;
    while (std::getline(lines, line)) {
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) {
            continue;
        }
        const std::string names = line.substr(first + 1, second - first - 1);
        for (const std::string& name : split(names, ',')) {
            groups[name] = line.substr(second + 1);
        }
        if (names.empty()) {
            groups[""] = line.substr(second + 1);
        }
    }
    return groups;
}

std::string directory_of(const Mount& mount, const std::string& group) {
    std::string below = group;
    if (mount.part != "/" && below.starts_with(mount.part)) {
        below = below.substr(mount.part.size());
    }
    return mount.point + (below == "/" ? "" : below);
}

Result<void> write_control(const std::string& path, const std::string& text) {
    const platform::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd.is_open() ||
        write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return platform::fail_errno("cannot write " + path);
    }
    return {};
}

struct Found {
    std::vector<Mount> mounts;
    std::map<std::string, std::string> own;
};

Result<Found> look_around(const std::string& root) {
    const auto mounts = platform::read_file(root + "/proc/self/mountinfo", kProcBytesMax);
    const auto own = platform::read_file(root + "/proc/self/cgroup", kProcBytesMax);
    if (!mounts || !own) {
        return tl::unexpected(mounts ? own.error() : mounts.error());
    }
    Found found = {{}, parse_own_groups(*own)};
    for (const std::string& line : split(*mounts, '\n')) {
        if (auto mount = parse_mount(line); mount) {
            mount->point = root + mount->point;
            found.mounts.push_back(std::move(*mount));
        }
    }
    return found;
}

bool has_word(const std::string& text, const std::string& word) {
    std::istringstream words(text);
    std::string found;
    while (words >> found) {
        if (found == word) {
            return true;
        }
    }
    return false;
}

/// The group above the tasks' in the hierarchy of v2, with its controllers handed down.
Result<std::string> prepare_v2(const std::string& own, const std::string& name) {
    const auto controllers = platform::read_file(own + "/cgroup.controllers", kProcBytesMax);
    if (!controllers) {
        return tl::unexpected(controllers.error());
    }
    for (const char* wanted : {"memory", "pids"}) {
        if (!has_word(*controllers, wanted)) {
            return fail(
                ErrorCode::kUnavailable,
                std::string("the controller ") + wanted + " is not given to " + own);
        }
    }
    const std::string server = own + "/" + name + "-server";
    std::string tasks = own + "/" + name;
    for (const std::string& directory : {server, tasks}) {
        if (const Result<bool> made = platform::make_directory_exclusive(directory, 0755); !made) {
            return tl::unexpected(made.error());
        }
    }
    const std::string handed =
        has_word(*controllers, "cpu") ? "+cpu +memory +pids" : "+memory +pids";
    if (!write_control(own + "/cgroup.subtree_control", handed)) {
        // There are processes in it: this one, at least.
        Result<void> done =
            write_control(server + "/cgroup.procs", std::to_string(getpid())).and_then([&] {
                return write_control(own + "/cgroup.subtree_control", handed);
            });
        if (!done) {
            return tl::unexpected(done.error());
        }
    }
    return write_control(tasks + "/cgroup.subtree_control", handed).map([&] { return tasks; });
}

Result<CgroupPaths> find_v2(const Found& found, const std::string& name) {
    for (const Mount& mount : found.mounts) {
        const auto own = found.own.find("");
        if (!mount.is_v2 || own == found.own.end()) {
            continue;
        }
        return prepare_v2(directory_of(mount, own->second), name).map([](const std::string& tasks) {
            return CgroupPaths{CgroupKind::kV2, tasks, tasks, tasks, tasks, tasks, tasks};
        });
    }
    return fail(ErrorCode::kUnavailable, "no hierarchy of version 2 is mounted");
}

/// The group above the tasks' in the v1 hierarchy of `controller`; "" if it cannot be made.
std::string prepare_v1(
    const Found& found, const std::string& controller, const std::string& name, std::string& why) {
    for (const Mount& mount : found.mounts) {
        const bool has = std::ranges::find(mount.options, controller) != mount.options.end();
        const auto own = found.own.find(controller);
        if (mount.is_v2 || !has || own == found.own.end()) {
            continue;
        }
        std::string directory = directory_of(mount, own->second) + "/" + name;
        if (const Result<bool> made = platform::make_directory_exclusive(directory, 0755); !made) {
            why = made.error().message;
            return "";
        }
        if (access(directory.c_str(), W_OK | X_OK) != 0) {  // Another user's server has made it.
            why = "may not write to " + directory + ", which another user has";
            return "";
        }
        return directory;
    }
    why = "no hierarchy of version 1 has the controller " + controller;
    return "";
}

Result<CgroupPaths> find_v1(const Found& found, const std::string& name) {
    std::string why;
    CgroupPaths paths = {.kind = CgroupKind::kV1};
    paths.memory = prepare_v1(found, "memory", name, why);
    if (paths.memory.empty()) {
        return fail(ErrorCode::kUnavailable, why);
    }
    paths.cpu = prepare_v1(found, "cpu", name, why);
    paths.cpu_account = prepare_v1(found, "cpuacct", name, why);
    paths.pids = prepare_v1(found, "pids", name, why);
    paths.devices = prepare_v1(found, "devices", name, why);
    paths.freezer = prepare_v1(found, "freezer", name, why);
    return paths;
}

}  // namespace

CgroupTree CgroupTree::find(const Options& options) {
    CgroupTree tree;
    const Result<Found> found = look_around(options.root);
    if (!found) {
        tree.why_none_ = found.error().message;
        return tree;
    }
    const Result<CgroupPaths> second = find_v2(*found, options.name);
    if (second) {
        tree.base_ = *second;
        return tree;
    }
    const Result<CgroupPaths> first = find_v1(*found, options.name);
    if (first) {
        tree.base_ = *first;
        return tree;
    }
    tree.why_none_ = second.error().message + "; " + first.error().message;
    return tree;
}

std::string CgroupTree::enforcement() const {
    switch (base_.kind) {
        case CgroupKind::kV1:   return "cgroup-v1";
        case CgroupKind::kV2:   return "cgroup-v2";
        case CgroupKind::kNone: break;
    }
    return "none";
}

std::string group_name(const std::string& cluster_id, const std::string& task) {
    constexpr std::size_t kClusterDigits = 12;
    return cluster_id.substr(0, kClusterDigits) + "-" + task;
}

CgroupPaths CgroupTree::paths_of(const std::string& task) const {
    CgroupPaths paths = base_;
    for (std::string* path :
         {&paths.cpu, &paths.cpu_account, &paths.memory, &paths.pids, &paths.devices,
          &paths.freezer}) {
        if (!path->empty()) {
            *path += "/" + task;
        }
    }
    return paths;
}

}  // namespace reeve::agent::process
