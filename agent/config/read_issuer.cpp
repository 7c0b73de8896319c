#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "config/sections.hpp"
#include "config/values.hpp"

namespace keyherd::config {

namespace {

using model::IssuerType;

struct IssuerNeeds {
  IssuerType type;
  std::string_view base_url;  // empty: there is no usual place
  std::string_view owner;     // what it must be; empty: none
};
constexpr std::array<IssuerNeeds, model::kIssuerTypeCount> kIssuerNeeds{{
    {IssuerType::openrouter, "https://openrouter.ai/api/v1", ""},
    {IssuerType::litellm, "", ""},
    {IssuerType::openai, "https://api.openai.com", "the project's id, proj_…"},
    {IssuerType::xai, "https://management-api.x.ai", "the team's id"},
    {IssuerType::newapi, "", "the user's number"},
    {IssuerType::azure, "https://management.azure.com",
     "the account's resource path, /subscriptions/…/accounts/NAME"},
    {IssuerType::anthropic, "https://api.anthropic.com", ""},
    {IssuerType::command, "", ""},
}};

void read_address(const TableReader& reader, const IssuerNeeds& needs, model::Issuer& issuer) {
  const bool allow_plain_http = reader.boolean("allow_plain_http").value_or(false);
  if (!reader.has("base_url") && needs.base_url.empty())
    reader.error("\"base_url\" is missing: an issuer of this type has no place of its own");
  issuer.base_url = reader.text("base_url").value_or(std::string(needs.base_url));
  if (reader.has("base_url")) {
    if (const Status status = check_url(issuer.base_url, allow_plain_http); !status)
      reader.error("base_url", status.error().message);
  }
  while (issuer.base_url.ends_with('/'))
    issuer.base_url.pop_back();
}

void read_api(const TableReader& reader, const IssuerNeeds& needs, model::Issuer& issuer) {
  read_address(reader, needs, issuer);
  if (!reader.has("admin_secret"))
    reader.error("\"admin_secret\" is missing: with what it may make and end keys");
  if (!needs.owner.empty() && issuer.owner.empty())
    reader.error(fmt::format("\"owner\" is missing: {}", needs.owner));
  if (issuer.type == IssuerType::azure && !issuer.owner.empty() && !issuer.owner.starts_with('/'))
    reader.error("owner", fmt::format("expected {}", needs.owner));
  if (reader.has("command"))
    reader.error("command", "belongs to issuers of type command only");
}

void read_command(const TableReader& reader, model::Issuer& issuer) {
  issuer.command = reader.arguments("command").value_or(issuer.command);
  if (issuer.command.empty() || !issuer.command.front().starts_with('/'))
    reader.error(
        "\"command\" must name a program by its absolute path, such as "
        "[\"/usr/local/bin/issue-key\"]");
}

}  // namespace

void read_issuer(const std::string& id, const TableReader& reader, Spec& spec) {
  check_id(id, reader);
  model::Issuer issuer;
  issuer.id = id;
  const auto type = reader.choice<IssuerType>("type", model::issuer_type_from_string);
  issuer.type = type.value_or(issuer.type);
  issuer.admin_secret = reader.secret("admin_secret");
  issuer.owner = reader.text("owner").value_or("");
  issuer.timeout = reader.duration("timeout").value_or(issuer.timeout);
  issuer.request = reader.text("request").value_or("");
  if (!issuer.request.empty()) {
    const auto parsed = parse_json(issuer.request, 8);
    if (!parsed || !parsed->is_object())
      reader.error("request", "expected a JSON object, such as {\"limit\": 50}");
  }
  if (type == IssuerType::command)
    read_command(reader, issuer);
  else if (type)
    read_api(reader, kIssuerNeeds[static_cast<std::size_t>(*type)], issuer);
  spec.config.issuers.push_back(std::move(issuer));
}

}  // namespace keyherd::config
