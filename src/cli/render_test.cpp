#include "cli/render.hpp"

#include <sstream>

#include <gtest/gtest.h>

#include "cli/doctor_checks.hpp"

namespace reeve::cli {
namespace {

Json json_of(std::string_view text) {
    return std::move(parse_json(text).value());
}

Listing some_listing() {
    Listing listing;
    listing.kind = "job";
    listing.columns = {
        plain("ID", "id"),
        Column{
               .title = "STATE",
               .cell = [](const JsonValue& row, const Look&) { return text_at(row, "state"); },
               .tone = [](const JsonValue& row) { return tone_of_state(text_at(row, "state")); },
               .path = "state"},
        wide(plain("NODE NAME", "node")),
        plain("NAME", "name"),
    };
    listing.name = [](const JsonValue& row) { return text_at(row, "id"); };
    listing.nothing = "Nothing.";
    return listing;
}

std::string printed(std::string_view list, const Look& look) {
    std::ostringstream out;
    EXPECT_TRUE(print_list(out, json_of(list), some_listing(), look));
    return out.str();
}

constexpr std::string_view kList =
    R"({"items":[{"id":7,"state":"running","name":"a,\"b"},{"id":1842,"state":"failed","node":"jw2","name":"é\u001b[31m"}],"as_of":{"revision":3}})";

TEST(PrintList, InEveryFormat) {
    EXPECT_EQ(
        printed(kList, {}), "ID    STATE    NAME\n7     running  a,\"b\n1842  failed   é?[31m\n");
    EXPECT_EQ(
        printed(kList, {.format = Format::kWide}),
        "ID    STATE    NODE NAME  NAME\n7     running  -          a,\"b\n1842  failed   jw2       "
        " é?[31m\n");
    EXPECT_EQ(printed(kList, {.format = Format::kName}), "7\n1842\n");
    EXPECT_EQ(
        printed(kList, {.format = Format::kCsv}),
        "id,state,node,name\n7,running,,\"a,\"\"b\"\n1842,failed,jw2,é\x1b[31m\n");
    EXPECT_EQ(
        printed(kList, {.format = Format::kJsonl}),
        "{\"schema\":\"reeve.job/v1\",\"id\":7,\"state\":\"running\",\"name\":\"a,\\\"b\"}\n"
        "{\"schema\":\"reeve.job/"
        "v1\",\"id\":1842,\"state\":\"failed\",\"node\":\"jw2\",\"name\":\"é\\u001B[31m\"}\n");
    EXPECT_EQ(
        to_compact(json_of(printed(kList, {.format = Format::kJson}))),
        to_compact(json_of(kList), "reeve.job-list/v1"));
    EXPECT_EQ(
        printed(R"({"items":[{"id":1,"a":"true"}]})", {.format = Format::kYaml}),
        "schema: \"reeve.job-list/v1\"\nitems:\n  - id: 1\n    a: \"true\"\n");
}

TEST(PrintList, CsvIsTitledAsJsonIs) {
    Listing listing;
    const auto nothing = [](const JsonValue&, const Look&) { return std::string(); };
    listing.columns = {
        plain("FREE", "milli.free"), plain("+-", "deviation"),
        Column{.title = "WHERE, OR WHY NOT", .cell = nothing},
        Column{.title = "UTIL %",            .cell = nothing}
    };
    std::ostringstream out;
    EXPECT_TRUE(print_list(out, json_of(R"({"items":[]})"), listing, {.format = Format::kCsv}));
    EXPECT_EQ(out.str(), "milli_free,deviation,where_or_why_not,util\n");
}

