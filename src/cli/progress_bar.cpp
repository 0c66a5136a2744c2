#include "cli/progress_bar.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

namespace reeve::cli {
namespace {

constexpr std::string_view kClear = "\r\x1b[K";

}  // namespace

ProgressBar::ProgressBar(const Session& session, std::string title)
    : session_(session),
      title_(std::move(title)),
      is_on_(session.environment().is_out_terminal && !session.flags.is_quiet) {}

ProgressBar::~ProgressBar() {
    if (is_on_ && shown_percent_ != SIZE_MAX) {
        session_.environment().err << kClear << std::flush;
    }
}

void ProgressBar::show(std::size_t done, std::size_t all) {
    constexpr std::size_t kPercent = 100;
    constexpr std::size_t kCells = 24;
    const std::size_t percent = all == 0 ? kPercent : std::min(done * kPercent / all, kPercent);
    if (!is_on_ || percent == shown_percent_) {
        return;
    }
    shown_percent_ = percent;
    const std::size_t full = percent * kCells / kPercent;
    session_.environment().err << kClear << title_ << "  [" << std::string(full, '#')
                               << std::string(kCells - full, '.') << "] " << percent << " %"
                               << std::flush;
}

}  // namespace reeve::cli
