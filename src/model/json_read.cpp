// Reads job specs and task orders. One file, because RapidJSON's types stay out of headers.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include "base/text.hpp"
#include "model/job_spec.hpp"
#include "model/output_file.hpp"
#include "model/resources.hpp"
#include "model/spec_rules.hpp"
#include "model/task.hpp"

namespace reeve::model {
namespace {

using Allocator = rapidjson::MemoryPoolAllocator<>;
using Document = rapidjson::GenericDocument<rapidjson::UTF8<>, Allocator, Allocator>;
using Value = Document::ValueType;

/// What is wrong, and where: the path grows on the way up.
struct Fault {
    ErrorCode code = ErrorCode::kInvalid;
    std::string path;
    std::string message;
};

using Read = tl::expected<void, Fault>;

tl::unexpected<Fault> fault(std::string message, std::string path = {}) {
    return tl::unexpected<Fault>(Fault{ErrorCode::kInvalid, std::move(path), std::move(message)});
}

tl::unexpected<Fault> under(std::string_view name, Fault found) {
    if (!found.path.empty() && found.path.front() != '[') {
        found.path.insert(0, 1, '.');
    }
    found.path.insert(0, name);
    return tl::unexpected<Fault>(std::move(found));
}

std::string_view text_of(const Value& value) {
    return {value.GetString(), value.GetStringLength()};
}

/// For messages: a name from outside, printable and short.
std::string shown(std::string_view name) {
    constexpr std::size_t kShownMax = 40;
    const bool is_plain = std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7F; });
    return is_plain && name.size() <= kShownMax ? "'" + std::string(name) + "'"
                                                : "of " + std::to_string(name.size()) + " bytes";
}

std::string_view kind_of(const Value& value) {
    switch (value.GetType()) {
        case rapidjson::kNullType:   return "null";
        case rapidjson::kFalseType:
        case rapidjson::kTrueType:   return "a boolean";
        case rapidjson::kObjectType: return "an object";
        case rapidjson::kArrayType:  return "a list";
        case rapidjson::kStringType: return "a string";
        case rapidjson::kNumberType: return "a number";
    }
    return "something else";
}

tl::unexpected<Fault> wanted(std::string_view what, const Value& got) {
    return fault("expects " + std::string(what) + ", not " + std::string(kind_of(got)));
}

std::string no_fault(std::string_view /*text*/) {
    return "";
}

/// Text that `fault_of` finds nothing wrong with.
Read read_text(
    const Value& value, std::string& out, std::string (*fault_of)(std::string_view) = no_fault) {
    if (!value.IsString()) {
        return wanted("a string", value);
    }
    out.assign(text_of(value));
    if (out.find('\0') != std::string::npos) {
        return fault("contains a NUL byte, which no program can be given");
    }
    if (!is_utf8(out)) {
        return fault("is not valid UTF-8");
    }
    std::string found = fault_of(out);
    return found.empty() ? Read{} : fault(std::move(found));
}

struct Range {
    std::int64_t least;
    std::int64_t most;
};

template <class Integer>
Read read_integer(const Value& value, Integer& out, Range range) {
    const std::optional<std::int64_t> number =
        value.IsInt64() ? value.GetInt64() : whole_of(value.IsDouble() ? value.GetDouble() : 0.5);
    if (!number || *number < range.least || *number > range.most) {
        const std::string what = "a whole number from " + std::to_string(range.least) + " to " +
                                 std::to_string(range.most);
        return !value.IsNumber() ? wanted(what, value)
               : number          ? fault("expects " + what + ", not " + std::to_string(*number))
                                 : fault("expects " + what);
    }
    out = static_cast<Integer>(*number);
    return {};
}

Read read_flag(const Value& value, bool& out) {
    if (!value.IsBool()) {
        return wanted("true or false", value);
    }
    out = value.GetBool();
    return {};
}

/// 0.25 -> 250. At most three digits after the point.
Read read_milli(const Value& value, std::int64_t& out, Range range) {
    if (!value.IsNumber()) {
        return wanted("a number such as 2 or 0.25", value);
    }
    const double milli = value.GetDouble() * 1000;
    constexpr double kRounding = 1e-6;  // Of binary fractions; a fourth digit would be 0.1.
    if (!(milli >= 0 && milli <= static_cast<double>(range.most))) {
        return fault("expects a number up to " + format_milli(range.most));
    }
    out = std::llround(milli);
    if (out < range.least ||
        std::abs(milli - static_cast<double>(out)) > kRounding * std::max(1.0, milli)) {
        return fault("expects steps of 0.001, from " + format_milli(range.least) + " on");
    }
    return {};
}

