#include "sandbox/world.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/time_text.hpp"

namespace keyherd::sandbox {
namespace {

using nlohmann::json;

constexpr World::Offset kForever = World::Offset::max();
// What a client throttled without an end is told.
constexpr std::chrono::seconds kOpenEndedRetry{30};

struct OutageName {
  Outage outage;
  std::string_view name;
};
constexpr std::array<OutageName, 7> kOutages{{{Outage::none, "none"},
                                              {Outage::error_500, "500"},
                                              {Outage::error_503, "503"},
                                              {Outage::error_529, "529"},
                                              {Outage::unauthorized, "401"},
                                              {Outage::hang, "hang"},
                                              {Outage::drop, "drop"}}};

// Of each key's requests; shown in headers, not enforced.
constexpr std::int64_t kShownLimit = 1000;

constexpr std::array<CallKind, 3> kCallKinds{CallKind::models, CallKind::balance, CallKind::chat};

// What a chat request asks for, in whatever dialect; nothing when it is malformed.
struct ChatRequest {
  std::string model;
  std::int64_t most_output = INT64_MAX;
};

bool has_list(const json& request, const char* name) {
  return request.contains(name) && request[name].is_array();
}

void limit_output(const json& request, const char* name, ChatRequest& into) {
  if (request.contains(name) && request[name].is_number_unsigned())
    into.most_output = static_cast<std::int64_t>(
        std::min(request[name].get<std::uint64_t>(), static_cast<std::uint64_t>(INT64_MAX)));
}

std::optional<ChatRequest> read_chat(const Call& call) {
  const auto body = parse_json(call.body);
  if (!body || !body->is_object())
    return std::nullopt;
  ChatRequest request;
  if (call.dialect == Dialect::gemini) {
    if (!has_list(*body, "contents"))
      return std::nullopt;
    request.model = call.model;
    if (body->contains("generationConfig") && (*body)["generationConfig"].is_object())
      limit_output((*body)["generationConfig"], "maxOutputTokens", request);
    return request;
  }
  const bool limited = call.dialect != Dialect::anthropic || body->contains("max_tokens");
  if (!limited || !has_list(*body, "messages") || !body->contains("model") ||
      !(*body)["model"].is_string())
    return std::nullopt;
  request.model = (*body)["model"].get<std::string>();
  limit_output(*body, "max_tokens", request);
  limit_output(*body, "max_completion_tokens", request);
  return request;
}

World::Offset later(World::Offset at, std::optional<World::Offset> lasts) {
  return lasts && *lasts < kForever - at ? at + *lasts : kForever;
}

std::string in_quotes(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

}  // namespace

std::string_view to_string(Outage outage) {
  return kOutages[static_cast<std::size_t>(outage)].name;
}

std::optional<Outage> outage_from_string(std::string_view name) {
  for (const OutageName& entry : kOutages)
    if (entry.name == name)
      return entry.outage;
  return std::nullopt;
}

std::string_view to_string(CallKind kind) {
  switch (kind) {
    case CallKind::models:
      return "models";
    case CallKind::balance:
      return "balance";
    case CallKind::chat:
      return "chat";
  }
  return "";
}

std::optional<CallKind> call_kind_from_string(std::string_view name) {
  for (const CallKind kind : kCallKinds)
    if (to_string(kind) == name)
      return kind;
  return std::nullopt;
}

World::World(SandboxOptions options) : models_(std::move(options.models)), random_(options.seed) {}

Result<std::unique_ptr<World>> World::make(SandboxOptions options) {
  std::vector<SandboxFace> faces = std::move(options.faces);
  std::vector<SandboxKey> keys = std::move(options.keys);
  std::unique_ptr<World> world(new World(std::move(options)));
  if (faces.empty())
    faces.emplace_back();
  MutexLock lock(world->mutex_);
  for (SandboxFace& face : faces) {
    std::string name = face.name;
    if (name == "sandbox" || name.find('/') != std::string::npos)
      return fail(ErrorCode::invalid, "sandbox face " + in_quotes(name) + ": not a usable name");
    if (!world->faces_.emplace(name, FaceLife{std::move(face), Outage::none}).second)
      return fail(ErrorCode::invalid, "sandbox face " + in_quotes(name) + " is there twice");
  }
  for (SandboxKey& key : keys)
    KH_TRY(world->insert(std::move(key)));
  return world;
}

Status World::insert(SandboxKey key) {
  if (key.id.empty() || key.secret.empty())
    return fail(ErrorCode::invalid,
                "sandbox key " + in_quotes(key.id) + " needs an id and a secret");
  if (find_by_id(key.id) != nullptr || find_by_token(key.face, key.secret) != nullptr)
    return fail(ErrorCode::conflict, "sandbox key " + in_quotes(key.id) + " is there already");
  if (!faces_.contains(key.face))
    return fail(ErrorCode::invalid,
                "sandbox key " + in_quotes(key.id) + ": there is no face " + in_quotes(key.face));
  std::stable_sort(key.life.begin(), key.life.end(),
                   [](const LifeEvent& a, const LifeEvent& b) { return a.at < b.at; });
  const std::string& owner = key.account.empty() ? key.id : key.account;
  Account& account =
      accounts_.try_emplace({key.face, owner}, Account{key.balance, key.balance, key.currency})
          .first->second;
  auto life = std::make_unique<KeyLife>();
  life->key = std::move(key);
  life->account = &account;
  keys_.push_back(std::move(life));
  return {};
}

Status World::add_key(SandboxKey key) {
  MutexLock lock(mutex_);
  return insert(std::move(key));
}

std::string World::face_of(std::string_view key) {
  MutexLock lock(mutex_);
  const KeyLife* life = find_by_id(key);
  return life == nullptr ? "" : life->key.face;
}

World::KeyLife* World::find_by_id(std::string_view id) {
  for (const auto& life : keys_)
    if (life->key.id == id)
      return life.get();
  return nullptr;
}

World::KeyLife* World::find_by_token(std::string_view face, std::string_view token) {
  for (const auto& life : keys_)
    if (life->key.face == face && life->key.secret == token)
      return life.get();
  return nullptr;
}

void World::live_until(Offset now) {
  for (const auto& life : keys_) {
    const auto& events = life->key.life;
    while (life->next_event < events.size() && events[life->next_event].at <= now)
      apply(*life, events[life->next_event++]);
  }
}

void World::apply(KeyLife& life, const LifeEvent& event) {
  switch (event.kind) {
    case LifeEventKind::revoke:
      life.standing = Standing::revoked;
      break;
    case LifeEventKind::disable:
      life.standing = Standing::disabled;
      break;
    case LifeEventKind::restore:
      life.standing = Standing::good;
      life.throttled_until = Offset(0);
      if (life.account->balance <= 0)
        life.account->balance = life.account->initial;
      break;
    case LifeEventKind::exhaust:
      life.account->balance = 0;
      break;
    case LifeEventKind::top_up:
      life.account->balance += event.amount;
      break;
    case LifeEventKind::throttle:
      life.throttled_until = later(event.at, event.lasts);
      break;
  }
}

std::string_view World::state_of(const KeyLife& life, Offset now) {
  if (life.standing == Standing::revoked)
    return "revoked";
  if (life.standing == Standing::disabled)
    return "disabled";
  if (life.throttled_until > now)
    return "throttled";
  return life.account->balance > 0 ? "ok" : "no_balance";
}

Status World::set_key_state(std::string_view id, std::string_view state,
                            std::optional<Offset> lasts, Offset now) {
  MutexLock lock(mutex_);
  live_until(now);
  KeyLife* life = find_by_id(id);
  if (life == nullptr)
    return fail(ErrorCode::not_found, "there is no sandbox key " + in_quotes(id));
  LifeEvent event;
  event.at = now;
  event.lasts = lasts;
  if (state == "ok")
    event.kind = LifeEventKind::restore;
  else if (state == "revoked")
    event.kind = LifeEventKind::revoke;
  else if (state == "disabled")
    event.kind = LifeEventKind::disable;
  else if (state == "no_balance")
    event.kind = LifeEventKind::exhaust;
  else if (state == "throttled")
    event.kind = LifeEventKind::throttle;
  else
    return fail(ErrorCode::invalid, "state " + in_quotes(state) +
                                        " is not one of ok, revoked, disabled, no_balance, "
                                        "throttled");
  // From a terminal state into a milder one: the old one ends first.
  if (event.kind == LifeEventKind::exhaust || event.kind == LifeEventKind::throttle) {
    life->standing = Standing::good;
    life->throttled_until = Offset(0);
  }
  apply(*life, event);
  return {};
}

Status World::set_outage(std::string_view face, Outage mode) {
  MutexLock lock(mutex_);
  const auto found = faces_.find(face);
  if (found == faces_.end())
    return fail(ErrorCode::not_found, "there is no sandbox face " + in_quotes(face));
  found->second.forced = mode;
  return {};
}

Outage World::outage_of(const FaceLife& life, std::string_view path, Offset now) {
  if (life.forced != Outage::none)
    return life.forced;
  for (const OutageWindow& window : life.face.outages)
    if (now >= window.at && now - window.at < window.lasts &&
        path.find(window.path) != std::string_view::npos)
      return window.mode;
  return Outage::none;
}

Reply World::serve(const Call& call, Offset now) {
  MutexLock lock(mutex_);
  live_until(now);
  KeyLife* life = find_by_token(call.face, call.token);
  if (life != nullptr)
    ++life->requests[std::string(to_string(call.kind))];
  else
    ++unknown_keys_;
  const FaceLife& face = faces_.find(call.face)->second;
  const Outage outage = outage_of(face, call.path, now);
  Reply reply = outage != Outage::none ? outage_reply(call.dialect, outage, call.token)
                                       : answer(call, life, now);
  const double swing = static_cast<double>(face.face.jitter.count()) * (2 * random_.unit() - 1);
  reply.delay = std::max(Offset(0), face.face.latency + Offset(static_cast<std::int64_t>(swing)));
  return reply;
}

Reply World::answer(const Call& call, KeyLife* life, Offset now) {
  const auto& open = faces_.find(call.face)->second.face.open;
  const bool good = life != nullptr && life->standing == Standing::good;
  if (!good && std::find(open.begin(), open.end(), call.kind) != open.end())
    return good_answer(call, nullptr);
  if (life == nullptr || life->standing == Standing::revoked)
    return invalid_key(call.dialect, call.token);
  if (life->standing == Standing::disabled)
    return disabled_key(call.dialect);
  if (life->throttled_until > now)
    return throttled(call.dialect, life->throttled_until == kForever ? Offset(kOpenEndedRetry)
                                                                     : life->throttled_until - now);
  return good_answer(call, life);
}

Reply World::good_answer(const Call& call, KeyLife* life) {
  switch (call.kind) {
    case CallKind::models:
      return model_list(call.dialect, models_);
    case CallKind::balance:
      return life != nullptr ? balance_info(life->account->balance, life->account->currency)
                             : balance_info(1, "USD");
    case CallKind::chat:
      return chat(call, life);
  }
  return {};
}

Reply World::chat(const Call& call, KeyLife* life) {
  const auto request = read_chat(call);
  if (!request)
    return malformed(call.dialect, "the request lacks what this endpoint requires");
  if (std::find(models_.begin(), models_.end(), request->model) == models_.end())
    return unknown_model(call.dialect, request->model);
  if (life != nullptr && life->account->balance <= 0)
    return no_balance(call.dialect);
  if (life != nullptr)
    life->account->balance = std::max(0.0, life->account->balance - life->key.price_per_request);

  Completion done;
  done.number = ++completions_;
  done.model = request->model;
  done.input_tokens = 8 + static_cast<std::int64_t>(call.body.size() / 4);
  done.cached_tokens = random_.unit() < 0.5 ? done.input_tokens / 2 : 0;
  done.output_tokens =
      std::min(request->most_output, 20 + static_cast<std::int64_t>(100 * random_.unit()));
  Reply reply = completion(call.dialect, done);
  if (life != nullptr)
    add_rate_limit(call.dialect, kShownLimit, kShownLimit - life->requests["chat"] % kShownLimit,
                   reply);
  return reply;
}

SandboxCounts World::counts() const {
  MutexLock lock(mutex_);
  SandboxCounts counts;
  for (const auto& life : keys_)
    counts.requests[life->key.id] = life->requests;
  counts.unknown_keys = unknown_keys_;
  return counts;
}

json World::describe(Offset now) {
  MutexLock lock(mutex_);
  live_until(now);
  json faces = json::array();
  for (const auto& [name, life] : faces_)
    faces.push_back({{"name", name}, {"outage", to_string(outage_of(life, "", now))}});
  json keys = json::array();
  for (const auto& life : keys_)
    keys.push_back({{"id", life->key.id},
                    {"face", life->key.face},
                    {"account", life->key.account.empty() ? life->key.id : life->key.account},
                    {"state", state_of(*life, now)},
                    {"balance", life->account->balance},
                    {"currency", life->account->currency},
                    {"requests", life->requests}});
  return {{"uptime", format_duration(now)},
          {"faces", std::move(faces)},
          {"keys", std::move(keys)},
          {"unknown_keys", unknown_keys_}};
}

}  // namespace keyherd::sandbox
