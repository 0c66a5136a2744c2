#pragma once

#include <cstddef>
#include <string>

#include "cli/session.hpp"

namespace reeve::cli {

/// How far something is, in one line of standard error that goes away with it; only on a terminal,
/// and not with --quiet.
class ProgressBar {
  public:
    ProgressBar(const Session& session, std::string title);
    ~ProgressBar();

    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ProgressBar(ProgressBar&&) = delete;
    ProgressBar& operator=(ProgressBar&&) = delete;

    void show(std::size_t done, std::size_t all);

  private:
    const Session& session_;
    std::string title_;
    std::size_t shown_percent_ = SIZE_MAX;
    bool is_on_ = false;
};

}  // namespace reeve::cli
