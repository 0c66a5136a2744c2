#pragma once

#include <string>

#include "base/result.hpp"

namespace reeve::store_sqlite {

/// A database that is being made beside the name that it is to have. What is not published is
/// removed, with what SQLite keeps beside it.
class PartialFile {
  public:
    /// To be `name` later. What an earlier one left is the owner's to remove or to write over.
    explicit PartialFile(std::string name);

    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;
    PartialFile(PartialFile&&) = delete;
    PartialFile& operator=(PartialFile&&) = delete;
    ~PartialFile();

    [[nodiscard]] const std::string& path() const { return path_; }

    void remove() const;

    /// Gives the file its name, which must be free; durable on return. Errors: as fail_errno().
    [[nodiscard]] Result<void> publish() const;

  private:
    std::string name_;
    std::string path_;
};

}  // namespace reeve::store_sqlite
