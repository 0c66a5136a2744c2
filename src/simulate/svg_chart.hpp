#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reeve::simulate {

/// Safe as text and as an attribute of HTML and SVG: markup is escaped; control characters, and
/// whatever is no UTF-8, become '?'.
[[nodiscard]] std::string escaped(std::string_view text);

/// A coordinate: to a tenth, without a needless ".0".
[[nodiscard]] std::string pixels(double value);

struct Tick {
    double value = 0;
    std::string label = {};
};

struct Axis {
    double min = 0;
    double max = 1;       // Above min.
    bool is_log = false;  // Then min is above 0.
    std::vector<Tick> ticks = {};

    /// 0 at min, 1 at max; values outside are at the nearer end.
    [[nodiscard]] double place_of(double value) const;
};

/// From 0 to a round number at or above `max`, with about five ticks. `unit` follows each number.
[[nodiscard]] Axis linear_axis(double max, std::string_view unit);

/// From 0 to `max_s` seconds, with ticks at round durations.
[[nodiscard]] Axis time_axis(double max_s);

/// Logarithmic, from `min` up to a power of ten at or above `max`. Its ticks are powers of ten.
[[nodiscard]] Axis log_axis(double min, double max);

/// The same of seconds, from 1 s on, with ticks at 1s, 10s, 1m, 10m, 1h, 10h, 1d, 10d, ….
[[nodiscard]] Axis log_time_axis(double max_s);

struct Line {
    std::string style = {};  // Classes of the page's style sheet.
    std::string title = {};  // Shown where the pointer rests on it.
    std::vector<std::pair<double, double>> points = {};
};

struct Chart {
    std::string title = {};
    std::string subtitle = {};
    Axis x = {};
    Axis y = {};
    std::vector<Line> lines = {};
    double width = 960;
    double height = 240;
};

/// A figure element with the chart in it.
[[nodiscard]] std::string chart_html(const Chart& chart);

}  // namespace reeve::simulate
