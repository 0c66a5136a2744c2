#pragma once

#include <cstdint>
#include <string_view>

namespace reeve::model {

/// What an XID says, in words, of those that matter most; "" of others. Numbers are NVIDIA's
/// ("XID errors" in its documentation).
[[nodiscard]] constexpr std::string_view meaning_of_xid(std::int64_t xid) noexcept {
    switch (xid) {
        case 13:  return "a program's error on the graphics engine";
        case 31:  return "a program's access to memory that is not there";
        case 43:  return "a program's error stopped its channel";
        case 45:  return "a program's work was cleaned up before it was done";
        case 48:  return "a memory error that cannot be corrected";
        case 61:  return "the GPU's microcontroller stopped";
        case 62:  return "the GPU's microcontroller halted";
        case 63:  return "a part of the memory is being replaced";
        case 64:  return "a part of the memory could not be replaced";
        case 68:  return "an error of the video processor";
        case 69:  return "an error of the graphics engine's class";
        case 74:  return "an error of NVLink";
        case 79:  return "the GPU has fallen off the bus";
        case 92:  return "many memory errors that were corrected";
        case 94:  return "a memory error that stayed within one program";
        case 95:  return "a memory error that may have reached other programs";
        case 109: return "a program's switch of context took too long";
        case 119: return "the GPU's system processor does not answer";
        case 120: return "an error of the GPU's system processor";
        default:  return "";
    }
}

}  // namespace reeve::model
