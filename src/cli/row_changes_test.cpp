#include "cli/row_changes.hpp"

#include <gtest/gtest.h>

namespace reeve::cli {
namespace {

using Lines = std::vector<std::string>;

Json list(const std::string& items) {
    return parse_json(R"({"items":[)" + items + "]}").value();
}

TEST(RowChanges, TellsWhatIsNewAndWhatDiffers) {
    RowChanges changes("x/v1");
    EXPECT_EQ(
        changes.take(list(R"({"id":2,"s":"q"},{"id":1,"s":"r"})")),
        (Lines{R"({"schema":"x/v1","id":2,"s":"q"})", R"({"schema":"x/v1","id":1,"s":"r"})"}));
    EXPECT_EQ(changes.gone(), Lines{});
    EXPECT_EQ(changes.take(list(R"({"id":2,"s":"q"},{"id":1,"s":"r"})")), Lines{});
    EXPECT_EQ(
        changes.take(list(R"({"id":3,"s":"q"},{"id":2,"s":"r"},{"id":1,"s":"r"})")),
        (Lines{R"({"schema":"x/v1","id":3,"s":"q"})", R"({"schema":"x/v1","id":2,"s":"r"})"}));
    EXPECT_EQ(changes.gone(), Lines{});
}

TEST(RowChanges, TellsWhatIsGoneOnceAndWhatComesBack) {
    RowChanges changes("x/v1");
    EXPECT_EQ(changes.take(list(R"({"id":1},{"id":2})")).size(), 2U);
    EXPECT_EQ(changes.take(list(R"({"id":2})")), Lines{});
    EXPECT_EQ(changes.gone(), Lines{"1"});
    EXPECT_EQ(changes.take(list(R"({"id":2},{"id":1})")), Lines{R"({"schema":"x/v1","id":1})"});
    EXPECT_EQ(changes.gone(), Lines{});
    EXPECT_EQ(changes.take(list("")), Lines{});
    EXPECT_EQ(changes.gone(), (Lines{"1", "2"}));
}

}  // namespace
}  // namespace reeve::cli
