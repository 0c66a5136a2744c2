#include "simulate/trace_format.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "simulate/trace_rows.hpp"
#include "simulate/workload_builder.hpp"

namespace reeve::simulate {
namespace {

constexpr std::string_view kReeveHead = "name,submitted_s,run_s,gpus\n";
constexpr std::string_view kPhillyHead = "timestamp,duration,num_gpus,gpu_time,cluster\n";
constexpr std::string_view kHeliosHead =
    "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,"
    "queue\n";
constexpr std::string_view kAcmeHead =
    "job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,"
    "queue,gpu_time\n";
constexpr std::string_view kOpenbHead =
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,"
    "deletion_time,scheduled_time\n";

/// What a file begins with, and its rows.
std::string operator+(std::string_view head, const std::string& rows) {
    return std::string(head) + rows;
}

Cluster cluster_of(const std::string& spec) {
    auto cluster = parse_cluster_spec(spec);
    EXPECT_TRUE(cluster) << spec;
    return std::move(*cluster);
}

Result<Workload> parse(
    const std::string& format, const std::string& text, const std::string& spec = "4x8xA100/80G") {
    const Cluster cluster = cluster_of(spec);
    const auto found = find_trace_format(format);
    EXPECT_TRUE(found) << format;
    return (*found)->parse("t", text, cluster);
}

const model::WholeGpus& gpus_of(const Workload& workload, std::size_t job) {
    return std::get<model::WholeGpus>(workload.requests[workload.jobs[job].request].gpus);
}

std::int64_t submitted_s(const TraceJob& job) {
    return std::chrono::duration_cast<std::chrono::seconds>(job.submitted_at.since_epoch()).count();
}

/// An SWF row of what matters; the rest is -1.
std::string swf_row(
    const std::string& job,
    const std::string& run,
    const std::string& used,
    const std::string& asked = "-1 -1") {
    return job + " -1 " + run + " " + used + " -1 -1 " + asked + " -1 1 7 -1 -1 -1 -1 -1 -1\n";
}

TEST(TraceFormat, IsFoundByName) {
    for (const TraceFormat& format : trace_formats()) {
        EXPECT_EQ(find_trace_format(format.name).value()->name, format.name);
    }
    const auto none = find_trace_format("xml");
    ASSERT_FALSE(none);
    EXPECT_EQ(
        none.error().message,
        "there is no trace format 'xml'; there are reeve, openb, philly, helios, acme, swf");
}

TEST(TraceFormat, IsDetectedFromTheFirstLine) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"reeve",  std::string(kReeveHead)                                },
        {"openb",  std::string(kOpenbHead)                                },
        {"philly", std::string(kPhillyHead)                               },
        {"helios", std::string(kHeliosHead)                               },
        {"acme",   std::string(kAcmeHead)                                 },
        {"swf",    "\n; Version: 2\n"                                     },
        {"swf",    "  1 0 -1 1 1 -1 -1 -1 -1 -1 1 -1 -1 -1 0 -1 -1 -1\r\n"},
    };
    for (const auto& [name, text] : cases) {
        const auto found = detect_trace_format("t", text);
        ASSERT_TRUE(found) << name;
        EXPECT_EQ((*found)->name, name);
    }
    for (const std::string text : {"", "a,b\n", "1 2 3\n", "{}\n", "\0\0\x01"}) {
        const auto found = detect_trace_format("t", text);
        ASSERT_FALSE(found) << text;
        EXPECT_EQ(found.error().message.substr(0, 40), "t:1: its first line is that of no known ");
    }
    EXPECT_TRUE(is_openb_without_times("name,cpu_milli,memory_mib,num_gpu,gpu_milli\n"));
    EXPECT_FALSE(is_openb_without_times(kOpenbHead));
    EXPECT_FALSE(is_openb_without_times(kPhillyHead));
}

