#include "store/sqlite/partial_file.hpp"

#include <utility>

#include <unistd.h>

#include "platform/files.hpp"
#include "platform/system_error.hpp"
#include "store/sqlite/database_files.hpp"

namespace reeve::store_sqlite {
namespace {

constexpr const char* kPartial = ".partial";

}  // namespace

PartialFile::PartialFile(std::string name) : name_(std::move(name)), path_(name_ + kPartial) {}

PartialFile::~PartialFile() {
    remove();
}

void PartialFile::remove() const {
    for (const std::string& file : files_of(path_)) {
        ::unlink(file.c_str());  // Missing is what it should be.
    }
}

Result<void> PartialFile::publish() const {
    if (::link(path_.c_str(), name_.c_str()) != 0) {
        return platform::fail_errno("write " + name_);
    }
    return platform::sync_directory(directory_of(name_));
}

}  // namespace reeve::store_sqlite
