#include "sandbox/sandbox.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "net/server.hpp"
#include "sandbox/admin.hpp"
#include "sandbox/scenario.hpp"
#include "sandbox/world.hpp"

namespace keyherd::sandbox {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

constexpr std::size_t kMaxBodyBytes = 1U << 20U;
// Beyond any client's patience.
constexpr std::chrono::minutes kHang{10};

net::ServerResponse json_response(int status, const json& body) {
  net::ServerResponse response;
  response.status = status;
  response.body = dump_json(body);
  return response;
}

net::ServerResponse error_response(int status, std::string_view code, std::string_view message) {
  return json_response(status, {{"error", {{"code", code}, {"message", message}}}});
}

net::ServerResponse answer_to(const Status& status) {
  if (status)
    return json_response(200, {{"ok", true}});
  const auto& error = status.error();
  const int http = error.code == ErrorCode::not_found  ? 404
                   : error.code == ErrorCode::conflict ? 409
                                                       : 400;
  return error_response(http, to_string(error.code), error.message);
}

std::string_view bearer_token(const net::ServerRequest& request) {
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view value = trim(request.header("authorization"));
  if (!equals_ignore_case(value.substr(0, kBearer.size()), kBearer))
    return {};
  return trim(value.substr(kBearer.size()));
}

std::string_view token_of(Dialect dialect, const net::ServerRequest& request) {
  switch (dialect) {
    case Dialect::openai:
    case Dialect::deepseek:
      return bearer_token(request);
    case Dialect::anthropic:
      return trim(request.header("x-api-key"));
    case Dialect::gemini:
      return trim(request.header("x-goog-api-key"));
  }
  return {};
}

// Waits in the front, which costs no worker: wire time, so the real clock.
net::Answer deliver(Reply reply) {
  net::ServerResponse response;
  response.status = reply.status;
  response.body = std::move(reply.body);
  response.headers = std::move(reply.headers);
  response.hang_up = reply.drops;
  const nanoseconds wait = reply.hangs ? nanoseconds(kHang) : reply.delay;
  if (wait.count() <= 0)
    return response;
  net::Park park;
  park.deadline = std::chrono::steady_clock::now() + wait;
  park.poll = [] { return std::nullopt; };
  park.at_deadline = [response = std::move(response)] { return response; };
  return park;
}

struct Endpoint {
  std::string_view method;
  std::string_view path;
  CallKind kind;
  Dialect dialect;
};
constexpr std::array<Endpoint, 8> kEndpoints{{
    {"GET", "/v1/models", CallKind::models, Dialect::openai},
    {"POST", "/v1/chat/completions", CallKind::chat, Dialect::openai},
    {"GET", "/models", CallKind::models, Dialect::deepseek},
    {"GET", "/user/balance", CallKind::balance, Dialect::deepseek},
    {"POST", "/chat/completions", CallKind::chat, Dialect::deepseek},
    {"POST", "/v1/messages", CallKind::chat, Dialect::anthropic},
    {"GET", "/v1beta/models", CallKind::models, Dialect::gemini},
    {"POST", "/v1beta/models/{call}", CallKind::chat, Dialect::gemini},
}};

// OpenAI and Anthropic list their models under one path: the credential's header tells them apart.
Dialect dialect_of(const Endpoint& endpoint, const net::ServerRequest& request) {
  const bool anthropic = endpoint.kind == CallKind::models && !request.header("x-api-key").empty();
  return anthropic ? Dialect::anthropic : endpoint.dialect;
}

// "gemini-x:generateContent" → "gemini-x"; other calls have no model to speak of.
std::string_view model_in_path(const net::ServerRequest& request) {
  constexpr std::string_view kCall = ":generateContent";
  if (request.captures.empty() || !request.captures[0].ends_with(kCall))
    return {};
  return std::string_view(request.captures[0]).substr(0, request.captures[0].size() - kCall.size());
}

// A member of a control request, "" when it is not there or no string.
std::string member(const json& object, const char* name) {
  if (!object.is_object() || !object.contains(name) || !object[name].is_string())
    return {};
  return object[name].get<std::string>();
}

}  // namespace

