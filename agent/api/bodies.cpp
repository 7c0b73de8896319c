#include "api/bodies.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd::api {

using nlohmann::json;

Status read_command(const std::string& body, RotateCommand& command) {
  if (trim(body).empty())
    return {};
  KH_ASSIGN(const json value, parse_json(body, 4));
  if (!value.is_object())
    return fail(ErrorCode::invalid, "the body must be a JSON object");
  for (const auto& [name, field] : value.items()) {
    if (name == "to" && field.is_string())
      command.to = field.get<std::string>();
    else if (name == "reason" && field.is_string())
      command.reason = printable(field.get<std::string>(), 200);
    else if (name == "dry_run" && field.is_boolean())
      command.dry_run = field.get<bool>();
    else
      return fail(ErrorCode::invalid, "'" + printable(name, 40) +
                                          "' is not known or of the wrong type; the body may hold "
                                          "\"to\", \"reason\" and \"dry_run\"");
  }
  return {};
}

Status read_freeze(const std::string& body, WallTime now, model::Freeze& freeze) {
  if (trim(body).empty())
    return {};
  KH_ASSIGN(const json value, parse_json(body, 4));
  if (!value.is_object())
    return fail(ErrorCode::invalid, "the body must be a JSON object");
  for (const auto& [name, field] : value.items()) {
    if (name == "until" && field.is_string()) {
      KH_ASSIGN(freeze.until, parse_rfc3339(field.get<std::string>()));
    } else if (name == "reason" && field.is_string()) {
      freeze.reason = printable(field.get<std::string>(), 200);
    } else {
      return fail(ErrorCode::invalid, "'" + printable(name, 40) +
                                          "' is not known or of the wrong type; the body may "
                                          "hold \"until\" (RFC 3339) and \"reason\"");
    }
  }
  if (freeze.until && *freeze.until <= now)
    return fail(ErrorCode::invalid, "\"until\" lies in the past");
  return {};
}

Status read_drill(const std::string& body, DrillCommand& command) {
  KH_ASSIGN(const json value, parse_json(body, 4));
  if (!value.is_object())
    return fail(ErrorCode::invalid, "the body must be a JSON object");
  for (const auto& [name, field] : value.items()) {
    if (name == "key" && field.is_string()) {
      command.key = field.get<std::string>();
    } else if (name == "for" && field.is_string()) {
      KH_ASSIGN(command.at_most, parse_duration(field.get<std::string>()));
      if (command.at_most < std::chrono::seconds(10) || command.at_most > std::chrono::hours(1))
        return fail(ErrorCode::invalid, "\"for\" must be from 10s to 1h");
    } else {
      return fail(ErrorCode::invalid,
                  "'" + printable(name, 40) +
                      "' is not known or of the wrong type; the body holds \"key\" and may hold "
                      "\"for\" (a duration)");
    }
  }
  if (command.key.empty())
    return fail(ErrorCode::invalid, "\"key\" is missing");
  return {};
}

}  // namespace keyherd::api
