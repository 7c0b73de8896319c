#include "audit/line.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/secret.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd::audit {

namespace {

using nlohmann::json;

constexpr std::string_view kHashMember = ",\"hash\":\"";
constexpr std::size_t kHashLength = 64;

void add(std::string& object, std::string_view name, const std::string& value) {
  if (value.empty())
    return;
  object += (object.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + dump_json(value);
}

std::string text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Line make_line(const model::AuditEntry& entry) {
  Line line;
  line.seq = entry.seq;
  line.content = "{\"seq\":" + std::to_string(entry.seq);
  add(line.content, "at", format_event_time(entry.at));
  add(line.content, "actor", entry.actor);
  add(line.content, "act", std::string(model::to_string(entry.act)));
  add(line.content, "provider", entry.provider);
  add(line.content, "pool", entry.pool);
  add(line.content, "key", entry.key);
  add(line.content, "rotation", entry.rotation);
  add(line.content, "text", entry.text.substr(0, kLongestText));
  line.content += "}";
  return line;
}

std::string seal(const Line& line, Head& head) {
  std::string text = line.content.substr(0, line.content.size() - 1);
  text += ",\"prev\":\"" + head.hash + "\"";
  head.hash = to_hex(sha256(text));
  head.seq = line.seq;
  text += std::string(kHashMember) + head.hash + "\"}";
  return text;
}

Result<Sealed> parse_line(std::string_view text) {
  const Error foreign{ErrorCode::invalid, "not a line of an audit log"};
  const auto object = parse_json(text, 4);
  if (!object || !object->is_object() || !object->contains("seq") ||
      !(*object)["seq"].is_number_integer())
    return fail(foreign);
  Sealed sealed;
  sealed.prev = text_member(*object, "prev");
  sealed.hash = text_member(*object, "hash");
  const auto at = parse_rfc3339(text_member(*object, "at"));
  const auto act = model::audit_act_from_string(text_member(*object, "act"));
  if (!at || !act || sealed.prev.size() != kHashLength || sealed.hash.size() != kHashLength)
    return fail(foreign);
  const std::string ending = std::string(kHashMember) + sealed.hash + "\"}";
  sealed.intact = text.ends_with(ending) &&
                  to_hex(sha256(text.substr(0, text.size() - ending.size()))) == sealed.hash;
  model::AuditEntry& entry = sealed.entry;
  entry.seq = (*object)["seq"].get<std::int64_t>();
  entry.at = *at;
  entry.act = *act;
  entry.actor = text_member(*object, "actor");
  entry.provider = text_member(*object, "provider");
  entry.pool = text_member(*object, "pool");
  entry.key = text_member(*object, "key");
  entry.rotation = text_member(*object, "rotation");
  entry.text = text_member(*object, "text");
  return sealed;
}

}  // namespace keyherd::audit
