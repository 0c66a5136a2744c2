#pragma once

#include <string>

#include "cli/environment.hpp"

namespace reeve {

/// What `reeve server restore|verify|token` does to the files of a server that does not run.
class DataDirectory final : public cli::ServerFiles {
  public:
    [[nodiscard]] Result<std::string> restore(
        const std::string& data_directory, const std::string& from) override;
    [[nodiscard]] Result<std::string> verify(const std::string& file) override;
    [[nodiscard]] Result<std::string> make_token(
        const std::string& data_directory, const std::string& user) override;
};

}  // namespace reeve
