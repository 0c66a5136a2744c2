#pragma once

// For tests of the SQLite store: a file, and what is done to it behind the store's back.
#include <cstdlib>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "platform/files.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store_fixture.hpp"

namespace reeve::conformance {

using store_sqlite::open_sqlite;
using store_sqlite::SqliteStore;

inline constexpr std::size_t kFileBytesMax = std::size_t{256} << 20U;

/// Runs SQL on a file behind the store's back.
inline void tamper(const std::string& path, const std::string& sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle);
    EXPECT_EQ(sqlite3_close(handle), SQLITE_OK);
}

class Sqlite : public testing::Test {
  protected:
    std::string path() { return directory.file("reeve.db"); }

    std::unique_ptr<SqliteStore> open() {
        auto opened = open_sqlite({.path = path()});
        if (!opened) {
            ADD_FAILURE() << opened.error().message << ": " << opened.error().context;
            std::abort();
        }
        return std::move(*opened);
    }

    /// A database with `jobs` queued jobs, closed.
    void make(std::uint64_t jobs) {
        const auto store = open();
        Script changes(store->open_epoch().value());
        add_people(changes);
        for (std::uint64_t id = 1; id <= jobs; ++id) {
            changes.submit(
                job_in(id, model::ElementState::kQueued), {.name = "n", .spec_json = "{}"});
        }
        ASSERT_TRUE(changes.commit(*store));
    }

    /// Opening is refused with this code, and says so; the file stays as it is.
    void expect_refused(ErrorCode code, const std::string& word) {
        const std::string before = platform::read_file(path(), kFileBytesMax).value();
        const auto opened = open_sqlite({.path = path()});
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code, code) << opened.error().context;
        EXPECT_NE(opened.error().message.find(word), std::string::npos) << opened.error().message;
        EXPECT_TRUE(platform::read_file(path(), kFileBytesMax).value() == before);
    }

    TempDirectory directory;
};

}  // namespace reeve::conformance