template <class Target>
struct Field {
    std::string_view name;
    Read (*read)(const Value&, Target&);
};

template <class Target, std::size_t N>
tl::unexpected<Fault> unknown_field(
    std::string_view name, const std::array<Field<Target>, N>& fields) {
    std::vector<std::string> names;
    std::string list;
    for (const auto& field : fields) {
        list.append(list.empty() ? "" : ", ").append(names.emplace_back(field.name));
    }
    const std::string near = nearest(name.substr(0, 64), names);
    return fault(
        "unknown field " + shown(name) + (near.empty() ? "" : "; did you mean '" + near + "'?") +
        " (accepted: " + list + ")");
}

/// Reads an object of exactly these fields, each at most once.
template <class Target, std::size_t N>
Read read_object(const Value& value, const std::array<Field<Target>, N>& fields, Target& out) {
    static_assert(N <= 32);
    if (!value.IsObject()) {
        return wanted("an object", value);
    }
    std::uint32_t seen = 0;
    for (const auto& member : value.GetObject()) {
        const std::string_view name = text_of(member.name);
        const auto field =
            std::ranges::find_if(fields, [&](const auto& row) { return row.name == name; });
        if (field == fields.end()) {
            return unknown_field(name, fields);
        }
        const std::uint32_t bit = std::uint32_t{1} << (field - fields.begin());
        if ((seen & bit) != 0) {
            return fault("is given twice", std::string(name));
        }
        seen |= bit;
        if (Read read = field->read(member.value, out); !read) {
            return under(name, std::move(read.error()));
        }
    }
    return {};
}

template <class Item, class ReadItem>
Read read_list(
    const Value& value, std::size_t most, std::vector<Item>& out, const ReadItem& read_item) {
    if (!value.IsArray()) {
        return wanted("a list", value);
    }
    if (value.Size() > most) {
        return fault(
            "has " + std::to_string(value.Size()) + " entries; up to " + std::to_string(most) +
            " are accepted");
    }
    out.reserve(value.Size());
    for (const Value& item : value.GetArray()) {
        Item& made = out.emplace_back();
        if (Read read = read_item(item, made); !read) {
            return under("[" + std::to_string(out.size() - 1) + "]", std::move(read.error()));
        }
    }
    return {};
}

struct MapRules {
    std::size_t most;
    std::string (*fault_of_key)(std::string_view);
    std::string (*fault_of_value)(std::string_view);
};

Read read_map(const Value& value, const MapRules& rules, std::map<std::string, std::string>& out) {
    if (!value.IsObject()) {
        return wanted("an object of strings", value);
    }
    if (value.MemberCount() > rules.most) {
        return fault(
            "has " + std::to_string(value.MemberCount()) + " entries; up to " +
            std::to_string(rules.most) + " are accepted");
    }
    for (const auto& member : value.GetObject()) {
        std::string key;
        if (Read read = read_text(member.name, key, rules.fault_of_key); !read) {
            return read;
        }
        const auto [at, is_new] = out.try_emplace(std::move(key));
        if (!is_new) {
            return fault("is given twice", at->first);
        }
        if (Read read = read_text(member.value, at->second, rules.fault_of_value); !read) {
            return under(at->first, std::move(read.error()));
        }
    }
    return {};
}

// ---- A field of a struct, as one row of a table: text<&JobTerms::project, fault_of_project>.

template <class Member>
struct MemberOf;

template <class Class, class Type>
struct MemberOf<Type Class::*> {
    using Owner = Class;
};

template <auto Member>
using OwnerOf = typename MemberOf<decltype(Member)>::Owner;

template <auto Member, std::string (*FaultOf)(std::string_view) = no_fault>
Read text(const Value& value, OwnerOf<Member>& out) {
    return read_text(value, out.*Member, FaultOf);
}

template <auto Member, std::int64_t Least, std::int64_t Most>
Read integer(const Value& value, OwnerOf<Member>& out) {
    return read_integer(value, out.*Member, {Least, Most});
}

template <auto Member, std::int64_t Least, std::int64_t Most>
Read milli(const Value& value, OwnerOf<Member>& out) {
    return read_milli(value, out.*Member, {Least, Most});
}

template <auto Member>
Read flag(const Value& value, OwnerOf<Member>& out) {
    return read_flag(value, out.*Member);
}

/// What `ReadMember` reads, into a member.
template <auto Member, auto ReadMember>
Read in(const Value& value, OwnerOf<Member>& out) {
    return ReadMember(value, out.*Member);
}

