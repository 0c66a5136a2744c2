// -o cols=A,B of every list.
#include <gtest/gtest.h>

#include "cli/verb_call.hpp"

namespace reeve::cli {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kJobs =
    R"({"items":[{"id":7,"name":"train","user":"ann","project":"vision","state":"running","node":"jw1"}]})";

TEST(Columns, AreThoseThatAreNamedInThatOrder) {
    struct Case {
        const char* columns;
        const char* want;
    };

    for (const Case& one : {
             Case{"cols=NAME,ID",             "NAME   ID\ntrain  7\n"                        },
             Case{"cols=id,project",          "ID  PROJECT\n7   vision\n"                    },
             Case{"cols=Where or why not,id", "WHERE, OR WHY NOT  ID\non jw1             7\n"},
             Case{"cols=where_or_why_not",    "WHERE, OR WHY NOT\non jw1\n"                  },
             Case{"cols=ID,ID",               "ID  ID\n7   7\n"                              },
    }) {
        FakeTransport server;
        server.answer(200, kJobs);
        EXPECT_EQ(call(server, "q", {"-o", one.columns}).out, one.want) << one.columns;
    }
}

TEST(Columns, ThatAreNotThereAreRefusedWithThoseThatAre) {
    FakeTransport server;
    server.answer(200, kJobs);
    const Call made = call(server, "q", {"-o", "cols=ID,GPU"});
    ASSERT_FALSE(made.code);
    EXPECT_EQ(made.code.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(
        made.code.error().message,
        "-o cols=: there is no column 'GPU'; there are: ID, NAME, USER, PROJECT, STATE, POS, TIME, "
        "SUBMITTED, PRIORITY, DONE, ASKS_FOR, NODE, WHERE_OR_WHY_NOT");
    EXPECT_EQ(made.out, "");
}

TEST(Columns, EveryListHasThem) {
    struct Case {
        const char* verb;
        const char* column;
        Words answers;
    };

    const std::string none = R"({"items":[]})";
    for (const Case& one : {
             Case{"nodes",           "cpu_free",   {none}      },
             Case{"gpus",            "held_by",    {none}      },
             Case{"top",             "uuid",       {none, none}},
             Case{"free",            "or_a_share", {none}      },
             Case{"project list",    "share",      {none}      },
             Case{"quarantine list", "task",       {none}      },
    }) {
        for (const bool is_known : {true, false}) {
            FakeTransport server;
            for (const std::string& answer : one.answers) {
                server.answer(200, answer);
            }
            const std::string columns =
                std::string("cols=") + (is_known ? one.column : "no_such_thing");
            EXPECT_EQ(call(server, one.verb, {"-o", columns}).code.has_value(), is_known)
                << one.verb << " " << columns;
        }
    }
}

TEST(Columns, OnATerminalTheyStayWhole) {
    FakeTransport server;
    const std::string name(100, 'x');
    server.answer(200, R"({"items":[{"id":7,"name":")" + name + R"("}]})");
    const Call made = call(server, "q", {"-o", "cols=name,id", "--color", "never"}, Out::kTerminal);
    EXPECT_NE(made.out.find(name + "  7\n"), std::string::npos) << made.out;
}

}  // namespace
}  // namespace reeve::cli
