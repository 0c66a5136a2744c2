#pragma once

#include <cstdint>
#include <string_view>

namespace reeve::api {

/// What a caller is here. kNone: anonymous.
enum class Role : std::uint8_t { kNone, kUser, kAdmin };

/// What a route asks for. Whether a job is one that the caller may see or change is asked of the
/// job (caller and owner) after this.
enum class Permission : std::uint8_t {
    kAnonymous,  // Whoever can connect.
    kAny,        // Whoever is known.
    kJobsSubmit,
    kJobsRead,     // Own jobs; an admin's reach is everybody's.
    kJobsControl,  // Likewise.
    kClusterRead,
    kClusterControl,
    kProjectsControl,
    kReservationsControl,
    kCompat,  // The doors of requirement 003: whoever is known, or as configured.
};

/// The name in api/openapi.yaml's x-permission.
[[nodiscard]] constexpr std::string_view word_of(Permission permission) noexcept {
    switch (permission) {
        case Permission::kAnonymous:           return "anonymous";
        case Permission::kAny:                 return "any";
        case Permission::kJobsSubmit:          return "jobs.submit";
        case Permission::kJobsRead:            return "jobs.read";
        case Permission::kJobsControl:         return "jobs.control";
        case Permission::kClusterRead:         return "cluster.read";
        case Permission::kClusterControl:      return "cluster.control";
        case Permission::kProjectsControl:     return "projects.control";
        case Permission::kReservationsControl: return "reservations.control";
        case Permission::kCompat:              return "compat";
    }
    return "";  // Only if it was cast from a number; nothing has this name.
}

/// The one table of who may do what. What has no row is denied.
[[nodiscard]] constexpr bool may(Role role, Permission permission) noexcept {
    switch (permission) {
        case Permission::kAnonymous:           return true;
        case Permission::kAny:
        case Permission::kJobsSubmit:
        case Permission::kJobsRead:
        case Permission::kJobsControl:
        case Permission::kClusterRead:
        case Permission::kCompat:              return role == Role::kUser || role == Role::kAdmin;
        case Permission::kClusterControl:
        case Permission::kProjectsControl:
        case Permission::kReservationsControl: return role == Role::kAdmin;
    }
    return false;
}

}  // namespace reeve::api
