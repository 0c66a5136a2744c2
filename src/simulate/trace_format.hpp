#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "simulate/cluster.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

/// Of a file's name, for messages, and its text. Errors: kInvalid "FILE:LINE: …".
using ParseTrace = Result<Workload>(const std::string&, std::string_view, const Cluster&);

/// A format of traces that replays read.
struct TraceFormat {
    std::string_view name;
    std::string_view summary;
    bool (*is_it)(std::string_view text);  // By its first line.
    ParseTrace* parse;
};

/// The one table of them.
[[nodiscard]] std::span<const TraceFormat> trace_formats();

/// Errors: kInvalid, naming those there are.
[[nodiscard]] Result<const TraceFormat*> find_trace_format(std::string_view name);

/// The format whose columns the first line has. Errors: kInvalid "FILE:1: …".
[[nodiscard]] Result<const TraceFormat*> detect_trace_format(
    const std::string& file, std::string_view text);

/// True for a pod list of openb that has no times: there is nothing to replay in it, but the
/// inflation experiment can be run on it.
[[nodiscard]] bool is_openb_without_times(std::string_view text);

}  // namespace reeve::simulate