struct Sandbox::Impl {
  std::unique_ptr<World> world;
  Admin admin;
  const Clock& clock;
  const SteadyTime begun;
  std::string address;
  std::unique_ptr<net::Server> server;  // last: it calls the others until it is gone

  Impl(std::unique_ptr<World> its_world, const std::vector<SandboxFace>& faces,
       const Clock& its_clock, std::string its_address)
      : world(std::move(its_world)),
        admin(*world, faces),
        clock(its_clock),
        begun(its_clock.now().steady),
        address(std::move(its_address)) {}

  [[nodiscard]] nanoseconds offset() const { return clock.now().steady - begun; }

  void add_face(std::vector<net::Route>& routes, const std::string& face) {
    const std::string prefix = face.empty() ? "" : "/" + face;
    for (const Endpoint& endpoint : kEndpoints) {
      const auto handler = [this, face, &endpoint](const net::ServerRequest& request) {
        const Dialect dialect = dialect_of(endpoint, request);
        return deliver(
            world->serve({face, endpoint.kind, dialect, endpoint.path, token_of(dialect, request),
                          request.body, model_in_path(request)},
                         offset()));
      };
      routes.push_back({std::string(endpoint.method), prefix + std::string(endpoint.path),
                        kMaxBodyBytes, handler});
    }
  }

  void add_admin(std::vector<net::Route>& routes, const std::string& face) {
    const std::string prefix = face.empty() ? "" : "/" + face;
    for (const AdminEndpoint& endpoint : admin_endpoints()) {
      routes.push_back({std::string(endpoint.method), prefix + std::string(endpoint.path),
                        kMaxBodyBytes, [this, face, &endpoint](const net::ServerRequest& request) {
                          return deliver(administer(face, endpoint, request));
                        }});
    }
  }

  Reply administer(const std::string& face, const AdminEndpoint& endpoint,
                   const net::ServerRequest& request) {
    const std::string_view given = request.header("x-api-key").empty()
                                       ? bearer_token(request)
                                       : trim(request.header("x-api-key"));
    Reply reply;
    if (!admin.admits(face, given)) {
      reply.status = 401;
      reply.body = dump_json({{"error", {{"code", 401}, {"message", "no such admin key"}}}});
      return reply;
    }
    AdminFault fault = AdminFault::none;
    if (endpoint.kind != AdminKind::read)
      fault = admin.take_fault(face, endpoint.kind == AdminKind::make);
    if (fault == AdminFault::refuse || fault == AdminFault::deny) {
      reply.status = fault == AdminFault::deny ? 403 : 500;
      reply.body = dump_json({{"error", {{"message", "as asked for"}}}});
      return reply;
    }
    AdminCall call{admin, face, request.captures, {}, request.body, offset()};
    for (const auto& [name, value] : request.query)
      call.query[name] = value;
    reply = endpoint.answer(call);
    reply.drops = fault == AdminFault::lose;
    return reply;
  }

  // {"face":"alpha","at":"make","fault":"lose","times":1,"settles_after":"30s","broke":false}
  Status change_admin(const net::ServerRequest& request) {
    KH_ASSIGN(const json body, parse_json(request.body));
    AdminPlan plan;
    if (const std::string text = member(body, "settles_after"); !text.empty()) {
      KH_ASSIGN(plan.settles_after, parse_duration(text));
    }
    const std::string fault = member(body, "fault");
    const auto known = admin_fault_from_string(fault.empty() ? "none" : fault);
    if (!known)
      return fail(ErrorCode::invalid, "fault is not one of none, refuse, deny, lose");
    plan.fault = *known;
    plan.at_making = member(body, "at") != "end";
    plan.times =
        body.contains("times") && body["times"].is_number_integer() ? body["times"].get<int>() : 1;
    plan.broke = body.contains("broke") && body["broke"] == true;
    admin.set_plan(member(body, "face"), plan);
    return {};
  }

