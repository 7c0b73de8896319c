// Requests and answers of the administration APIs, in the shapes that their owners document.

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "sandbox/admin.hpp"

namespace keyherd::sandbox {
namespace {

using nlohmann::json;

Reply json_reply(int status, const json& body) {
  Reply reply;
  reply.status = status;
  reply.body = dump_json(body);
  return reply;
}

Reply not_there() {
  return json_reply(404, {{"error", {{"code", 404}, {"message", "Not found"}}}});
}

Reply bad_request(std::string_view what) {
  return json_reply(400, {{"error", {{"code", 400}, {"message", std::string(what)}}}});
}

// A text member of the request, "" when it is not there.
std::string asked(const AdminCall& call, const char* member) {
  const auto body = parse_json(call.body);
  if (!body || !body->is_object() || !body->contains(member) || !(*body)[member].is_string())
    return {};
  return (*body)[member].get<std::string>();
}

std::string id_with(const char* prefix, const IssuedKey& key) {
  return prefix + std::to_string(key.number);
}

// The live key of this id with a prefix before its number.
const IssuedKey* find_numbered(const std::vector<IssuedKey>& keys, const std::string& prefix,
                               const std::string& id) {
  for (const IssuedKey& key : keys) {
    if (prefix + std::to_string(key.number) == id)
      return &key;
  }
  return nullptr;
}

bool end_numbered(const AdminCall& call, const std::string& prefix, const std::string& id) {
  const auto keys = call.admin.list(call.face);
  const IssuedKey* key = find_numbered(keys, prefix, id);
  return key != nullptr && call.admin.end(call.face, key->remote_id, call.now).has_value();
}

// OpenRouter.

json openrouter_record(const IssuedKey& key) {
  return {{"hash", key.remote_id},
          {"name", key.name},
          {"label", key.secret.substr(0, 12) + "..."},
          {"disabled", false},
          {"limit", nullptr},
          {"limit_remaining", nullptr},
          {"usage", 0},
          {"updated_at", nullptr},
          {"expires_at", nullptr}};
}

Reply openrouter_make(const AdminCall& call) {
  const std::string name = asked(call, "name");
  if (name.empty())
    return bad_request("name is required");
  const auto made = call.admin.make(call.face, name, call.now);
  return made ? json_reply(201, {{"data", openrouter_record(*made)}, {"key", made->secret}})
              : bad_request("cannot");
}

Reply openrouter_list(const AdminCall& call) {
  const auto offset = call.query.contains("offset") ? std::stoul(call.query.at("offset")) : 0;
  json rows = json::array();
  const auto keys = call.admin.list(call.face);
  for (std::size_t at = offset; at < keys.size() && rows.size() < 100; ++at)
    rows.push_back(openrouter_record(keys[at]));
  return json_reply(200, {{"data", std::move(rows)}});
}

Reply openrouter_end(const AdminCall& call) {
  if (!call.admin.end(call.face, call.captures.at(0), call.now))
    return not_there();
  return json_reply(200, {{"deleted", true}});
}

// LiteLLM.

Reply litellm_make(const AdminCall& call) {
  const std::string alias = asked(call, "key_alias");
  for (const IssuedKey& key : call.admin.list(call.face)) {
    if (key.name == alias)
      return bad_request("Unique key aliases across all keys are required.");
  }
  const auto made = call.admin.make(call.face, alias, call.now);
  if (!made)
    return bad_request("cannot");
  return json_reply(200, {{"key", made->secret},
                          {"token_id", made->remote_id},
                          {"token", made->remote_id},
                          {"key_alias", alias},
                          {"expires", nullptr}});
}

Reply litellm_list(const AdminCall& call) {
  json rows = json::array();
  const auto alias = call.query.find("key_alias");
  for (const IssuedKey& key : call.admin.list(call.face)) {
    if (alias == call.query.end() || alias->second == key.name)
      rows.push_back({{"token", key.remote_id}, {"key_alias", key.name}});
  }
  const auto count = rows.size();
  return json_reply(
      200,
      {{"keys", std::move(rows)}, {"total_count", count}, {"current_page", 1}, {"total_pages", 1}});
}

Reply litellm_end(const AdminCall& call) {
  const auto body = parse_json(call.body);
  if (!body || !body->contains("keys") || !(*body)["keys"].is_array())
    return bad_request("keys is required");
  for (const json& token : (*body)["keys"]) {
    if (!token.is_string() || !call.admin.end(call.face, token.get<std::string>(), call.now))
      return json_reply(404, {{"error", {{"message", "No keys found"}, {"code", "404"}}}});
  }
  return json_reply(200, {{"deleted_keys", (*body)["keys"]}});
}

// OpenAI.

constexpr const char* kAccountPrefix = "svc_acct_";

Reply openai_make(const AdminCall& call) {
  const auto made = call.admin.make(call.face, asked(call, "name"), call.now);
  if (!made)
    return bad_request("cannot");
  return json_reply(200, {{"object", "organization.project.service_account"},
                          {"id", id_with(kAccountPrefix, *made)},
                          {"name", made->name},
                          {"role", "member"},
                          {"api_key",
                           {{"object", "organization.project.service_account.api_key"},
                            {"value", made->secret},
                            {"name", "Secret Key"},
                            {"id", id_with("key_", *made)}}}});
}

Reply openai_list(const AdminCall& call) {
  json rows = json::array();
  for (const IssuedKey& key : call.admin.list(call.face))
    rows.push_back({{"object", "organization.project.service_account"},
                    {"id", id_with(kAccountPrefix, key)},
                    {"name", key.name},
                    {"role", "member"}});
  return json_reply(200, {{"object", "list"}, {"data", std::move(rows)}, {"has_more", false}});
}

Reply openai_end(const AdminCall& call) {
  const std::string& id = call.captures.at(1);
  if (!end_numbered(call, kAccountPrefix, id))
    return not_there();
  return json_reply(
      200,
      {{"object", "organization.project.service_account.deleted"}, {"id", id}, {"deleted", true}});
}

// xAI.

constexpr const char* kXaiPrefix = "xai-key-";

json xai_record(const IssuedKey& key) {
  return {{"apiKeyId", id_with(kXaiPrefix, key)},
          {"redactedApiKey", key.secret.substr(0, 6) + "..."},
          {"name", key.name},
          {"disabled", false}};
}

Reply xai_make(const AdminCall& call) {
  const auto made = call.admin.make(call.face, asked(call, "name"), call.now);
  if (!made)
    return bad_request("cannot");
  json record = xai_record(*made);
  record["apiKey"] = made->secret;
  return json_reply(200, record);
}

Reply xai_list(const AdminCall& call) {
  json rows = json::array();
  for (const IssuedKey& key : call.admin.list(call.face))
    rows.push_back(xai_record(key));
  return json_reply(200, {{"apiKeys", std::move(rows)}});
}

Reply xai_end(const AdminCall& call) {
  return end_numbered(call, kXaiPrefix, call.captures.at(0)) ? json_reply(200, json::object())
                                                             : not_there();
}

// new-api: everything is answered with 200.

Reply newapi_ok(json data = nullptr) {
  json body{{"success", true}, {"message", ""}};
  if (!data.is_null())
    body["data"] = std::move(data);
  return json_reply(200, body);
}

Reply newapi_no(std::string_view why) {
  return json_reply(200, {{"success", false}, {"message", std::string(why)}});
}

Reply newapi_make(const AdminCall& call) {
  const std::string name = asked(call, "name");
  if (name.size() > 50)
    return newapi_no("the token's name is too long");
  return call.admin.make(call.face, name, call.now) ? newapi_ok() : newapi_no("cannot");
}

Reply newapi_list(const AdminCall& call) {
  json rows = json::array();
  for (const IssuedKey& key : call.admin.list(call.face))
    rows.push_back(
        {{"id", key.number}, {"name", key.name}, {"key", "sk**********"}, {"status", 1}});
  const auto total = rows.size();
  return newapi_ok({{"items", std::move(rows)}, {"total", total}, {"page", 1}, {"page_size", 100}});
}

Reply newapi_reveal(const AdminCall& call) {
  const auto keys = call.admin.list(call.face);
  const IssuedKey* key = find_numbered(keys, "", call.captures.at(0));
  if (key == nullptr)
    return newapi_no("record not found");
  return newapi_ok({{"key", key->secret.substr(3)}});  // clients put "sk-" before it
}

Reply newapi_end(const AdminCall& call) {
  return end_numbered(call, "", call.captures.at(0)) ? newapi_ok() : newapi_no("record not found");
}

// Azure.

Reply azure_answer(const AdminCall& call, const std::string& renew) {
  const auto slots = call.admin.slots(call.face, renew, call.now);
  if (!slots)
    return bad_request("cannot");
  return json_reply(200, {{"key1", slots->first}, {"key2", slots->second}});
}

Reply azure_list(const AdminCall& call) {
  return azure_answer(call, "");
}

Reply azure_regenerate(const AdminCall& call) {
  const std::string name = asked(call, "keyName");
  if (name != "Key1" && name != "Key2")
    return bad_request("keyName is Key1 or Key2");
  return azure_answer(call, name == "Key1" ? "key1" : "key2");
}

// Anthropic: "apikey_" and the id of a key of the scenario.

Reply anthropic_update(const AdminCall& call) {
  constexpr std::string_view kPrefix = "apikey_";
  const std::string& id = call.captures.at(0);
  const std::string status = asked(call, "status");
  if (!id.starts_with(kPrefix) ||
      !call.admin.set_active(id.substr(kPrefix.size()), status == "active", call.now))
    return json_reply(
        404, {{"type", "error"}, {"error", {{"type", "not_found_error"}, {"message", id}}}});
  return json_reply(200, {{"id", id}, {"type", "api_key"}, {"status", status}});
}

}  // namespace

const std::vector<AdminEndpoint>& admin_endpoints() {
  static const std::string kAzure =
      "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.CognitiveServices/accounts/{a}/";
  static const std::string kRegenerate = kAzure + "regenerateKey";
  static const std::string kListKeys = kAzure + "listKeys";
  using Kind = AdminKind;
  static const std::vector<AdminEndpoint> kEndpointTable{
      {"POST", "/keys", Kind::make, openrouter_make},
      {"GET", "/keys", Kind::read, openrouter_list},
      {"DELETE", "/keys/{hash}", Kind::end, openrouter_end},
      {"POST", "/key/generate", Kind::make, litellm_make},
      {"GET", "/key/list", Kind::read, litellm_list},
      {"POST", "/key/delete", Kind::end, litellm_end},
      {"POST", "/v1/organization/projects/{p}/service_accounts", Kind::make, openai_make},
      {"GET", "/v1/organization/projects/{p}/service_accounts", Kind::read, openai_list},
      {"DELETE", "/v1/organization/projects/{p}/service_accounts/{id}", Kind::end, openai_end},
      {"POST", "/auth/teams/{t}/api-keys", Kind::make, xai_make},
      {"GET", "/auth/teams/{t}/api-keys", Kind::read, xai_list},
      {"DELETE", "/auth/api-keys/{id}", Kind::end, xai_end},
      {"POST", "/api/token/", Kind::make, newapi_make},
      {"GET", "/api/token/", Kind::read, newapi_list},
      {"POST", "/api/token/{id}/key", Kind::read, newapi_reveal},
      {"DELETE", "/api/token/{id}", Kind::end, newapi_end},
      {"POST", kRegenerate, Kind::make, azure_regenerate},
      {"POST", kListKeys, Kind::read, azure_list},
      {"POST", "/v1/organizations/api_keys/{id}", Kind::end, anthropic_update},
  };
  return kEndpointTable;
}

}  // namespace keyherd::sandbox
