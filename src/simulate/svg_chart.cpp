#include "simulate/svg_chart.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>

#include "base/text.hpp"

namespace reeve::simulate {
namespace {

constexpr double kTen = 10;

// Around the plot.
constexpr double kLeft = 52;
constexpr double kRight = 20;
constexpr double kTop = 10;
constexpr double kBottom = 26;

std::string duration_label(double seconds) {
    return format_duration(std::chrono::seconds(std::llround(seconds)));
}

std::string count_label(double value) {
    constexpr double kWhole = 1e-6;
    if (std::abs(value - std::round(value)) > kWhole) {
        return pixels(value);
    }
    std::string text = std::to_string(std::llround(value));
    for (std::size_t at = text.size(); at > 3; at -= 3) {
        text.insert(at - 3, ",");
    }
    return text;
}

/// 1000 -> "1k", 1000000 -> "1M".
std::string short_label(double value) {
    constexpr double kThousand = 1e3;
    constexpr double kMillion = 1e6;
    return value >= kMillion    ? count_label(value / kMillion) + "M"
           : value >= kThousand ? count_label(value / kThousand) + "k"
                                : count_label(value);
}

/// The plot of a chart, in its own coordinates.
struct Plot {
    const Chart& chart;

    [[nodiscard]] double right() const { return chart.width - kRight; }

    [[nodiscard]] double bottom() const { return chart.height - kBottom; }

    [[nodiscard]] double x_of(double value) const {
        return kLeft + chart.x.place_of(value) * (right() - kLeft);
    }

    [[nodiscard]] double y_of(double value) const {
        return bottom() - chart.y.place_of(value) * (bottom() - kTop);
    }
};

std::string text_at(double x, double y, std::string_view anchor, std::string_view text) {
    return "<text x=\"" + pixels(x) + "\" y=\"" + pixels(y) + "\" text-anchor=\"" +
           std::string(anchor) + "\">" + escaped(text) + "</text>";
}

std::string grid_svg(const Plot& plot) {
    std::string svg = "<g class=\"grid\">";
    std::string labels = "<g class=\"label\">";
    for (const Tick& tick : plot.chart.y.ticks) {
        const std::string y = pixels(plot.y_of(tick.value));
        svg += "<path d=\"M" + pixels(kLeft) + " " + y + "H" + pixels(plot.right()) + "\"/>";
        labels += text_at(kLeft - 7, plot.y_of(tick.value) + 4, "end", tick.label);
    }
    for (const Tick& tick : plot.chart.x.ticks) {
        const double x = plot.x_of(tick.value);
        svg += "<path class=\"tick\" d=\"M" + pixels(x) + " " + pixels(plot.bottom()) + "v5\"/>";
        labels += text_at(x, plot.bottom() + 18, "middle", tick.label);
    }
    svg += "<path class=\"base\" d=\"M" + pixels(kLeft) + " " + pixels(plot.bottom()) + "H" +
           pixels(plot.right()) + "\"/></g>";
    return svg + labels + "</g>";
}

std::string line_svg(const Plot& plot, const Line& line) {
    std::string path;
    for (const auto& [x, y] : line.points) {
        path += (path.empty() ? "M" : "L") + pixels(plot.x_of(x)) + " " + pixels(plot.y_of(y));
    }
    return "<path class=\"line " + line.style + "\" d=\"" + path + "\"><title>" +
           escaped(line.title) + "</title></path>";
}

}  // namespace

std::string escaped(std::string_view text) {
    constexpr unsigned char kFirstPrintable = 0x20;
    constexpr unsigned char kDelete = 0x7F;
    const bool is_text = is_utf8(text);
    std::string safe;
    safe.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < kFirstPrintable || byte == kDelete || (byte > kDelete && !is_text)) {
            safe += '?';
            continue;
        }
        switch (c) {
            case '&':  safe += "&amp;"; break;
            case '<':  safe += "&lt;"; break;
            case '>':  safe += "&gt;"; break;
            case '"':  safe += "&quot;"; break;
            case '\'': safe += "&#39;"; break;
            default:   safe += c;
        }
    }
    return safe;
}