TEST(PrintList, IsForPeopleOnATerminalAlone) {
    EXPECT_EQ(printed(R"({"items":[]})", {}), "ID  STATE  NAME\n");
    EXPECT_EQ(printed(R"({"items":[]})", {.is_terminal = true}), "Nothing.\n");
    const Look look{.is_terminal = true, .has_colour = true, .width = 15};
    const std::string text =
        printed(R"({"items":[{"id":1,"state":"failed","name":"abcdefgh"}]})", look);
    EXPECT_NE(text.find("\x1b[31mfailed\x1b[0m"), std::string::npos);
    EXPECT_NE(text.find("ab…"), std::string::npos);
    EXPECT_EQ(text.find("abcdefgh"), std::string::npos);
}

Listing narrow_listing() {
    const auto first_word = [](const JsonValue& row, const Look&) {
        const std::string text = text_at(row, "model");
        return text.substr(0, text.find(' '));
    };
    Listing listing;
    listing.columns = {
        narrowed(plain("UUID", "uuid"), {.is_prefix = true}),
        narrowed(plain("MODEL", "model"), {.cell = first_word}),
        narrowed(plain("SECOND", "b"), {.leaves = 2}),
        narrowed(plain("FIRST", "a"), {.leaves = 1}),
        plain("WHY", "why"),
    };
    return listing;
}

std::string narrow_table(const Look& look, std::string_view why = "no room") {
    std::ostringstream out;
    EXPECT_TRUE(print_list(
        out,
        json_of(
            R"({"items":[{"uuid":"GPU-00000000-aa11","model":"rtx 5090","a":"A","b":"B","why":")" +
            std::string(why) +
            R"("},{"uuid":"GPU-00000000-ab22","model":"rtx 5090","a":"A","b":"B","why":"c"}]})"),
        narrow_listing(), look));
    return out.str();
}

TEST(PrintList, IsWholeWhereItHasRoom) {
    const std::string whole =
        "UUID               MODEL     SECOND  FIRST  WHY\n"
        "GPU-00000000-aa11  rtx 5090  B       A      no room\n"
        "GPU-00000000-ab22  rtx 5090  B       A      c\n";
    EXPECT_EQ(narrow_table({.width = 20}), whole);
    EXPECT_EQ(narrow_table({.is_terminal = true, .width = 51}), whole);
    EXPECT_EQ(narrow_table({.format = Format::kWide, .is_terminal = true, .width = 20}), whole);
}

TEST(PrintList, ShortensBeforeItLeavesOut) {
    EXPECT_EQ(
        narrow_table({.is_terminal = true, .width = 50}),
        "UUID             MODEL  SECOND  FIRST  WHY\n"
        "GPU-00000000-aa  rtx    B       A      no room\n"
        "GPU-00000000-ab  rtx    B       A      c\n");
    EXPECT_EQ(
        narrow_table({.is_terminal = true, .width = 40}),
        "UUID             MODEL  SECOND  WHY\n"
        "GPU-00000000-aa  rtx    B       no room\n"
        "GPU-00000000-ab  rtx    B       c\n");
}

TEST(PrintList, TheLastColumnGoesOnInTheNextLine) {
    EXPECT_EQ(
        narrow_table(
            {.is_terminal = true, .width = 50},
            "waits for what will never be there at all, unless it comes"),
        "UUID             MODEL  WHY\n"
        "GPU-00000000-aa  rtx    waits for what will never\n"
        "                        be there at all, unless it\n"
        "                        comes\n"
        "GPU-00000000-ab  rtx    c\n");
}

TEST(TableText, ALongWordIsBrokenAndEachLineHasTheColour) {
    const Look look{.is_terminal = true, .has_colour = true, .width = 26};
    EXPECT_EQ(
        table_text(
            {
                {"", painted("aé" + std::string(23, 'b') + " cc", Tone::kBad, look)}
    },
            look),
        "  \x1b[31maé" + std::string(22, 'b') + "\x1b[0m\n  \x1b[31mb cc\x1b[0m\n");
}

TEST(TellingLength, TellsApartWhatDiffers) {
    EXPECT_EQ(telling_length({}), 12U);
    EXPECT_EQ(telling_length({"GPU-00000000-1", "GPU-00000000-1"}), 12U);
    EXPECT_EQ(telling_length({"GPU-00000000-aa", "GPU-1", "GPU-00000000-ab"}), 15U);
}

