#pragma once

#include <string>
#include <string_view>

#include "api/http_message.hpp"

namespace reeve::api {

/// Turns a response with a `problem` into one with a body as RFC 9457 wants it; others it leaves as
/// they are. `instance` is the path of the request. The error's context never gets into it.
void render_problem(HttpResponse& response, std::string_view instance, std::string_view request_id);

}  // namespace reeve::api