  void add_control(std::vector<net::Route>& routes) {
    routes.push_back(
        {"POST", "/sandbox/admin", kMaxBodyBytes, [this](const net::ServerRequest& request) {
           return net::Answer(answer_to(change_admin(request)));
         }});
    routes.push_back({"GET", "/sandbox/state", 0, [this](const net::ServerRequest&) {
                        json state = world->describe(offset());
                        state["admin"] = admin.describe();
                        return net::Answer(json_response(200, state));
                      }});
    for (const char* method : {"PUT", "POST"})
      routes.push_back(
          {method, "/sandbox/keys/{id}", kMaxBodyBytes, [this](const net::ServerRequest& request) {
             return net::Answer(answer_to(change_key(request)));
           }});
    routes.push_back(
        {"POST", "/sandbox/keys", kMaxBodyBytes, [this](const net::ServerRequest& request) {
           return net::Answer(answer_to(add_key(request)));
         }});
    routes.push_back(
        {"POST", "/sandbox/outage", kMaxBodyBytes, [this](const net::ServerRequest& request) {
           return net::Answer(answer_to(change_outage(request)));
         }});
  }

  // {"state":"throttled","for":"30s"}
  Status change_key(const net::ServerRequest& request) const {
    KH_ASSIGN(const json body, parse_json(request.body));
    std::optional<nanoseconds> lasts;
    if (const std::string text = member(body, "for"); !text.empty()) {
      KH_ASSIGN(lasts, parse_duration(text));
    }
    return world->set_key_state(request.captures.at(0), member(body, "state"), lasts, offset());
  }

  Status add_key(const net::ServerRequest& request) const {
    KH_ASSIGN(const json body, parse_json(request.body));
    KH_ASSIGN(SandboxKey key, read_key(body, "key"));
    return world->add_key(std::move(key));
  }

  // {"face":"alpha","mode":"503"}
  Status change_outage(const net::ServerRequest& request) const {
    KH_ASSIGN(const json body, parse_json(request.body));
    const auto mode = outage_from_string(member(body, "mode"));
    if (!mode)
      return fail(ErrorCode::invalid, "mode is not one of none, 500, 503, 529, 401, hang, drop");
    return world->set_outage(member(body, "face"), *mode);
  }
};

Result<std::unique_ptr<Sandbox>> Sandbox::start(SandboxOptions options, const Clock& clock) {
  std::vector<std::string> faces;
  for (const SandboxFace& face : options.faces)
    faces.push_back(face.name);
  if (faces.empty())
    faces.emplace_back();
  net::ServerOptions server_options;
  server_options.address = options.address;
  server_options.port = options.port;
  server_options.error_body = error_response;

  const std::string address = options.address;
  const std::vector<SandboxFace> offices = options.faces;
  KH_ASSIGN(auto world, World::make(std::move(options)));
  auto impl = std::make_unique<Impl>(std::move(world), offices, clock, address);
  std::vector<net::Route> routes;
  for (const std::string& face : faces)
    impl->add_face(routes, face);
  for (const SandboxFace& face : offices) {
    if (!face.admin_secret.empty())
      impl->add_admin(routes, face.name);
  }
  impl->add_control(routes);
  KH_ASSIGN(impl->server, net::start_server(std::move(server_options), std::move(routes)));
  return std::unique_ptr<Sandbox>(new Sandbox(std::move(impl)));
}

Sandbox::Sandbox(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sandbox::~Sandbox() = default;

int Sandbox::port() const {
  return impl_->server->port();
}

std::string Sandbox::base_url(std::string_view face) const {
  const bool is_v6 = impl_->address.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + impl_->address + "]" : impl_->address;
  const std::string path = face.empty() ? "" : "/" + std::string(face);
  return "http://" + host + ":" + std::to_string(port()) + path;
}

Status Sandbox::set_key_state(std::string_view id, std::string_view state,
                              std::optional<nanoseconds> lasts) {
  return impl_->world->set_key_state(id, state, lasts, impl_->offset());
}

Status Sandbox::set_outage(std::string_view face, Outage mode) {
  return impl_->world->set_outage(face, mode);
}

Status Sandbox::add_key(SandboxKey key) {
  return impl_->world->add_key(std::move(key));
}

void Sandbox::set_admin_plan(std::string_view face, const AdminPlan& plan) {
  impl_->admin.set_plan(std::string(face), plan);
}

AdminCounts Sandbox::admin_counts(std::string_view face) const {
  return impl_->admin.counts(std::string(face));
}

SandboxCounts Sandbox::counts() const {
  return impl_->world->counts();
}

}  // namespace keyherd::sandbox
