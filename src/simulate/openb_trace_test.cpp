#include "simulate/openb_trace.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace reeve::simulate {
namespace {

constexpr std::string_view kNodes =
    "sn,cpu_milli,memory_mib,gpu,model\n"
    "a,64000,262144,2,P100\n"
    "b,96000,393216,4,G2\n"
    "c,8000,16384,0,\n";

Cluster cluster() {
    auto nodes = parse_openb_nodes("nodes.csv", kNodes);
    EXPECT_TRUE(nodes);
    return *nodes;
}

TEST(OpenbTrace, ReadsNodes) {
    const Cluster read = cluster();
    ASSERT_EQ(read.nodes.size(), 3U);
    EXPECT_EQ(read.gpus, 6);
    EXPECT_EQ(read.models.size(), 2U);
    const scheduler::NodeView& b = read.nodes[1];
    EXPECT_EQ(b.id, NodeId(2));
    EXPECT_EQ(b.host_total, (model::HostAmount{.cpu_millicores = 96000, .memory_mib = 393216}));
    EXPECT_EQ(b.free.host, b.host_total);
    ASSERT_EQ(b.free.gpus.size(), 4U);
    EXPECT_EQ(b.free.gpus[0].model, read.models.at("G2"));
    EXPECT_EQ(b.free.gpus[0].free.milli, 1000);
    EXPECT_TRUE(read.nodes[2].free.gpus.empty());
}

TEST(OpenbTrace, ReadsTasks) {
    const auto tasks = parse_openb_tasks(
        "pods.csv",
        "name,memory_mib,cpu_milli,num_gpu,gpu_milli,gpu_spec,qos\r\n"
        "p1,2048,1000,0,0,,LS\r\n"
        "\r\n"
        "p2,2048,1000,1,460,,LS\r\n"
        "p3,2048,1000,2,1000,P100|V100|G2,BE\r\n",
        cluster());
    ASSERT_TRUE(tasks) << tasks.error().message;
    const model::HostAmount host{.cpu_millicores = 1000, .memory_mib = 2048};
    ASSERT_EQ(tasks->size(), 3U);
    EXPECT_EQ((*tasks)[0].request, (model::Request{.host = host}));
    EXPECT_EQ((*tasks)[0].gpu_milli, 0);
    EXPECT_EQ(
        (*tasks)[1].request, (model::Request{.host = host, .gpus = model::GpuShare{.milli = 460}}));
    EXPECT_EQ((*tasks)[1].gpu_milli, 460);
    const model::WholeGpus two{
        .count = 2, .models = std::vector{GpuModelId(1), GpuModelId(2)}
    };
    EXPECT_EQ((*tasks)[2].request, (model::Request{.host = host, .gpus = two}));
    EXPECT_EQ((*tasks)[2].gpu_milli, 2000);
}

TEST(OpenbTrace, ReadsTasksWithoutModels) {
    const auto tasks = parse_openb_tasks(
        "pods.csv", "name,cpu_milli,memory_mib,num_gpu,gpu_milli\np1,0,0,4,1000", cluster());
    ASSERT_TRUE(tasks) << tasks.error().message;
    EXPECT_EQ((*tasks)[0].gpu_milli, 4000);
}

struct BadCase {
    const char* name;
    std::string text;
    std::string want;  // The beginning of the message.
};

TEST(OpenbTrace, NamesFileAndLineOfABadNode) {
    const std::string head = "sn,cpu_milli,memory_mib,gpu,model\n";
    const std::vector<BadCase> cases = {
        {"nothing",            "",                                     "n.csv:1: a line with the names"     },
        {"no rows",            head,                                   "n.csv:1: there is no node"          },
        {"a column missing",   "sn,cpu_milli,memory_mib,gpu\na,1,1,1",
         "n.csv:1: column 'model' is missing"                                                               },
        {"a column twice",     "sn,sn\n",                              "n.csv:1: column 'sn' is there twice"},
        {"too few fields",     head + "a,1,1,1\n",                     "n.csv:2: 5 fields were expected"    },
        {"too many fields",    head + "a,1,1,1,P,x\n",                 "n.csv:2: 5 fields were expected"    },
        {"negative",           head + "a,1,1,1,P\nb,-1,1,1,P\n",       "n.csv:3: cpu_milli: a whole number" },
        {"not a number",       head + "a,1,x,1,P\n",                   "n.csv:2: memory_mib: a whole number"},
        {"too many GPUs",      head + "a,1,1,1025,P\n",                "n.csv:2: gpu: a whole number"       },
        {"GPUs of no model",   head + "a,1,1,1,\n",                    "n.csv:2: model: it has GPUs"        },
        {"no name",            head + ",1,1,1,P\n",                    "n.csv:2: it has no name"            },
        {"a name twice",       head + "a,1,1,1,P\n\na,1,1,1,P\n",      "n.csv:4: 'a' is there twice"        },
        {"in quotation marks", head + "\"a\",1,1,1,P\n",               "n.csv:2: fields in quotation marks" },
    };
    for (const BadCase& c : cases) {
        SCOPED_TRACE(c.name);
        const auto read = parse_openb_nodes("n.csv", c.text);
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
        EXPECT_EQ(read.error().message.substr(0, c.want.size()), c.want);
    }
}

TEST(OpenbTrace, ReadsTheMemoryOfGpusWhereItIsSaid) {
    const auto read = parse_openb_nodes(
        "n.csv",
        "sn,cpu_milli,memory_mib,gpu,model,gpu_mem_mib\n"
        "a,1,1,1,A100,81920\nb,1,1,1,A100,\nc,1,1,0,,\n");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->nodes[0].free.gpus[0].total_mib, 81920);
    EXPECT_EQ(read->nodes[0].free.gpus[0].free.memory_mib, 81920);
    EXPECT_EQ(read->nodes[1].free.gpus[0].total_mib, 1000) << "one for each thousandth";
    EXPECT_EQ(read->names, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(parse_openb_nodes("n.csv", "sn,cpu_milli,memory_mib,gpu,model\na,1,1,0,\n")->gpus, 0);
}

TEST(OpenbTrace, ReadsWhenPodsCameAndWent) {
    const auto read = parse_openb_workload(
        "p.csv",
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time,deletion_time,"
        "scheduled_time\n"
        "late,1000,1024,1,460,,90,100,\n"
        "early,1000,1024,2,1000,G2,10,10,11\n"
        "twin,1000,1024,1,460,,90,91,92\n",
        cluster());
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->jobs.size(), 3U);
    EXPECT_EQ(read->jobs[0].name, "early");
    EXPECT_EQ(read->jobs[0].submitted_at, Instant(std::chrono::seconds(10)));
    EXPECT_EQ(read->jobs[0].run_s, 0);
    EXPECT_EQ(read->jobs[1].name, "late") << "of equal ones the first of the file";
    EXPECT_EQ(read->jobs[1].run_s, 10);
    EXPECT_EQ(read->jobs[1].limit_s, 0);
    EXPECT_EQ(read->jobs[2].name, "twin");
    EXPECT_EQ(read->jobs[1].request, read->jobs[2].request) << "equal requests are one";
    EXPECT_EQ(read->requests.size(), 2U);
    EXPECT_EQ(read->users, std::vector<std::string>{""});
    EXPECT_EQ(
        read->notes,
        (std::vector<std::string>{
            "1 job never scheduled where the trace is from: here they run all the same",
            "the rows were not in the order of submission; they are now"}));
}

