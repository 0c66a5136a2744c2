#include "agent/process/launch_plan.hpp"

#include "agent/process/byte_code.hpp"

namespace reeve::agent::process {
namespace {

constexpr std::int64_t kMagic = 0x324E4C50'56454552;  // "REEVPLN2": change it with the format.

void put_numbers(ByteWriter& writer, const std::vector<std::int32_t>& numbers) {
    writer.put(static_cast<std::int64_t>(numbers.size()));
    for (const std::int32_t number : numbers) {
        writer.put(number);
    }
}

std::vector<std::int32_t> take_numbers(ByteReader& reader) {
    std::vector<std::int32_t> numbers;
    for (std::int64_t left = reader.number(); left > 0 && reader.is_good(); --left) {
        numbers.push_back(static_cast<std::int32_t>(reader.number()));
    }
    return numbers;
}

std::string encode(const ShimPlan& plan) {
    ByteWriter writer;
    writer.put(std::string_view(plan.task));
    writer.put(std::string_view(plan.boot_id));
    for (const std::int64_t number :
         {plan.stop_signal, plan.stop_grace_s, plan.time_limit_s, plan.log_bytes_max,
          plan.splits_output, plan.copies_output, plan.file_uid, plan.file_gid,
          static_cast<std::int64_t>(plan.cgroup.kind), plan.limits.cpu_millicores,
          plan.limits.memory_mib, plan.limits.pids_max}) {
        writer.put(number);
    }
    for (const std::string* path :
         {&plan.cgroup.cpu, &plan.cgroup.cpu_account, &plan.cgroup.memory, &plan.cgroup.pids,
          &plan.cgroup.devices, &plan.cgroup.freezer}) {
        writer.put(std::string_view(*path));
    }
    writer.put(plan.limits.gpu_minors ? 1 : 0);
    put_numbers(writer, plan.limits.gpu_minors.value_or(std::vector<std::int32_t>{}));
    return writer.bytes();
}

std::string encode(const ChildPlan& plan) {
    ByteWriter writer;
    writer.put(plan.changes_identity);
    writer.put(plan.uid);
    writer.put(plan.gid);
    put_numbers(writer, plan.groups);
    writer.put(std::string_view(plan.working_dir));
    writer.put(std::string_view(plan.output_file));
    writer.put(std::string_view(plan.error_file));
    writer.put(plan.keeps_files);
    writer.put(std::string_view(plan.script));
    writer.put(plan.argv);
    writer.put(plan.environment);
    return writer.bytes();
}

tl::unexpected<Error> damaged() {
    return fail(ErrorCode::kInternal, "the task's launch plan is damaged");
}

}  // namespace

std::string encode(const LaunchPlan& plan) {
    ByteWriter writer;
    writer.put(kMagic);
    writer.put(std::string_view(encode(plan.shim)));
    writer.put(std::string_view(encode(plan.child)));
    return writer.bytes();
}

Result<ShimPlan> decode_shim_plan(std::string_view bytes) {
    ByteReader outer(bytes);
    if (outer.number() != kMagic) {
        return damaged();
    }
    const std::string part = outer.text();
    ByteReader reader(part);
    ShimPlan plan;
    plan.task = reader.text();
    plan.boot_id = reader.text();
    plan.stop_signal = reader.number();
    plan.stop_grace_s = reader.number();
    plan.time_limit_s = reader.number();
    plan.log_bytes_max = reader.number();
    plan.splits_output = reader.number();
    plan.copies_output = reader.number();
    plan.file_uid = reader.number();
    plan.file_gid = reader.number();
    plan.cgroup.kind = static_cast<CgroupKind>(reader.number());
    plan.limits.cpu_millicores = reader.number();
    plan.limits.memory_mib = reader.number();
    plan.limits.pids_max = reader.number();
    for (std::string* path :
         {&plan.cgroup.cpu, &plan.cgroup.cpu_account, &plan.cgroup.memory, &plan.cgroup.pids,
          &plan.cgroup.devices, &plan.cgroup.freezer}) {
        *path = reader.text();
    }
    const bool has_minors = reader.number() != 0;
    std::vector<std::int32_t> minors = take_numbers(reader);
    if (has_minors) {
        plan.limits.gpu_minors = std::move(minors);
    }
    return reader.is_good() && outer.is_good() ? Result<ShimPlan>(std::move(plan)) : damaged();
}

Result<ChildPlan> decode_child_plan(std::string_view bytes) {
    ByteReader outer(bytes);
    if (outer.number() != kMagic) {
        return damaged();
    }
    [[maybe_unused]] const std::string skipped = outer.text();
    const std::string part = outer.text();
    ByteReader reader(part);
    ChildPlan plan;
    plan.changes_identity = reader.number();
    plan.uid = reader.number();
    plan.gid = reader.number();
    plan.groups = take_numbers(reader);
    plan.working_dir = reader.text();
    plan.output_file = reader.text();
    plan.error_file = reader.text();
    plan.keeps_files = reader.number();
    plan.script = reader.text();
    plan.argv = reader.texts();
    plan.environment = reader.texts();
    return reader.is_good() && outer.is_good() ? Result<ChildPlan>(std::move(plan)) : damaged();
}

}  // namespace reeve::agent::process
