// gpu sim: which state file a GPU's name means, where there are several.
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cli/environment.hpp"
#include "platform/files.hpp"

namespace reeve::cli {
namespace {

/// One GPU to a file, called by the file's number: "GPU-12" of sim2.sim.
class FakeSimulation final : public GpuSimulation {
  public:
    std::string said;

    Result<std::vector<SimulatedGpu>> list(const std::string& path) override {
        return std::vector<SimulatedGpu>{gpu_of(path)};
    }

    Result<SimulatedGpu> set_use(
        const std::string& path, std::string_view /*gpu*/, const Use& /*use*/) override {
        return gpu_of(path);
    }

    Result<SimulatedGpu> report_xid(
        const std::string& path, std::string_view gpu, std::int64_t xid) override {
        said = path + " " + std::string(gpu) + " " + std::to_string(xid);
        return gpu_of(path);
    }

    Result<SimulatedGpu> lose(const std::string& path, std::string_view /*gpu*/) override {
        return gpu_of(path);
    }

    Result<SimulatedGpu> restore(const std::string& path, std::string_view /*gpu*/) override {
        return gpu_of(path);
    }

  private:
    static SimulatedGpu gpu_of(const std::string& path) {
        SimulatedGpu gpu;
        gpu.description.uuid = "GPU-1" + path.substr(path.size() - 5, 1);
        gpu.description.model = "NVIDIA A30";
        return gpu;
    }
};

struct Call {
    int code = 0;
    std::string out;
    std::string err;
};

FakeSimulation& simulation() {
    static FakeSimulation fake;
    return fake;
}

Call call(const std::vector<std::string>& words) {
    std::ostringstream out;
    std::ostringstream err;
    CliEnvironment environment{.version = "1.2.3", .out = out, .err = err};
    environment.simulation = &simulation();
    environment.simulation_file = "gpus.sim";
    environment.simulations_file = "simulations";
    const int code = run_cli(words, environment);
    return {code, out.str(), err.str()};
}

TEST(GpuSim, FindsAGpuOnItsNode) {
    std::string folder = testing::TempDir() + "reeve-cli-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const auto on = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"-s", "unix:" + folder + "/reeve.sock", "gpu", "sim"});
        return call(words);
    };
    const auto said = [&](const std::string& gpu) {
        const Call made = on({"xid", gpu, "79"});
        return made.code == 0 ? simulation().said.substr(folder.size()) : made.err;
    };
    const std::string list = folder + "/simulations";
    ASSERT_TRUE(platform::write_file(list, "sim1 sim1.sim\nsim2 sim2.sim\n"));
    for (const char* file : {"/sim1.sim", "/sim2.sim"}) {
        ASSERT_TRUE(platform::write_file(folder + file, ""));
    }
    EXPECT_EQ(on({"list", "-o", "name"}).out, "GPU-11\nGPU-12\n");
    EXPECT_NE(on({"list"}).out.find("sim2"), std::string::npos);
    EXPECT_EQ(said("sim2/0"), "/sim2.sim 0 79");
    EXPECT_EQ(said("GPU-11"), "/sim1.sim GPU-11 79");
    EXPECT_EQ(
        said("12"), "reeve: there are 2 simulated nodes, so an index needs its node: sim1/12\n");
    EXPECT_NE(
        said("GPU-1").find("'GPU-1' begins the UUIDs of 2 GPUs: GPU-11 of sim1, GPU-12 of sim2"),
        std::string::npos);
    EXPECT_NE(said("GPU-9").find("no simulated GPU is 'GPU-9'; write a UUID"), std::string::npos);
    EXPECT_NE(
        said("sim3/0").find("no simulated node is named 'sim3'; there are: sim1, sim2"),
        std::string::npos);
    EXPECT_EQ(on({"xid", "sim1/0", "79", "--state", folder + "/sim1.sim"}).code, 2);

    ASSERT_TRUE(platform::write_file(list, "box gpus.sim\n"));
    EXPECT_EQ(said("0"), "/gpus.sim 0 79") << "of one node the index will do";
    EXPECT_EQ(said("box/0"), "/gpus.sim 0 79");
    ASSERT_TRUE(platform::write_file(list, ""));
    EXPECT_NE(said("0").find("names no simulated node"), std::string::npos);
    EXPECT_TRUE(platform::remove_tree(folder));
}

}  // namespace
}  // namespace reeve::cli