TEST(Words, ExitStatusesAreTheJobsOwn) {
    struct Case {
        std::string job;
        int status;
        std::string words;
    };

    const std::vector<Case> cases = {
        {R"({"state":"succeeded","end_reason":"exit_code","exit_code":0})",             0,   "exited with 0"         },
        {R"({"state":"failed","end_reason":"exit_code","exit_code":3})",                3,   "exited with 3"         },
        {R"({"state":"failed","end_reason":"signal","signal":9})",                      137, "killed by SIGKILL"     },
        {R"({"state":"failed","end_reason":"signal","message":"its shim was killed"})", 1,
         "how it ended is not known: its shim was killed"                                                            },
        {R"({"state":"failed","end_reason":"oom","signal":9})",                         137,
         "ran out of memory (--mem sets its limit)"                                                                  },
        {R"({"state":"timed_out","end_reason":"time_limit"})",                          1,   "reached its time limit"},
        {R"({"state":"timed_out","end_reason":"time_limit","signal":15})",              143,
         "reached its time limit"                                                                                    },
        {R"({"state":"timed_out","end_reason":"time_limit","exit_code":7})",            1,
         "reached its time limit"                                                                                    },
        {R"({"state":"cancelled","end_reason":"cancelled","signal":9})",                137, "was stopped"           },
        {R"({"state":"cancelled","end_reason":"cancelled"})",                           1,   "was stopped"           },
        {R"({"state":"failed","end_reason":"start_failed","message":"no such file"})",  1,
         "could not be started: no such file"                                                                        },
        {R"({"state":"failed","end_reason":"meteor_strike"})",                          1,   "meteor strike"         },
        {R"({"state":"running"})",                                                      1,   ""                      },
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.job);
        const Json job = json_of(c.job);
        EXPECT_EQ(exit_status_of(job), c.status);
        EXPECT_EQ(end_in_words(job), c.words);
    }
}

TEST(Words, Resources) {
    const auto words = [](const char* text) {
        const Json json = json_of(text);
        return resources_in_words(&json);
    };
    EXPECT_EQ(words("{}"), "no GPU, 1 CPU");
    EXPECT_EQ(
        words(R"({"gpus":2,"gpu_model":"a30","gpu_memory_mib":20480,"cpus":4,"memory_mib":8192})"),
        "2 x a30 (20 GiB or more), 4 CPU, 8 GiB");
    EXPECT_EQ(words(R"({"gpus":0.25})"), "0.25 x GPU, 1 CPU");
    EXPECT_EQ(words(R"({"gpu_memory_mib":10240})"), "10 GiB of one GPU, 1 CPU");
    EXPECT_EQ(resources_in_words(nullptr), "no GPU, 1 CPU");
}

