// The rows of what forecasts are made from.
#include <memory>
#include <utility>
#include <vector>

#include "store/sqlite/numbers.hpp"
#include "store/sqlite/rows.hpp"

namespace reeve::store_sqlite {
namespace {

using scheduler::RunHistogram;
using std::chrono::seconds;

/// "17 32 0 ": bin, ended and cut, in turns.
std::string pack_bins(const RunHistogram& histogram) {
    std::string out;
    for (const RunHistogram::Bin& bin : histogram.bins()) {
        for (const std::uint32_t number : {std::uint32_t{bin.bin}, bin.ended, bin.cut}) {
            append_number(out, number);
            out += ' ';
        }
    }
    return out;
}

RunHistogram unpack_bins(std::string_view packed) {
    std::vector<RunHistogram::Bin> bins;
    for (Numbers numbers(packed); !numbers.is_done();) {
        RunHistogram::Bin& bin = bins.emplace_back();
        bin.bin = numbers.take<std::uint8_t>();
        bin.ended = numbers.take<std::uint32_t>();
        bin.cut = numbers.take<std::uint32_t>();
    }
    return RunHistogram(std::move(bins));
}

}  // namespace

void bind(Run& run, const ledger::RunStatsRecord& stats, Packed& packed) {
    packed.first = pack_bins(stats.stats->runs);
    packed.second = pack_bins(stats.stats->shares);
    run.id(stats.key.project)
        .id(stats.key.user)
        .integer(stats.key.name)
        .integer(stats.key.size)
        .unsigned_integer(stats.told)
        .integer(stats.stats->leaning)
        .text(packed.first)
        .text_or_null(packed.second);
}

ledger::RunStatsRecord read_run_stats(Run& run) {
    ledger::RunStatsRecord record;
    record.key.project = run.read_id<ProjectId>();
    record.key.user = run.read_id<UserId>();
    record.key.name = run.read_as<std::uint32_t>();
    record.key.size = run.read_as<std::uint32_t>();
    record.told = run.read_unsigned();
    auto stats = std::make_shared<scheduler::RunStats>();
    stats->leaning = run.read_integer();
    stats->runs = unpack_bins(run.read_text());
    stats->shares = unpack_bins(run.read_text());
    record.stats = std::move(stats);
    return record;
}

void bind(Run& run, const ledger::ForecastRecord& forecast) {
    const scheduler::Said& said = forecast.said;
    run.id(forecast.job)
        .time(forecast.at)
        .integer(said.of_class)
        .integer(said.sampled.from.count())
        .integer(said.sampled.until.count())
        .integer(said.interval.from.count())
        .integer(said.interval.until.count());
}

ledger::ForecastRecord read_forecast(Run& run) {
    ledger::ForecastRecord forecast;
    forecast.job = run.read_id<JobId>();
    forecast.at = run.read_time();
    forecast.said.of_class = run.read_as<std::uint8_t>();
    forecast.said.sampled.from = seconds(run.read_integer());
    forecast.said.sampled.until = seconds(run.read_integer());
    forecast.said.interval.from = seconds(run.read_integer());
    forecast.said.interval.until = seconds(run.read_integer());
    return forecast;
}

void bind(Run& run, const ledger::OutcomeRecord& outcome) {
    run.unsigned_integer(outcome.number % scheduler::Calibration::kKept)
        .unsigned_integer(outcome.number)
        .integer(outcome.outcome.of_class)
        .integer(static_cast<std::int64_t>(outcome.outcome.verdict))
        .integer(outcome.outcome.past_from)
        .integer(outcome.outcome.past_until);
}

ledger::OutcomeRecord read_outcome(Run& run) {
    ledger::OutcomeRecord record;
    static_cast<void>(run.read_integer());  // Its place in the ring.
    record.number = run.read_unsigned();
    record.outcome.of_class = run.read_as<std::uint8_t>();
    record.outcome.verdict = run.read_as<scheduler::Verdict>();
    record.outcome.past_from = run.read_as<std::int32_t>();
    record.outcome.past_until = run.read_as<std::int32_t>();
    return record;
}

}  // namespace reeve::store_sqlite
