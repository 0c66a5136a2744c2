#include "controller/forecaster.hpp"

#include <algorithm>
#include <utility>

namespace reeve::controller {
namespace {

using std::chrono::microseconds;

constexpr int kRestsPerWork = 3;                 // A quarter of the time is work.
constexpr std::chrono::seconds kStale(60);       // Then again, though nothing changed.
constexpr std::chrono::seconds kSheetTakes(30);  // With its rests; then what there is has to do.
constexpr std::chrono::milliseconds kLookTakes(100);  // Of a processor.
constexpr std::size_t kNotedMax = 500;  // Forecasts at a time: the writer stores them.

}  // namespace

Forecaster::Forecaster(ForecasterOptions options) : options_(std::move(options)) {}

Forecaster::~Forecaster() {
    stop();
}

void Forecaster::start() {
    thread_ = std::thread([this] { run(); });
}

void Forecaster::stop() {
    {
        const std::scoped_lock lock(mutex_);
        is_stopping_ = true;
    }
    wakes_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

std::shared_ptr<const ForecastSheet> Forecaster::sheet() const {
    const std::scoped_lock lock(mutex_);
    return sheet_;
}

/// Thrice as long as it has worked since the last rest, and for so long at least. False if it is to
/// end.
bool Forecaster::rest(microseconds least) {
    const microseconds worked = options_.worked();
    std::unique_lock lock(mutex_);
    wakes_.wait_for(lock, std::max(kRestsPerWork * (worked - rested_), least), [this] {
        return is_stopping_.load();
    });
    rested_ = worked;
    return !is_stopping_;
}

void Forecaster::run() {
    if (options_.begin) {
        options_.begin();
    }
    while (rest(options_.rest)) {
        const Revision now = options_.view()->rev;
        const std::shared_ptr<const ForecastSheet> last = sheet();
        if (last && last->rev == now &&
            (last->jobs.empty() || options_.clock() - last->at < kStale)) {
            continue;
        }
        auto made = make();
        if (!made) {
            options_.trouble(made.error());
        } else if (*made) {
            publish(**std::move(made));
        }
    }
}

Result<std::optional<ForecastSheet>> Forecaster::make() {
    const auto queue = options_.queue();
    if (!queue) {
        return tl::unexpected<Error>(queue.error());
    }
    // After the queue: what starts between the two is then in both, and not in neither.
    const std::shared_ptr<const View> view = options_.view();
    const Instant begun = std::max(options_.clock(), view->at);
    if (options_.look) {
        const microseconds until = options_.worked() + kLookTakes;
        options_.look(*queue, *view, begun, [this, until] {
            return !is_stopping_ && options_.worked() < until;
        });
        if (!rest(microseconds(0))) {
            return std::optional<ForecastSheet>();
        }
    }
    history_.update(view->runs);
    std::size_t done = 0;
    return make_forecast_sheet(*view, begun, *queue, history_, [&](bool is_sample_done) {
        if (!is_sample_done) {
            return !is_stopping_;
        }
        ++done;
        return rest(microseconds(0)) &&
               (done < kForecastSamplesMin || options_.clock() - begun < kSheetTakes);
    });
}

void Forecaster::publish(ForecastSheet sheet) {
    std::erase_if(noted_, [&](JobId job) { return !sheet.jobs.contains(job); });
    std::vector<ledger::ForecastRecord> records = records_of(sheet);
    auto next = std::make_shared<const ForecastSheet>(std::move(sheet));
    {
        const std::scoped_lock lock(mutex_);
        sheet_.swap(next);
    }
    note(std::move(records));
}

/// The first forecast of each job is kept, so that it can be compared with what comes.
void Forecaster::note(std::vector<ledger::ForecastRecord> records) {
    std::erase_if(records, [&](const auto& record) { return noted_.contains(record.job); });
    records.resize(std::min(records.size(), kNotedMax));
    if (records.empty()) {
        return;
    }
    for (const ledger::ForecastRecord& record : records) {
        noted_.insert(record.job);
    }
    options_.note(std::move(records));
}

std::function<Result<std::vector<ledger::JobRow>>()> queue_of(ledger::ReaderSource& source) {
    return [&source, reader = std::shared_ptr<ledger::Reader>()]() mutable {
        if (reader == nullptr) {
            auto opened = source.open_reader();
            if (!opened) {
                return Result<std::vector<ledger::JobRow>>(
                    tl::unexpected<Error>(std::move(opened.error())));
            }
            reader = *std::move(opened);
        }
        auto queue = read_queue(*reader);
        if (!queue) {
            reader = nullptr;
        }
        return queue;
    };
}

}  // namespace reeve::controller
