#include "api/transfer.hpp"

#include <nlohmann/json.hpp>

#include "api/responses.hpp"
#include "api/views.hpp"
#include "base/text.hpp"

namespace keyherd::api {

using net::ServerRequest;
using net::ServerResponse;

namespace {

// Null when none was sent.
std::shared_ptr<const Secret> passphrase_of(const ServerRequest& request) {
  const std::string_view given = request.header("x-keyherd-passphrase");
  return given.empty() ? nullptr : std::make_shared<const Secret>(std::string(given));
}

bool is_set(const ServerRequest& request, const char* parameter) {
  return request.parameter(parameter).value_or("false") == "true";
}

ServerResponse as_it_stands(const std::string& document) {
  ServerResponse response;
  response.body = document;
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

}  // namespace

net::Answer import_keys(const ApiParts& parts, const std::string& actor,
                        const ServerRequest& request) {
  ImportCommand command;
  command.document = request.body;
  command.name = printable(request.parameter("name").value_or("the body"), 200);
  command.passphrase = passphrase_of(request);
  command.dry_run = is_set(request, "dry_run");
  command.actor = actor;
  return when_ready<ImportReport>(
      parts.clock, parts.control.import_keys(std::move(command)),
      [](const ImportReport& report) { return respond(200, import_json(report)); });
}

net::Answer export_keys(const ApiParts& parts, const std::string& actor,
                        const ServerRequest& request) {
  std::shared_ptr<const Secret> passphrase;
  if (is_set(request, "with_secrets")) {
    passphrase = passphrase_of(request);
    if (!passphrase)
      return respond_error(400, "invalid",
                           "secrets leave only sealed: send a passphrase as the header "
                           "X-Keyherd-Passphrase");
  }
  return when_ready<std::string>(parts.clock, parts.control.export_keys(passphrase, actor),
                                 as_it_stands);
}

}  // namespace keyherd::api
