#pragma once

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu/simulated/simulation.hpp"
#include "platform/files.hpp"

namespace reeve::gpu {

/// A simulated machine's state file in a folder of its own, gone at the end.
class SimulatedMachine {
  public:
    explicit SimulatedMachine(const std::string& preset) {
        char folder[] = "/tmp/reeve-gpu-XXXXXX";
        folder_ = ::mkdtemp(folder) == nullptr ? "" : folder;
        const auto made = simulated::ensure_simulation(path(), preset, "conformance");
        EXPECT_TRUE(made) << made.error().message;
    }

    ~SimulatedMachine() { EXPECT_TRUE(platform::remove_tree(folder_)); }

    SimulatedMachine(const SimulatedMachine&) = delete;
    SimulatedMachine& operator=(const SimulatedMachine&) = delete;
    SimulatedMachine(SimulatedMachine&&) = delete;
    SimulatedMachine& operator=(SimulatedMachine&&) = delete;

    [[nodiscard]] std::string path() const { return folder_ + "/gpus.json"; }

    [[nodiscard]] std::string uuid(std::size_t index) const {
        return simulated::list_gpus(path()).value().at(index).description.uuid;
    }

  private:
    std::string folder_;
};

/// A process that does nothing until it is ended.
class Idler {
  public:
    Idler() : pid_(::fork()) {
        while (pid_ == 0) {
            ::pause();
        }
    }

    ~Idler() { end(); }

    Idler(const Idler&) = delete;
    Idler& operator=(const Idler&) = delete;
    Idler(Idler&&) = delete;
    Idler& operator=(Idler&&) = delete;

    [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

    void end() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(std::exchange(pid_, -1), nullptr, 0);
        }
    }

  private:
    pid_t pid_;
};

}  // namespace reeve::gpu
