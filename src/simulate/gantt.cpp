#include "simulate/gantt.hpp"

#include <algorithm>
#include <chrono>
#include <variant>

#include "base/text.hpp"
#include "simulate/svg_chart.hpp"

namespace reeve::simulate {
namespace {

constexpr std::size_t kBarsMax = 3000;
constexpr std::size_t kNodesMax = 16;

constexpr double kWidth = 960;
constexpr double kLeft = 110;  // For the names of nodes.
constexpr double kRight = 14;
constexpr double kTop = 6;
constexpr double kBottom = 24;
constexpr double kGap = 5;  // Between nodes.
constexpr double kGpuHeight = 5;
constexpr double kRowMin = 12;
constexpr double kRowMax = 48;

double seconds_between(Instant from, Instant to) {
    constexpr double kMsOfSecond = 1000;
    return static_cast<double>(ms_between(from, to)) / kMsOfSecond;
}

Instant start_of(const ReplayOutcome& outcome, const NodeSpan& span) {
    return span.stop ? outcome.stopped[*span.stop].from : outcome.runs[span.job].started_at;
}

Instant end_of(const ReplayOutcome& outcome, const NodeSpan& span) {
    if (span.stop) {
        return outcome.stopped[*span.stop].until;
    }
    const JobRun& run = outcome.runs[span.job];
    return run.has_ended ? run.ended_at : horizon_of(outcome);
}

/// Which thousandths of its node's GPUs each bar is drawn on: the lowest that are free, from the
/// first GPU on. What devices a job really had is not in the outcome.
class Lanes {
  public:
    explicit Lanes(std::int64_t milli) : milli_(milli) {}

    struct Piece {
        std::int64_t begin = 0;
        std::int64_t size = 0;
    };

    std::vector<Piece> take(std::int64_t milli, Instant from, Instant to) {
        std::erase_if(held_, [&](const Held& held) { return held.until <= from; });
        std::vector<Piece> pieces;
        std::int64_t free_from = 0;
        const auto fill = [&](std::int64_t free_to) {
            if (const std::int64_t size = std::min(free_to - free_from, milli); size > 0) {
                pieces.push_back({.begin = free_from, .size = size});
                milli -= size;
            }
        };
        for (const Held& held : held_) {
            fill(held.piece.begin);
            free_from = held.piece.begin + held.piece.size;
        }
        fill(milli_);
        for (const Piece& piece : pieces) {
            const auto place = std::ranges::find_if(
                held_, [&](const Held& held) { return held.piece.begin > piece.begin; });
            held_.insert(place, {.piece = piece, .until = to});
        }
        return pieces;
    }

  private:
    struct Held {
        Piece piece = {};
        Instant until;
    };