std::string pixels(double value) {
    const std::int64_t tenths = std::llround(value * kTen);
    std::string text = (tenths < 0 ? "-" : "") + std::to_string(std::abs(tenths) / 10);
    if (tenths % 10 != 0) {
        text += "." + std::to_string(std::abs(tenths) % 10);
    }
    return text;
}

double Axis::place_of(double value) const {
    const double place =
        is_log ? (std::log(std::max(value, min)) - std::log(min)) / (std::log(max) - std::log(min))
               : (value - min) / (max - min);
    return std::clamp(place, 0.0, 1.0);
}

Axis linear_axis(double max, std::string_view unit) {
    constexpr double kTicks = 5;
    constexpr double kSlack = 1e-9;
    const double rough = std::max(max, 1.0) / kTicks;
    double step = std::pow(kTen, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 2.5, 5.0, kTen}) {
        if (step * factor >= rough * (1 - kSlack)) {
            step *= factor;
            break;
        }
    }
    Axis axis{.max = step * std::ceil(std::max(max, 1.0) / step - kSlack)};
    const auto count = std::llround(axis.max / step);
    for (std::int64_t i = 0; i <= count; ++i) {
        const double value = step * static_cast<double>(i);
        axis.ticks.push_back({.value = value, .label = count_label(value) + std::string(unit)});
    }
    return axis;
}

Axis time_axis(double max_s) {
    constexpr double kTicksMax = 9;
    constexpr double kMinute = 60;
    constexpr double kHour = 3600;
    constexpr double kDay = 86'400;
    constexpr auto kSteps =
        std::to_array<double>({1,         2,           5,           10,           30,
                               kMinute,   2 * kMinute, 5 * kMinute, 10 * kMinute, 30 * kMinute,
                               kHour,     2 * kHour,   6 * kHour,   12 * kHour,   kDay,
                               2 * kDay,  5 * kDay,    10 * kDay,   20 * kDay,    50 * kDay,
                               100 * kDay});
    Axis axis{.max = std::max(max_s, 1.0)};
    double step = kSteps.back();
    for (const double each : kSteps) {
        if (axis.max / each <= kTicksMax) {
            step = each;
            break;
        }
    }
    while (axis.max / step > kTicksMax) {
        step *= 2;
    }
    for (double value = 0; value <= axis.max; value += step) {
        axis.ticks.push_back({.value = value, .label = duration_label(value)});
    }
    return axis;
}

Axis log_axis(double min, double max) {
    Axis axis{.min = min, .max = min * kTen, .is_log = true};
    while (axis.max < max) {
        axis.max *= kTen;
    }
    for (double value = min; value <= axis.max; value *= kTen) {
        axis.ticks.push_back({.value = value, .label = short_label(value)});
    }
    return axis;
}

Axis log_time_axis(double max_s) {
    constexpr double kHalf = 1.2;  // A tick so near above the largest value is where the axis ends.
    constexpr auto kTicks = std::to_array<double>(
        {1, 10, 60, 600, 3600, 36'000, 86'400, 864'000, 8'640'000, 86'400'000, 864'000'000});
    Axis axis{.min = 1, .max = std::max(max_s * kHalf, kTen), .is_log = true};
    for (const double tick : kTicks) {
        if (tick <= axis.max) {
            axis.ticks.push_back({.value = tick, .label = duration_label(tick)});
        }
    }
    return axis;
}

std::string chart_html(const Chart& chart) {
    const Plot plot{chart};
    std::string html = "<figure><figcaption><b>" + escaped(chart.title) + "</b> <span>" +
                       escaped(chart.subtitle) + "</span></figcaption>\n<svg viewBox=\"0 0 " +
                       pixels(chart.width) + " " + pixels(chart.height) +
                       "\" role=\"img\" aria-label=\"" + escaped(chart.title) + "\">" +
                       grid_svg(plot);
    for (const Line& line : chart.lines) {
        html += line_svg(plot, line) + "\n";
    }
    return html + "</svg></figure>\n";
}

}  // namespace reeve::simulate
