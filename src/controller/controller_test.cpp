#include "controller/controller.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "controller/fake_store.hpp"

namespace reeve::controller {
namespace {

using namespace std::chrono_literals;

class ControllerTest : public testing::Test {
  protected:
    static model::NodeHello hello(const std::string& node) {
        return {
            .node = node, .boot_id = "b1", .host = {node, 4000, 8000}
        };
    }

    static model::TaskKey task(std::uint64_t job) {
        return {.element = {.job = JobId(job)}, .attempt = 1};
    }

    TurnResult turn(std::vector<model::AgentReport> reports = {}) {
        std::vector<Request> requests;
        requests.reserve(reports.size());
        for (model::AgentReport& report : reports) {
            requests.push_back({.command = ledger::Report{std::move(report)}});
        }
        now = now + 1s;
        return controller->turn(std::move(requests), now);
    }

    /// "n1 5.0.1.0": the deletions that are ordered.
    static std::vector<std::string> deletions(const TurnResult& result) {
        std::vector<std::string> found;
        for (const Order& order : result.orders) {
            if (const auto* deletion = std::get_if<model::DeleteTask>(&order.order)) {
                found.push_back(order.node + " " + to_string(deletion->key));
            }
        }
        return found;
    }

    Instant now = Instant(std::chrono::seconds(1'000'000));
    FakeStore store;
    std::unique_ptr<Controller> controller =
        Controller::open(store, {.ended_jobs_kept = std::chrono::hours(1)}, now).value();
};

using Words = std::vector<std::string>;

TEST_F(ControllerTest, AHelloThatCannotBeLookedUpIsTriedAgain) {
    model::NodeHello said = hello("n1");
    said.tasks = {
        {.key = task(5), .cluster_id = "c"}
    };
    store.has_bad_reads = true;
    for (int i = 0; i < 3; ++i) {
        const TurnResult failed = i == 0 ? turn({said, hello("n2")}) : turn();
        ASSERT_EQ(failed.troubles.size(), 1U);
        EXPECT_EQ(failed.troubles[0].message, "the disk cannot be read");
        EXPECT_EQ(controller->ledger().state().node_named("n1"), nullptr);
        EXPECT_NE(controller->ledger().state().node_named("n2"), nullptr);
        ASSERT_TRUE(controller->next_wakeup());
        EXPECT_LE(*controller->next_wakeup(), now + 1s);
    }
    store.has_bad_reads = false;
    EXPECT_TRUE(turn().troubles.empty());
    EXPECT_NE(controller->ledger().state().node_named("n1"), nullptr);
    EXPECT_GT(*controller->next_wakeup(), now + 1s);  // Nothing is left to do again.
}

TEST_F(ControllerTest, TheViewSaysWhatIsInQuarantine) {
    model::NodeHello said = hello("n1");
    const model::TaskOrder order{
        .key = task(5),
        .cluster_id = "c",
        .spec_json = R"({"name":"train","command":["/bin/true"]})"};
    said.tasks = {
        {.key = task(5),
         .cluster_id = "c",
         .identity = {.user = "ada"},
         .has_started = true,
         .started_at = now,
         .order_json = model::to_json(order)}
    };
    const Instant began = now;
    turn({said});
    ASSERT_EQ(controller->view()->nodes.size(), 1U);
    ASSERT_EQ(controller->view()->nodes[0]->holdings.size(), 1U);
    const Holding holding = controller->view()->nodes[0]->holdings[0];
    EXPECT_EQ(holding.allocation.owner, model::AllocationOwner::kUnknown);
    EXPECT_EQ(holding.user, "ada");
    EXPECT_EQ(holding.name, "train");
    EXPECT_EQ(holding.started_at, began);
}

TEST_F(ControllerTest, DeletionsOfASilentNodeAreOrderedWhenItSaysHello) {
    turn({hello("n1"), hello("n2")});
    const NodeId n1 = controller->ledger().state().node_named("n1")->record.id;
    const NodeId n2 = controller->ledger().state().node_named("n2")->record.id;
    for (int i = 0; i < 12; ++i) {  // n1 falls silent.
        turn({model::NodeSample{.node = "n2"}});
        turn();
    }
    ASSERT_FALSE(controller->ledger().state().node(n1)->liveness.is_reachable);
    store.to_prune = {
        {n1,         task(5)},
        {n2,         task(6)},
        {n1,         task(7)},
        {NodeId(99), task(8)}
    };
    Words ordered;
    for (int i = 0; i < 11; ++i) {
        for (std::string& deletion : deletions(turn({model::NodeSample{.node = "n2"}}))) {
            ordered.push_back(std::move(deletion));
        }
    }
    EXPECT_EQ(ordered, Words{"n2 6.0.1.0"});
    EXPECT_EQ(deletions(turn({hello("n1")})), (Words{"n1 5.0.1.0", "n1 7.0.1.0"}));
    EXPECT_EQ(deletions(turn({hello("n1")})), Words());
}

TEST_F(ControllerTest, DeletionsOfANodeThatAnswersAgainWithoutAHelloAreOrderedSoon) {
    turn({hello("n1")});
    const NodeId n1 = controller->ledger().state().node_named("n1")->record.id;
    for (int i = 0; i < 12; ++i) {
        turn();
    }
    store.to_prune = {
        {n1, task(5)}
    };
    for (int i = 0; i < 11; ++i) {
        EXPECT_EQ(deletions(turn()), Words());
    }
    ASSERT_TRUE(store.to_prune.empty());
    Words ordered;
    for (int i = 0; i < 31; ++i) {
        for (std::string& deletion : deletions(turn({model::NodeSample{.node = "n1"}}))) {
            ordered.push_back(std::move(deletion));
        }
    }
    EXPECT_EQ(ordered, Words{"n1 5.0.1.0"});
}

TEST_F(ControllerTest, AFailedPruneIsTroubleAndTriedAgain) {
    turn({hello("n1")});
    store.has_bad_prunes = true;
    store.to_prune = {
        {NodeId(1), task(5)}
    };
    std::size_t troubles = 0;
    const int before = store.prunes;
    for (int i = 0; i < 30; ++i) {
        const TurnResult result = turn({model::NodeSample{.node = "n1"}});
        troubles += result.troubles.size();
        EXPECT_TRUE(result.troubles.empty() || result.troubles[0].context == "delete old jobs");
    }
    EXPECT_EQ(store.prunes - before, 3);
    EXPECT_EQ(troubles, 3U);
    store.has_bad_prunes = false;
    Words ordered;
    for (int i = 0; i < 10; ++i) {
        const TurnResult result = turn({model::NodeSample{.node = "n1"}});
        EXPECT_TRUE(result.troubles.empty());
        for (std::string& deletion : deletions(result)) {
            ordered.push_back(std::move(deletion));
        }
    }
    EXPECT_EQ(ordered, Words{"n1 5.0.1.0"});
}

}  // namespace
}  // namespace reeve::controller
