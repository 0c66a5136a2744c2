#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace reeve {

/// An identifier that cannot be confused with another kind of identifier, or with a number.
/// Two ids compare and hash; they do not add, and nothing converts to or from one by itself.
template <class Tag>
class StrongId {
  public:
    constexpr explicit StrongId(std::uint64_t value) noexcept : value_(value) {}

    [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }

    friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;

  private:
    std::uint64_t value_;
};

using JobId = StrongId<struct JobTag>;              // Never reused. Printed in decimal: 1842.
using NodeId = StrongId<struct NodeTag>;            // Interned by the ledger; people see the name.
using GpuId = StrongId<struct GpuTag>;              // Interned UUID. Never an index: indexes move.
using GpuModelId = StrongId<struct GpuModelTag>;    // Interned "A30".
using NodeClassId = StrongId<struct NodeClassTag>;  // Nodes that the same jobs may run on.
using UserId = StrongId<struct UserTag>;            // Interned; people see the name.
using ProjectId = StrongId<struct ProjectTag>;      // Likewise.
using AllocationId = StrongId<struct AllocationTag>;
using Revision = StrongId<struct RevisionTag>;  // Of the changes log; the first change is 1.

/// As people see it. Of jobs only: a node, a GPU or a model is shown by its name.
[[nodiscard]] inline std::string to_string(JobId id) {
    return std::to_string(id.value());
}

}  // namespace reeve

template <class Tag>
struct std::hash<reeve::StrongId<Tag>> {
    std::size_t operator()(const reeve::StrongId<Tag>& id) const noexcept {
        return std::hash<std::uint64_t>{}(id.value());
    }
};
