#include "sandbox/scenario.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json.hpp"
#include "base/time_text.hpp"

namespace keyherd::sandbox {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

// The members of one object: each is asked for by name, keeps the first error, and finish() refuses
// what nobody asked for.
class Members {
 public:
  Members(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object())
      error_ = where_ + ": expected an object";
  }

  void text(const char* name, std::string& into) {
    if (const json* value = take(name, "a string", &json::is_string))
      into = value->get<std::string>();
  }
  void number(const char* name, double& into) {
    const json* value = take(name, "a number that is not negative", &json::is_number);
    if (value != nullptr && value->get<double>() < 0)
      refuse(name, "expected a number that is not negative");
    else if (value != nullptr)
      into = value->get<double>();
  }
  void count(const char* name, std::uint64_t most, std::uint64_t& into) {
    const json* value = take(name, "a whole number", &json::is_number_unsigned);
    if (value != nullptr && value->get<std::uint64_t>() > most)
      refuse(name, "expected at most " + std::to_string(most));
    else if (value != nullptr)
      into = value->get<std::uint64_t>();
  }
  void duration(const char* name, nanoseconds& into) {
    const json* value = take(name, "a duration such as \"1m30s\"", &json::is_string);
    if (value == nullptr)
      return;
    const auto parsed = parse_duration(value->get_ref<const std::string&>());
    if (parsed)
      into = *parsed;
    else
      refuse(name, "expected a duration such as \"1m30s\"");
  }
  // One of the names that `parse` knows.
  template <class Value, class Parse>
  void choice(const char* name, Parse parse, Value& into) {
    std::string chosen;
    text(name, chosen);
    if (chosen.empty())
      return;
    if (const auto value = parse(chosen))
      into = *value;
    else
      refuse(name, "\"" + chosen + "\" is not known");
  }
  // read(item, where) → Result<Item>
  template <class Item, class Read>
  void list(const char* name, Read read, std::vector<Item>& into) {
    const json* values = take(name, "a list", &json::is_array);
    if (values == nullptr)
      return;
    into.clear();
    for (std::size_t i = 0; i < values->size() && error_.empty(); ++i) {
      auto item = read((*values)[i], path_of(name) + "[" + std::to_string(i) + "]");
      if (item)
        into.push_back(std::move(*item));
      else
        error_ = item.error().message;
    }
  }
  void require(const char* name) {
    if (error_.empty() && !object_.contains(name))
      refuse(name, "is missing");
  }
  void refuse(const char* name, const std::string& problem) {
    if (error_.empty())
      error_ = path_of(name) + ": " + problem;
  }
  Status finish() {
    if (error_.empty())
      for (const auto& member : object_.items())
        if (!known_.contains(member.key())) {
          refuse(member.key().c_str(), "is not known here");
          break;
        }
    return error_.empty() ? Status() : Status(fail(ErrorCode::invalid, error_));
  }

 private:
  std::string path_of(const std::string& name) const {
    return where_.empty() ? name : where_ + "." + name;
  }
  const json* take(const char* name, const std::string& expected,
                   bool (json::*is)() const noexcept) {
    known_.insert(name);
    if (!error_.empty() || !object_.contains(name))
      return nullptr;
    const json& value = object_[name];
    if ((value.*is)())
      return &value;
    refuse(name, "expected " + expected);
    return nullptr;
  }

  const json& object_;
  std::string where_;
  std::set<std::string> known_;
  std::string error_;
};

std::optional<LifeEventKind> event_kind(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, LifeEventKind>, 6> kNames{
      {{"revoke", LifeEventKind::revoke},
       {"disable", LifeEventKind::disable},
       {"restore", LifeEventKind::restore},
       {"exhaust", LifeEventKind::exhaust},
       {"top_up", LifeEventKind::top_up},
       {"throttle", LifeEventKind::throttle}}};
  for (const auto& [known, kind] : kNames)
    if (known == name)
      return kind;
  return std::nullopt;
}

Result<LifeEvent> read_event(const json& value, const std::string& where) {
  LifeEvent event;
  nanoseconds lasts{-1};
  Members members(value, where);
  members.require("at");
  members.require("event");
  members.duration("at", event.at);
  members.choice("event", event_kind, event.kind);
  members.duration("for", lasts);
  members.number("amount", event.amount);
  KH_TRY(members.finish());
  if (lasts.count() >= 0)
    event.lasts = lasts;
  return event;
}

Result<OutageWindow> read_outage(const json& value, const std::string& where) {
  OutageWindow window;
  Members members(value, where);
  members.require("at");
  members.require("for");
  members.duration("at", window.at);
  members.duration("for", window.lasts);
  members.choice("mode", outage_from_string, window.mode);
  members.text("path", window.path);
  KH_TRY(members.finish());
  return window;
}

Result<CallKind> read_call_kind(const json& value, const std::string& where) {
  const auto kind =
      value.is_string() ? call_kind_from_string(value.get_ref<const std::string&>()) : std::nullopt;
  if (!kind)
    return fail(ErrorCode::invalid, where + ": expected \"models\", \"balance\" or \"chat\"");
  return *kind;
}

Result<SandboxFace> read_face(const json& value, const std::string& where) {
  SandboxFace face;
  Members members(value, where);
  members.require("name");
  members.text("name", face.name);
  members.duration("latency", face.latency);
  members.duration("jitter", face.jitter);
  members.text("admin_secret", face.admin_secret);
  members.list("outages", read_outage, face.outages);
  members.list("open", read_call_kind, face.open);
  KH_TRY(members.finish());
  return face;
}

Result<std::string> read_text(const json& value, const std::string& where) {
  if (!value.is_string())
    return fail(ErrorCode::invalid, where + ": expected a string");
  return value.get<std::string>();
}

}  // namespace

Result<SandboxKey> read_key(const json& value, const std::string& where) {
  SandboxKey key;
  Members members(value, where);
  members.require("id");
  members.require("secret");
  members.text("id", key.id);
  members.text("face", key.face);
  members.text("secret", key.secret);
  members.text("account", key.account);
  members.number("balance", key.balance);
  members.number("price_per_request", key.price_per_request);
  members.text("currency", key.currency);
  members.list("life", read_event, key.life);
  KH_TRY(members.finish());
  return key;
}

Result<SandboxOptions> parse_scenario(std::string_view text) {
  const auto parsed = parse_json(text);
  if (!parsed)
    return fail(with_context(parsed.error(), "reading the scenario"));
  SandboxOptions options;
  std::uint64_t port = 0;
  Members members(*parsed, "");
  members.text("address", options.address);
  members.count("port", 65'535, port);
  members.count("seed", UINT64_MAX, options.seed);
  members.list("models", read_text, options.models);
  members.list("faces", read_face, options.faces);
  members.list("keys", read_key, options.keys);
  if (const Status finished = members.finish(); !finished)
    return fail(with_context(finished.error(), "reading the scenario"));
  options.port = static_cast<int>(port);
  return options;
}

}  // namespace keyherd::sandbox
