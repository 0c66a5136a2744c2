#include "base/utc.hpp"

#include <gtest/gtest.h>

namespace reeve {
namespace {

TEST(ParseUtc, ReadsWhatRfc3339SaysOfUtc) {
    EXPECT_EQ(parse_utc("1970-01-01T00:00:00Z"), Instant(std::chrono::microseconds(0)));
    EXPECT_EQ(parse_utc("2026-11-24T15:00:01Z"), Instant(std::chrono::seconds(1'795'532'401)));
    EXPECT_EQ(parse_utc("2024-02-29T23:59:59.123456Z"), parse_utc("2024-02-29T23:59:59Z"));
    for (const char* bad :
         {"", "now", "2026-11-24", "2026-11-24T15:00:00", "2026-11-24 15:00:00Z",
          "2026-02-30T00:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T15:60:00Z",
          "2026-11-24T15:00:60Z", "2026-11-24T15:00:00.Z", "2026-11-24T15:00:00+01:00",
          "2026-11-24T15:0x:00Z", "2026-11-24T15:00:00ZZ"}) {
        EXPECT_FALSE(parse_utc(bad)) << bad;
    }
}

TEST(FormatSeconds, IsReadBack) {
    for (const std::int64_t seconds : {0L, 951'782'399L, 1'795'532'401L, 4'102'444'800L}) {
        const Instant at{std::chrono::seconds(seconds)};
        EXPECT_EQ(parse_utc(format_seconds(at)), at);
        EXPECT_EQ(format_seconds(at + std::chrono::microseconds(999'999)), format_seconds(at));
    }
    EXPECT_EQ(format_seconds(Instant(std::chrono::seconds(951'782'399))), "2000-02-28T23:59:59Z");
}

}  // namespace
}  // namespace reeve
