#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "cli/client.hpp"
#include "cli/environment.hpp"
#include "cli/render.hpp"
#include "cli/targets.hpp"
#include "platform/clock.hpp"
#include "platform/os_random.hpp"

namespace reeve::cli {

/// The flags that every verb takes.
struct GlobalFlags {
    std::string server = {};
    std::string project = {};
    std::string output = {};
    std::string colour = "auto";
    std::string timeout = {};
    std::string token_file = {};
    std::string acts_as = {};
    bool is_quiet = false;
    bool is_verbose = false;
    bool is_ascii = false;
    bool asks_nothing = false;
};

void add_global_flags(CLI::App& app, GlobalFlags& flags);

/// Waits without doing anything.
void pause_for(std::chrono::milliseconds duration);

/// One run of one verb.
class Session {
  public:
    explicit Session(const CliEnvironment& environment) : environment_(environment) {}

    GlobalFlags flags = {};
    Look look = {};

    [[nodiscard]] const CliEnvironment& environment() const noexcept { return environment_; }

    [[nodiscard]] std::ostream& out() const noexcept { return environment_.out; }

    /// Waits; of a watch, between two pictures.
    std::function<void(std::chrono::milliseconds)> pause = pause_for;

    /// Of this machine since it started; how long something takes.
    std::function<std::chrono::microseconds()> clock = platform::monotonic_now;

    /// For a person, on standard error; not with --quiet.
    void note(std::string_view text) const;

    /// As note(), and not kept quiet.
    void warn(std::string_view text) const;

    /// Takes the flags in: format, colours, now. Errors: kInvalid.
    [[nodiscard]] Result<void> settle();

    /// -s, else REEVE_SERVER, else the socket of the user's own server, else that of the machine's.
    [[nodiscard]] Result<std::string> server_name() const;

    /// Where a user's own server keeps its state if it is not told.
    [[nodiscard]] static std::string data_directory();

    /// The directory of the socket that -s or REEVE_SERVER names, which is where that server keeps
    /// its state; else data_directory(). Errors: kInvalid: they name a server without a socket.
    [[nodiscard]] Result<std::string> server_directory() const;

    /// Connects on first use. Errors: kInvalid: the address; as of the token file.
    [[nodiscard]] Result<Client*> client();

    /// Speaks to this server in place of the one that the flags name. It outlives the session.
    void use(Transport& transport);

    /// -p, else REEVE_PROJECT, else "".
    [[nodiscard]] std::string project() const;

  private:
    /// -s, else REEVE_SERVER, else "".
    [[nodiscard]] std::string given_server() const;

    /// The client of this server, for the whole session.
    Client* connect(Transport& transport);

    /// Says each second how far a list is that takes longer than one.
    void tell_rows(std::size_t before, std::size_t rows);

    /// When rows were told last, of the list that is read.
    std::chrono::microseconds told_rows_at_ = {};

    const CliEnvironment& environment_;
    std::unique_ptr<Transport> transport_;
    std::unique_ptr<Transport> verbose_;  // In front of it, with --verbose.
    platform::OsRandom random_;
    std::unique_ptr<Client> client_;
};

}  // namespace reeve::cli
