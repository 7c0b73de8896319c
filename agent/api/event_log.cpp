#include "api/event_log.hpp"

#include <nlohmann/json.hpp>

#include "api/views.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd::api {

using nlohmann::json;

namespace {

class Changes {
 public:
  explicit Changes(WallTime at) : at_(format_event_time(at)) {}

  void add(std::string_view type, json data, std::string key = "", std::string pool = "") {
    data["at"] = at_;
    Event event;
    event.type = type;
    event.key = std::move(key);
    event.pool = std::move(pool);
    event.data = dump_json(data);
    events_.push_back(std::move(event));
  }
  std::vector<Event> take() { return std::move(events_); }

 private:
  std::string at_;
  std::vector<Event> events_;
};

// Calls changed(before, now) for what is in both lists and not the very same object. Both sorted.
template <class List, class IdOf, class Changed>
void compare_by_id(const List& before, const List& now, IdOf id_of, Changed changed) {
  auto old = before.begin();
  for (const auto& view : now) {
    while (old != before.end() && *old != view && id_of(**old) < id_of(*view))
      ++old;
    if (old == before.end())
      return;
    if (*old != view && id_of(**old) == id_of(*view))
      changed(**old, *view);
    if (*old == view)
      ++old;
  }
}

json time_or_null(const std::optional<WallTime>& time) {
  return time ? json(format_rfc3339(*time)) : json(nullptr);
}

void compare_quotas(const std::vector<model::QuotaStatus>& before,
                    const std::vector<model::QuotaStatus>& now, const std::string& key,
                    Changes& changes) {
  for (const model::QuotaStatus& quota : now) {
    for (const model::QuotaStatus& old : before) {
      if (old.quota == quota.quota && old.owner == quota.owner && old.level != quota.level)
        changes.add("quota",
                    {{"owner", quota.owner},
                     {"quota", quota.quota},
                     {"from", old.level},
                     {"to", quota.level},
                     {"ratio", quota.ratio()},
                     {"resets_at", time_or_null(quota.resets_at)}},
                    key);
    }
  }
}

void compare_keys(const model::Snapshot& before, const model::Snapshot& now, Changes& changes) {
  compare_by_id(
      before.keys, now.keys,
      [](const model::KeyView& view) { return std::string_view(view.key.id); },
      [&changes](const model::KeyView& old, const model::KeyView& view) {
        if (old.health.state != view.health.state) {
          json data = health_json(view.health);
          data.erase("id");
          data["key"] = view.key.id;
          data["from"] = model::to_string(old.health.state);
          changes.add("key", std::move(data), view.key.id);
        }
        compare_quotas(old.quotas, view.quotas, view.key.id, changes);
      });
}

void compare_pools(const model::Snapshot& before, const model::Snapshot& now, Changes& changes) {
  compare_by_id(
      before.pools, now.pools,
      [](const model::PoolView& view) { return std::string_view(view.pool.id); },
      [&changes](const model::PoolView& old, const model::PoolView& view) {
        if (old.state.generation != view.state.generation || old.problem != view.problem ||
            old.freeze.has_value() != view.freeze.has_value() || old.available != view.available)
          changes.add("pool",
                      {{"pool", view.pool.id},
                       {"active", view.state.active},
                       {"generation", view.state.generation},
                       {"available", view.available},
                       {"frozen", view.freeze.has_value()},
                       {"problem", view.problem}},
                      "", view.pool.id);
      });
}

// Newest first; the oldest of them fall off.
void compare_rotations(const model::Snapshot& before, const model::Snapshot& now,
                       Changes& changes) {
  if (before.rotations == now.rotations || !now.rotations)
    return;
  static const std::vector<model::Rotation> kNone;
  const auto& known = before.rotations ? *before.rotations : kNone;
  const auto later = [](const model::Rotation& row, const std::string& id) { return row.id > id; };
  for (auto row = now.rotations->rbegin(); row != now.rotations->rend(); ++row) {
    const auto old = std::lower_bound(known.begin(), known.end(), row->id, later);
    if (old != known.end() && old->id == row->id && old->state == row->state)
      continue;
    json data = rotation_json(*row);
    data.erase("steps");
    changes.add("rotation", std::move(data), "", row->pool);
  }
}

void compare_the_rest(const model::Snapshot& before, const model::Snapshot& now, Changes& changes) {
  compare_by_id(
      before.providers, now.providers,
      [](const model::ProviderView& view) { return std::string_view(view.provider.id); },
      [&changes](const model::ProviderView& old, const model::ProviderView& view) {
        if (old.up != view.up)
          changes.add(
              "provider",
              {{"provider", view.provider.id}, {"up", view.up}, {"incident", view.incident}});
      });
  compare_by_id(
      before.sources, now.sources,
      [](const model::SourceView& view) { return std::string_view(view.log.id); },
      [&changes](const model::SourceView& old, const model::SourceView& view) {
        if (old.status.up != view.status.up || old.status.problem != view.status.problem)
          changes.add(
              "source",
              {{"log", view.log.id}, {"up", view.status.up}, {"problem", view.status.problem}});
      });
  if (before.agent.ready != now.agent.ready ||
      before.agent.config_loaded_at != now.agent.config_loaded_at ||
      before.agent.config_error != now.agent.config_error)
    changes.add("agent", {{"ready", now.agent.ready},
                          {"not_ready_because", now.agent.not_ready_because},
                          {"config_reload_ok", now.agent.config_reload_ok},
                          {"config_error", now.agent.config_error}});
}

}  // namespace

std::vector<Event> changes_between(const model::Snapshot& before, const model::Snapshot& now) {
  if (before.version == 0)  // there was none
    return {};
  Changes changes(now.at);
  compare_keys(before, now, changes);
  compare_quotas(before.group_quotas, now.group_quotas, "", changes);
  compare_pools(before, now, changes);
  compare_rotations(before, now, changes);
  compare_the_rest(before, now, changes);
  return changes.take();
}

EventLog::EventLog() : run_(to_hex(random_bytes(4))) {}

void EventLog::add(std::vector<Event> events) {
  MutexLock lock(mutex_);
  for (Event& event : events) {
    event.number = ++newest_;
    events_.push_back(std::move(event));
    if (events_.size() > kMost)
      events_.pop_front();
  }
}

std::uint64_t EventLog::newest() const {
  MutexLock lock(mutex_);
  return newest_;
}

std::string EventLog::id_of(std::uint64_t number) const {
  return run_ + "-" + std::to_string(number);
}

std::optional<std::uint64_t> EventLog::number_of(std::string_view id) const {
  if (!id.starts_with(run_) || id.substr(run_.size(), 1) != "-")
    return std::nullopt;
  const auto number = parse_int(id.substr(run_.size() + 1));
  if (!number || static_cast<std::uint64_t>(*number) > newest())
    return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

bool EventLog::visit(std::uint64_t after, const std::function<bool(const Event&)>& visitor) const {
  MutexLock lock(mutex_);
  if (after + events_.size() < newest_)
    return false;
  const std::uint64_t count = newest_ - after;
  for (auto event = events_.end() - static_cast<std::ptrdiff_t>(count); event != events_.end();
       ++event) {
    if (!visitor(*event))
      break;
  }
  return true;
}

}  // namespace keyherd::api
