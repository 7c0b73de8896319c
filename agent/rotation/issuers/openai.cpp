// https://platform.openai.com/docs/api-reference/project-service-accounts. A service account's key
// cannot be deleted, only the account with it: so each secret has an account of its own.

#include "rotation/issuers/types.hpp"

namespace keyherd::rotation {

namespace {

using nlohmann::json;

std::string openai_accounts(const IssuerApi& api) {
  return "/v1/organization/projects/" + api.issuer().owner + "/service_accounts";
}

Result<Minted> openai_create(const IssuerApi& api, const MintRequest& request) {
  const json body = api.request_with({{"name", request.name}});
  KH_ASSIGN(json answer, api.call("POST", openai_accounts(api), &body));
  KH_ASSIGN(Secret secret, api.take_secret(answer, "/api_key/value"));
  return Minted{std::move(secret), text_at(answer, "/id"), std::nullopt};
}

Result<std::vector<Found>> openai_find(const IssuerApi& api, const std::string& name) {
  std::vector<Found> found;
  std::string after;
  while (true) {
    KH_ASSIGN(const json page, api.call("GET", openai_accounts(api) + "?limit=100" +
                                                   (after.empty() ? "" : "&after=" + after)));
    for (const json& row : page.value("data", json::array())) {
      if (text_at(row, "/name") == name)
        found.push_back({text_at(row, "/id"), std::nullopt});
    }
    after = text_at(page, "/last_id");
    if (!page.value("has_more", false) || after.empty())
      return found;
  }
}

Status openai_remove(const IssuerApi& api, const std::string& account) {
  const auto answer = api.call("DELETE", openai_accounts(api) + "/" + account);
  return answer ? Status{} : fail(answer.error());
}

}  // namespace

IssuerCalls openai_calls() {
  return {openai_create, openai_find, openai_remove};
}

}  // namespace keyherd::rotation
