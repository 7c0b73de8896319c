#include "api/pool_commands.hpp"

#include <nlohmann/json.hpp>

#include "api/bodies.hpp"
#include "api/responses.hpp"
#include "api/views.hpp"

namespace keyherd::api {

using net::Answer;
using net::ServerRequest;

Answer rotate_pool(const ApiParts& parts, const std::string& actor, const ServerRequest& request) {
  RotateCommand command;
  command.pool = request.captures.at(0);
  command.actor = actor;
  if (auto bad = read_command(request.body, command); !bad)
    return respond_error(bad.error());
  return when_ready<model::Rotation>(
      parts.clock, parts.control.rotate(std::move(command)), [](const model::Rotation& rotation) {
        return respond(rotation.state == model::RotationState::refused ? 409 : 200,
                       rotation_json(rotation));
      });
}

Answer freeze_pool(const ApiParts& parts, const std::string& actor, const ServerRequest& request) {
  model::Freeze freeze;
  freeze.by_hand = true;
  freeze.actor = actor;
  if (auto bad = read_freeze(request.body, parts.clock.now().wall, freeze); !bad)
    return respond_error(bad.error());
  return when_ready<model::PoolView>(
      parts.clock, parts.control.freeze(request.captures.at(0), std::move(freeze)),
      [](const model::PoolView& view) { return respond(200, pool_json(view)); });
}

Answer unfreeze_pool(const ApiParts& parts, const std::string& actor,
                     const ServerRequest& request) {
  return when_ready<model::PoolView>(
      parts.clock, parts.control.unfreeze(request.captures.at(0), actor),
      [](const model::PoolView& view) { return respond(200, pool_json(view)); });
}

Answer start_drill(const ApiParts& parts, const std::string& actor, const ServerRequest& request) {
  DrillCommand command;
  command.pool = request.captures.at(0);
  command.actor = actor;
  if (auto bad = read_drill(request.body, command); !bad)
    return respond_error(bad.error());
  return when_ready<model::Drill>(
      parts.clock, parts.control.drill(std::move(command)),
      [](const model::Drill& drill) { return respond(202, drill_json(drill)); });
}

net::ServerResponse last_drill(const model::PoolView& view) {
  if (!view.drill)
    return respond_error(404, "not_found", "the pool had no drill, or another one had the last");
  return respond(200, drill_json(*view.drill));
}

}  // namespace keyherd::api
