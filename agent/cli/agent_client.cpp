#include "cli/agent_client.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/configuration.hpp"
#include "config/secrets.hpp"
#include "net/transport.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

std::string url_of(const config::Config& config) {
  if (!config.client.url.empty())
    return config.client.url;
  std::string host = config.agent.listen_address;
  if (host == "0.0.0.0" || host == "::")
    host = "127.0.0.1";
  if (host.find(':') != std::string::npos)
    host = "[" + host + "]";
  return (config.tls ? "https://" : "http://") + host + ":" +
         std::to_string(config.agent.listen_port);
}

// Whoever can read the configuration of an agent with TLS may trust the certificate in it.
std::string ca_file_of(const Context& context, const config::Config& config) {
  if (context.ca_file)
    return *context.ca_file;
  if (!config.client.ca_file.empty() || !config.tls)
    return config.client.ca_file;
  return config.tls->cert_file;
}

struct Login {
  Secret secret;
  std::string prefix = "Bearer ";
};

// The strongest token that can be read here; none is not an error until the agent asks for one.
Secret find_token(Context& context, const config::Config& config) {
  Secret best;
  std::optional<model::Role> best_role;
  for (const config::WebToken& token : config.tokens) {
    if (!token.pools.empty() || (best_role && token.role <= *best_role))
      continue;
    if (auto secret = key_secret(context, token.token)) {
      best = std::move(*secret);
      best_role = token.role;
    }
  }
  return best;
}

Result<Login> find_login(Context& context, const config::Config& config) {
  if (auto given = context.environment.get("KEYHERD_TOKEN")) {
    Secret token(std::move(*given));
    context.redactor.add(token);
    return Login{std::move(token)};
  }
  if (config.client.token) {
    KH_ASSIGN(Secret token, key_secret(context, *config.client.token));
    return Login{std::move(token)};
  }
  if (config.client.password) {
    // Not under the rules of an API key: people choose passwords.
    KH_ASSIGN(const Secret password,
              config::resolve_secret(
                  *config.client.password,
                  {context.environment, context.files, std::chrono::seconds(10), context.keyring}));
    context.redactor.add(password);
    Secret credentials = net::basic_credentials(config.client.user, password);
    context.redactor.add(credentials);
    return Login{std::move(credentials), "Basic "};
  }
  return Login{find_token(context, config)};
}

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400:
      return ErrorCode::invalid;
    case 401:
    case 403:
      return ErrorCode::denied;
    case 404:
      return ErrorCode::not_found;
    case 409:
      return ErrorCode::conflict;
    case 413:
      return ErrorCode::too_large;
    default:
      return ErrorCode::unavailable;
  }
}

}  // namespace

struct AgentClient::Impl {
  std::string url;
  std::string ca_file;
  Result<Login> login;
  std::unique_ptr<net::Transport> transport;

  Result<net::HttpResponse> send(const std::string& method, const std::string& path,
                                 const std::string& body, const Secret* passphrase = nullptr) {
    if (!login)
      return fail(with_context(login.error(), "signing in"));
    net::HttpRequest request;
    request.method = method;
    request.url = url + path;
    request.body = body;
    request.secret = login->secret.empty() ? nullptr : &login->secret;
    request.secret_prefix = login->prefix;
    request.ca_file = ca_file;
    request.timeout = std::chrono::seconds(40);
    if (passphrase != nullptr)
      request.secret_headers.emplace_back("X-Keyherd-Passphrase", passphrase);
    request.max_response_bytes = 256U << 20U;
    auto response = transport->send(request, {});
    if (!response)
      return fail(unreachable(response.error()));
    return response;
  }

  [[nodiscard]] Error unreachable(const Error& cause) const {
    if (cause.code == ErrorCode::invalid)
      return cause;
    if (cause.message.find("certificate") != std::string::npos)
      return {ErrorCode::unavailable,
              cause.message + "; client.url and client.ca_file (or --ca-file) say what to expect"};
    return {ErrorCode::unavailable,
            "no agent answers at " + url + " (" + cause.message + "); start it with: keyherd run"};
  }

