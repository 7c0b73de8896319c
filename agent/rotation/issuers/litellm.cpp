// https://docs.litellm.ai/docs/proxy/virtual_keys. /key/regenerate with a grace period is not used:
// old keys were refused at once by versions that promised to keep them.

#include "base/time_text.hpp"
#include "rotation/issuers/types.hpp"

namespace keyherd::rotation {

namespace {

using nlohmann::json;

Result<Minted> litellm_create(const IssuerApi& api, const MintRequest& request) {
  const json body = api.request_with({{"key_alias", request.name}});
  KH_ASSIGN(json answer, api.call("POST", "/key/generate", &body));
  KH_ASSIGN(Secret secret, api.take_secret(answer, "/key"));
  Minted minted{std::move(secret), text_at(answer, "/token_id"), std::nullopt};
  if (minted.remote_id.empty())  // older ones call it so; it is the key's SHA-256
    minted.remote_id = text_at(answer, "/token");
  if (auto expires = parse_rfc3339(text_at(answer, "/expires")))
    minted.expires_at = *expires;
  return minted;
}

Result<std::vector<Found>> litellm_find(const IssuerApi& api, const std::string& name) {
  std::vector<Found> found;
  for (int page = 1;; ++page) {
    KH_ASSIGN(
        const json answer,
        api.call("GET", "/key/list?return_full_object=true&size=" + std::to_string(kListPage) +
                            "&key_alias=" + name + "&page=" + std::to_string(page)));
    const json rows = answer.value("keys", json::array());
    for (const json& row : rows) {
      if (text_at(row, "/key_alias") == name)
        found.push_back({text_at(row, "/token"), std::nullopt});
    }
    if (rows.size() < static_cast<std::size_t>(kListPage))
      return found;
  }
}

Status litellm_remove(const IssuerApi& api, const std::string& token) {
  const json body{{"keys", {token}}};
  const auto answer = api.call("POST", "/key/delete", &body);
  return answer ? Status{} : fail(answer.error());
}

}  // namespace

IssuerCalls litellm_calls() {
  return {litellm_create, litellm_find, litellm_remove};
}

}  // namespace keyherd::rotation
