// What every store does alike.
#include <limits>
#include <map>

#include "store_fixture.hpp"

namespace reeve::conformance {
namespace {

using model::ElementState;

class Store : public StoreSuite {};

INSTANTIATE_TEST_SUITE_P(All, Store, testing::ValuesIn(implementations()), [](const auto& about) {
    return about.param.name;
});

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
constexpr std::uint32_t kHuge32 = std::numeric_limits<std::uint32_t>::max();
const std::string odd_text = std::string("tab\tnul\0 line\n quote\" 日本 🦉", 31);

model::JobRecord extreme_job() {
    model::JobRecord job{
        .id = JobId((std::uint64_t{1}
          << 53U) - 1),
        .user = UserId(std::numeric_limits<std::uint64_t>::max()),
        .project = ProjectId(3),
        .request = model::RequestId(4),
        .priority = -1000,
        .retries_max = 100,
        .rank = std::numeric_limits<std::int64_t>::min(),
        .fair_load = kHuge,
        .fair_step = kHuge,
        .retry_backoff_s = kHuge,
        .time_limit_s = kHuge,
        .submitted_at = kStart,
        .range = {.first = 1, .last = kHuge32, .step = 7, .running_max = kHuge32},
        .is_array = true,
        .on_node_loss = model::OnNodeLoss::kRequeue,
        .is_preemptible = true,
        .waiting_state = ElementState::kHeld,
        .next = kHuge32,
        .taken = {0, 5, kHuge32},
        .after = {
                                   {.kind = model::DependencyKind::kOk, .job = JobId(1)},
                                   {.kind = model::DependencyKind::kNotOk, .job = JobId(kHuge)}}
    };
    for (std::uint32_t& count : job.counts.of) {
        count = kHuge32;
    }
    return job;
}

model::ElementRecord extreme_element() {
    return {
        .key = {.job = JobId(7), .index = kHuge32},
        .attempt = kHuge32,
        .state = ElementState::kStopping,
        .intent = model::StopIntent::kDrain,
        .is_forced = true,
        .end_reason = model::EndReason::kDependencyNever,
        .exit_code = std::numeric_limits<std::int32_t>::min(),
        .signal = 64,
        .retries_used = 100,
        .not_before = Instant(std::chrono::microseconds(kHuge)),
        .queued_at = kStart,
        .scheduled_at = kStart,
        .started_at = kStart,
        .node = NodeId(9),
        .allocation = AllocationId(11),
        .pid = kHuge,
        .memory_peak_mib = kHuge,
        .cpu_ms = kHuge,
        .log_bytes = kHuge,
        .message = odd_text
    };
}

model::AllocationRecord extreme_allocation() {
    return {
        .id = AllocationId(11),
        .task = {.element = {.job = JobId(7), .index = kHuge32}, .attempt = kHuge32, .rank = 3},
        .owner = model::AllocationOwner::kUnknown,
        .node = NodeId(9),
        .project = ProjectId(3),
        .grant =
            {.host = {.cpu_millicores = kHuge, .memory_mib = kHuge},
                 .gpus =
                 {{.gpu = GpuId(kHuge), .amount = {.milli = 1000, .memory_mib = kHuge}},
                  {.gpu = GpuId(2), .amount = {.milli = 1}}}},
        .state = model::AllocationState::kReleasing,
        .reserved_at = kStart,
        .released_at = kStart
    };
}

model::NodeRecord extreme_node() {
    return {
        .id = NodeId(9),
        .name = odd_text,
        .boot_id = "b",
        .host = {.cpu_millicores = kHuge,             .memory_mib = 1                     },
        .gpus =
            {{.id = GpuId(2),
              .uuid = "GPU-2",
              .model = GpuModelId(1),
              .total_mib = kHuge,
              .is_present = false,
              .is_simulated = true},
                 {.id = GpuId(3), .uuid = "GPU-3", .model = GpuModelId(2), .total_mib = 1}},
        .is_drained = true,
        .drain_reason = odd_text,
        .enforcement = "cgroup-v2",
        .labels = {{"zone", "a"},                       {"odd", odd_text}                   }
    };
}

TEST_P(Store, BeginsEmptyAndCountsEpochs) {
    EXPECT_EQ(header.cluster_id.size(), 32U);
    EXPECT_EQ(header.incarnation, 1U);
    EXPECT_EQ(header.epoch, 1U);
    EXPECT_EQ(header.last_rev, Revision(0));
    EXPECT_EQ(header.last_job, JobId(0));
    EXPECT_TRUE(recovered(store()).empty());
    const std::string cluster_id = header.cluster_id;
    restart();
    EXPECT_EQ(header.epoch, 2U);
    EXPECT_EQ(header.cluster_id, cluster_id);
}

TEST_P(Store, GivesEveryKindOfRecordBack) {
    const model::UserRecord user{
        .id = UserId(kHuge), .name = odd_text, .uid = kHuge32, .gid = kHuge32};
    const model::RequestRecord request{
        .id = model::RequestId(4),
        .gpus = {.count = kHuge, .milli = 999, .memory_mib = kHuge, .model = odd_text},
        .host = {.cpu_millicores = kHuge, .memory_mib = kHuge},
        .on = odd_text
    };
    const model::GpuModelRecord gpu_model{.id = GpuModelId(kHuge), .name = odd_text};
    const model::ProjectRecord root{.id = ProjectId(1), .name = "root"};
    const model::ProjectRecord project{
        .id = ProjectId(3),
        .name = odd_text,
        .parent = ProjectId(1),
        .quota =
            {.gpu_milli = 0,
                    .cpu_millicores = kHuge,
                    .memory_mib = 1,
                    .running_elements = 0,
                    .pending_elements = kHuge},
        .user_quota = {.gpu_milli = kHuge, .memory_mib = 0, .pending_elements = 7},
        .share = model::kShareMax,
        .guaranteed_gpu_milli = kHuge
    };
    const model::AccountRecord account{
        .project = ProjectId(3), .user = user.id, .used_milli_s = kHuge, .at = kStart};
    auto changes = script();
    changes.put(user).put(request).put(gpu_model).put(root).put(project).put(account);
    changes.put(extreme_node());
    changes.submit(extreme_job()).put_element(extreme_element()).put(extreme_allocation());
    ASSERT_TRUE(changes.commit(store()));

    for (int round = 0; round < 2; ++round) {
        const auto records = recovered(store());
        EXPECT_EQ(of_kind<model::UserRecord>(records), std::vector{user});
        EXPECT_EQ(of_kind<model::RequestRecord>(records), std::vector{request});
        EXPECT_EQ(of_kind<model::GpuModelRecord>(records), std::vector{gpu_model});
        EXPECT_EQ(of_kind<model::ProjectRecord>(records), (std::vector{root, project}));
        EXPECT_EQ(of_kind<model::AccountRecord>(records), std::vector{account});
        EXPECT_EQ(of_kind<model::NodeRecord>(records), std::vector{extreme_node()});
        EXPECT_EQ(of_kind<model::JobRecord>(records), std::vector{extreme_job()});
        EXPECT_EQ(of_kind<model::ElementRecord>(records), std::vector{extreme_element()});
        EXPECT_EQ(of_kind<model::AllocationRecord>(records), std::vector{extreme_allocation()});
        EXPECT_TRUE(std::ranges::is_sorted(records, {}, &ledger::Recovered::index));
        restart();
    }
    EXPECT_EQ(header.last_job, extreme_job().id);
    EXPECT_EQ(header.last_allocation, AllocationId(11));
    EXPECT_EQ(header.last_rev, Revision(10));
    EXPECT_EQ(header.last_at, kStart);
}

TEST_P(Store, PutsOneRecordAfterAnother) {
    auto changes = script();
    add_people(changes);
    model::NodeRecord node = extreme_node();
    changes.put(node);
    ASSERT_TRUE(changes.commit(store()));

    ledger::NodePut fewer_gpus{{.before = node}};
    node.gpus.pop_back();
    node.is_drained = false;
    node.drain_reason.clear();
    fewer_gpus.after = node;
    changes.add(fewer_gpus);
    const model::ProjectRecord project{
        .id = ProjectId(2), .name = "speech", .parent = ProjectId(1), .quota = {.gpu_milli = 8000}};
    changes.add(
        ledger::Put<model::ProjectRecord>{.before = model::ProjectRecord{}, .after = project});
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(of_kind<model::NodeRecord>(recovered(store())), std::vector{node});
    EXPECT_EQ(of_kind<model::ProjectRecord>(recovered(store())).at(1), project);

    model::AccountRecord account{
        .project = project.id, .user = UserId(1), .used_milli_s = 5, .at = kStart};
    changes.add(ledger::Put<model::AccountRecord>{.after = account});
    ledger::Put<model::AccountRecord> more{.before = account};
    account.used_milli_s = 7;
    more.after = account;
    changes.add(more);
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(of_kind<model::AccountRecord>(recovered(store())), std::vector{account});
    changes.add(ledger::Put<model::AccountRecord>{.before = account});
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_TRUE(of_kind<model::AccountRecord>(recovered(store())).empty());

    changes.add(ledger::NodePut{{.before = node}});
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_TRUE(of_kind<model::NodeRecord>(recovered(store())).empty());
}

TEST_P(Store, KeepsReservationsUntilTheyAreGone) {
    model::BookingRecord whole{
        .id = model::BookingId(1),
        .name = "demo",
        .from = kStart,
        .until = kStart + std::chrono::hours(8),
        .project = ProjectId(2),
        .parts = {{.node = NodeId(1)}, {.node = NodeId(7)}},
        .release_after_s = 900,
        .made_by = "al'ice \xC3\xA9"
    };
    const model::BookingRecord of_gpus{
        .id = model::BookingId(2),
        .name = "maintenance",
        .from = kStart,
        .until = kStart + std::chrono::hours(1),
        .parts = {
                  {.node = NodeId(2),
             .is_whole = false,
             .gpus = {GpuId(4), GpuId(9)},
             .host = {.cpu_millicores = kHuge, .memory_mib = 1}},
                  {.node = NodeId(3), .is_whole = false, .gpus = {GpuId(11)}}}
    };
    auto changes = script();
    add_people(changes);
    changes.put(whole).put(of_gpus);
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(of_kind<model::BookingRecord>(recovered(store())), (std::vector{whole, of_gpus}));

    ledger::Put<model::BookingRecord> use{.before = whole};
    whole.is_used = true;
    use.after = whole;
    changes.add(use).add(ledger::Put<model::BookingRecord>{.before = of_gpus});
    ASSERT_TRUE(changes.commit(store()));
    restart();
    EXPECT_EQ(of_kind<model::BookingRecord>(recovered(store())), std::vector{whole});
    const auto page = reader()->events(Revision(0), 100).value();
    ASSERT_GE(page.events.size(), 4U);
    EXPECT_EQ(page.events.back().kind, "reservation.removed");
    EXPECT_NE(page.events.back().json.find("reservation/maintenance"), std::string::npos);
}

TEST_P(Store, RecoversWhatLivesAlone) {
    auto changes = script();
    add_people(changes);
    changes.submit(job_in(1, ElementState::kSucceeded))
        .submit(job_in(3, ElementState::kQueued))
        .submit(job_in(2, ElementState::kHeld));
    const model::ElementRecord first_try{
        .key = {.job = JobId(3)},
        .attempt = 1,
        .state = ElementState::kQueued,  // That it was requeued leaves its own attempt so.
        .end_reason = model::EndReason::kNodeLost,
        .ended_at = kStart};
    const model::ElementRecord second_try{.key = {.job = JobId(3)}, .attempt = 2};
    const model::ElementRecord ended{
        .key = {.job = JobId(1)}, .state = ElementState::kSucceeded, .ended_at = kStart};
    changes.put_element(second_try).put_element(first_try).put_element(ended);
    const model::ElementRecord latest{.key = {.job = JobId(4)}, .attempt = 3};
    changes.put_element({.key = {.job = JobId(4)}, .attempt = 2}).put_element(latest);
    model::AllocationRecord released{
        .id = AllocationId(1), .state = model::AllocationState::kReleased};
    model::AllocationRecord bound{.id = AllocationId(3), .state = model::AllocationState::kBound};
    model::AllocationRecord reserved{.id = AllocationId(2)};
    changes.put(released).put(bound).put(reserved);
    ASSERT_TRUE(changes.commit(store()));

    const auto records = recovered(store());
    EXPECT_EQ(
        of_kind<model::JobRecord>(records),
        (std::vector{job_in(2, ElementState::kHeld), job_in(3, ElementState::kQueued)}));
    EXPECT_EQ(of_kind<model::ElementRecord>(records), (std::vector{second_try, latest}));
    EXPECT_EQ(of_kind<model::AllocationRecord>(records), (std::vector{reserved, bound}));

    changes.add(ledger::Put<model::AllocationRecord>{.before = bound});  // Withdrawn.
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(of_kind<model::AllocationRecord>(recovered(store())), std::vector{reserved});
}

TEST_P(Store, CommitsAllOrNothing) {
    auto changes = script();
    add_people(changes);
    ASSERT_TRUE(changes.commit(store()));

    changes.submit(job_in(1, ElementState::kQueued));
    changes.put(model::UserRecord{.id = UserId(3), .name = "carol"});
    Script ahead(header);  // Revisions that were used already.
    ahead.submit(job_in(2, ElementState::kQueued));
    const auto refused = ahead.commit(store());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInternal);
    EXPECT_EQ(reader()->job(JobId(2)).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(reader()->head().value().second, Revision(5));
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_TRUE(reader()->job(JobId(1)));
    EXPECT_TRUE(script().commit(store()));  // No changes: nothing to do.
}

TEST_P(Store, RefusesAHoleInTheRevisions) {
    const ledger::Change second{
        .rev = Revision(2),
        .at = kStart,
        .body = ledger::Put<model::UserRecord>{.after = model::UserRecord{}}};
    const auto refused = store().commit(header.epoch, std::vector{second});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInternal);
    EXPECT_TRUE(recovered(store()).empty());
}

TEST_P(Store, FencesAnOlderEpoch) {
    auto old = script();
    old.submit(job_in(1, ElementState::kQueued));
    const auto newer = store().open_epoch().value();
    EXPECT_EQ(newer.epoch, header.epoch + 1);
    const auto refused = old.commit(store());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
    EXPECT_EQ(reader()->job(JobId(1)).error().code, ErrorCode::kNotFound);
    Script next(newer);
    next.submit(job_in(1, ElementState::kQueued));
    EXPECT_TRUE(next.commit(store()));
}

TEST_P(Store, AnswersWhatTheWriterLooksUp) {
    auto changes = script();
    add_people(changes);
    changes.submit(
        job_in(1, ElementState::kFailed), {.name = "x", .spec_json = R"({"command":["true"]})"});
    const model::ElementRecord attempt{
        .key = {.job = JobId(1)}, .attempt = 2, .state = ElementState::kFailed, .exit_code = 3};
    changes.put_element(attempt);
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(store().counts_of(JobId(1)).value(), job_in(1, ElementState::kFailed).counts);
    EXPECT_EQ(store().counts_of(JobId(2)).value(), std::nullopt);
    EXPECT_EQ(store().owner_of(JobId(1)).value(), job_in(1, ElementState::kFailed).user);
    EXPECT_EQ(store().owner_of(JobId(2)).value(), std::nullopt);
    EXPECT_EQ(store().spec_of(JobId(1)).value(), R"({"command":["true"]})");
    EXPECT_EQ(store().spec_of(JobId(2)).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(store().attempt_of({.job = JobId(1)}, 2).value(), attempt);
    EXPECT_EQ(store().attempt_of({.job = JobId(1)}, 1).value(), std::nullopt);
    EXPECT_TRUE(store().probe());
    EXPECT_TRUE(store().probe());
}

TEST_P(Store, SaysHowOftenEachRequestWasAskedFor) {
    EXPECT_TRUE(store().arrivals().value().empty());
    auto changes = script();
    add_people(changes);
    const model::RequestRecord other{
        .id = model::RequestId(2), .gpus = {.count = 2, .model = "a30"},
             .on = "zone==a"
    };
    changes.put(other);
    changes.put(model::RequestRecord{.id = model::RequestId(3)});
    changes.submit(job_in(1, ElementState::kFailed));
    changes.submit(job_in(2, ElementState::kQueued));
    model::JobRecord array = job_in(3, ElementState::kQueued);
    array.request = other.id;
    array.range = {.first = 2, .last = 11, .step = 3};
    array.is_array = true;
    array.counts = {};
    array.counts[ElementState::kQueued] = array.range.count();
    changes.submit(array);
    ASSERT_TRUE(changes.commit(store()));
    std::map<std::uint64_t, std::uint64_t> elements;
    const std::vector<ledger::Store::Arrivals> arrivals = store().arrivals().value();
    for (const ledger::Store::Arrivals& each : arrivals) {
        elements[each.request.id.value()] = each.elements;
        if (each.request.id == other.id) {
            EXPECT_EQ(each.request, other);
        }
    }
    EXPECT_EQ(
        elements, (std::map<std::uint64_t, std::uint64_t>{
                      {1, 2},
                      {2, 4}
    }));
}

TEST_P(Store, KeepsIdempotencyRecordsByUserAndKey) {
    auto changes = script();
    add_people(changes);
    const model::IdempotencyRecord alices{
        .user = UserId(1),
        .key = odd_text,
        .fingerprint = std::numeric_limits<std::uint64_t>::max(),
        .first_job = JobId(5),
        .job_count = 1000,
        .at = kStart};
    model::IdempotencyRecord bobs = alices;
    bobs.user = UserId(2);
    bobs.first_job = JobId(6);
    changes.put(alices).put(bobs);
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(store().request_of(UserId(1), odd_text).value(), alices);
    EXPECT_EQ(store().request_of(UserId(2), odd_text).value(), bobs);
    EXPECT_EQ(store().request_of(UserId(1), "other").value(), std::nullopt);

    model::IdempotencyRecord again = alices;
    again.first_job = JobId(7);
    changes.put(again);
    ASSERT_TRUE(changes.commit(store()));
    restart();
    EXPECT_EQ(store().request_of(UserId(1), odd_text).value(), again);
    changes = script();
    changes.add(ledger::Put<model::IdempotencyRecord>{.before = again});
    ASSERT_TRUE(changes.commit(store()));
    EXPECT_EQ(store().request_of(UserId(1), odd_text).value(), std::nullopt);
    EXPECT_EQ(store().request_of(UserId(2), odd_text).value(), bobs);
}

TEST_P(Store, ChangesAJobInPlace) {
    auto changes = script();
    add_people(changes);
    model::JobRecord job = job_in(1, ElementState::kQueued);
    job.range.last = 9;
    job.is_array = true;
    job.counts[ElementState::kQueued] = 10;
    const ledger::JobTexts texts{
        .name = odd_text, .labels = {{"team", "a:b"}, {"", odd_text}},
             .spec_json = "{}"
    };
    changes.submit(job, texts);
    ASSERT_TRUE(changes.commit(store()));
    std::vector<model::JobRecord> steps(6, job);
    steps[0].next = 2;  // Counts alone, with elements that still wait.
    steps[0].taken = {3};
    steps[0].counts[ElementState::kQueued] = 7;
    steps[0].counts[ElementState::kRunning] = 3;
    steps[1] = steps[0];
    steps[1].priority = 5;
    steps[1].rank = -5;
    steps[1].fair_load = 77;
    steps[1].waiting_state = ElementState::kHeld;
    steps[2] = steps[1];
    steps[2].request = model::RequestId(2);
    steps[2].retries_max = 3;
    steps[2].time_limit_s = 60;
    steps[2].after = {
        {.kind = model::DependencyKind::kAny, .job = JobId(4)}
    };
    steps[3] = steps[2];
    steps[3].counts = {};
    steps[3].counts[ElementState::kSucceeded] = 10;
    steps[3].ended_at = kStart;
    steps[4] = steps[3];
    steps[4].after.clear();
    steps[4].taken.clear();
    steps[5] = job;  // And all the way back.
    for (const model::JobRecord& step : steps) {
        changes.update(job, step);
        job = step;
        ASSERT_TRUE(changes.commit(store()));
        const auto row = reader()->job(JobId(1));
        ASSERT_TRUE(row);
        EXPECT_EQ(row->record, step);
        EXPECT_EQ(row->name, odd_text);
        EXPECT_EQ(row->labels, texts.labels);
    }
}

}  // namespace
}  // namespace reeve::conformance
