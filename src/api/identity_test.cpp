#include "api/identity.hpp"

#include <gtest/gtest.h>

namespace reeve::api {
namespace {

// From FIPS 180-2, appendix B.1: the hash of "abc".
constexpr const char* kHashOfAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

IdentityOptions options() {
    return {
        .server_uid = 50,
        .admins = {"ops"},
        .tokens =
            {{.hash = sha256_of("secret-of-ada"), .user = "ada", .uid = 1001, .gid = 100},
                   {.hash = sha256_of("secret-of-ops"), .user = "ops", .uid = 1002, .gid = 100}},
        .user_name = [](std::uint32_t uid) {
            return uid == 1001   ? std::string("ada")
                   : uid == 1002 ? std::string("ops")
                                 : std::string();
                   }
    };
}

TEST(Identities, KnowsTokensByTheirHash) {
    const ConfiguredIdentities identities(options());
    const auto ada = identities.of_token("secret-of-ada");
    ASSERT_TRUE(ada.has_value());
    EXPECT_EQ(ada->user, "ada");
    EXPECT_EQ(ada->uid, 1001U);
    EXPECT_EQ(ada->role, Role::kUser);
    EXPECT_EQ(ada->source, CallerSource::kToken);
    EXPECT_EQ(identities.of_token("secret-of-ops")->role, Role::kAdmin);
    EXPECT_FALSE(identities.of_token("secret-of-ad").has_value());
    EXPECT_FALSE(identities.of_token("").has_value());
}

TEST(Identities, AdminsAreRootTheServersOwnUserAndTheNamed) {
    const ConfiguredIdentities identities(options());
    EXPECT_EQ(identities.of_process(0, 0).role, Role::kAdmin);
    EXPECT_EQ(identities.of_process(50, 50).role, Role::kAdmin);
    EXPECT_EQ(identities.of_process(1002, 100).role, Role::kAdmin);
    const Caller ada = identities.of_process(1001, 100);
    EXPECT_EQ(ada.role, Role::kUser);
    EXPECT_EQ(ada.user, "ada");
    EXPECT_EQ(ada.gid, 100U);
    EXPECT_EQ(identities.of_process(4321, 1).user, "uid4321");
}

TEST(Identities, KnowUsersOfTheMachineAndOfTokens) {
    IdentityOptions with_accounts = options();
    with_accounts.account_of =
        [](const std::string& name) -> std::optional<IdentityOptions::Account> {
        return name == "eve" || name == "ada"
                   ? std::optional(IdentityOptions::Account{.uid = 7, .gid = 8})
                   : std::nullopt;
    };
    const ConfiguredIdentities identities(with_accounts);
    EXPECT_EQ(identities.of_user("eve")->uid, 7U);
    EXPECT_EQ(identities.of_user("eve")->role, Role::kUser);
    EXPECT_EQ(identities.of_user("ada")->uid, 7U) << "the machine goes before tokens";
    EXPECT_EQ(identities.of_user("ops")->uid, 1002U);
    EXPECT_EQ(identities.of_user("ops")->role, Role::kAdmin);
    EXPECT_FALSE(identities.of_user("mallory"));
    EXPECT_FALSE(identities.of_user(""));
}

TEST(Sha256, IsTheStandards) {
    const auto parsed = parse_sha256(kHashOfAbc);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(sha256_of("abc"), *parsed);
    EXPECT_FALSE(parse_sha256("ba78").has_value());
    EXPECT_FALSE(parse_sha256(std::string(64, 'g')).has_value());
}

}  // namespace
}  // namespace reeve::api
