#include "cli/session.hpp"

#include <algorithm>
#include <ostream>

#include <poll.h>

#include "base/text.hpp"
#include "cli/curl_transport.hpp"
#include "cli/verbose_transport.hpp"
#include "platform/clock.hpp"
#include "platform/environment.hpp"
#include "platform/files.hpp"

namespace reeve::cli {
namespace {

constexpr std::size_t kTokenBytesMax = 4096;
constexpr std::string_view kMachineSocket = "/var/lib/reeve/reeve.sock";

/// Of --token-file, else REEVE_TOKEN, else REEVE_TOKEN_FILE; "" if there is none.
Result<std::string> read_token(const std::string& flag) {
    Result<std::string> token = platform::environment_variable("REEVE_TOKEN").value_or("");
    std::string path = flag;
    if (path.empty() && token->empty()) {
        path = platform::environment_variable("REEVE_TOKEN_FILE").value_or("");
    }
    if (!path.empty()) {
        token = platform::read_file(path, kTokenBytesMax);
    }
    if (!token) {
        return fail(
            token.error().code, std::string("the token (") +
                                    (flag.empty() ? "REEVE_TOKEN_FILE" : "--token-file") +
                                    ") cannot be read: " + token.error().message);
    }
    while (!token->empty() && static_cast<unsigned char>(token->back()) <= ' ') {
        token->pop_back();
    }
    if (token->empty() && !path.empty()) {
        return fail(
            ErrorCode::kInvalid, "the token file " + path +
                                     " is empty; `reeve server token --user NAME --file FILE` "
                                     "writes one");
    }
    const bool is_token =
        std::ranges::all_of(*token, [](unsigned char byte) { return byte > ' ' && byte < 0x7F; });
    if (!is_token) {
        const std::string where = !path.empty() ? path : "REEVE_TOKEN";
        return fail(
            ErrorCode::kInvalid, where +
                                     " has no token in it: a token is one word without spaces and "
                                     "line breaks; `reeve server token --user NAME --file FILE` "
                                     "writes one");
    }
    return token;
}

/// As the API has them.
bool is_user_name(std::string_view text) {
    constexpr std::size_t kBytesMax = 64;
    constexpr std::string_view kAllowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return !text.empty() && text.size() <= kBytesMax && text.front() != '.' &&
           text.front() != '-' && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace

void pause_for(std::chrono::milliseconds duration) {
    ::poll(nullptr, 0, static_cast<int>(duration.count()));
}

void add_global_flags(CLI::App& app, GlobalFlags& flags) {
    const char* group = "Global";
    app.add_option("-s,--server", flags.server, "unix:/path/reeve.sock or http://host:port")
        ->group(group);
    // `reeve run --output FILE` is something else.
    const bool is_taken = app.get_option_no_throw("--output") != nullptr;
    app.add_option(
           is_taken ? "-o" : "-o,--output", flags.output,
           "table, wide, json, jsonl, yaml, csv, name or cols=A,B (columns of a list)")
        ->group(group);
    app.add_option("--color", flags.colour, "auto, always or never")->group(group);
    if (app.get_option_no_throw("--timeout") ==
        nullptr) {  // `reeve wait --timeout` is another one.
        app.add_option("--timeout", flags.timeout, "For one answer (30s)")->group(group);
    }
    app.add_option("--token-file", flags.token_file, "Has the token of `reeve server token`")
        ->group(group);
    app.add_option("--as", flags.acts_as, "Act as this user, as administrators may")->group(group);
    app.add_flag("-q,--quiet", flags.is_quiet, "Say nothing but what was asked for")->group(group);
    app.add_flag(
           "-v,--verbose", flags.is_verbose, "Tell on standard error what is asked of the server")
        ->group(group);
    app.add_flag("--ascii", flags.is_ascii, "Print no characters beyond ASCII")->group(group);
    app.add_flag(
           "--no-input", flags.asks_nothing,
           "Ask nothing and read nothing from a terminal; refuse what would")
        ->group(group);
}

void Session::note(std::string_view text) const {
    if (!flags.is_quiet) {
        environment_.err << text << "\n" << std::flush;
    }
}

void Session::warn(std::string_view text) const {
    environment_.err << "reeve: " << printable(text) << "\n" << std::flush;
}

Result<void> Session::settle() {
    std::string output = flags.output;
    if (output.empty()) {
        output = platform::environment_variable("REEVE_OUTPUT").value_or("");
        output = output.empty() ? "table" : output;
    }
    const auto format = parse_format(output);
    if (!format) {
        return tl::unexpected(format.error());
    }
    if (*format == Format::kColumns && flags.output.empty()) {
        return fail(
            ErrorCode::kInvalid,
            "REEVE_OUTPUT is for all lists, which have different columns; it takes table, wide, "
            "json, jsonl, yaml, csv or name, and -o takes cols=A,B");
    }
    if (flags.colour != "auto" && flags.colour != "always" && flags.colour != "never") {
        return fail(ErrorCode::kInvalid, "--color takes auto, always or never");
    }
    if (!is_user_name(flags.acts_as) && !flags.acts_as.empty()) {
        return fail(
            ErrorCode::kInvalid, "--as: '" + flags.acts_as +
                                     "' is no user's name, which has 1 to 64 of A-Z a-z 0-9 . _ - "
                                     "and does not begin with . or -");
    }
    const bool is_plain = !platform::environment_variable("NO_COLOR").value_or("").empty() ||
                          platform::environment_variable("TERM").value_or("") == "dumb";
    look.format = *format;
    look.columns = columns_in(output);
    look.is_terminal = environment_.is_out_terminal;
    look.has_colour =
        flags.colour == "always" || (flags.colour == "auto" && look.is_terminal && !is_plain);
    look.width = environment_.width;
    look.now = platform::now_utc();
    return {};
}

std::string Session::data_directory() {
    return platform::default_data_directory();
}

std::string Session::given_server() const {
    return flags.server.empty() ? platform::environment_variable("REEVE_SERVER").value_or("")
                                : flags.server;
}

Result<std::string> Session::server_directory() const {
    constexpr std::string_view kUnix = "unix:";
    const std::string name = given_server();
    const std::size_t slash = name.rfind('/');
    const bool is_socket = name.starts_with(kUnix) && slash != std::string::npos;
    if (!name.empty() && !name.starts_with(kUnix)) {
        return fail(
            ErrorCode::kInvalid, std::string(flags.server.empty() ? "REEVE_SERVER" : "-s") +
                                     " names " + name +
                                     ", which does not say where that server keeps its files");
    }
    return is_socket && slash > kUnix.size() ? name.substr(kUnix.size(), slash - kUnix.size())
                                             : data_directory();
}

Result<std::string> Session::server_name() const {
    if (std::string name = given_server(); !name.empty()) {
        return name;
    }
    const std::string own = data_directory() + "/reeve.sock";
    const bool is_machine =
        !platform::path_exists(own) && platform::path_exists(std::string(kMachineSocket));
    return "unix:" + (is_machine ? std::string(kMachineSocket) : own);
}

Result<Client*> Session::client() {
    if (client_ != nullptr) {
        return client_.get();
    }
    const auto name = server_name();
    auto address = name ? parse_server_address(*name) : tl::unexpected(name.error());
    auto token = address ? read_token(flags.token_file) : tl::unexpected(address.error());
    if (!token) {
        return tl::unexpected(std::move(token.error()));
    }
    TransportOptions options{.server = *address, .token = *token};
    if (!flags.timeout.empty()) {
        const auto timeout = parse_duration(flags.timeout);
        if (!timeout) {
            return fail(ErrorCode::kInvalid, "--timeout: " + timeout.error().message);
        }
        options.timeout = *timeout;
    }
    auto transport = open_transport(options);
    if (!transport) {
        return tl::unexpected(std::move(transport.error()));
    }
    transport_ = std::move(*transport);
    return connect(*transport_);
}

void Session::use(Transport& transport) {
    connect(transport);
}

Client* Session::connect(Transport& transport) {
    if (flags.is_verbose) {
        verbose_ = std::make_unique<VerboseTransport>(
            transport, [this] { return clock(); },
            [this](const std::string& line) {
                environment_.err << printable(line) << "\n" << std::flush;
            });
    }
    client_ = std::make_unique<Client>(verbose_ ? *verbose_ : transport, random_, pause_for);
    if (!flags.acts_as.empty()) {
        client_->act_as(flags.acts_as);
    }
    client_->tell_rows([this](std::size_t before, std::size_t rows) { tell_rows(before, rows); });
    return client_.get();
}

void Session::tell_rows(std::size_t before, std::size_t rows) {
    const auto now = clock();
    if (before == 0) {
        told_rows_at_ = now;
    } else if (now - told_rows_at_ >= std::chrono::seconds(1)) {
        note(std::to_string(rows) + " rows read so far …");
        told_rows_at_ = now;
    }
}

std::string Session::project() const {
    return flags.project.empty() ? platform::environment_variable("REEVE_PROJECT").value_or("")
                                 : flags.project;
}

}  // namespace reeve::cli