  Result<json> exchange(const std::string& method, const std::string& path,
                        const std::string& body) {
    KH_ASSIGN(const auto response, send(method, path, body));
    if (response.status < 300)
      return parse_json(response.body);
    return refused(response);
  }

  // What the agent says against it; a refused rotation is an answer.
  static Result<json> refused(const net::HttpResponse& response) {
    auto value = parse_json(response.body);
    const bool told = value && value->is_object() && value->contains("error");
    if (response.status == 409 && value && !told)
      return value;
    const std::string message =
        told ? (*value)["error"].value("message", "") : "status " + std::to_string(response.status);
    return fail(code_of_status(response.status), message);
  }
};

AgentClient::AgentClient(Context& context, const config::Config& config)
    : impl_(std::make_unique<Impl>(
          Impl{url_of(config), ca_file_of(context, config), find_login(context, config),
               net::make_http_transport({"keyherd-cli", "/etc/ssl/certs", config.client.cert_file,
                                         config.client.key_file})})) {}
AgentClient::~AgentClient() = default;

Result<json> AgentClient::get(const std::string& path) {
  return impl_->exchange("GET", path, "");
}

Result<AgentClient::Page> AgentClient::get_page(const std::string& path) {
  KH_ASSIGN(auto response, impl_->send("GET", path, ""));
  if (response.status >= 300) {
    KH_ASSIGN(const json unexpected, Impl::refused(response));
    return fail(ErrorCode::conflict, dump_json(unexpected));
  }
  constexpr std::string_view kNext = ">; rel=\"next\"";
  const std::string_view link = response.header("link");
  Page page{std::move(response.body), ""};
  if (link.starts_with('<') && link.ends_with(kNext))
    page.next = link.substr(1, link.size() - 1 - kNext.size());
  return page;
}

Result<json> AgentClient::post(const std::string& path, const json& body) {
  return impl_->exchange("POST", path, dump_json(body));
}

std::string AgentClient::Answer::message() const {
  return body.is_object() && body.contains("error") ? body["error"].value("message", "")
                                                    : "status " + std::to_string(status);
}

Error AgentClient::Answer::error() const {
  return {code_of_status(status), message()};
}

Result<AgentClient::Answer> AgentClient::ask(const std::string& method, const std::string& path,
                                             const json& body) {
  KH_ASSIGN(const auto response, impl_->send(method, path, dump_json(body)));
  auto value = parse_json(response.body);
  return Answer{response.status, value ? std::move(*value) : json()};
}

Result<json> AgentClient::post_text(const std::string& path, const std::string& text,
                                    const Secret* passphrase) {
  KH_ASSIGN(const auto response, impl_->send("POST", path, text, passphrase));
  return response.status < 300 ? parse_json(response.body) : Impl::refused(response);
}

Result<std::string> AgentClient::get_text(const std::string& path, const Secret* passphrase) {
  KH_ASSIGN(auto response, impl_->send("GET", path, "", passphrase));
  if (response.status < 300)
    return std::move(response.body);
  KH_ASSIGN(const json unexpected, Impl::refused(response));
  return fail(ErrorCode::conflict, dump_json(unexpected));
}

Result<int> AgentClient::status_of(const std::string& path) {
  KH_ASSIGN(const auto response, impl_->send("GET", path, ""));
  return response.status;
}

int with_agent(Context& context, const std::function<int(AgentClient&)>& use) {
  const auto config = load_or_report(context);
  if (!config)
    return kWrongUsage;
  AgentClient client(context, *config);
  return use(client);
}

std::string key_path(const std::string& id, const std::string& suffix) {
  return "/api/v1/keys/" + url_encode(id) + suffix;
}

std::string pool_path(const std::string& id, const std::string& suffix) {
  return "/api/v1/pools/" + url_encode(id) + suffix;
}

}  // namespace keyherd::cli
