#include "config/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

namespace keyherd::config {

namespace {

using Ids = std::unordered_set<std::string_view>;

template <class T>
Ids ids_of(const std::vector<T>& items) {
  Ids ids;
  for (const T& item : items)
    ids.insert(item.id);
  return ids;
}

std::string_view name_of(Target target) {
  switch (target) {
    case Target::provider:
      return "provider";
    case Target::key:
      return "key";
    case Target::quota:
      return "quota";
    case Target::pool:
      return "pool";
    case Target::issuer:
      return "issuer";
  }
  return "";
}

struct Known {
  Ids providers;
  Ids keys;
  Ids quotas;
  Ids pools;
  Ids issuers;

  [[nodiscard]] const Ids& of(Target target) const {
    switch (target) {
      case Target::provider:
        return providers;
      case Target::key:
        return keys;
      case Target::quota:
        return quotas;
      case Target::pool:
        return pools;
      case Target::issuer:
        return issuers;
    }
    return keys;
  }
};

void check_references(const Spec& spec, const Known& known, Report& report) {
  for (const Reference& reference : spec.references) {
    const Ids& ids = known.of(reference.target);
    if (ids.count(reference.id) != 0)
      continue;
    const std::string_view what = name_of(reference.target);
    std::string near;
    if (report.may_suggest())
      near = suggestion(reference.id, {ids.begin(), ids.end()});
    report.error(
        reference.place, reference.path,
        fmt::format(
            "there is no {} {}{}", what, in_quotes(reference.id),
            near.empty() ? fmt::format("; expected the ID of a section [{}s.ID]", what) : near));
  }
}

void check_listen(const Spec& spec, Report& report) {
  const std::string& address = spec.config.agent.listen_address;
  if (is_loopback(address) || spec.has_callers)
    return;
  report.error(spec.listen, "agent.listen",
               fmt::format("other machines could use the API on {} without a token: listen on "
                           "127.0.0.1, or add [[web.tokens]] or [web.basic_auth_users.NAME]",
                           address));
}

void check_published_files(const Spec& spec, Report& report) {
  std::map<std::string_view, std::string_view> pool_by_path;
  for (std::size_t i = 0; i < spec.config.pools.size(); ++i) {
    const model::Pool& pool = spec.config.pools[i];
    for (const model::PublishTarget& target : pool.publish) {
      const auto* file = std::get_if<model::PublishFile>(&target);
      if (file == nullptr || file->path.empty())
        continue;
      const auto [found, is_new] = pool_by_path.emplace(file->path, pool.id);
      if (!is_new)
        report.error(spec.pool_places[i], "pools." + report.shown(pool.id) + ".publish",
                     fmt::format("{} is already published by pool {}", in_quotes(file->path),
                                 in_quotes(found->second)));
    }
  }
}

void check_limit_groups(const Spec& spec, Report& report) {
  Ids named;
  for (const model::Key& key : spec.config.keys)
    named.insert(key.limit_group);
  for (std::size_t i = 0; i < spec.config.limit_groups.size(); ++i) {
    const std::string& id = spec.config.limit_groups[i].id;
    if (named.count(id) == 0)
      report.error(spec.limit_group_places[i], "limit_groups." + report.shown(id),
                   fmt::format("no key has limit_group = {}", in_quotes(id)));
  }
}

template <class T>
const T* find_by_id(const std::vector<T>& items, const std::string& id) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const T& it) { return it.id == id; });
  return found == items.end() ? nullptr : &*found;
}

// What a new secret can be put into: sealed, and for Azure with the slot that it is.
bool can_be_issued(const model::Pool& pool, const model::Key& key) {
  if (key.secret.kind != model::SecretRef::Kind::keyring)
    return false;
  return pool.mode != model::RotationMode::slot ||
         (key.managed && (key.provider_key_id == "key1" || key.provider_key_id == "key2"));
}

