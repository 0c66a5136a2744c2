#include "api/identity.hpp"

#include <algorithm>

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace reeve::api {

Sha256 sha256_of(std::string_view text) {
    Sha256 hash = {};
    const std::string bytes(text);
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), hash.data());
    return hash;
}

Result<Sha256> parse_sha256(std::string_view hex) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    Sha256 hash = {};
    bool is_good = hex.size() == std::size_t{2} * hash.size();
    for (std::size_t i = 0; is_good && i < hex.size(); ++i) {
        const std::size_t digit = kDigits.find(hex[i]);
        is_good = digit != std::string_view::npos;
        hash.at(i / 2) = static_cast<std::uint8_t>(std::size_t{16} * hash.at(i / 2) + digit);
    }
    if (!is_good) {
        return fail(ErrorCode::kInvalid, "want a SHA-256 as 64 lower-case hexadecimal digits");
    }
    return hash;
}

Caller ConfiguredIdentities::of_process(std::uint32_t uid, std::uint32_t gid) const {
    std::string user = name_of(uid);
    const Role role = role_of(user, uid);
    return {
        .user = std::move(user),
        .uid = uid,
        .gid = gid,
        .role = role,
        .source = CallerSource::kUnix};
}

std::optional<Caller> ConfiguredIdentities::of_token(std::string_view token) const {
    const Sha256 hash = sha256_of(token);
    const TokenEntry* found = nullptr;
    for (const TokenEntry& entry : options_.tokens) {  // All of them: the time says nothing.
        if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) {
            found = &entry;
        }
    }
    if (found == nullptr) {
        return std::nullopt;
    }
    return Caller{
        .user = found->user,
        .uid = found->uid,
        .gid = found->gid,
        .role = role_of(found->user, found->uid),
        .source = CallerSource::kToken};
}

std::optional<Caller> ConfiguredIdentities::of_user(const std::string& name) const {
    std::optional<IdentityOptions::Account> account =
        options_.account_of ? options_.account_of(name) : std::nullopt;
    const auto token = std::ranges::find(options_.tokens, name, &TokenEntry::user);
    if (!account && token != options_.tokens.end()) {
        account = {.uid = token->uid, .gid = token->gid};
    }
    if (!account) {
        return std::nullopt;
    }
    return Caller{
        .user = name,
        .uid = account->uid,
        .gid = account->gid,
        .role = role_of(name, account->uid)};
}

Role ConfiguredIdentities::role_of(const std::string& user, std::uint32_t uid) const {
    const bool is_admin = uid == 0 || uid == options_.server_uid || options_.admins.contains(user);
    return is_admin ? Role::kAdmin : Role::kUser;
}

std::string ConfiguredIdentities::name_of(std::uint32_t uid) const {
    const std::lock_guard lock(mutex_);
    const auto known = names_.find(uid);
    if (known != names_.end()) {
        return known->second;
    }
    std::string name = options_.user_name ? options_.user_name(uid) : std::string();
    if (name.empty()) {
        name = "uid" + std::to_string(uid);
    }
    return names_.emplace(uid, std::move(name)).first->second;
}

}  // namespace reeve::api
