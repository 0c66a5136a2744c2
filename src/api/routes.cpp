#include "api/routes.hpp"

#include <iterator>

#include "api/free_routes.hpp"

namespace reeve::api {

std::vector<Route> routes_of(const ApiParts& parts) {
    std::vector<Route> all;
    for (const auto& of_subject :
         {job_read_routes, job_change_routes, cluster_routes, free_routes, project_routes,
          reservation_routes, simulation_routes, stream_routes, server_routes, compat_routes}) {
        std::ranges::move(of_subject(parts), std::back_inserter(all));
    }
    return all;
}

}  // namespace reeve::api
