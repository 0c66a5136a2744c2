#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/reactor.hpp"
#include "base/instant.hpp"
#include "base/random.hpp"
#include "controller/controller.hpp"
#include "faulty_store.hpp"
#include "sim_runtime.hpp"
#include "store/memory/memory_store.hpp"

namespace reeve::simulation {

/// Which kinds of fault a run has. Each seed has its own mix, so that every one is also met alone.
struct Faults {
    bool loses_messages = false;
    bool repeats_messages = false;
    bool reorders_messages = false;
    bool crashes_controller = false;
    bool crashes_agents = false;
    bool restarts_machines = false;
    bool fills_disks = false;
    bool jumps_clocks = false;
};

/// A whole cluster in one process and one thread, from one seed: the real ledger, controller and
/// agent reactors over a store, machines and a network that are made up and fail.
/// After every step it is checked; the first violation is in trouble().
class ClusterWorld {
  public:
    explicit ClusterWorld(std::uint64_t seed);

    void step();

    /// No more faults, and no more clients; what is down comes back.
    void heal();

    [[nodiscard]] bool is_settled() const;

    /// What went wrong, "" if nothing has.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }

    /// Elements that came to their end, for a test that the run was not empty.
    [[nodiscard]] std::size_t ended_count() const { return ended_.size(); }

    [[nodiscard]] std::string summary() const;

  private:
    struct Machine {
        std::string name;
        std::uint64_t boot = 1;
        std::unique_ptr<SimRuntime> runtime = {};
        std::unique_ptr<agent::AgentReactor> agent = {};  // Null while it is down.
        std::deque<model::AgentOrder> orders = {};        // On their way to it.
        std::vector<model::GpuDescription> gpus = {};
    };

    // ---- What happens.
    void run_controller();
    void submit_something();
    void control_something();
    void deliver_report();
    void deliver_order();
    void run_machine();
    void break_something();
    void break_more(Machine& machine, std::uint64_t kind);
    void open_controller();
    void crash_controller();
    void start_agent(Machine& machine);
    void tell(Machine& machine, const agent::AgentEvent& event);
    void perform(Machine& machine, std::vector<agent::AgentEffect> effects);
    void enqueue(std::vector<controller::Request> requests);
    void hear(const std::vector<controller::Answer>& answers);
    void hear_of_cancel(JobId job);
    void restart_machine(Machine& machine);
    [[nodiscard]] std::string ledger_summary() const;
    void send(const std::vector<controller::Order>& orders);
    template <class Message>
    std::optional<Message> take_message(std::deque<Message>& queue);

    // ---- What must hold.
    void check_started(const Machine& machine, const model::KnownTask& task);
    void check_not_twice(const model::KnownTask& task);
    void check_devices(const Machine& machine);
    void check_durable(const ledger::Change& change);
    void check_job(const ledger::JobPut& put);
    void check_element(const ledger::ElementPut& put);
    void check_allocation(const ledger::Put<model::AllocationRecord>& put);
    void check_ledger();
    void check_accounts(const ledger::NodeState& node);
    void check_owners();
    void check_requests();
    void fail_with(const std::string& what);
    [[nodiscard]] bool is_alive(const model::TaskKey& key) const;

    std::uint64_t seed_;
    SeededRandom random_;
    Faults faults_;
    bool is_healed_ = false;

    Instant now_ = Instant(std::chrono::seconds(1'000'000));     // The controller's wall clock.
    Instant steady_ = Instant(std::chrono::seconds(1'000'000));  // The machines' monotonic clock.
    store_memory::MemoryStore durable_;
    FaultyStore store_{durable_};
    std::unique_ptr<controller::Controller> controller_;
    std::vector<controller::Request> requests_;
    std::deque<model::AgentReport> reports_;
    std::vector<Machine> machines_;
    std::uint64_t last_ticket_ = 0;

    struct Waiting {
        std::optional<JobId> cancelled = {};  // A cancel of this job waits for its answer.
        std::size_t jobs = 0;                 // A submission of so many.
    };

    std::map<std::uint64_t, Waiting> waiting_;
    std::set<JobId> acknowledged_;         // Jobs whose submission was answered.
    std::set<JobId> cancelled_unstarted_;  // Nothing of them had started at the answer.
    std::map<model::ElementKey, model::ElementState> last_;  // Durable states.
    std::map<model::ElementKey, int> ended_;
    std::set<model::ElementKey> ever_started_;
    std::string trouble_;
    std::map<std::string, int> counts_;
};

}  // namespace reeve::simulation