/// An object of `Fields`, into the same struct.
template <const auto& Fields, class Target>
Read object(const Value& value, Target& out) {
    return read_object(value, Fields, out);
}

template <auto Member, std::size_t Most, auto ReadItem>
Read list(const Value& value, OwnerOf<Member>& out) {
    return read_list(value, Most, out.*Member, ReadItem);
}

template <auto Member, const MapRules& Rules>
Read map(const Value& value, OwnerOf<Member>& out) {
    return read_map(value, Rules, out.*Member);
}

// ---- Job specs.

Read read_gpus(const Value& value, GpuAsk& ask) {
    std::int64_t milli = 0;
    if (Read read = read_milli(value, milli, {0, kGpusMax * kWholeGpuMilli}); !read) {
        return read;
    }
    if (milli > kWholeGpuMilli && milli % kWholeGpuMilli != 0) {
        return fault(fault_of_gpu_milli(milli));
    }
    ask.count = milli >= kWholeGpuMilli ? milli / kWholeGpuMilli : 0;
    ask.milli = milli < kWholeGpuMilli ? milli : 0;
    return {};
}

constexpr auto kResourceFields = std::to_array<Field<JobTerms>>({
    {"gpus", in<&JobTerms::gpus, read_gpus>},
    {"gpu_model", in<&JobTerms::gpus, text<&GpuAsk::model, fault_of_gpu_model>>},
    {"gpu_memory_mib", in<&JobTerms::gpus, integer<&GpuAsk::memory_mib, 1, kMemoryMibMax>>},
    {"cpus", milli<&JobTerms::cpu_millicores, 1, kCpuMillicoresMax>},
    {"memory_mib", integer<&JobTerms::memory_mib, 1, kMemoryMibMax>},
});

constexpr auto kArrayFields = std::to_array<Field<ArrayRange>>({
    {"first",       integer<&ArrayRange::first,       0, kArrayIndexMax>},
    {"last",        integer<&ArrayRange::last,        0, kArrayIndexMax>},
    {"step",        integer<&ArrayRange::step,        1, kArrayIndexMax>},
    {"max_running", integer<&ArrayRange::running_max, 0, kArrayIndexMax>},
});

Read read_array(const Value& value, std::optional<ArrayRange>& out) {
    ArrayRange& range = out.emplace();
    if (Read read = read_object(value, kArrayFields, range); !read) {
        return read;
    }
    if (!value.HasMember("first") || !value.HasMember("last")) {
        return fault("needs first and last");
    }
    if (std::string found = fault_of_array(range); !found.empty()) {
        return fault(std::move(found));
    }
    return {};
}

Read read_kind(const Value& value, DependencyKind& out) {
    const auto kind = value.IsString() ? dependency_kind(text_of(value)) : std::nullopt;
    if (!kind) {
        return fault("expects \"ok\" (it succeeded), \"any\" (it ended) or \"notok\"");
    }
    out = *kind;
    return {};
}

Read read_job_id(const Value& value, JobId& out) {
    std::int64_t id = 0;
    Read read = read_integer(value, id, {1, INT64_MAX});
    out = JobId(static_cast<std::uint64_t>(id));
    return read;
}

constexpr auto kDependencyFields = std::to_array<Field<Dependency>>({
    {"kind",   in<&Dependency::kind, read_kind>  },
    {"job_id", in<&Dependency::job,  read_job_id>},
});

Read read_dependency(const Value& value, Dependency& out) {
    Read read = read_object(value, kDependencyFields, out);
    if (read && value.MemberCount() != kDependencyFields.size()) {
        return fault("needs kind and job_id");
    }
    return read;
}

constexpr auto kRetryFields = std::to_array<Field<JobTerms>>({
    {"max",       integer<&JobTerms::retries_max,     0, kRetriesMax>      },
    {"backoff_s", integer<&JobTerms::retry_backoff_s, 0, kRetryBackoffMaxS>},
});

Read read_signal(const Value& value, std::int32_t& out) {
    if (!value.IsString()) {
        return wanted("a signal such as \"TERM\"", value);
    }
    const auto number = parse_signal(text_of(value).substr(0, 16));
    if (!number) {
        return fault("expects a signal: \"TERM\", \"INT\", \"USR1\", … or \"1\" to \"64\"");
    }
    out = *number;
    return {};
}

constexpr auto kStopFields = std::to_array<Field<Execution>>({
    {"signal", in<&Execution::stop_signal, read_signal>},
    {"grace_s", integer<&Execution::stop_grace_s, 0, kStopGraceMaxS>},
});

