#include <string>

#include <gtest/gtest.h>

#include "api/json_text.hpp"
#include "api/routes_world.hpp"

namespace reeve::api {
namespace {

class ItemFieldsTest : public RoutesTest {};

/// The items of a list's answer, as they stand there.
std::string items_of(const std::string& body) {
    const std::size_t from = body.find("\"items\":") + 8;
    return body.substr(from, body.find(",\"as_of\"") - from);
}

TEST_F(ItemFieldsTest, AListMayBeAskedForSomeFieldsAlone) {
    EXPECT_EQ(
        items_of(world.get("/api/v1/jobs?fields=id,name,state", kAda).body),
        R"([{"id":8,"name":"train","state":"queued"},{"id":7,"name":"train","state":"running"}])");
    EXPECT_EQ(
        items_of(world.get("/api/v1/jobs?fields=resources,position,resources", kAda).body),
        R"([{"position":2,"resources":{"gpus":1,"gpu_model":"a30","cpus":1.5,"memory_mib":1024}},)"
        R"({"resources":{"gpus":1,"gpu_model":"a30","cpus":1.5,"memory_mib":1024}}])");
    EXPECT_EQ(
        items_of(world.get("/api/v1/jobs?fields=reason", kAda).body),
        R"([{"reason":"gpu_short"},{}])");
    EXPECT_EQ(
        items_of(world.get("/api/v1/nodes?fields=name,gpus").body),
        R"([{"name":"jw2","gpus":{"total":1,"free":0}}])");
    EXPECT_EQ(items_of(world.get("/api/v1/gpus?fields=uuid").body), R"([{"uuid":"GPU-5"}])");
    world.commands.shown.projects = {{.record = {.name = "vision"}}};
    EXPECT_EQ(items_of(world.get("/api/v1/projects?fields=name").body), R"([{"name":"vision"}])");
}

TEST_F(ItemFieldsTest, AFieldThatAListDoesNotHaveIsAnsweredWithThoseThatItHas) {
    const HttpResponse response = world.get("/api/v1/projects?fields=name,nome");
    EXPECT_EQ(response.status, 400) << response.body;
    EXPECT_TRUE(has(
        response.body,
        R"(fields: there is no field \"nome\"; expects name, parent, share, )"
        R"(fair_used_milli_s, quota, user_quota, guaranteed_gpu_milli, used, several joined by commas)"))
        << response.body;
    for (const char* target :
         {"/api/v1/jobs?fields=", "/api/v1/jobs?fields=id,", "/api/v1/jobs?fields=spec",
          "/api/v1/nodes?fields=uuid", "/api/v1/gpus?fields=id", "/api/v1/quarantine?fields=key",
          "/api/v1/jobs/7?fields=id"}) {
        EXPECT_EQ(world.get(target).status, 400) << target;
    }
}

TEST(JsonText, LeavesOutWhatIsNotWantedOfItems) {
    JsonText json;
    json.begin_object();
    json.key("items");
    json.begin_items(ItemFields({"b", "e"}));
    for (int i = 0; i < 2; ++i) {
        json.begin_object();
        json.field("a", i);
        json.key("b");
        json.begin_array();
        json.begin_object();
        json.field("a", "kept: it is no field of the item itself");
        json.end_object();
        json.end_array();
        json.key("c");
        json.begin_object();
        json.field("b", true);
        json.key("b");
        json.begin_array();
        json.value(0.5);
        json.end_array();
        json.end_object();
        json.key("d");
        json.raw("{}");
        json.field("e", i);
        json.end_object();
    }
    json.end_items();
    json.field("a", 1);
    json.end_object();
    EXPECT_EQ(
        json.take(), R"({"items":[{"b":[{"a":"kept: it is no field of the item itself"}],"e":0},)"
                     R"({"b":[{"a":"kept: it is no field of the item itself"}],"e":1}],"a":1})");
}

}  // namespace
}  // namespace reeve::api
