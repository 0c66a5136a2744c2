#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "controller/view.hpp"
#include "ledger/ledger.hpp"
#include "ledger/store.hpp"
#include "model/agent_messages.hpp"

namespace reeve::controller {

struct Request {
    std::uint64_t ticket = 0;  // The caller's; the answer carries it. 0: nobody waits for one.
    ledger::Command command = {};
};

struct Answer {
    std::uint64_t ticket = 0;
    Result<ledger::Reply> reply = {};
};

/// Something to say to a node's agent. Safe to say twice.
struct Order {
    std::string node = {};
    model::AgentOrder order = {};
};

/// What a turn came to. Everything in it is durable.
struct TurnResult {
    std::vector<Answer> answers = {};
    std::vector<Order> orders = {};
    std::shared_ptr<const View> view = {};  // Only if something changed.
    bool has_more = false;                  // The scheduling step ran out of budget.
    std::size_t change_count = 0;
    std::vector<Error> troubles = {};  // That no caller is told of, for the operator. It goes on.
};

inline constexpr std::size_t kTurnRequestsMax = 1000;  // SEMANTICS 4.

/// Joins ledger, store and agents in turns: take requests, apply them, schedule, commit once, then
/// answer and send orders. A pure reactor: time comes in, effects go out; the store is its only
/// collaborator. One thread has it.
class Controller {
  public:
    /// Opens an epoch and reads what lives back from the store.
    /// Errors: those of Store::open_epoch and Store::recover.
    [[nodiscard]] static Result<std::unique_ptr<Controller>> open(
        ledger::Store& store, const ledger::LedgerOptions& options, Instant now);

    /// One turn at the time `wall`. Where that is behind what the ledger has seen (the clock was
    /// set back), the ledger's time goes on at half speed until the two meet. A commit that fails
    /// is undone: what would have changed is answered with the store's error, and until a probe
    /// write succeeds nothing is accepted.
    [[nodiscard]] TurnResult turn(std::vector<Request> requests, Instant wall);

    /// When to call turn() though no request came.
    [[nodiscard]] std::optional<Instant> next_wakeup() const;

    [[nodiscard]] const ledger::Ledger& ledger() const { return ledger_; }

    [[nodiscard]] std::shared_ptr<const View> view() const { return view_; }

    [[nodiscard]] const ledger::StoreHeader& header() const { return header_; }

  private:
    Controller(
        ledger::Store& store,
        const ledger::LedgerOptions& options,
        const ledger::StoreHeader& header);

    [[nodiscard]] Instant ledger_time(Instant wall);
    [[nodiscard]] Result<ledger::Reply> apply(ledger::Command command, Instant now);
    [[nodiscard]] Result<ledger::Lookups> look_up(const ledger::Command& command);
    [[nodiscard]] Result<std::optional<model::IdempotencyRecord>> look_up_request(
        const ledger::Command& command);
    void take_back(TurnResult& result, const Error& error, Instant now);
    [[nodiscard]] Result<void> commit();
    [[nodiscard]] bool is_writable(Instant now);
    void keep_hellos(const std::vector<Request>& requests);
    void add_missed_hellos(std::vector<Request>& requests);
    void add_orders(std::vector<Order>& orders);
    void add_greetings(std::vector<Order>& orders, Instant now);
    void add_deletions(TurnResult& result, Instant now);
    void add_kept_deletions(std::vector<Order>& orders, const std::set<NodeId>& greeted);
    [[nodiscard]] static std::string greeting_node(const ledger::Command& command);
    static void note_trouble(TurnResult& result, const Error& error);
    void add_element_order(std::vector<Order>& orders, const model::ElementRecord& element);
    [[nodiscard]] std::optional<model::TaskOrder> task_order(const model::ElementRecord& element);
    [[nodiscard]] std::string node_name(NodeId id) const;
    void publish();
    [[nodiscard]] std::shared_ptr<const std::map<std::string, UserId>> user_ids() const;
    [[nodiscard]] std::vector<KeptRoom> kept_room() const;
    [[nodiscard]] std::shared_ptr<const Bookings> bookings();
    [[nodiscard]] std::shared_ptr<const NodeStatus> status_of(const ledger::NodeState& node) const;
    void describe_task(Holding& holding) const;
    void describe_stray(Holding& holding) const;
    static void describe_outsiders(const ledger::NodeState& node, Holding& holding);
    [[nodiscard]] std::shared_ptr<const UsageOfUsers> usage_of_users() const;
    [[nodiscard]] std::shared_ptr<const scheduler::ProjectTree> guarantees() const;

    ledger::Store& store_;
    ledger::StoreHeader header_;
    ledger::Ledger ledger_;
    std::shared_ptr<const View> view_;
    std::optional<Error> storage_error_ = {};  // Why nothing can be made durable now.
    std::uint64_t bookings_version_ = 0;       // Of the view's.
    Instant time_ = model::kNever;             // Never goes back.
    Instant last_wall_ = model::kNever;
    Instant probed_at_ = model::kNever;
    Instant repeated_at_ = model::kNever;
    Instant pruned_at_ = model::kNever;
    std::map<std::string, model::NodeHello> hellos_ =
        {};  // By node; of this turn, or not yet durable.
    std::map<NodeId, std::vector<model::TaskKey>> kept_deletions_ = {};  // Of silent nodes.
    std::size_t kept_deletion_count_ = 0;
    bool asks_all_ = false;  // Reports may have been lost: ask every agent to say all again.
};

}  // namespace reeve::controller
