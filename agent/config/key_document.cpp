#include "config/key_document.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/time_text.hpp"

namespace keyherd::config {

using nlohmann::ordered_json;

namespace {

constexpr std::string_view kManagedName = "imported.json";

// In the order in which people write them.
ordered_json as_json(const model::Key& key) {
  static const model::Key kPlain;
  ordered_json json{{"id", key.id}, {"provider", key.provider}, {"secret", key.secret.text}};
  if (!key.limit_group.empty())
    json["limit_group"] = key.limit_group;
  if (key.priority != kPlain.priority)
    json["priority"] = key.priority;
  if (!key.quotas.empty())
    json["quotas"] = key.quotas;
  if (!key.labels.empty())
    json["labels"] = key.labels;
  if (!key.provider_key_id.empty())
    json["provider_key_id"] = key.provider_key_id;
  if (key.managed)
    json["managed"] = true;
  if (key.created_at)
    json["created_at"] = format_rfc3339(*key.created_at);
  if (key.expires_at)
    json["expires_at"] = format_rfc3339(*key.expires_at);
  if (key.max_age)
    json["max_age"] = format_duration(*key.max_age);
  return json;
}

std::vector<std::string> different_fields(const model::Key& before, const model::Key& after) {
  const ordered_json a = as_json(before);
  const ordered_json b = as_json(after);
  std::vector<std::string> fields;
  for (const auto& [name, value] : b.items()) {
    if (!a.contains(name) || a[name] != value)
      fields.push_back(name);
  }
  for (const auto& [name, value] : a.items()) {
    if (!b.contains(name))
      fields.push_back(name);
  }
  return fields;
}

}  // namespace

std::string key_document(const model::Key& key) {
  return as_json(key).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string keys_document(std::vector<model::Key> keys) {
  std::sort(keys.begin(), keys.end(),
            [](const model::Key& a, const model::Key& b) { return a.id < b.id; });
  std::string text = "{\"keys\": [";
  for (std::size_t i = 0; i < keys.size(); ++i)
    text += (i == 0 ? "\n" : ",\n") + key_document(keys[i]);
  return text + "\n]}\n";
}

Result<KeyChanges> merge_keys(std::vector<model::Key> managed,
                              const std::vector<model::Key>& elsewhere,
                              const std::vector<model::Key>& imported) {
  std::map<std::string, model::Key> known;
  for (model::Key& key : managed)
    known.emplace(key.id, std::move(key));
  std::map<std::string_view, const model::Key*> fixed;
  for (const model::Key& key : elsewhere)
    fixed.emplace(key.id, &key);
  KeyChanges changes;
  for (const model::Key& key : imported) {
    const auto other = fixed.find(key.id);
    const auto own = known.find(key.id);
    if (other == fixed.end() && own == known.end()) {
      changes.added.push_back(key.id);
      known.emplace(key.id, key);
      continue;
    }
    auto fields = different_fields(other != fixed.end() ? *other->second : own->second, key);
    if (fields.empty()) {
      changes.unchanged.push_back(key.id);
    } else if (other != fixed.end()) {
      return fail(ErrorCode::conflict, "keys." + key.id +
                                           ": is configured in another file, with "
                                           "another " +
                                           fields.front() + "; change it there");
    } else {
      own->second = key;
      changes.changed.push_back({key.id, std::move(fields)});
    }
  }
  for (auto& [id, key] : known)
    changes.keys.push_back(std::move(key));
  return changes;
}

Result<std::string> managed_key_file(const std::vector<std::string>& key_files) {
  for (const std::string& pattern : key_files) {
    const std::string path = resolve_path(directory_of(pattern), kManagedName);
    if (path == pattern || ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0)
      return path;
  }
  return fail(ErrorCode::conflict,
              "no pattern of agent.key_files finds a file " + std::string(kManagedName) +
                  ", where imported keys live; add: key_files = [\"keys.d/*.json\"]");
}

}  // namespace keyherd::config
