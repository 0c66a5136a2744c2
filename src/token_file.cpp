#include "token_file.hpp"

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include <unistd.h>

#include "base/text.hpp"
#include "platform/files.hpp"
#include "platform/identity.hpp"
#include "platform/os_random.hpp"

namespace reeve {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;
constexpr const char* kPrefix = "reeve_pat_";  // So that scanners for secrets know one.

std::string hex_of(const api::Sha256& hash) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : hash) {
        text += kDigits.at(byte >> 4U);
        text += kDigits.at(byte & 15U);
    }
    return text;
}

/// A line that says something else than it should gives nobody anything.
std::optional<api::TokenEntry> parse_entry(const std::string& line) {
    const std::vector<std::string> words = split(line, ' ');
    if (words.size() != 4) {
        return std::nullopt;
    }
    const Result<api::Sha256> hash = api::parse_sha256(words[0]);
    const Result<std::int64_t> uid = parse_integer(words[2]);
    const Result<std::int64_t> gid = parse_integer(words[3]);
    if (!hash || !uid || !gid) {
        return std::nullopt;
    }
    return api::TokenEntry{
        .hash = *hash,
        .user = words[1],
        .uid = static_cast<std::uint32_t>(*uid),
        .gid = static_cast<std::uint32_t>(*gid)};
}

std::string user_name(std::uint32_t uid) {
    const Result<platform::UserEntry> entry = platform::user_by_id(uid);
    return entry ? entry->name : "";
}

std::optional<api::IdentityOptions::Account> account_of(const std::string& name) {
    const Result<platform::UserEntry> entry = platform::user_by_name(name);
    return entry
               ? std::optional(api::IdentityOptions::Account{.uid = entry->uid, .gid = entry->gid})
               : std::nullopt;
}

}  // namespace

TokenFileIdentities::TokenFileIdentities(std::string path, std::set<std::string> admins)
    : path_(std::move(path)), admins_(std::move(admins)) {}

api::Caller TokenFileIdentities::of_process(std::uint32_t uid, std::uint32_t gid) const {
    const std::shared_ptr<const api::ConfiguredIdentities> known = newest();
    return (known == nullptr ? current() : known)->of_process(uid, gid);  // Tokens do not matter.
}

std::optional<api::Caller> TokenFileIdentities::of_token(std::string_view token) const {
    return current()->of_token(token);
}

std::optional<api::Caller> TokenFileIdentities::of_user(const std::string& name) const {
    return current()->of_user(name);
}

std::shared_ptr<const api::ConfiguredIdentities> TokenFileIdentities::newest() const {
    const std::scoped_lock lock(mutex_);
    return identities_;
}

std::shared_ptr<const api::ConfiguredIdentities> TokenFileIdentities::current() const {
    // No file is no tokens; one that cannot be read gives nobody anything either.
    const std::string text =
        platform::path_exists(path_) ? platform::read_file(path_, kFileBytesMax).value_or("") : "";
    const std::scoped_lock lock(mutex_);
    if (identities_ == nullptr || text != text_) {
        api::IdentityOptions options{
            .server_uid = getuid(),
            .admins = admins_,
            .user_name = user_name,
            .account_of = account_of};
        for (const std::string& line : split(text, '\n')) {
            if (std::optional<api::TokenEntry> entry = parse_entry(line)) {
                options.tokens.push_back(*std::move(entry));
            }
        }
        identities_ = std::make_shared<api::ConfiguredIdentities>(std::move(options));
        text_ = text;
    }
    return identities_;
}

Result<std::string> make_token(const std::string& path, const std::string& user) {
    const Result<platform::UserEntry> entry = platform::user_by_name(user);
    if (!entry) {
        return tl::unexpected<Error>(entry.error());
    }
    std::string token = kPrefix + platform::random_hex(24);
    std::string text;
    if (platform::path_exists(path)) {
        Result<std::string> old = platform::read_file(path, kFileBytesMax);
        if (!old) {
            return old;
        }
        text = *std::move(old);
    }
    text += hex_of(api::sha256_of(token)) + " " + entry->name + " " + std::to_string(entry->uid) +
            " " + std::to_string(entry->gid) + "\n";
    if (Result<void> written = platform::write_file_atomic(path, text); !written) {
        return tl::unexpected<Error>(std::move(written.error()));
    }
    return token;
}

}  // namespace reeve