TEST(OpenbTrace, NamesFileAndLineOfABadTask) {
    const std::string head = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n";
    const std::vector<BadCase> cases = {
        {"no rows",                head,                            "p.csv:1: there is no task"                 },
        {"negative",               head + "p,1,-5,0,0,\n",          "p.csv:2: memory_mib: a whole number"       },
        {"more than a GPU",        head + "p,1,1,1,1001,\n",        "p.csv:2: gpu_milli: a whole number from 0" },
        {"nothing of a GPU",       head + "p,1,1,1,0,\n",           "p.csv:2: gpu_milli: it asks for GPUs"      },
        {"several in part",        head + "p,1,1,2,500,\n",         "p.csv:2: gpu_milli: a task of several GPUs"},
        {"more than any node has", head + "p,1,1,5,1000,\n",
         "p.csv:2: it asks for 5 GPUs; the largest "
         "node that it may use has 4"                                                                           },
        {"more than its model",    head + "p,1,1,3,1000,P100\n",
         "p.csv:2: it asks for 3 GPUs; the largest "
         "node that it may use has 2"                                                                           },
        {"a model that is not",    head + "p,1,1,1,1000,A30\n",     "p.csv:2: no node has a GPU of 'A30'"       },
        {"a name twice",           head + "p,1,1,0,0,\np,1,1,0,0,", "p.csv:3: 'p' is there twice"               },
    };
    for (const BadCase& c : cases) {
        SCOPED_TRACE(c.name);
        const auto read = parse_openb_tasks("p.csv", c.text, cluster());
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
        EXPECT_EQ(read.error().message.substr(0, c.want.size()), c.want);
    }
}

}  // namespace
}  // namespace reeve::simulate
