#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "gpu/simulated/topology.hpp"

namespace reeve::gpu::simulated {

/// When a process began, in the kernel's clock ticks since boot; absent if it has ended (a zombie
/// has, too) or never was.
[[nodiscard]] std::optional<std::uint64_t> start_ticks_of(std::uint32_t pid);

/// Those of `processes` that still run: the same pid, begun at the same time.
[[nodiscard]] std::vector<ProcessUse> alive(const std::vector<ProcessUse>& processes);

/// Follows one state file: reads it again whenever it was replaced or written.
/// Life cycle: keeps the version that it read last open, so that no later version can have the same
/// inode and be taken for it. One thread at a time.
class StateFile {
  public:
    /// With `shown`, the GPUs with these UUIDs are all that there are.
    explicit StateFile(std::string path, std::optional<std::set<std::string>> shown = {});
    ~StateFile();
    StateFile(StateFile&&) noexcept;
    StateFile& operator=(StateFile&&) noexcept;
    StateFile(const StateFile&) = delete;
    StateFile& operator=(const StateFile&) = delete;

    /// What the file says now. Valid until the next call. Cost when nothing changed: one stat().
    /// Errors: kUnavailable: it cannot be read; kInvalid: it is no state file. Says which file.
    [[nodiscard]] Result<const Topology*> current();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    struct Version;
    std::string path_;
    std::optional<std::set<std::string>> shown_;
    std::unique_ptr<Version> version_;
    Topology topology_;
};

/// Reads the file, lets `change` alter it, drops the uses of ended processes, and puts it in place
/// by a rename, all under a lock beside it (<path>.lock): readers see the old or the new file,
/// writers do not lose one another's changes.
/// Errors: those of `change`, in which case nothing is written; kUnavailable, kInvalid as
/// current().
[[nodiscard]] Result<void> update_state(
    const std::string& path, const std::function<Result<void>(Topology&)>& change);

/// Makes the file hold `wanted`, unless it is there and was made from the same preset and seed:
/// then it is left as it is, with what runs in it. A file made from others is replaced.
/// Errors: kUnavailable: it cannot be written.
[[nodiscard]] Result<void> ensure_state(const std::string& path, const Topology& wanted);

}  // namespace reeve::gpu::simulated