Read read_on_node_loss(const Value& value, OnNodeLoss& out) {
    const std::string_view word = value.IsString() ? text_of(value) : std::string_view();
    if (word != "wait" && word != "requeue") {
        return fault("expects \"wait\" or \"requeue\"");
    }
    out = word == "wait" ? OnNodeLoss::kWait : OnNodeLoss::kRequeue;
    return {};
}

Read read_argument(const Value& value, std::string& out) {
    return read_text(value, out, fault_of_argument);
}

constexpr MapRules kEnvironmentRules = {
    kEnvironmentMax, fault_of_environment_name, fault_of_argument};
constexpr MapRules kLabelRules = {kLabelsMax, fault_of_label_key, fault_of_label_value};

/// A number, or the name of one.
Read read_priority(const Value& value, JobTerms& terms) {
    if (value.IsString()) {
        return read_text(value, terms.priority_name, fault_of_priority_name);
    }
    return value.IsNumber() ? read_integer(value, terms.priority, {-kPriorityMax, kPriorityMax})
                            : wanted("a whole number from -1000 to 1000 or a name", value);
}

constexpr auto kTerms = &JobSpec::terms;
constexpr auto kExecution = &JobSpec::execution;

constexpr auto kSpecFields = std::to_array<Field<JobSpec>>({
    {"name", in<kTerms, text<&JobTerms::name, fault_of_name>>},
    {"project", in<kTerms, text<&JobTerms::project, fault_of_project>>},
    {"command", in<kExecution, list<&Execution::argv, kArgumentsMax, read_argument>>},
    {"script", in<kExecution, text<&Execution::script, fault_of_script>>},
    {"working_dir", in<kExecution, text<&Execution::working_dir, fault_of_working_dir>>},
    {"env", in<kExecution, map<&Execution::environment, kEnvironmentRules>>},
    {"resources", in<kTerms, object<kResourceFields, JobTerms>>},
    {"on", in<kTerms, text<&JobTerms::on, fault_of_node_expression>>},
    {"time_limit_s", in<kTerms, integer<&JobTerms::time_limit_s, 1, kTimeLimitMaxS>>},
    {"priority", in<kTerms, read_priority>},
    {"labels", in<kTerms, map<&JobTerms::labels, kLabelRules>>},
    {"array", in<kTerms, in<&JobTerms::array, read_array>>},
    {"after", in<kTerms, list<&JobTerms::after, kDependenciesMax, read_dependency>>},
    {"retries", in<kTerms, object<kRetryFields, JobTerms>>},
    {"hold", in<kTerms, flag<&JobTerms::is_held>>},
    {"stop", in<kExecution, object<kStopFields, Execution>>},
    {"on_node_loss", in<kTerms, in<&JobTerms::on_node_loss, read_on_node_loss>>},
    {"preemptible", in<kTerms, flag<&JobTerms::is_preemptible>>},
    {"split_output", in<kExecution, flag<&Execution::splits_output>>},
    {"output", in<kExecution, text<&Execution::output_file, fault_of_output_file>>},
    {"error", in<kExecution, text<&Execution::error_file, fault_of_output_file>>},
});

Read read_spec(const Value& value, JobSpec& spec) {
    if (Read read = read_object(value, kSpecFields, spec); !read) {
        return read;
    }
    if (spec.terms.name.empty()) {
        spec.terms.name = default_name(spec.execution);
    }
    Execution& run = spec.execution;
    run.splits_output = run.splits_output || !run.error_file.empty();
    if (const std::string found = fault_of_spec(spec); !found.empty()) {
        const std::size_t colon = found.find(": ");
        return fault(found.substr(colon + 2), found.substr(0, colon));
    }
    return {};
}

struct Batch {
    std::vector<JobSpec> jobs;
    std::size_t jobs_max = 0;
};

Read read_jobs(const Value& value, Batch& batch) {
    return read_list(value, batch.jobs_max, batch.jobs, read_spec);
}

constexpr auto kBatchFields = std::to_array<Field<Batch>>({
    {"jobs", read_jobs},
});

Read read_batch(const Value& value, Batch& batch) {
    Read read = read_object(value, kBatchFields, batch);
    return read && batch.jobs.empty() ? fault("needs jobs, a list of one job at least") : read;
}

// ---- Task orders. They come from our own disk, and are read as strictly.

constexpr auto kIdentityFields = std::to_array<Field<Identity>>({
    {"user", text<&Identity::user>},
    {"uid", integer<&Identity::uid, 0, UINT32_MAX>},
    {"gid", integer<&Identity::gid, 0, UINT32_MAX>},
});

