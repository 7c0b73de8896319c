// https://docs.newapi.pro (token management). Errors are answered with status 200 and "success":
// false; the request that makes a token does not tell its secret, which is asked for afterwards.

#include "base/text.hpp"
#include "rotation/issuers/types.hpp"

namespace keyherd::rotation {

namespace {

using nlohmann::json;

Result<json> ask_newapi(const IssuerApi& api, const std::string& method, const std::string& path,
                        const json* body = nullptr) {
  KH_ASSIGN(json answer, api.call(method, path, body));
  if (answer.value("success", false))
    return answer;
  return fail(ErrorCode::invalid,
              "issuer " + api.issuer().id + ": " + method + " " + path + " was refused: " +
                  printable(api.context().redactor.redact(text_at(answer, "/message")), 200));
}

// The secret without its "sk-", which clients put before it.
Result<Secret> newapi_secret(const IssuerApi& api, const std::string& id) {
  const json nothing = json::object();
  KH_ASSIGN(json answer, ask_newapi(api, "POST", "/api/token/" + id + "/key", &nothing));
  std::string text = text_at(answer, "/data/key");
  if (!text.empty() && !text.starts_with("sk-"))
    answer["data"]["key"] = "sk-" + text;
  Secret wiped(std::move(text));
  return api.take_secret(answer, "/data/key");
}

Result<std::vector<std::string>> newapi_ids(const IssuerApi& api, const std::string& name) {
  std::vector<std::string> ids;
  for (int page = 1;; ++page) {
    KH_ASSIGN(const json answer, ask_newapi(api, "GET",
                                            "/api/token/?p=" + std::to_string(page) +
                                                "&size=" + std::to_string(kListPage)));
    const json rows = answer.value(json::json_pointer("/data/items"), json::array());
    for (const json& row : rows) {
      if (text_at(row, "/name") == name)
        ids.push_back(text_at(row, "/id"));
    }
    if (rows.size() < static_cast<std::size_t>(kListPage))
      return ids;
  }
}

Result<std::vector<Found>> newapi_find(const IssuerApi& api, const std::string& name) {
  KH_ASSIGN(const std::vector<std::string> ids, newapi_ids(api, name));
  std::vector<Found> found;
  for (const std::string& id : ids) {
    KH_ASSIGN(Secret secret, newapi_secret(api, id));
    found.push_back({id, std::move(secret)});
  }
  return found;
}

Result<Minted> newapi_create(const IssuerApi& api, const MintRequest& request) {
  json body = api.request_with({{"name", request.name}});
  if (!body.contains("expired_time"))
    body["expired_time"] = -1;
  if (!body.contains("remain_quota") && !body.contains("unlimited_quota"))
    body["unlimited_quota"] = true;
  KH_ASSIGN(const json made, ask_newapi(api, "POST", "/api/token/", &body));
  KH_ASSIGN(std::vector<Found> found, newapi_find(api, request.name));
  if (found.empty())
    return fail(ErrorCode::unavailable, "issuer " + api.issuer().id + ": the token " +
                                            request.name + " was made, but is not in the list yet");
  return Minted{std::move(*found.front().secret), found.front().remote_id, std::nullopt};
}

Status newapi_remove(const IssuerApi& api, const std::string& id) {
  const auto answer = ask_newapi(api, "DELETE", "/api/token/" + id);
  if (answer)
    return {};
  // It says "record not found" for what is gone: the list decides.
  if (answer.error().code != ErrorCode::invalid)
    return fail(answer.error());
  KH_ASSIGN(const json page,
            ask_newapi(api, "GET", "/api/token/?p=1&size=" + std::to_string(kListPage)));
  for (const json& row : page.value(json::json_pointer("/data/items"), json::array())) {
    if (text_at(row, "/id") == id)
      return fail(answer.error());
  }
  return {};
}

}  // namespace

IssuerCalls newapi_calls() {
  return {newapi_create, newapi_find, newapi_remove};
}

}  // namespace keyherd::rotation
