// https://openrouter.ai/docs/features/provisioning-api-keys

#include "base/time_text.hpp"
#include "rotation/issuers/types.hpp"

namespace keyherd::rotation {

namespace {

using nlohmann::json;

Result<Minted> openrouter_create(const IssuerApi& api, const MintRequest& request) {
  const json body = api.request_with({{"name", request.name}});
  KH_ASSIGN(json answer, api.call("POST", "/keys", &body));
  // The specification has the secret beside "data", an example of the documentation inside it.
  const bool beside = answer.contains("key");
  KH_ASSIGN(Secret secret, api.take_secret(answer, beside ? "/key" : "/data/key"));
  Minted minted{std::move(secret), text_at(answer, "/data/hash"), std::nullopt};
  if (auto expires = parse_rfc3339(text_at(answer, "/data/expires_at")))
    minted.expires_at = *expires;
  return minted;
}

Result<std::vector<Found>> openrouter_find(const IssuerApi& api, const std::string& name) {
  std::vector<Found> found;
  for (int offset = 0;; offset += kListPage) {
    KH_ASSIGN(const json page,
              api.call("GET", "/keys?include_disabled=true&offset=" + std::to_string(offset)));
    const json rows = page.value("data", json::array());
    for (const json& row : rows) {
      if (text_at(row, "/name") == name)
        found.push_back({text_at(row, "/hash"), std::nullopt});
    }
    if (rows.size() < static_cast<std::size_t>(kListPage))
      return found;
  }
}

Status openrouter_remove(const IssuerApi& api, const std::string& hash) {
  const auto answer = api.call("DELETE", "/keys/" + hash);
  return answer ? Status{} : fail(answer.error());
}

}  // namespace

IssuerCalls openrouter_calls() {
  return {openrouter_create, openrouter_find, openrouter_remove};
}

}  // namespace keyherd::rotation
