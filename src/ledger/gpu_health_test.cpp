// Goal: what happens to a GPU is told once, and an error alone keeps nothing away from it.
// Method: samples of nodes, as agents send them.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ledger/ledger_world.hpp"

namespace reeve::ledger {
namespace {

class GpuHealth : public testing::Test {
  protected:
    static Instant at(int second) { return Instant(std::chrono::seconds(second)); }

    /// What `sample` of n1 makes known: "xid 79 of GPU-0", "lost GPU-0: no answer".
    std::vector<std::string> news_of(
        std::vector<model::ReportedXid> xids, const std::string& trouble = "") {
        model::NodeSample sample{.node = "n1", .xids = std::move(xids)};
        sample.gpus = {
            {.uuid = "GPU-0", .trouble = trouble},
            {.uuid = "GPU-1"}
        };
        EXPECT_TRUE(world.apply(Report{sample}));
        std::vector<std::string> news;
        for (const Change& change : world.ledger.changes()) {
            const auto* put = std::get_if<NodePut>(&change.body);
            if (put != nullptr && put->incident) {
                news.push_back(in_words(*put->incident));
            }
        }
        world.step();
        return news;
    }

    static std::string in_words(const GpuIncident& incident) {
        switch (incident.kind) {
            case GpuIncidentKind::kXid:
                return "xid " + std::to_string(incident.xid) + " of " + incident.uuid;
            case GpuIncidentKind::kLost:      return "lost " + incident.uuid + ": " + incident.text;
            case GpuIncidentKind::kRestored:  return "restored " + incident.uuid;
            case GpuIncidentKind::kContested: return "contested " + incident.uuid;
        }
        return "";
    }

    [[nodiscard]] bool is_present() const {
        return world.ledger.state().node_named("n1")->record.gpus.front().is_present;
    }

    using Words = std::vector<std::string>;

    World world = World(2);
};

TEST_F(GpuHealth, AnErrorIsToldOnceHoweverOftenItIsHeard) {
    const model::ReportedXid first{.uuid = "GPU-0", .xid = 31, .at = at(5)};
    const model::ReportedXid second{.uuid = "GPU-1", .xid = 79, .at = at(6)};
    EXPECT_EQ(news_of({first}), Words{"xid 31 of GPU-0"});
    EXPECT_EQ(news_of({first}), Words{});
    EXPECT_EQ(news_of({first, second}), Words{"xid 79 of GPU-1"});
    EXPECT_EQ(news_of({}), Words{});
    EXPECT_TRUE(is_present()) << "what it means for jobs is for the GPU's state to say";
    EXPECT_EQ(world.state(world.submit({.gpus = {.count = 2}})), "scheduled");
}

TEST_F(GpuHealth, ErrorsOfOthersGpusAreNone) {
    EXPECT_EQ(
        news_of({
            {.uuid = "GPU-9", .xid = 31, .at = at(5)}
    }),
        Words{});
}

TEST_F(GpuHealth, AGpuThatGoesAndComesBackIsToldOfOnceEach) {
    const model::ReportedXid off{.uuid = "GPU-0", .xid = 79, .at = at(5)};
    EXPECT_EQ(news_of({off}, "no answer"), (Words{"xid 79 of GPU-0", "lost GPU-0: no answer"}))
        << "the cause first";
    EXPECT_FALSE(is_present());
    EXPECT_EQ(news_of({off}, "no answer at all"), Words{});
    EXPECT_EQ(world.state(world.submit({.gpus = {.count = 2}})), "queued");
    EXPECT_EQ(news_of({off}), Words{"restored GPU-0"});
    EXPECT_TRUE(is_present());
}

TEST_F(GpuHealth, IsUndoneWithItsTurn) {
    const auto before = world.ledger.last_rev();
    const model::ReportedXid off{.uuid = "GPU-0", .xid = 79, .at = at(5)};
    model::NodeSample sample{
        .node = "n1", .gpus = {{.uuid = "GPU-0", .trouble = "gone"}}, .xids = {off}};
    EXPECT_TRUE(world.apply(Report{sample}));
    EXPECT_FALSE(is_present());
    world.ledger.undo();
    EXPECT_TRUE(is_present());
    EXPECT_EQ(world.ledger.last_rev(), before);
    EXPECT_EQ(news_of({off}), Words{"xid 79 of GPU-0"}) << "it was never told";
    EXPECT_EQ(news_of({off}), Words{});
}

}  // namespace
}  // namespace reeve::ledger