TEST(Words, Times) {
    const Instant now = parse_time("2024-03-01T00:00:10.500000Z").value();
    EXPECT_EQ(now.since_epoch().count(), 1'709'251'210'000'000);
    EXPECT_EQ(relative_time("2024-02-29T23:58:10Z", now), "2m ago");
    EXPECT_EQ(relative_time("2024-03-01T01:00:10Z", now), "in 1h");
    EXPECT_EQ(time_between("2024-02-29T23:00:10.9Z", "", now), "1h");
    EXPECT_EQ(time_between("2024-02-29T23:00:00Z", "2024-02-29T23:00:05Z", now), "5s");
    for (const char* bad :
         {"", "now", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-03-01T00:00:00",
          "2024-03-01 00:00:00Z"}) {
        EXPECT_FALSE(parse_time(bad)) << bad;
    }
}

TEST(Formats, AreNamed) {
    EXPECT_EQ(parse_format("yaml").value(), Format::kYaml);
    EXPECT_EQ(
        parse_format("xml").error().message,
        "'xml' is not a format; -o takes table, wide, json, jsonl, yaml, csv, name or cols=A,B");
    EXPECT_TRUE(parse_format("out.txt").error().message.ends_with(
        "or cols=A,B; a file for the output of a job is --output out.txt"));
}

TEST(Doctor, JudgesCgroups) {
    const std::string v1 = "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n";
    const std::string v2 = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
    EXPECT_EQ(judge_cgroups("0::/\n", v2, true).what, "v2: limits are enforced");
    EXPECT_EQ(judge_cgroups("5:memory:/\n0::/\n", v1 + v2, true).what, "v1: limits are enforced");
    EXPECT_EQ(judge_cgroups("0::/\n", v2, false).health, Health::kWarning);
    EXPECT_EQ(judge_cgroups("", "", true).health, Health::kWarning);
}

TEST(Doctor, AsksTheNodesWhatTheyEnforce) {
    const Json nodes = json_of(R"({"items":[
        {"name":"jw1","enforcement":"cgroup"},{"name":"jw2","enforcement":"none"}]})");
    const auto found = judge_enforcement(nodes, false);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].what, "limits are enforced by cgroup");
    EXPECT_EQ(found[1].health, Health::kWarning);
    EXPECT_NE(found[1].what.find("not enforced on jw2"), std::string::npos) << found[1].what;
    EXPECT_EQ(found[1].fix, "");
    EXPECT_EQ(judge_enforcement(json_of(R"({"items":[{"enforcement":"x"}]})"), true).size(), 1U);
}

TEST(Doctor, JudgesRoomOnDisk) {
    constexpr std::uint64_t kGiB = 1 << 30;
    EXPECT_EQ(judge_disk("/d", 50 * kGiB, 100 * kGiB).health, Health::kGood);
    EXPECT_EQ(judge_disk("/d", 4 * kGiB, 100 * kGiB).health, Health::kWarning);
    EXPECT_EQ(judge_disk("/d", 1 * kGiB, 10 * kGiB).health, Health::kWarning);
    EXPECT_EQ(judge_disk("/d", kGiB / 8, 100 * kGiB).health, Health::kBad);
}

TEST(Doctor, SeesWhatTheServerSeesOfItsGpus) {
    const Json gpus = json_of(R"({"items":[
        {"uuid":"GPU-1","model":"a30","node":"jw1","simulated":true},
        {"uuid":"GPU-2","model":"a30","node":"jw1","simulated":true,"trouble":"fell off the bus"},
        {"uuid":"GPU-3","model":"l4","node":"jw2","trouble":"Xid 79"}]})");
    const auto found = judge_known_gpus(gpus);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].health, Health::kBad);
    EXPECT_EQ(found[0].what, "GPU-2 (a30 on jw1, simulated): fell off the bus");
    EXPECT_EQ(found[0].fix, "reeve gpu sim restore GPU-2");
    EXPECT_EQ(found[1].fix, "sudo nvidia-smi --gpu-reset -i GPU-3");
    EXPECT_EQ(simulated_in_words(gpus), "2 x a30");
    EXPECT_EQ(simulated_in_words(json_of(R"({"items":[]})")), "");
}

TEST(Doctor, LooksAtThePortsOfTheServerThatRuns) {
    const auto is_heard = [](std::uint16_t port) { return port == 18100; };
    const Finding heard = judge_own_port("http://127.0.0.1:18100\n", "API", is_heard);
    EXPECT_EQ(heard.name, "port 18100");
    EXPECT_EQ(heard.health, Health::kGood);
    EXPECT_EQ(heard.what, "the server listens there (API): http://127.0.0.1:18100");
    EXPECT_EQ(judge_own_port("http://[::1]:18101\n", "API", is_heard).health, Health::kBad);
    for (const char* text : {"", "http://host", "http://host:0", "http://host:70000"}) {
        EXPECT_EQ(judge_own_port(text, "API", is_heard).health, Health::kBad) << text;
    }
}

}  // namespace
}  // namespace reeve::cli
