// Reservations: read from the newest view, made and removed by commands.
#include <algorithm>
#include <tuple>
#include <utility>

#include "api/cluster_json.hpp"
#include "api/job_json.hpp"
#include "api/json_body.hpp"
#include "api/request_fields.hpp"
#include "api/routes.hpp"
#include "base/utc.hpp"
#include "ledger/booking_rules.hpp"
#include "model/spec_rules.hpp"

namespace reeve::api {
namespace {

using controller::BookingStatus;
using controller::Holding;
using controller::NodeStatus;
using controller::View;

constexpr std::size_t kNameCharacters = 64;
constexpr std::size_t kNodeCharacters = 255;
constexpr std::size_t kTimeCharacters = 40;
constexpr std::size_t kNodesMax = 10'000;
constexpr std::int64_t kReleaseAfterDefaultS = 900;

const BookingStatus* find_booking(const View& view, const std::string& name) {
    const auto found = std::ranges::find_if(
        *view.bookings, [&](const auto& any) { return any.record.name == name; });
    return found == view.bookings->end() ? nullptr : &*found;
}

const NodeStatus* find_node(const View& view, NodeId id) {
    const auto found =
        std::ranges::find_if(view.nodes, [id](const auto& any) { return any->record.id == id; });
    return found == view.nodes.end() ? nullptr : found->get();
}

/// What still runs on it when it begins, or now that it has begun, and is not of its project.
struct Obstacle {
    const NodeStatus* node = nullptr;
    const Holding* holding = nullptr;
    Instant until = model::kNever;
};

std::vector<Obstacle> obstacles_of(const BookingStatus& status, const View& view) {
    const scheduler::Timeline clock(scheduler::NodeView{}, view.scheduling.assumed_run);
    std::vector<Obstacle> obstacles;
    for (const model::BookedPart& part : status.record.parts) {
        const NodeStatus* node = find_node(view, part.node);
        if (node == nullptr) {
            continue;
        }
        for (const Holding& holding : node->holdings) {
            const model::AllocationRecord& held = holding.allocation;
            const bool is_its_own = held.owner == model::AllocationOwner::kTask &&
                                    status.booking->lets_in(held.project);
            const Instant until = clock.end_of(hold_of(holding), view.at);
            if (!is_its_own && scheduler::touches(held.grant, part) && until > status.record.from) {
                obstacles.push_back({.node = node, .holding = &holding, .until = until});
            }
        }
    }
    std::ranges::sort(obstacles, [](const Obstacle& left, const Obstacle& right) {
        return std::tuple(right.until, left.holding->allocation.id) <
               std::tuple(left.until, right.holding->allocation.id);
    });
    return obstacles;
}

void write_obstacle(JsonText& json, const Obstacle& obstacle, const Caller& caller) {
    const Holding& holding = *obstacle.holding;
    json.begin_object();
    if (holding.allocation.owner == model::AllocationOwner::kTask &&
        may_see(caller, holding.user)) {
        json.field("job", model::to_string(holding.allocation.task.element, holding.is_array));
        json.field("user", holding.user);
        json.field("project", holding.project);
    }
    json.field("node", obstacle.node->record.name);
    json.field("until", obstacle.until);
    json.field("has_time_limit", holding.limit.count() > 0);
    json.end_object();
}

void write_part(JsonText& json, const model::BookedPart& part, const View& view) {
    const NodeStatus* node = find_node(view, part.node);
    json.begin_object();
    json.field("name", node == nullptr ? std::string("unknown") : node->record.name);
    json.field(
        "state",
        word_of(node == nullptr ? scheduler::Availability::kUnreachable : node->view.availability));
    if (!part.is_whole) {
        json.key("gpus");
        json.begin_array();
        for (const GpuId id : part.gpus) {
            if (node == nullptr) {
                continue;
            }
            const auto gpu = std::ranges::find(node->record.gpus, id, &model::NodeGpu::id);
            json.value(gpu == node->record.gpus.end() ? std::string("unknown") : gpu->uuid);
        }
        json.end_array();
    }
    json.end_object();
}

void write_reservation(
    JsonText& json, const BookingStatus& status, const View& view, const Caller& caller) {
    const model::BookingRecord& record = status.record;
    json.begin_object();
    json.field("name", record.name);
    json.field("state", record.from > view.at ? "upcoming" : "open");
    json.field("start", record.from);
    json.field("end", record.until);
    if (record.project) {
        json.field("project", status.project);
        json.field("used", record.is_used);
    }
    json.field("maintenance", !record.project.has_value());
    if (status.release_at && *status.release_at < record.until) {
        json.field("release_at", *status.release_at);
    }
    json.field("made_by", record.made_by);
    json.key("nodes");
    json.begin_array();
    for (const model::BookedPart& part : record.parts) {
        write_part(json, part, view);
    }
    json.end_array();
    json.key("in_the_way");
    json.begin_array();
    for (const Obstacle& obstacle : obstacles_of(status, view)) {
        write_obstacle(json, obstacle, caller);
    }
    json.end_array();
    json.end_object();
}

HttpResponse show_reservation(
    const ApiParts& parts, const std::string& name, const Caller& caller) {
    const auto view = parts.commands.view();
    const BookingStatus* booking = find_booking(*view, name);
    if (booking == nullptr) {
        return refuse({ErrorCode::kNotFound, "there is no reservation '" + name + "'", {}});
    }
    JsonText json;
    write_reservation(json, *booking, *view, caller);
    return {.body = json.take()};
}

HttpResponse list_reservations(const ApiParts& parts, const HttpRequest& request) {
    const auto view = parts.commands.view();
    std::vector<const BookingStatus*> bookings;
    for (const BookingStatus& booking : *view->bookings) {
        bookings.push_back(&booking);
    }
    std::ranges::sort(bookings, [](const auto* left, const auto* right) {
        return std::tie(left->record.from, left->record.name) <
               std::tie(right->record.from, right->record.name);
    });
    JsonText json;
    json.begin_object();
    json.key("items");
    json.begin_array();
    for (const BookingStatus* booking : bookings) {
        write_reservation(json, *booking, *view, request.caller);
    }
    json.end_array();
    write_as_of(json, view->incarnation, view->rev, parts.now());
    json.end_object();
    return {.body = json.take()};
}

/// Nothing if the field is absent.
Result<std::optional<Instant>> time_of(const JsonBody& body, std::string_view name) {
    const auto text = body.text(name, kTimeCharacters);
    if (!text) {
        return tl::unexpected<Error>(text.error());
    }
    const auto at = *text ? parse_utc(**text) : std::nullopt;
    if (*text && !at) {
        return fail(
            ErrorCode::kInvalid, std::string(name) + ": '" + **text +
                                     "' is not a time in UTC like 2026-11-24T15:00:00Z");
    }
    return at;
}

/// Reads the fields of a body into a command, one after the other; the first error stays.
class Decoder {
  public:
    explicit Decoder(const JsonBody& body) : body_(body) {}

