#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "api/identity.hpp"
#include "base/result.hpp"

namespace reeve {

/// Who callers are: processes by their uid, tokens by the file that `reeve server token` writes
/// (`<data>/tokens`, mode 0600: a line each of hash, user, uid and gid). The file is read again
/// when it has changed, so a new token works at once.
class TokenFileIdentities final : public api::Identities {
  public:
    TokenFileIdentities(std::string path, std::set<std::string> admins);

    [[nodiscard]] api::Caller of_process(std::uint32_t uid, std::uint32_t gid) const override;
    [[nodiscard]] std::optional<api::Caller> of_token(std::string_view token) const override;
    [[nodiscard]] std::optional<api::Caller> of_user(const std::string& name) const override;

  private:
    [[nodiscard]] std::shared_ptr<const api::ConfiguredIdentities> newest() const;
    [[nodiscard]] std::shared_ptr<const api::ConfiguredIdentities> current() const;

    std::string path_;
    std::set<std::string> admins_;
    mutable std::mutex mutex_;
    mutable std::string text_;                                             // Guarded by mutex_.
    mutable std::shared_ptr<const api::ConfiguredIdentities> identities_;  // Likewise.
};

/// Makes a token of `user` and adds its hash to the file; the answer is the token itself, which is
/// kept nowhere. Errors: kNotFound: no such user; as platform/files says.
[[nodiscard]] Result<std::string> make_token(const std::string& path, const std::string& user);

}  // namespace reeve
