#include "controller/forecast_sheet.hpp"

#include <algorithm>
#include <utility>

#include "controller/situation.hpp"
#include "scheduler/sampled_starts.hpp"

namespace reeve::controller {
namespace {

using std::chrono::seconds;

using Waits = std::map<JobId, std::vector<seconds>>;

void put_waits(Waits& waits, const std::map<JobId, Instant>& starts, Instant now) {
    for (const auto& [job, at] : starts) {
        waits[job].push_back(std::chrono::duration_cast<seconds>(at - now));
    }
}

}  // namespace

std::optional<ForecastSheet> make_forecast_sheet(
    const View& view,
    Instant now,
    const std::vector<ledger::JobRow>& queue,
    const scheduler::RunHistory& history,
    const std::function<bool(bool is_sample_done)>& goes_on) {
    SituationBuilder builder(view, now);
    for (const ledger::JobRow& job : queue) {
        builder.add(job);
    }
    ForecastSheet sheet{.rev = view.rev, .incarnation = view.incarnation, .at = now};
    if (builder.situation().waiting.empty()) {
        sheet.samples = kForecastSamples;
        return sheet;
    }
    for (auto& [job, when] :
         when_each_starts(builder.situation(), view, [&] { return !goes_on(false); })) {
        sheet.jobs.emplace(job, Outlook{.by_limits = std::move(when)});
    }
    const scheduler::SamplingOptions options{.samples = kForecastSamples, .seed = view.rev.value()};
    const scheduler::StartSampler sampler(
        builder.situation(), history,
        [&](JobId job) {
            const auto key = builder.run_keys().find(job);
            return key == builder.run_keys().end() ? scheduler::RunKey() : key->second;
        },
        options);
    Waits waits;
    for (; sheet.samples < kForecastSamples; ++sheet.samples) {
        const auto starts = sampler.sample(sheet.samples, [&] { return !goes_on(false); });
        if (!starts) {
            break;
        }
        put_waits(waits, *starts, now);
        if (!goes_on(true)) {
            ++sheet.samples;
            break;
        }
    }
    if (sheet.samples < kForecastSamplesMin) {
        return std::nullopt;
    }
    const scheduler::Calibration unknown;
    const scheduler::Calibration& calibration = view.calibration ? *view.calibration : unknown;
    for (auto& [job, outlook] : sheet.jobs) {
        std::vector<seconds>& seen = waits[job];
        if (2 * seen.size() < sheet.samples) {
            continue;
        }
        seen.resize(sheet.samples, options.horizon);
        std::ranges::sort(seen);
        outlook.said = calibration.say(seen);
    }
    return sheet;
}

std::vector<ledger::ForecastRecord> records_of(const ForecastSheet& sheet) {
    std::vector<ledger::ForecastRecord> records;
    for (const auto& [job, outlook] : sheet.jobs) {
        if (outlook.said) {
            records.push_back({.job = job, .at = sheet.at, .said = *outlook.said});
        }
    }
    return records;
}

}  // namespace reeve::controller
