#include <algorithm>

#include "base/bcrypt.hpp"
#include "config/sections.hpp"
#include "config/values.hpp"

namespace keyherd::config {

namespace {

using Pools = std::vector<std::string>;

Pools read_pools(const TableReader& reader) {
  auto pools = reader.references("pools", Target::pool);
  // Written but empty would confine to nothing in the reader's eye, and to all in the agent's.
  if (pools && pools->empty())
    reader.error("pools", "must name at least one pool; leave it out for all pools");
  return std::move(pools).value_or(Pools());
}

void read_token(const TableReader& reader, Spec& spec) {
  const auto role = reader.choice<model::Role>("role", model::role_from_string);
  auto token = reader.secret("token");
  Pools pools = read_pools(reader);
  spec.has_callers = true;
  if (role && token)
    spec.config.tokens.push_back(
        {*role, std::move(pools), std::move(*token), reader.id("name").value_or("")});
}

void read_user(const std::string& name, const TableReader& reader, Spec& spec) {
  check_id(name, reader);
  const auto role = reader.choice<model::Role>("role", model::role_from_string);
  auto hash = reader.text("password_hash");
  Pools pools = read_pools(reader);
  spec.has_callers = true;
  if (!role || !hash)
    return;
  if (const Status good = check_bcrypt(*hash); !good)
    return reader.error("password_hash", good.error().message);
  spec.config.users.push_back({name, *role, std::move(pools), std::move(*hash)});
}

void read_tls(const TableReader& reader, Spec& spec) {
  WebTls tls;
  tls.cert_file = reader.path("cert_file").value_or("");
  tls.key_file = reader.path("key_file").value_or("");
  tls.client_ca_file = reader.path("client_ca_file").value_or("");
  tls.client_auth = reader.choice("client_auth").value_or(tls.client_auth);
  tls.min_version = reader.choice("min_version").value_or(tls.min_version);
  if (tls.client_auth != "none" && tls.client_ca_file.empty())
    reader.error("client_auth", "needs client_ca_file: who vouches for clients?");
  if (tls.client_auth == "none" && !tls.client_ca_file.empty())
    reader.error("client_ca_file", "is used with client_auth only: add client_auth = \"required\"");
  spec.config.tls = std::move(tls);
}

bool is_host_name(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
  });
}

}  // namespace

void read_web(const TableReader& reader, Spec& spec) {
  reader.each_in_list("tokens", SectionId::token,
                      [&](const TableReader& table) { read_token(table, spec); });
  reader.each_in_map(
      "basic_auth_users", SectionId::basic_auth_user,
      [&](const std::string& name, const TableReader& table) { read_user(name, table, spec); });
  reader.table("tls", SectionId::tls, [&](const TableReader& table) { read_tls(table, spec); });
  spec.config.hosts = reader.texts("hosts").value_or(Pools());
  for (const std::string& host : spec.config.hosts)
    if (!is_host_name(host))
      reader.error("hosts",
                   "expected names such as \"keyherd.example\", without a scheme or a port");
}

void read_client(const TableReader& reader, Spec& spec) {
  ClientSettings& client = spec.config.client;
  if (const auto url = reader.text("url")) {
    if (const Status good = check_webhook_url(*url, true); !good)
      reader.error("url", good.error().message);
    else if (!check_webhook_url(*url, false))
      reader.error("url",
                   "http:// would send the token over the network unencrypted: write https://");
    client.url = *url;
    while (client.url.ends_with('/'))
      client.url.pop_back();
  }
  client.ca_file = reader.path("ca_file").value_or("");
  client.cert_file = reader.path("cert_file").value_or("");
  client.key_file = reader.path("key_file").value_or("");
  if (client.cert_file.empty() != client.key_file.empty())
    reader.error("cert_file and key_file belong together");
  client.token = reader.secret("token");
  client.user = reader.text("user").value_or("");
  client.password = reader.secret("password");
  if (client.user.empty() == client.password.has_value())
    reader.error("user and password belong together");
  if (client.token && client.password)
    reader.error("expected a token or a user, not both");
}

}  // namespace keyherd::config