TEST(ReeveTrace, ReadsAllItsColumns) {
    const auto read = parse(
        "reeve",
        "name,submitted_s,run_s,limit_s,gpus,gpu_milli,gpu_mem_mib,gpu_model,cpu_millicores,"
        "memory_mib,nodes,priority,user,project\n"
        "gang,5,60,120,4,,40000,A100,8000,4096,2,-7,ann,nlp\n"
        "part,6,0,,,250,,,,,,,bob,\n"
        "memory,6,1,,0,,1024,H100|A100,,,,3,ann,nlp\n"
        "cpu,7,1,,,,,,500,,,,,\n");
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->jobs.size(), 4U);
    const TraceJob& gang = read->jobs[0];
    EXPECT_EQ(submitted_s(gang), 5);
    EXPECT_EQ(gang.run_s, 60);
    EXPECT_EQ(gang.limit_s, 120);
    EXPECT_EQ(gang.nodes, 2);
    EXPECT_EQ(gang.priority, -7);
    EXPECT_EQ(read->users[gang.user], "ann");
    EXPECT_EQ(read->projects[gang.project], "nlp");
    EXPECT_EQ(gpus_of(*read, 0).count, 4);
    EXPECT_EQ(gpus_of(*read, 0).total_mib_min, 40000);
    EXPECT_EQ(read->requests[0].host.cpu_millicores, 8000);
    EXPECT_EQ(read->requests[0].host.memory_mib, 4096);
    EXPECT_EQ(read->jobs[1].nodes, 1);
    EXPECT_EQ(
        std::get<model::GpuShare>(read->requests[read->jobs[1].request].gpus),
        model::GpuShare{.milli = 250});
    EXPECT_EQ(
        std::get<model::GpuShare>(read->requests[read->jobs[2].request].gpus),
        (model::GpuShare{.memory_mib = 1024, .models = std::vector{GpuModelId(1)}}));
    EXPECT_EQ(read->jobs[0].user, read->jobs[2].user);
    EXPECT_EQ(gpus_of(*read, 3).count, 0);
    EXPECT_TRUE(read->notes.empty());
}

TEST(ReeveTrace, NeedsTwoColumnsAndNamesJobsByTheirRow) {
    const auto read = parse("reeve", "run_s,submitted_s,gpus\n9,8,1\n\n3,2,2\n");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->jobs[0].name, "2");
    EXPECT_EQ(read->jobs[1].name, "1");
    EXPECT_EQ(
        read->notes,
        std::vector<std::string>{"the rows were not in the order of submission; they are now"});
}

TEST(PhillyTrace, SpreadsLargeJobsOverNodes) {
    const auto read = parse(
        "philly", kPhillyHead +
                      "2017-10-09 07:01:55,66.0,1,66.0,vc1\n"
                      "2017-10-09 06:13:03,2951.5,12,2951.0,vc2\n"
                      "2017-10-09 07:01:55,0.4,9,0,vc1\n"
                      "2017-12-31 23:59:59,1,64,0,vc1\n");
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->jobs.size(), 4U);
    EXPECT_EQ(read->jobs[0].name, "2") << "sorted, and named by its row";
    EXPECT_EQ(submitted_s(read->jobs[0]), 1507529583);
    EXPECT_EQ(read->jobs[0].run_s, 2952);
    EXPECT_EQ(read->jobs[0].nodes, 2);
    EXPECT_EQ(gpus_of(*read, 0).count, 6);
    EXPECT_EQ(read->projects[read->jobs[0].project], "vc2");
    EXPECT_EQ(read->jobs[1].run_s, 66);
    EXPECT_EQ(read->jobs[1].nodes, 1);
    EXPECT_EQ(read->jobs[2].run_s, 0);
    EXPECT_EQ(read->jobs[2].nodes, 2) << "9 GPUs";
    EXPECT_EQ(gpus_of(*read, 2).count, 5);
    EXPECT_EQ(read->jobs[3].nodes, 8);
    EXPECT_EQ(
        read->notes, (std::vector<std::string>{
                         "1 job larger than the cluster: refused when they come",
                         "1 job rounded up to equal parts on their nodes: 1 GPU more in all",
                         "the rows were not in the order of submission; they are now"}));
}

