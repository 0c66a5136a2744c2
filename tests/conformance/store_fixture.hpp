#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ledger/change.hpp"
#include "ledger/reader.hpp"
#include "ledger/store.hpp"

namespace reeve::conformance {

inline constexpr Instant kStart = Instant(std::chrono::microseconds(1'795'532'400'000'000));

/// A directory of its own, removed at the end.
class TempDirectory {
  public:
    TempDirectory();
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;
    TempDirectory(TempDirectory&&) = delete;
    TempDirectory& operator=(TempDirectory&&) = delete;
    ~TempDirectory();

    [[nodiscard]] const std::string& path() const { return path_; }

    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

/// One implementation under test: what is the same of all.
class Subject {
  public:
    virtual ~Subject() = default;
    virtual ledger::Store& store() = 0;
    virtual std::unique_ptr<ledger::Reader> reader() = 0;

    /// Ends the process that had the store, without a goodbye, and starts another one.
    virtual void restart() = 0;
};

using MakeSubject = std::unique_ptr<Subject> (*)();

struct Implementation {
    std::string name;
    MakeSubject make;
};

/// For GoogleTest, which else prints the bytes, padding and addresses included.
// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for this name.
inline void PrintTo(const Implementation& implementation, std::ostream* out) {
    *out << implementation.name;
}

[[nodiscard]] std::vector<Implementation> implementations();

/// Gives changes their revisions, as the ledger does.
class Script {
  public:
    explicit Script(const ledger::StoreHeader& header)
        : epoch_(header.epoch), rev_(header.last_rev.value()) {}

    Script& add(ledger::Body body);

    template <class Record>
    Script& put(Record record) {
        if constexpr (std::is_same_v<Record, model::NodeRecord>) {
            return add(ledger::NodePut{{.after = std::move(record)}});
        } else {
            return add(ledger::Put<Record>{.after = std::move(record)});
        }
    }

    Script& submit(model::JobRecord job, ledger::JobTexts texts = {.name = "train"});
    Script& update(const model::JobRecord& before, const model::JobRecord& after);
    Script& put_element(model::ElementRecord element);

    [[nodiscard]] Result<void> commit(ledger::Store& store);

    [[nodiscard]] std::uint64_t rev() const { return rev_; }

    /// Of the changes to come.
    void set_time(Instant at) { at_ = at; }

  private:
    std::uint64_t epoch_;
    std::uint64_t rev_;
    Instant at_ = kStart;
    std::vector<ledger::Change> changes_;
};

/// Each test runs against a fresh store of each implementation.
class StoreSuite : public testing::TestWithParam<Implementation> {
  protected:
    void SetUp() override {
        subject = GetParam().make();
        header = store().open_epoch().value();
    }

    ledger::Store& store() { return subject->store(); }

    std::unique_ptr<ledger::Reader> reader() { return subject->reader(); }

    /// Ends the process and starts another one.
    void restart() {
        subject->restart();
        header = store().open_epoch().value();
    }

    Script script() { return Script(header); }

    std::unique_ptr<Subject> subject;
    ledger::StoreHeader header;
};

/// A job with one element in `state`.
[[nodiscard]] model::JobRecord job_in(std::uint64_t id, model::ElementState state);

/// Puts in the users 1 alice and 2 bob, the projects 1 vision and 2 speech, and the request 1.
void add_people(Script& script);

[[nodiscard]] std::vector<ledger::Recovered> recovered(ledger::Store& store);

template <class Record>
std::vector<Record> of_kind(const std::vector<ledger::Recovered>& records) {
    std::vector<Record> found;
    for (const ledger::Recovered& record : records) {
        if (const auto* one = std::get_if<Record>(&record)) {
            found.push_back(*one);
        }
    }
    return found;
}

[[nodiscard]] std::vector<std::uint64_t> ids_of(const ledger::JobPage& page);

}  // namespace reeve::conformance
