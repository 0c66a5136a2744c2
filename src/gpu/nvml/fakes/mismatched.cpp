// A library of another version than the kernel module.
#include "gpu/nvml_abi.hpp"

namespace abi = reeve::gpu::abi;

extern "C" {

abi::Return nvmlInit_v2() {
    return abi::Return::kVersionMismatch;
}

const char* nvmlErrorString(abi::Return /*result*/) {
    return "Driver/library version mismatch";
}

abi::Return nvmlDeviceGetCount_v2(unsigned* /*count*/) {
    return abi::Return::kUninitialized;
}

abi::Return nvmlDeviceGetHandleByIndex_v2(unsigned /*index*/, abi::Device* /*device*/) {
    return abi::Return::kUninitialized;
}

abi::Return nvmlDeviceGetUUID(abi::Device /*device*/, char* /*uuid*/, unsigned /*length*/) {
    return abi::Return::kUninitialized;
}
}