    std::int64_t milli_ = 0;
    std::vector<Held> held_;  // By begin.
};

/// What kind of job a bar is, as a class of the style sheet.
std::string_view kind_of(const TraceJob& job, const model::Request& request) {
    if (job.nodes > 1) {
        return "gang";
    }
    const auto* whole = std::get_if<model::WholeGpus>(&request.gpus);
    if (whole == nullptr) {
        return "share";
    }
    return whole->count > 1 ? "many" : "one";
}

struct Row {
    double top = 0;
    double height = 0;
    std::int64_t milli = 0;
};

/// Rows of the first nodes, from the top down.
std::vector<Row> rows_of(const Cluster& cluster) {
    std::vector<Row> rows;
    double top = kTop;
    for (std::size_t i = 0; i < std::min(kNodesMax, cluster.nodes.size()); ++i) {
        const auto gpus = static_cast<double>(cluster.nodes[i].free.gpus.size());
        const double height = std::clamp(gpus * kGpuHeight, kRowMin, kRowMax);
        rows.push_back(
            {.top = top,
             .height = height,
             .milli = static_cast<std::int64_t>(cluster.nodes[i].free.gpus.size()) *
                      model::kWholeGpuMilli});
        top += height + kGap;
    }
    return rows;
}

std::string title_of(const TraceJob& job, const NodeSpan& span, double start, double end) {
    const auto text_of = [](double seconds) {
        return format_duration(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
    };
    return job.name + ": " + format_milli(span.gpu_milli) + " GPU" +
           (job.nodes > 1 ? " on each of " + std::to_string(job.nodes) + " nodes" : "") +
           ", from " + text_of(start) + " to " + text_of(end);
}

class Drawing {
  public:
    Drawing(const Report& report, const ReportRun& run, double seconds)
        : report_(report),
          outcome_(run.outcome),
          rows_(rows_of(report.machines)),
          axis_(time_axis(seconds)) {
        for (const Row& row : rows_) {
            lanes_.emplace_back(row.milli);
        }
        axis_.max = seconds;
    }

    [[nodiscard]] std::string svg() {
        const double bottom = rows_.back().top + rows_.back().height;
        std::string svg = "<svg viewBox=\"0 0 " + pixels(kWidth) + " " + pixels(bottom + kBottom) +
                          "\" role=\"img\" aria-label=\"Gantt chart\">";
        svg += frame(bottom);
        svg += "<g class=\"bars\">\n";
        for (const NodeSpan& span : outcome_.spans) {
            svg += bar(span);
        }
        return svg + "</g></svg>";
    }

  private:
    [[nodiscard]] double x_of(double seconds) const {
        return kLeft + axis_.place_of(seconds) * (kWidth - kRight - kLeft);
    }

    [[nodiscard]] std::string frame(double bottom) const {
        std::string svg;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const Row& row = rows_[i];
            svg += "<rect class=\"node\" x=\"" + pixels(kLeft) + "\" y=\"" + pixels(row.top) +
                   "\" width=\"" + pixels(kWidth - kRight - kLeft) + "\" height=\"" +
                   pixels(row.height) + "\"/><text class=\"label\" text-anchor=\"end\" x=\"" +
                   pixels(kLeft - 7) + "\" y=\"" + pixels(row.top + row.height / 2 + 4) + "\">" +
                   escaped(short_name(report_.machines.names[i])) + "</text>";
        }
        for (const Tick& tick : axis_.ticks) {
            svg += "<text class=\"label\" text-anchor=\"middle\" x=\"" + pixels(x_of(tick.value)) +
                   "\" y=\"" + pixels(bottom + 17) + "\">" + escaped(tick.label) + "</text>";
        }
        return svg;
    }

    /// The end of a name tells nodes apart.
    static std::string short_name(const std::string& name) {
        constexpr std::size_t kSizeMax = 16;
        return name.size() <= kSizeMax || !is_utf8(name.substr(name.size() - kSizeMax))
                   ? name
                   : "…" + name.substr(name.size() - kSizeMax + 1);
    }

    [[nodiscard]] std::string bar(const NodeSpan& span) {
        constexpr double kWidthMin = 0.6;
        const std::size_t place = span.node.value() - 1;
        const double start = seconds_between(outcome_.first_at, start_of(outcome_, span));
        if (place >= rows_.size() || span.gpu_milli == 0 || start >= axis_.max) {
            return "";
        }
        const Row& row = rows_[place];
        const Instant end_at = end_of(outcome_, span);
        const double end = seconds_between(outcome_.first_at, end_at);
        const TraceJob& job = report_.workload.jobs[span.job];
        std::string shapes;
        for (const Lanes::Piece& piece :
             lanes_[place].take(span.gpu_milli, start_of(outcome_, span), end_at)) {
            const double scale = row.height / static_cast<double>(row.milli);
            const double x = x_of(start);
            shapes += "<rect x=\"" + pixels(x) + "\" y=\"" +
                      pixels(row.top + static_cast<double>(piece.begin) * scale) + "\" width=\"" +
                      pixels(std::max(x_of(end) - x, kWidthMin)) + "\" height=\"" +
                      pixels(static_cast<double>(piece.size) * scale) + "\"/>";
        }
        return "<g class=\"" + std::string(kind_of(job, report_.workload.requests[job.request])) +
               "\"><title>" + escaped(title_of(job, span, start, end)) + "</title>" + shapes +
               "</g>\n";
    }

    const Report& report_;
    const ReplayOutcome& outcome_;
    std::vector<Row> rows_;
    std::vector<Lanes> lanes_;
    Axis axis_;
};

}  // namespace

double gantt_seconds(const Report& report) {
    double seconds = 1;
    for (const ReportRun& run : report.runs) {
        seconds = std::max(seconds, seconds_between(run.outcome.first_at, horizon_of(run.outcome)));
    }
    for (const ReportRun& run : report.runs) {
        const std::vector<NodeSpan>& spans = run.outcome.spans;
        if (spans.size() > kBarsMax) {
            const Instant start = start_of(run.outcome, spans[kBarsMax]);
            seconds =
                std::min(seconds, std::max(seconds_between(run.outcome.first_at, start), 1.0));
        }
    }
    return seconds;
}

std::string gantt_html(const Report& report, const ReportRun& run, double seconds) {
    return Drawing(report, run, seconds).svg();
}

}  // namespace reeve::simulate