constexpr auto kGrantedGpuFields = std::to_array<Field<GrantedGpu>>({
    {"uuid", text<&GrantedGpu::uuid>},
    {"milli", integer<&GrantedGpu::milli, 0, kWholeGpuMilli>},
    {"memory_mib", integer<&GrantedGpu::memory_mib, 0, kMemoryMibMax>},
    {"is_whole", flag<&GrantedGpu::is_whole>},
});

Read read_task_key(const Value& value, TaskKey& out) {
    const auto key = parse_task_key(value.IsString() ? text_of(value) : "");
    if (!key) {
        return fault("expects job.index.attempt.rank");
    }
    out = *key;
    return {};
}

constexpr auto kOrderFields = std::to_array<Field<TaskOrder>>({
    {"key", in<&TaskOrder::key, read_task_key>},
    {"cluster_id", text<&TaskOrder::cluster_id>},
    {"identity", in<&TaskOrder::identity, object<kIdentityFields, Identity>>},
    {"project", text<&TaskOrder::project>},
    {"job_name", text<&TaskOrder::job_name>},
    {"array_count", integer<&TaskOrder::array_count, 0, kArrayCountMax>},
    {"gpus", list<&TaskOrder::gpus, kGpusMax, object<kGrantedGpuFields, GrantedGpu>>},
    {"cpu_millicores", integer<&TaskOrder::cpu_millicores, 0, INT64_MAX>},
    {"memory_mib", integer<&TaskOrder::memory_mib, 0, INT64_MAX>},
    {"time_limit_s", integer<&TaskOrder::time_limit_s, 0, INT64_MAX>},
    {"spec", text<&TaskOrder::spec_json>},
});

Read read_order(const Value& value, TaskOrder& order) {
    Read read = read_object(value, kOrderFields, order);
    for (const char* name : {"key", "cluster_id", "identity", "spec"}) {
        if (read && !value.HasMember(name)) {
            return fault("is missing", name);
        }
    }
    return read;
}

// ---- Text to values.

constexpr std::size_t kScratchBytes = 16 << 10;  // Enough for a common spec without the heap.

/// `out` as `read` leaves it.
template <class Target>
Result<Target> read_json(
    std::string_view json, Read (*read)(const Value&, Target&), Target out = {}) {
    if (is_nested_deeper(json, kJsonDepthMax)) {  // RapidJSON recurses once per level.
        return fail(
            ErrorCode::kInvalid,
            "the JSON is nested more than " + std::to_string(kJsonDepthMax) + " levels deep");
    }
    std::array<char, kScratchBytes> values_scratch;  // Not zeroed: only written to.
    std::array<char, kScratchBytes> stack_scratch;
    Allocator values(values_scratch.data(), values_scratch.size());
    Allocator stack(stack_scratch.data(), stack_scratch.size());
    Document document(&values, kScratchBytes / 4, &stack);
    document.Parse(json.data(), json.size());
    if (document.HasParseError()) {
        return fail(
            ErrorCode::kInvalid,
            "not JSON: " + std::string(rapidjson::GetParseError_En(document.GetParseError())) +
                " (at byte " + std::to_string(document.GetErrorOffset()) + ")");
    }
    if (Read done = read(document, out); !done) {
        Fault& found = done.error();
        return fail(
            found.code, found.path.empty() ? found.message : found.path + ": " + found.message);
    }
    return out;
}

tl::unexpected<Error> too_large(const std::string& what) {
    return fail(
        ErrorCode::kTooLarge,
        what + " has more than 1 MiB; put what is large into a file, and read that");
}

}  // namespace

Result<JobSpec> parse_job_spec(std::string_view json) {
    if (json.size() > kSpecBytesMax) {
        return too_large("the job");
    }
    return read_json(json, read_spec);
}

Result<std::vector<JobSpec>> parse_job_batch(std::string_view json, std::size_t jobs_max) {
    auto batch = read_json(json, read_batch, {.jobs = {}, .jobs_max = jobs_max});
    if (!batch) {
        return tl::unexpected(std::move(batch.error()));
    }
    for (std::size_t i = 0; json.size() > kSpecBytesMax && i < batch->jobs.size(); ++i) {
        if (text_bytes_of(batch->jobs[i]) > kSpecBytesMax) {
            return too_large("jobs[" + std::to_string(i) + "]");
        }
    }
    return std::move(batch->jobs);
}

Result<TaskOrder> parse_task_order(std::string_view json) {
    return read_json(json, read_order);
}

}  // namespace reeve::model
