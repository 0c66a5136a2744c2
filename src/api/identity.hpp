#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.hpp"

namespace reeve::api {

/// Says who a caller is. Called from every thread at once.
class Identities {
  public:
    virtual ~Identities() = default;

    /// Of the process at the other end of a Unix socket.
    [[nodiscard]] virtual Caller of_process(std::uint32_t uid, std::uint32_t gid) const = 0;

    /// Nothing for a token that nobody has.
    [[nodiscard]] virtual std::optional<Caller> of_token(std::string_view token) const = 0;

    /// As whom an administrator acts. Nothing for a name that nobody has.
    [[nodiscard]] virtual std::optional<Caller> of_user(const std::string& name) const = 0;
};

using Sha256 = std::array<std::uint8_t, 32>;

[[nodiscard]] Sha256 sha256_of(std::string_view text);

/// "0f3a…" to bytes. Errors: kInvalid.
[[nodiscard]] Result<Sha256> parse_sha256(std::string_view hex);

/// A bearer token as it is kept: never the token itself.
struct TokenEntry {
    Sha256 hash = {};
    std::string user = {};
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};

struct IdentityOptions {
    std::uint32_t server_uid = 0;         // Whoever runs the server is an admin, and so is root.
    std::set<std::string> admins = {};    // By name.
    std::vector<TokenEntry> tokens = {};  // Compared with each, in constant time.

    /// The name of a uid; "" if it has none. Asked once per uid.
    std::function<std::string(std::uint32_t)> user_name = {};

    struct Account {
        std::uint32_t uid = 0;
        std::uint32_t gid = 0;
    };

    /// The account of a name; nothing if there is none.
    std::function<std::optional<Account>(const std::string& name)> account_of = {};
};

/// Identities as the operator configured them.
class ConfiguredIdentities final : public Identities {
  public:
    explicit ConfiguredIdentities(IdentityOptions options) : options_(std::move(options)) {}

    [[nodiscard]] Caller of_process(std::uint32_t uid, std::uint32_t gid) const override;
    [[nodiscard]] std::optional<Caller> of_token(std::string_view token) const override;

    /// Of the machine's users, else of those who have tokens.
    [[nodiscard]] std::optional<Caller> of_user(const std::string& name) const override;

  private:
    [[nodiscard]] Role role_of(const std::string& user, std::uint32_t uid) const;
    [[nodiscard]] std::string name_of(std::uint32_t uid) const;

    IdentityOptions options_;
    mutable std::mutex mutex_;
    mutable std::map<std::uint32_t, std::string> names_;  // Guarded by mutex_.
};

}  // namespace reeve::api