    template <class Value, class Read>
    void take(Value& into, const Read& read) {
        if (error_) {
            return;
        }
        auto value = read(body_);
        if (!value) {
            error_ = std::move(value.error());
        } else if (*value) {
            into = **std::move(value);
        }
    }

    void text(std::string& into, std::string_view name, std::size_t characters_max) {
        take(into, [&](const JsonBody& body) { return body.text(name, characters_max); });
    }

    void integer(std::int64_t& into, std::string_view name, JsonBody::Range range) {
        take(into, [&](const JsonBody& body) { return body.integer(name, range); });
    }

    void truth(bool& into, std::string_view name) {
        take(into, [&](const JsonBody& body) { return body.truth(name); });
    }

    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  private:
    const JsonBody& body_;
    std::optional<Error> error_ = {};
};

Result<ledger::PutBooking> creation(const HttpRequest& request) {
    const auto body = JsonBody::parse(
        request.body, {"name", "start", "end", "project", "maintenance", "nodes", "node_count",
                       "on", "gpus", "release_after_s", "ignore_running"});
    if (!body) {
        return tl::unexpected<Error>(body.error());
    }
    ledger::PutBooking command{.actor = actor_of(request), .release_after_s = -1};
    bool is_maintenance = false;
    Decoder decoder(*body);
    decoder.text(command.name, "name", kNameCharacters);
    decoder.take(
        command.from, [](const JsonBody& any) -> Result<std::optional<std::optional<Instant>>> {
            return time_of(any, "start").map([](auto at) {
                return at ? std::optional(at) : std::nullopt;
            });
        });
    decoder.take(command.until, [](const JsonBody& any) { return time_of(any, "end"); });
    decoder.text(command.project, "project", kNameCharacters);
    decoder.truth(is_maintenance, "maintenance");
    decoder.integer(command.node_count, "node_count", {.least = 1, .most = kNodesMax});
    decoder.text(command.on, "on", model::kNodeExpressionBytesMax);
    decoder.integer(command.gpus, "gpus", {.least = 1, .most = model::kGpusMax});
    decoder.integer(
        command.release_after_s, "release_after_s",
        {.least = 0, .most = ledger::kReleaseAfterMaxS});
    decoder.truth(command.is_ignoring_running, "ignore_running");
    auto nodes = body->texts("nodes", kNodeCharacters, kNodesMax);
    if (decoder.error() || !nodes) {
        return tl::unexpected<Error>(decoder.error() ? *decoder.error() : nodes.error());
    }
    command.nodes = *std::move(nodes);
    if (command.name.empty()) {
        return fail(ErrorCode::kInvalid, "name: is missing; a reservation needs one");
    }
    if (command.until == model::kNever) {
        return fail(ErrorCode::kInvalid, "end: is missing; a reservation ends at some time");
    }
    if (command.project.empty() != is_maintenance) {
        return fail(
            ErrorCode::kInvalid,
            "project: name the project whose jobs may use it, or say maintenance: true; one of "
            "the two");
    }
    if (command.release_after_s < 0) {
        command.release_after_s = is_maintenance ? 0 : kReleaseAfterDefaultS;
    }
    return command;
}

void create(const ApiParts& parts, HttpRequest& request, const Responder& responder) {
    auto command = creation(request);
    if (!command) {
        responder.fail(std::move(command.error()));
        return;
    }
    const std::string name = command->name;
    const Caller caller = request.caller;
    parts.commands.submit(
        *std::move(command), [&parts, responder, name, caller](const Result<ledger::Reply>& reply) {
            if (!reply) {
                responder.fail(reply.error());
                return;
            }
            HttpResponse response = show_reservation(parts, name, caller);
            if (!response.problem) {
                response.status = 201;
                response.headers.emplace_back("Location", "/api/v1/reservations/" + name);
            }
            responder.send(std::move(response));
        });
}

/// Answers with what it was.
void remove(const ApiParts& parts, HttpRequest& request, const Responder& responder) {
    const std::string& name = request.capture("name");
    const HttpResponse before = show_reservation(parts, name, request.caller);
    parts.commands.submit(
        ledger::DropBooking{.actor = actor_of(request), .name = name},
        [responder, before](const Result<ledger::Reply>& reply) {
            if (!reply) {
                responder.fail(reply.error());
                return;
            }
            responder.send(before);
        });
}

}  // namespace

std::vector<Route> reservation_routes(const ApiParts& parts) {
    const auto list = [&parts](HttpRequest& request, const Responder& responder) {
        responder.send(list_reservations(parts, request));
    };
    const auto show = [&parts](HttpRequest& request, const Responder& responder) {
        responder.send(show_reservation(parts, request.capture("name"), request.caller));
    };
    const auto add = [&parts](HttpRequest& request, const Responder& responder) {
        create(parts, request, responder);
    };
    const auto drop = [&parts](HttpRequest& request, const Responder& responder) {
        remove(parts, request, responder);
    };
    const std::string all = "/api/v1/reservations";
    const std::string one = all + "/{name}";
    return {
        {.method = Method::kGet,
         .pattern = all,
         .permission = Permission::kClusterRead,
         .handler = list},
        {.method = Method::kPost,
         .pattern = all,
         .permission = Permission::kReservationsControl,
         .handler = add },
        {.method = Method::kGet,
         .pattern = one,
         .permission = Permission::kClusterRead,
         .handler = show},
        {.method = Method::kDelete,
         .pattern = one,
         .permission = Permission::kReservationsControl,
         .handler = drop},
    };
}

}  // namespace reeve::api
