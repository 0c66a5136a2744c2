#include "api/rate_limit.hpp"

#include <string>

#include <gtest/gtest.h>

#include "api/problem.hpp"

namespace reeve::api {
namespace {

std::string header_of(const HttpResponse& response, std::string_view name) {
    std::string found = "(none)";
    for (const auto& [each, value] : response.headers) {
        if (each == name) {
            EXPECT_EQ(found, "(none)") << name << " comes twice";
            found = value;
        }
    }
    return found;
}

TEST(RateLimit, SaysHowMuchAtOnceAndHowMuchIsLeft) {
    HttpResponse response;
    tell_capacity(response, {.name = "event-streams", .most = 10'000}, 9'998);
    EXPECT_EQ(
        header_of(response, "RateLimit-Policy"),
        R"("event-streams";q=10000;qu="concurrent-requests")");
    EXPECT_EQ(header_of(response, "RateLimit"), R"("event-streams";r=9998)");
    EXPECT_EQ(header_of(response, "Retry-After"), "(none)");
}

TEST(RateLimit, RefusesBeyondIt) {
    HttpResponse response =
        refuse_beyond({.name = "bodies", .most = 1000, .unit = "content-bytes"}, "too much");
    EXPECT_EQ(response.status, 429);
    render_problem(response, "/x", "id-1");
    EXPECT_EQ(header_of(response, "RateLimit-Policy"), R"("bodies";q=1000;qu="content-bytes")");
    EXPECT_EQ(header_of(response, "RateLimit"), R"("bodies";r=0)");
    EXPECT_EQ(header_of(response, "Retry-After"), "1");
}

TEST(RateLimit, WhatTimeMayEndSaysWhenToTryAgain) {
    struct Case {
        ErrorCode code;
        const char* want;
    };

    for (const Case& c : {
             Case{ErrorCode::kLimit,       "5"     },
             Case{ErrorCode::kUnavailable, "1"     },
             Case{ErrorCode::kStorageFull, "5"     },
             Case{ErrorCode::kInvalid,     "(none)"},
             Case{ErrorCode::kQuota,       "(none)"},
             Case{ErrorCode::kInternal,    "(none)"}
    }) {
        HttpResponse response = refuse(c.code, "no");
        render_problem(response, "/x", "id-1");
        EXPECT_EQ(header_of(response, "Retry-After"), c.want) << response.status;
    }
    HttpResponse good;
    render_problem(good, "/x", "id-1");
    EXPECT_EQ(header_of(good, "Retry-After"), "(none)");
}

}  // namespace
}  // namespace reeve::api
