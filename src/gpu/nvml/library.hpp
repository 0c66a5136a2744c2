#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "gpu/nvml/functions.hpp"

namespace reeve::gpu::nvml {

/// A loaded NVML library, unloaded at its end. It is not initialised.
class Library {
  public:
    /// Errors: kUnavailable: there is none (says what to install), it cannot be loaded, or it is no
    /// NVML.
    [[nodiscard]] static Result<Library> load(const std::string& name);

    [[nodiscard]] const Functions& functions() const noexcept { return functions_; }

    /// What the library, or this program where the library does not say, calls `result`.
    [[nodiscard]] std::string text_of(abi::Return result) const;

  private:
    struct Close {
        void operator()(void* handle) const noexcept;
    };

    using Handle = std::unique_ptr<void, Close>;

    explicit Library(Handle handle);

    Handle handle_;
    Functions functions_;
};

}  // namespace reeve::gpu::nvml
