#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/job_spec.hpp"

// What a job spec may hold, in numbers and in words. api/openapi.yaml says the same.
namespace reeve::model {

inline constexpr std::size_t kNameCharactersMax = 128;
inline constexpr std::size_t kProjectBytesMax = 63;
inline constexpr std::size_t kArgumentsMax = 4096;
inline constexpr std::size_t kArgumentBytesMax = 131'071;  // Linux: MAX_ARG_STRLEN less its NUL.
inline constexpr std::size_t kScriptBytesMax = 512 << 10;
inline constexpr std::size_t kPathBytesMax = 4095;  // Linux: PATH_MAX less its NUL.
inline constexpr std::size_t kEnvironmentMax = 4096;
inline constexpr std::size_t kEnvironmentNameBytesMax = 255;
inline constexpr std::size_t kLabelsMax = 64;
inline constexpr std::size_t kLabelKeyBytesMax = 63;
inline constexpr std::size_t kLabelValueBytesMax = 255;
inline constexpr std::size_t kGpuModelBytesMax = 64;
inline constexpr std::size_t kDependenciesMax = 1000;
inline constexpr std::int64_t kGpusMax = 1024;
inline constexpr std::int64_t kMemoryMibMax = std::int64_t{1} << 40;
inline constexpr std::int64_t kCpuMillicoresMax = 1'000'000'000;
inline constexpr std::int64_t kTimeLimitMaxS = std::int64_t{10} * 366 * 86400;
inline constexpr std::int64_t kPriorityMax = 1000;  // And the least is -1000.
inline constexpr std::size_t kPriorityNameBytesMax = 63;
inline constexpr std::int64_t kRetriesMax = 100;
inline constexpr std::int64_t kRetryBackoffMaxS = 3600;
inline constexpr std::int64_t kStopGraceMaxS = 86400;
inline constexpr std::int64_t kArrayIndexMax = 4'294'967'294;
inline constexpr std::int32_t kSignalMax = 64;

/// 2.0 -> 2: the integer that a number is, if it is one. JSON knows no difference between 2
/// and 2.0. Nothing from 2^53 on, where doubles skip numbers.
[[nodiscard]] std::optional<std::int64_t> whole_of(double number);

/// The name of a job that was given none: what it runs, without the folder.
[[nodiscard]] std::string default_name(const Execution& execution);

/// "ok", "any", "notok".
[[nodiscard]] std::string_view name_of(DependencyKind kind);
[[nodiscard]] std::optional<DependencyKind> dependency_kind(std::string_view name);

/// True if objects and lists are nested more than `depth` levels deep in the text of a JSON value.
[[nodiscard]] bool is_nested_deeper(std::string_view json, int depth);

/// Bytes of the texts in it that may be large: script, arguments, environment.
[[nodiscard]] std::size_t text_bytes_of(const JobSpec& spec);

/// What is wrong with one text, in words that say what would be accepted; "" if nothing is.
/// All assume valid UTF-8 without NUL.
[[nodiscard]] std::string fault_of_name(std::string_view name);
[[nodiscard]] std::string fault_of_project(std::string_view project);
[[nodiscard]] std::string fault_of_priority_name(std::string_view name);
[[nodiscard]] std::string fault_of_gpu_model(std::string_view model);
[[nodiscard]] std::string fault_of_environment_name(std::string_view name);
[[nodiscard]] std::string fault_of_label_key(std::string_view key);
[[nodiscard]] std::string fault_of_label_value(std::string_view value);
[[nodiscard]] std::string fault_of_working_dir(std::string_view path);

/// See parse_node_expression().
[[nodiscard]] std::string fault_of_node_expression(std::string_view text);

[[nodiscard]] std::string fault_of_argument(std::string_view text);
[[nodiscard]] std::string fault_of_script(std::string_view script);
[[nodiscard]] std::string fault_of_array(const ArrayRange& array);

/// "1.5 GPUs: …": why a number of GPUs that is neither whole nor under one is refused.
[[nodiscard]] std::string fault_of_gpu_milli(std::int64_t milli);

/// What is wrong with fields that are right one by one, as "field: words"; "" if nothing is.
[[nodiscard]] std::string fault_of_spec(const JobSpec& spec);

}  // namespace reeve::model