void check_modes(const Spec& spec, Report& report) {
  const Config& config = spec.config;
  for (std::size_t i = 0; i < config.pools.size(); ++i) {
    const model::Pool& pool = config.pools[i];
    const std::string path = "pools." + report.shown(pool.id);
    const model::Issuer* issuer = find_by_id(config.issuers, pool.issuer);
    if (issuer != nullptr && model::mode_of(issuer->type) != pool.mode)
      report.error(
          spec.pool_places[i], path + ".issuer",
          fmt::format("an issuer of type {} is for mode = \"{}\"", model::to_string(issuer->type),
                      model::to_string(model::mode_of(issuer->type))));
    if (!model::makes_secrets(pool.mode))
      continue;
    if (!config.agent.master_key)
      report.error(spec.pool_places[i], path + ".mode",
                   "new secrets are sealed in the state file: set agent.master_key");
    const auto slots = std::count_if(pool.keys.begin(), pool.keys.end(), [&](const auto& id) {
      const model::Key* key = find_by_id(config.keys, id);
      return key != nullptr && can_be_issued(pool, *key);
    });
    if (slots < 2 && !config.keys.empty())
      report.error(
          spec.pool_places[i], path + ".keys",
          pool.mode == model::RotationMode::slot
              ? "two keys must take turns, with secret = \"keyring:ID\", managed = true and "
                "provider_key_id \"key1\" and \"key2\""
              : "two keys with secret = \"keyring:ID\" must take turns: one works while "
                "the other gets its new secret");
  }
}

// One warning for all: bulk keys would make thousands.
void warn_about_keys(const Spec& spec, Report& report) {
  const Config& config = spec.config;
  if (config.keys.empty()) {
    report.warning({}, "keys", "there are no keys: nothing will be watched");
    return;
  }
  Ids pooled;
  for (const model::Pool& pool : config.pools)
    pooled.insert(pool.keys.begin(), pool.keys.end());
  std::size_t alone = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < config.keys.size(); ++i) {
    if (pooled.count(config.keys[i].id) == 0 && alone++ == 0)
      first = i;
  }
  if (alone == 0)
    return;
  report.warning(spec.key_places[first], "keys." + report.shown(config.keys[first].id),
                 alone == 1
                     ? "is in no pool: it is watched, but never rotated or handed out"
                     : fmt::format("is in no pool, like {} more: they are watched, but never "
                                   "rotated or handed out",
                                   alone - 1));
}

template <class T>
void sort_by_id(std::vector<T>& items) {
  std::sort(items.begin(), items.end(), [](const T& a, const T& b) { return a.id < b.id; });
}

}  // namespace

void check_duplicate_keys(const Spec& spec, Report& report) {
  std::unordered_map<std::string_view, Place> first;
  for (std::size_t i = 0; i < spec.config.keys.size(); ++i) {
    const std::string& id = spec.config.keys[i].id;
    const auto [found, is_new] = first.emplace(id, spec.key_places[i]);
    if (!is_new)
      report.error(
          spec.key_places[i], "keys." + report.shown(id),
          fmt::format("defined twice; the first is at {}", report.describe(found->second)));
  }
}

void check_spec(const Spec& spec, Report& report) {
  const Config& config = spec.config;
  const Known known{ids_of(config.providers), ids_of(config.keys), ids_of(config.quotas),
                    ids_of(config.pools), ids_of(config.issuers)};
  check_references(spec, known, report);
  check_duplicate_keys(spec, report);
  check_limit_groups(spec, report);
  check_listen(spec, report);
  check_published_files(spec, report);
  check_modes(spec, report);
  warn_about_keys(spec, report);
}

Config take_sorted(Spec spec) {
  sort_by_id(spec.config.providers);
  sort_by_id(spec.config.keys);
  sort_by_id(spec.config.limit_groups);
  sort_by_id(spec.config.quotas);
  sort_by_id(spec.config.issuers);
  sort_by_id(spec.config.pools);
  sort_by_id(spec.config.usage_logs);
  return std::move(spec.config);
}

}  // namespace keyherd::config
