// The user's own command: one JSON object on stdin, one on stdout (docs/rotation.md).

#include <fmt/format.h>
#include <string.h>

#include "base/json.hpp"
#include "base/subprocess.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "rotation/issuers/types.hpp"

namespace keyherd::rotation {

namespace {

using nlohmann::json;

constexpr int kAskAgain = 75;  // EX_TEMPFAIL of sysexits.h
constexpr std::size_t kQuotedOfCommand = 200;

Result<json> run_issuer(const IssuerApi& api, const json& input) {
  const std::string action = input.at("action");
  const std::string name =
      fmt::format("issuer {}: {} of {}", api.issuer().id, action, api.issuer().command.front());
  SubprocessRequest request;
  request.argv = api.issuer().command;
  request.input = dump_json(input) + "\n";
  request.environment = {{"KEYHERD_ACTION", action}};
  request.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(api.issuer().timeout);
  auto result = run_subprocess(request, api.stop());
  if (!result)
    return fail(with_context(result.error(), name));
  // stdout may hold a secret that nobody knows yet: only stderr is ever quoted.
  if (result->exit_code != 0) {
    const std::string said =
        printable(api.context().redactor.redact(trim(result->error_output)), kQuotedOfCommand);
    return fail(result->exit_code == kAskAgain ? ErrorCode::unavailable : ErrorCode::invalid,
                fmt::format("{} ended with exit code {}{}", name, result->exit_code,
                            said.empty() ? "" : " (it said: " + said + ")"));
  }
  if (trim(result->output).empty())
    return json::object();
  auto parsed = parse_json(result->output);
  explicit_bzero(result->output.data(), result->output.size());
  if (!parsed || !parsed->is_object())
    return fail(ErrorCode::invalid, name + ": its output is not a JSON object");
  return parsed;
}

Result<Minted> command_create(const IssuerApi& api, const MintRequest& request) {
  KH_ASSIGN(json answer, run_issuer(api, {{"action", "create"},
                                          {"name", request.name},
                                          {"key", request.key},
                                          {"request", api.request_with(json::object())}}));
  KH_ASSIGN(Secret secret, api.take_secret(answer, "/secret"));
  Minted minted{std::move(secret), text_at(answer, "/id"), std::nullopt};
  if (minted.remote_id.empty())
    return fail(ErrorCode::invalid, "issuer " + api.issuer().id + ": its output has no \"id\"");
  if (auto expires = parse_rfc3339(text_at(answer, "/expires_at")))
    minted.expires_at = *expires;
  return minted;
}

Result<std::vector<Found>> command_find(const IssuerApi& api, const std::string& name) {
  KH_ASSIGN(json answer, run_issuer(api, {{"action", "find"}, {"name", name}}));
  if (!answer.contains("keys") || !answer["keys"].is_array()) {
    return fail(ErrorCode::invalid, "issuer " + api.issuer().id +
                                        ": its answer to \"find\" has no \"keys\"; a list, empty "
                                        "when there are none");
  }
  std::vector<Found> found;
  for (json& row : answer["keys"]) {
    Found one{text_at(row, "/id"), std::nullopt};
    if (row.contains("secret")) {
      KH_ASSIGN(one.secret, api.take_secret(row, "/secret"));
    }
    found.push_back(std::move(one));
  }
  return found;
}

Status command_remove(const IssuerApi& api, const std::string& id) {
  const auto answer = run_issuer(api, {{"action", "revoke"}, {"id", id}});
  return answer ? Status{} : fail(answer.error());
}

}  // namespace

IssuerCalls command_calls() {
  return {command_create, command_find, command_remove};
}

}  // namespace keyherd::rotation
