#include "platform/local_time.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

namespace reeve::platform {
namespace {

std::string in_zone(const char* zone, std::int64_t seconds) {
    ::setenv("TZ", zone, 1);
    std::string text = local_time(Instant(std::chrono::seconds(seconds)));
    ::unsetenv("TZ");
    return text;
}

TEST(LocalTime, GoesByTheZoneOfTheUser) {
    constexpr std::int64_t kWinter = 1'704'067'200;  // 2024-01-01T00:00:00Z.
    constexpr std::int64_t kSummer = 1'719'792'000;  // 2024-07-01T00:00:00Z.
    constexpr const char* kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";
    EXPECT_EQ(in_zone("UTC0", kWinter), "2024-01-01 00:00:00 UTC");
    EXPECT_EQ(in_zone(kBerlin, kWinter), "2024-01-01 01:00:00 CET");
    EXPECT_EQ(in_zone(kBerlin, kSummer), "2024-07-01 02:00:00 CEST");
    EXPECT_EQ(in_zone("EST5", kWinter), "2023-12-31 19:00:00 EST");
}

}  // namespace
}  // namespace reeve::platform
