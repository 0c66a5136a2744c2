#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cli/fake_transport.hpp"
#include "cli/usage.hpp"
#include "cli/verb.hpp"

// For tests: one verb, as the user calls it.
namespace reeve::cli {

/// What a verb returned and printed.
struct Call {
    Result<int> code = 0;
    std::string out;
    std::string err;
};

enum class Out : std::uint8_t { kPipe, kTerminal };

/// Runs a verb against `server`, as from a pipe or a terminal; `command` is what came behind "--".
inline Call call(
    FakeTransport& server,
    std::string_view name,
    const std::vector<std::string>& words,
    Out kind = Out::kPipe,
    const std::vector<std::string>& command = {}) {
    std::ostringstream out;
    std::ostringstream err;
    const CliEnvironment environment{
        .out = out, .err = err, .is_out_terminal = kind == Out::kTerminal};
    const auto row = std::ranges::find(verb_table(), name, &VerbRow::name);
    EXPECT_NE(row, verb_table().end());
    const auto verb = row->make();
    Session session(environment);
    CLI::App app;
    verb->add_options(app);
    add_global_flags(app, session.flags);
    app.prefix_command(verb->takes_command());
    EXPECT_TRUE(parse_arguments(app, words));
    verb->take_rest(app.remaining(), command);
    EXPECT_TRUE(session.settle());
    session.use(server);
    session.clock = [&] { return server.now; };
    session.pause = [&](std::chrono::milliseconds pause) { server.paused.push_back(pause); };
    auto code = verb->run(session);
    return {std::move(code), out.str(), err.str()};
}

/// Method, target and body of all requests so far.
inline std::vector<std::string> asked_of(const FakeTransport& server) {
    std::vector<std::string> asked;
    asked.reserve(server.asked.size());
    for (const HttpRequest& request : server.asked) {
        asked.push_back(
            request.method + " " + request.target +
            (request.body.empty() ? "" : " " + request.body));
    }
    return asked;
}

}  // namespace reeve::cli
