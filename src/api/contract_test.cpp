// Both directions: every route is in api/openapi.yaml (or node.yaml), with the same permission and
// query parameters, and everything in there is a route.
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include "api/api_world.hpp"
#include "api/node_status.hpp"
#include "api/openapi_document.hpp"

namespace reeve::api {
namespace {

struct Operation {
    std::string permission;
    std::set<std::string> query;
    std::set<std::string> item_fields = {};  // What `fields` may name.

    friend bool operator==(const Operation&, const Operation&) = default;

    friend void PrintTo(const Operation& operation, std::ostream* out) {
        *out << operation.permission;
        for (const std::string& name : operation.query) {
            *out << " " << name;
        }
        for (const std::string& name : operation.item_fields) {
            *out << " fields=" << name;
        }
    }
};

using Operations = std::map<std::string, Operation>;  // By "GET /path".

YAML::Node followed(const YAML::Node& document, const YAML::Node& node) {
    if (!node["$ref"]) {
        return node;
    }
    YAML::Node at = YAML::Clone(document);
    std::string path = node["$ref"].as<std::string>().substr(2);
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        at = YAML::Clone(at[path.substr(0, slash)]);
        path = slash == std::string::npos ? "" : path.substr(slash + 1);
    }
    return at;
}

/// What of a query a parameter is, if it is one.
void add_parameter(Operation& operation, const YAML::Node& parameter) {
    if (parameter["in"].as<std::string>() != "query") {
        return;
    }
    operation.query.insert(parameter["name"].as<std::string>());
    const YAML::Node items = parameter["schema"]["items"];
    for (const auto& field : items ? items["enum"] : YAML::Node()) {
        operation.item_fields.insert(field.as<std::string>());
    }
}

Operations operations_in(const std::string& file) {
    const YAML::Node document = YAML::LoadFile(std::string(REEVE_API_DIR) + "/" + file);
    const std::map<std::string, std::string> methods = {
        {"get",    "GET"   },
        {"post",   "POST"  },
        {"put",    "PUT"   },
        {"patch",  "PATCH" },
        {"delete", "DELETE"}
    };
    Operations found;
    for (const auto& path : document["paths"]) {
        for (const auto& item : path.second) {
            const auto method = methods.find(item.first.as<std::string>());
            if (method == methods.end()) {
                continue;
            }
            Operation operation{
                .permission = item.second["x-permission"].as<std::string>(), .query = {}};
            for (const auto& named : item.second["parameters"]) {
                add_parameter(operation, followed(document, named));
            }
            found.emplace(method->second + " " + path.first.as<std::string>(), operation);
        }
    }
    return found;
}

Operations operations_of(const std::vector<Route>& routes) {
    Operations found;
    for (const Route& route : routes) {
        const Operation operation{
            .permission = std::string(word_of(route.permission)),
            .query = {route.query.begin(),       route.query.end()      },
            .item_fields = {route.item_fields.begin(), route.item_fields.end()}
        };
        const bool is_new =
            found.emplace(std::string(word_of(route.method)) + " " + route.pattern, operation)
                .second;
        EXPECT_TRUE(is_new) << route.pattern << " twice";
    }
    return found;
}

void expect_same(const Operations& routes, const Operations& contract) {
    for (const auto& [name, operation] : contract) {
        const auto route = routes.find(name);
        if (route == routes.end()) {
            ADD_FAILURE() << name << " is in the contract, and no route";
        } else {
            EXPECT_EQ(route->second, operation) << name;
        }
    }
    for (const auto& [name, operation] : routes) {
        EXPECT_TRUE(contract.contains(name)) << name << " is a route, and not in the contract";
    }
}

TEST(Contract, RoutesAndOpenapiYamlAreTheSame) {
    World world;
    expect_same(operations_of(routes_of(world.parts)), operations_in("openapi.yaml"));
}

TEST(Contract, EveryFieldOfAnItemCanBeAskedForAlone) {
    const YAML::Node document = YAML::LoadFile(std::string(REEVE_API_DIR) + "/openapi.yaml");
    const YAML::Node components = document["components"];
    for (const std::string item : {"Job", "Node", "Gpu", "Project"}) {
        std::set<std::string> has;
        for (const auto& property : components["schemas"][item + "Fields"]["properties"]) {
            has.insert(property.first.as<std::string>());
        }
        has.erase("spec");  // A job's alone has it.
        std::set<std::string> named;
        for (const auto& field :
             components["parameters"][item + "Fields"]["schema"]["items"]["enum"]) {
            named.insert(field.as<std::string>());
        }
        EXPECT_EQ(named, has) << item;
    }
}

TEST(Contract, TheNodesPortAndNodeYamlAreTheSame) {
    const SampleBoard samples;
    const NodeStatusParts parts{
        .samples = samples, .node = "a", .now = [] { return kWorldNow; }, .gpus = {}};
    expect_same(operations_of(node_status_routes(parts)), operations_in("node.yaml"));
}

TEST(Contract, IsServedAsItIsWritten) {
    World world;
    const HttpResponse yaml = world.get("/api/openapi.yaml", kNobody);
    EXPECT_EQ(yaml.body, std::string(openapi_yaml()));
    EXPECT_TRUE(yaml.body.starts_with("openapi: 3.1.0"));
    const HttpResponse json = world.get("/api/openapi.json", kNobody);
    EXPECT_EQ(json.status, 200) << json.body;
    EXPECT_TRUE(json.body.starts_with(R"({"openapi":"3.1.0","info":{"title":"Reeve")"))
        << json.body.substr(0, 100);
    EXPECT_TRUE(has(json.body, R"("maximum":9007199254740991)"));
    EXPECT_TRUE(has(json.body, R"("additionalProperties":false)"));
}

TEST(Contract, IsAPageThatNeedsNothingFromElsewhere) {
    World world;
    const HttpResponse page = world.get("/api/docs", kNobody);
    EXPECT_EQ(page.status, 200) << page.body;
    EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
    for (const auto& [name, operation] : operations_in("openapi.yaml")) {
        EXPECT_TRUE(has(page.body, ">" + name + "</h3>")) << name;
        for (const std::string& parameter : operation.query) {
            EXPECT_TRUE(has(page.body, "<th>" + parameter + " (query)</th>")) << parameter;
        }
    }
    EXPECT_TRUE(has(page.body, "<h3 id=\"Job\">Job</h3>"));
    EXPECT_TRUE(has(page.body, "<a href=\"#Problem\">Problem</a>"));
    EXPECT_FALSE(has(page.body, "<script"));
    EXPECT_FALSE(has(page.body, "src="));
    EXPECT_FALSE(has(page.body, "href=\"http"));
    EXPECT_LT(page.body.size(), std::size_t{512} << 10U);
}

TEST(YamlToJson, KeepsTextApartFromNumbers) {
    const auto json = yaml_to_json("a: 1\nb: '1'\nc: [true, 'true', 0.5, x]\nd:\ne: \"1.0\"\n");
    ASSERT_TRUE(json.has_value());
    EXPECT_EQ(*json, R"({"a":1,"b":"1","c":[true,"true",0.5,"x"],"d":null,"e":"1.0"})");
    EXPECT_FALSE(yaml_to_json("a: [").has_value());
}

}  // namespace
}  // namespace reeve::api
