#include "api/usage_delivery.hpp"

#include <nlohmann/json.hpp>

#include "api/responses.hpp"
#include "api/views.hpp"

namespace keyherd::api {

using net::ServerRequest;
using net::ServerResponse;

namespace {

ServerResponse try_later(std::string_view why) {
  return respond_try_later(std::string(why) + "; send the same lines again later");
}

ServerResponse answer(const Result<DeliveryReport>& outcome) {
  if (outcome)
    return respond(200, delivery_json(*outcome));
  if (outcome.error().code == ErrorCode::unavailable)
    return try_later(outcome.error().message);
  return respond_error(outcome.error());
}

// Of what is configured; clients' reports are none of it.
std::optional<std::string> only_log(const model::Snapshot& snapshot) {
  std::optional<std::string> only;
  for (const auto& source : snapshot.sources) {
    if (source->log.id == model::kReportsLog)
      continue;
    if (only)
      return std::nullopt;
    only = source->log.id;
  }
  return only;
}

}  // namespace

net::Answer deliver_usage(const ApiParts& parts, const Principal& who,
                          const ServerRequest& request) {
  if (!who.pools.empty())  // lines may name any key
    return respond_error(403, "denied", "this token is confined to pools; usage is of any key");
  if (!request.header("content-encoding").empty())
    return respond_error(415, "invalid", "send the lines without Content-Encoding");
  const auto snapshot = parts.control.snapshot();
  auto log = request.parameter("log");
  if (!log)
    log = only_log(*snapshot);
  if (!log)
    return respond_error(400, "invalid", "say whose format the lines have: ?log=ID of usage_logs");
  return when_ready<DeliveryReport>(
      parts.clock, parts.control.deliver_usage(std::move(*log), request.body), answer,
      [] { return try_later("the lines are not saved yet"); });
}

}  // namespace keyherd::api