TEST(JobLogTrace, ReadsHelios) {
    const auto read = parse(
        "helios", kHeliosHead +
                      "7,u1,vc1,16,32,2,FAILED,2020-06-09 18:41:01,x,y,36848,0\n"
                      "8,u2,vc1,0,256,1,COMPLETED,2020-06-09 18:41:02,x,y,10,0\n"
                      "9,u2,vc1,1,1,1,CANCELLED,2020-06-09 18:41:03,x,y,,0\n"
                      "10,u2,vc2,1,600,0,CANCELLED,2020-06-09 18:41:03,x,y,5,0\n");
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->jobs.size(), 3U);
    EXPECT_EQ(read->jobs[0].nodes, 2);
    EXPECT_EQ(gpus_of(*read, 0).count, 8);
    EXPECT_EQ(read->requests[0].host.cpu_millicores, 16'000);
    EXPECT_EQ(read->jobs[0].run_s, 36848);
    EXPECT_EQ(read->jobs[1].nodes, 2) << "nodes here have 128 CPUs";
    EXPECT_EQ(read->requests[1].host.cpu_millicores, 128'000);
    EXPECT_EQ(read->projects[read->jobs[2].project], "vc2");
    EXPECT_EQ(
        read->notes, (std::vector<std::string>{
                         "1 job larger than the cluster: refused when they come",
                         "1 job without a duration: left out"}));
}

TEST(JobLogTrace, ReadsAcmeWithItsTimeZones) {
    const auto read = parse(
        "acme",
        kAcmeHead + "dlc1,u1,1,64,960,Other,FAILED,2023-05-17 11:00:58+08:00,x,y,18.0,10.0,1152\n",
        "8x8xA100");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(submitted_s(read->jobs[0]), 1684292458);
    EXPECT_EQ(read->jobs[0].nodes, 8) << "64 GPUs on one node of 8: spread";
    EXPECT_EQ(read->requests[0].host.cpu_millicores, 120'000);
    EXPECT_EQ(read->projects[0], "Other");
}

TEST(SwfTrace, ReadsProcessorsAndLimits) {
    const auto read = parse(
        "swf",
        "; MaxNodes: 9\n;MaxProcs: 256\n; no key\n" + swf_row("1    5094", "12072", "16") +
            swf_row("2 5094", "2", "16", "32 600") + swf_row("3 5095", "-1", "4") +
            swf_row("4 5095", "0", "-1", "0 -1") +
            "\t5 5095 -1 7 70 -1 -1 -1 -1 -1 1 -1 9 -1 -1 -1 -1 -1\r\n",
        "4x64cpu");
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->jobs.size(), 3U);
    EXPECT_EQ(read->jobs[0].name, "1");
    EXPECT_EQ(submitted_s(read->jobs[0]), 5094);
    EXPECT_EQ(read->jobs[0].limit_s, 0);
    EXPECT_EQ(read->requests[read->jobs[0].request].host.cpu_millicores, 16'000);
    EXPECT_EQ(read->users[read->jobs[0].user], "7");
    EXPECT_EQ(read->requests[read->jobs[1].request].host.cpu_millicores, 32'000)
        << "asked, not used";
    EXPECT_EQ(read->jobs[1].limit_s, 600);
    EXPECT_EQ(read->jobs[2].nodes, 2);
    EXPECT_EQ(read->requests[read->jobs[2].request].host.cpu_millicores, 35'000);
    EXPECT_EQ(read->users[read->jobs[2].user], "");
    EXPECT_EQ(read->projects[read->jobs[2].project], "9");
    EXPECT_EQ(
        read->notes,
        (std::vector<std::string>{
            "1 job without a run time: left out", "1 job without processors: left out"}));
    const auto small = parse("swf", "; MaxProcs: 256\n" + swf_row("1 0", "1", "65"), "4x32cpu");
    ASSERT_TRUE(small);
    EXPECT_EQ(
        small->notes, (std::vector<std::string>{
                          "the trace is of a machine with 256 processors, the cluster has 128",
                          "1 job given some processors more, to be equal parts on their nodes"}));
}

struct BadCase {
    std::string format;
    std::string text;
    std::string want;
    std::string cluster = "4x8xA100/80G";
};

TEST(TraceFormat, NamesFileAndLineOfWhatIsWrong) {
    const std::string ok = "a,1,1,1\n";
    const std::string time = "2020-06-09 18:41:01";
    const std::vector<BadCase> cases = {
        {"reeve", "name,run_s\na,1\n", "t:1: column 'submitted_s' is missing"},
        {"reeve", "submitted_s,run_s,gpu\n1,1,1\n",
         "t:1: there is no column 'gpu'; there are submitted_s, run_s, name"},
        {"reeve", std::string(kReeveHead), "t:1: there is no job in it"},
        {"reeve", kReeveHead + ok + "b,-1,1,1\n",
         "t:3: submitted_s: a whole number from 0 to 100000000000 was"},
        {"reeve", kReeveHead + ok + "b,1,-1,1\n", "t:3: run_s: a whole number"},
        {"reeve", kReeveHead + ok + "b,1,1.5,1\n", "t:3: run_s: a whole number"},
        {"reeve", kReeveHead + ok + "b,99999999999999999999,1,1\n",
         "t:3: submitted_s: a whole number"},
        {"reeve", kReeveHead + ok + ok, "t:3: 'a' is there twice"},
        {"reeve", kReeveHead + ",1,1,1\n", "t:2: it has no name"},
        {"reeve", kReeveHead + ok + "b,1,1\n", "t:3: 4 fields were expected, there are 3"},
        {"reeve", kReeveHead + "a,1,1,0\n", "t:2: it asks for nothing; gpus, gpu_milli"},
        {"reeve", kReeveHead + "a,1,1,9\n",
         "t:2: it asks for 9 GPUs; the largest node that it may use has 8"},
        {"reeve", "submitted_s,run_s,gpu_mem_mib\n1,1,81921\n",
         "t:2: it asks for more than any node has"},
        {"reeve", "submitted_s,run_s,cpu_millicores\n1,1,128001\n",
         "t:2: it asks for more than any node has"},
        {"reeve", "submitted_s,run_s,gpus,nodes\n1,1,8,5\n",
         "t:2: it asks for 5 nodes; there are 4 that could hold a part of it"},
        {"reeve", "submitted_s,run_s,gpus,gpu_model\n1,1,1,H100\n",
         "t:2: no node has a GPU of 'H100'"},
        {"reeve", "submitted_s,run_s,gpu_model\n1,1,A100\n",
         "t:2: gpu_model: it names a GPU and asks for none"},
        {"reeve", "submitted_s,run_s,gpus,gpu_milli\n1,1,2,500\n",
         "t:2: gpu_milli: a task of several GPUs takes them whole"},
        {"reeve", "submitted_s,run_s,gpus,priority\n1,1,1,x\n",
         "t:2: priority: a whole number from -1000000 to 1000000 was expected, not 'x'"},
        {"openb", "name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1,1,0,0\n",
         "t:1: column 'creation_time' is missing"},
        {"openb", kOpenbHead + "a,1,1,0,0,,LS,Failed,-1,2,1\n",
         "t:2: creation_time: a whole number"},
        {"openb", kOpenbHead + "a,1,1,0,0,,LS,Failed,1,,1\n", "t:2: deletion_time: a whole number"},
        {"openb", kOpenbHead + "a,1,1,0,0,,LS,Failed,2,1,1\n",
         "t:2: deletion_time: it is before creation_time"},
        {"openb", kOpenbHead + "a,1,1,0,0,,LS,Failed,2,9000000000,1\n",
         "t:2: deletion_time: it is more than 31 years after"},
        {"openb", kOpenbHead + "a,128001,1,0,0,,LS,Failed,1,2,1\n",
         "t:2: it asks for more than any node has"},
        {"openb", kOpenbHead + "a,1,1,9,1000,,LS,Failed,1,2,1\n",
         "t:2: it asks for 9 GPUs; the largest node"},
        {"openb", kOpenbHead + "a,1,1,0,0,,,,1,2,\na,1,1,0,0,,,,1,2,\n", "t:3: 'a' is there twice"},
        {"philly", "timestamp,duration\n", "t:1: column 'num_gpus' is missing"},
        {"philly", kPhillyHead + "yesterday,1,1,1,v\n",
         "t:2: timestamp: a time like 2017-10-09 07:01:55 was expected, not 'yesterday'"},
        {"philly", kPhillyHead + "2017-02-29 07:01:55,1,1,1,v\n", "t:2: timestamp: a time like"},
        {"philly", kPhillyHead + time + ",-66.0,1,1,v\n",
         "t:2: duration: a number of seconds from 0 to 1000000000 was"},
        {"philly", kPhillyHead + time + ",1,0,1,v\n",
         "t:2: num_gpus: a job of this trace asks for a GPU at least"},
        {"philly", kPhillyHead + time + ",1,1,1,v\n",
         "t:2: num_gpus: it asks for GPUs, and the cluster has none", "9x9cpu"},
        {"helios", "job_id,user,gpu_num\n", "t:1: column 'cpu_num' is missing"},
        {"helios", kHeliosHead + "1,u,v,1,1,1,s," + time + ",x,y,-5,0\n",
         "t:2: duration: a number of seconds"},
        {"helios",
         kHeliosHead + "1,u,v,1,1,1,s," + time + ",,,5,0\n1,u,v,1,1,1,s," + time + ",,,5,0\n",
         "t:3: '1' is there twice"},
        {"helios", kHeliosHead + "1,u,v,1,1,1,s," + time + ",x,y,5,0\n",
         "t:2: gpu_num: it asks for GPUs, and the cluster has none", "9x9cpu"},
        {"acme", kAcmeHead + "1,u,1,x,1,t,s," + time + ",x,y,5,0,0\n",
         "t:2: gpu_num: a whole number"},
        {"acme", kAcmeHead + "1,u,1,1,1,t,s," + time + "+8,x,y,5,0,0\n",
         "t:2: submit_time: a time like"},
        {"swf", "; nothing\n", "t:1: there is no job in it"},
        {"swf", swf_row("1 0", "-1", "1"),
         "t:1: there is no job in it; 1 job without a run time: left out"},
        {"swf", "1 2 3\n", "t:1: 18 fields were expected, there are 3"},
        {"swf", ";\n" + swf_row("1 0", "1", "1 9"), "t:2: 18 fields were expected, there are 19"},
        {"swf", swf_row("1 0", "-2", "1"),
         "t:1: field 4: a whole number from -1 to 1000000000 was expected, not '-2'"},
        {"swf", swf_row("1 x", "1", "1"), "t:1: field 2: a whole number"},
        {"swf", swf_row("-1 1", "1", "1"), "t:1: field 1: a job has a number"},
        {"swf", swf_row("1 -1", "1", "1"), "t:1: field 2: a job has a time of submission"},
        {"swf", swf_row("1 5", "1", "1") + swf_row("1 5", "1", "1"), "t:2: job 1 is there twice"},
        {"swf", swf_row("1 5", "1", "1") + swf_row("2 4", "1", "1"),
         "t:2: field 2: it was submitted before the job above it"},
    };
    for (const BadCase& c : cases) {
        SCOPED_TRACE(c.format + ": " + c.text);
        const auto read = parse(c.format, c.text, c.cluster);
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
        EXPECT_EQ(read.error().message.substr(0, c.want.size()), c.want);
    }
}

TEST(TraceFormat, FindsTheOneBadRowOfAMillion) {
    constexpr int kRows = 1'000'000;
    std::string text(kReeveHead);
    for (int i = 0; i < kRows; ++i) {
        text += "job-" + std::to_string(i) + "," + std::to_string(i) + "," +
                (i == kRows - 2 ? "-5" : "60") + ",1\n";
    }
    const auto read = parse("reeve", text);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message.substr(0, 18), "t:1000000: run_s: ");
}

TEST(TraceFormat, RefusesATraceThatWouldNeverEnd) {
    std::string text = "submitted_s,run_s,gpus\n";
    for (int i = 0; i < 4001; ++i) {
        text += "0,1000000000,1\n";
    }
    const auto read = parse("reeve", text);
    ASSERT_FALSE(read);
    EXPECT_EQ(
        read.error().message, "t:1: its jobs run for more than 4000000000000 seconds together");
}

TEST(SplitGang, TakesAsFewNodesAsItCan) {
    struct Case {
        std::int64_t amount;
        std::int64_t nodes_min;
        Gang want;
    };

    for (const Case& c : std::vector<Case>{
             {0,  1, {.nodes = 1, .each = 0, .added = 0}},
             {0,  0, {.nodes = 1, .each = 0, .added = 0}},
             {8,  1, {.nodes = 1, .each = 8, .added = 0}},
             {9,  1, {.nodes = 2, .each = 5, .added = 1}},
             {12, 1, {.nodes = 2, .each = 6, .added = 0}},
             {8,  4, {.nodes = 4, .each = 2, .added = 0}},
             {2,  4, {.nodes = 4, .each = 1, .added = 2}},
             {17, 1, {.nodes = 3, .each = 6, .added = 1}},
    }) {
        const Gang gang = split_gang(c.amount, 8, c.nodes_min);
        EXPECT_EQ(gang.nodes, c.want.nodes) << c.amount;
        EXPECT_EQ(gang.each, c.want.each) << c.amount;
        EXPECT_EQ(gang.added, c.want.added) << c.amount;
    }
}

TEST(TraceRows, ReadsTimes) {
    EXPECT_EQ(parse_date_time("1970-01-01 00:00:00"), 0);
    EXPECT_EQ(parse_date_time("2020-02-29T23:59:60Z"), 1583020800) << "a leap second";
    EXPECT_EQ(parse_date_time("1970-01-01 08:30:00+08:30"), 0);
    EXPECT_EQ(parse_date_time("1969-12-31 20:00:00-04:00"), 0);
    for (const std::string_view wrong :
         {"", "1970-01-01", "1970-01-01 00:00", "1970-13-01 00:00:00", "1970-01-01 24:00:00",
          "1970-01-01 00:60:00", "1970-01-01 00:00:61", "1970-01-01_00:00:00",
          "1970-01-01 00:00:00+8", "1970-01-01 00:00:00+24:00", "1970-01-01 00:00:00+00:60",
          "197o-01-01 00:00:00"}) {
        EXPECT_EQ(parse_date_time(wrong), std::nullopt) << wrong;
    }
    EXPECT_EQ(parse_decimal_seconds("66"), 66);
    EXPECT_EQ(parse_decimal_seconds("66.4999"), 66);
    EXPECT_EQ(parse_decimal_seconds("66.5"), 67);
    for (const std::string_view wrong : {"", ".", "1.", ".5", "-0.5", "-1", "1e3", "1.x", "nan"}) {
        EXPECT_EQ(parse_decimal_seconds(wrong), std::nullopt) << wrong;
    }
}

}  // namespace
}  // namespace reeve::simulate
