#include "platform/local_time.hpp"

#include <array>
#include <ctime>

namespace reeve::platform {

std::string local_time(Instant at) {
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(at.since_epoch()).count();
    ::tzset();  // localtime_r may go by a TZ from before.
    std::tm parts = {};
    std::array<char, 64> text = {};
    if (::localtime_r(&seconds, &parts) == nullptr) {
        return "";
    }
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %Z", &parts)};
}

}  // namespace reeve::platform
