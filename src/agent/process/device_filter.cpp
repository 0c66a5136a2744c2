#include "agent/process/device_filter.hpp"

#include <cstring>

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/system_error.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::agent::process {
namespace {

bpf_insn instruction(int code, int target, int source, int jump, int value) {
    bpf_insn made = {};
    made.code = static_cast<__u8>(code);
    made.dst_reg = static_cast<__u8>(target & 15);
    made.src_reg = static_cast<__u8>(source & 15);
    made.off = static_cast<__s16>(jump);
    made.imm = value;
    return made;
}

bpf_insn load_word(int target, int offset) {  // target = *(u32*)(context + offset)
    return instruction(BPF_LDX | BPF_MEM | BPF_W, target, BPF_REG_1, offset, 0);
}

bpf_insn jump_if(int comparison, int target, int value, int jump) {
    return instruction(BPF_JMP | comparison | BPF_K, target, 0, jump, value);
}

bpf_insn set(int target, int value) {
    return instruction(BPF_ALU64 | BPF_MOV | BPF_K, target, 0, 0, value);
}

bpf_insn leave() {
    return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/// The context is bpf_cgroup_dev_ctx: access and type, major, minor. The answer is 1: allowed.
std::vector<bpf_insn> program_for(const std::vector<std::int32_t>& allowed_minors) {
    const int allowed = static_cast<int>(allowed_minors.size());
    std::vector<bpf_insn> program = {
        load_word(BPF_REG_2, 0),
        instruction(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xFFFF),
        jump_if(BPF_JNE, BPF_REG_2, BPF_DEVCG_DEV_CHAR, 6 + allowed),
        load_word(BPF_REG_3, 4),
        jump_if(BPF_JNE, BPF_REG_3, kNvidiaMajor, 4 + allowed),
        load_word(BPF_REG_4, 8),
        jump_if(BPF_JGE, BPF_REG_4, kNvidiaControlMinor, 2 + allowed),
    };
    for (int i = 0; i < allowed; ++i) {
        const std::int32_t minor = allowed_minors[static_cast<std::size_t>(i)];
        program.push_back(jump_if(BPF_JEQ, BPF_REG_4, minor, 1 + allowed - i));
    }
    for (const bpf_insn& last : {set(BPF_REG_0, 0), leave(), set(BPF_REG_0, 1), leave()}) {
        program.push_back(last);
    }
    return program;
}

int call_bpf(int command, bpf_attr& attributes) {
    return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

}  // namespace

Result<void> deny_gpus(
    const std::string& group_directory, const std::vector<std::int32_t>& allowed_minors) {
    const std::vector<bpf_insn> program = program_for(allowed_minors);
    bpf_attr load = {};
    load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.insn_cnt = static_cast<__u32>(program.size());
    load.insns = reinterpret_cast<__u64>(program.data());
    load.license = reinterpret_cast<__u64>("Apache-2.0");
    const platform::UniqueFd loaded(call_bpf(BPF_PROG_LOAD, load));
    if (!loaded.is_open()) {
        return platform::fail_errno("cannot load the device filter");
    }
    const platform::UniqueFd group(
        open(group_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!group.is_open()) {
        return platform::fail_errno("cannot open " + group_directory);
    }
    bpf_attr attach = {};
    attach.target_fd = static_cast<__u32>(group.get());
    attach.attach_bpf_fd = static_cast<__u32>(loaded.get());
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = BPF_F_ALLOW_MULTI;
    if (call_bpf(BPF_PROG_ATTACH, attach) != 0) {
        return platform::fail_errno("cannot attach the device filter to " + group_directory);
    }
    return {};
}

}  // namespace reeve::agent::process
