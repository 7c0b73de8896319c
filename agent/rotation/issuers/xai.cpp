// https://docs.x.ai/docs/management-api

#include "base/time_text.hpp"
#include "rotation/issuers/types.hpp"

namespace keyherd::rotation {

namespace {

using nlohmann::json;

std::string xai_keys(const IssuerApi& api) {
  return "/auth/teams/" + api.issuer().owner + "/api-keys";
}

Result<Minted> xai_create(const IssuerApi& api, const MintRequest& request) {
  json body = api.request_with({{"name", request.name}});
  if (!body.contains("acls"))
    body["acls"] = {"api-key:model:*", "api-key:endpoint:*"};
  KH_ASSIGN(json answer, api.call("POST", xai_keys(api), &body));
  KH_ASSIGN(Secret secret, api.take_secret(answer, "/apiKey"));
  Minted minted{std::move(secret), text_at(answer, "/apiKeyId"), std::nullopt};
  if (auto expires = parse_rfc3339(text_at(answer, "/expireTime")))
    minted.expires_at = *expires;
  return minted;
}

Result<std::vector<Found>> xai_find(const IssuerApi& api, const std::string& name) {
  std::vector<Found> found;
  std::string token;
  while (true) {
    KH_ASSIGN(const json page,
              api.call("GET", xai_keys(api) + "?pageSize=100" +
                                  (token.empty() ? "" : "&paginationToken=" + token)));
    for (const json& row : page.value("apiKeys", json::array())) {
      if (text_at(row, "/name") == name)
        found.push_back({text_at(row, "/apiKeyId"), std::nullopt});
    }
    token = text_at(page, "/paginationToken");
    if (token.empty())
      return found;
  }
}

Status xai_remove(const IssuerApi& api, const std::string& id) {
  const auto answer = api.call("DELETE", "/auth/api-keys/" + id);
  return answer ? Status{} : fail(answer.error());
}

}  // namespace

IssuerCalls xai_calls() {
  return {xai_create, xai_find, xai_remove};
}

}  // namespace keyherd::rotation
