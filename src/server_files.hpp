#pragma once

#include <string>

#include "base/result.hpp"
#include "cli/environment.hpp"

namespace reeve {

/// Makes the folder of a server's state if it is missing. A server of root serves all users, who
/// have to reach its socket: others may pass through, and not list it, and of one that is there
/// that much is opened. Of any other user it is closed. Errors: as fail_errno().
[[nodiscard]] Result<void> make_data_directory(const std::string& path);

/// `error` with the file that it is about, and why that cannot be read, if it cannot.
[[nodiscard]] Error about(const std::string& file, Error error);

/// What `reeve server restore|verify|token` does to the files of a server that does not run.
class DataDirectory final : public cli::ServerFiles {
  public:
    [[nodiscard]] Result<std::string> restore(
        const std::string& data_directory, const std::string& from) override;
    [[nodiscard]] Result<cli::DatabaseCheck> verify(const std::string& file) override;
    [[nodiscard]] Result<std::string> make_token(
        const std::string& data_directory, const std::string& user) override;
};

}  // namespace reeve
