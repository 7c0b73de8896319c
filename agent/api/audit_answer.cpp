#include "api/audit_answer.hpp"

#include <nlohmann/json.hpp>

#include "api/responses.hpp"
#include "api/usage_question.hpp"
#include "api/views.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd::api {

using nlohmann::json;

namespace {

using Members = std::initializer_list<std::pair<const char*, const std::string&>>;

void add_known(json& object, Members members) {
  for (const auto& [name, value] : members) {
    if (!value.empty())
      object[name] = value;
  }
}

// Whoever is confined to pools sees what is about them and their keys, and nothing of the agent.
bool may_see_entry(const model::Snapshot& snapshot, const Principal& who,
                   const model::AuditEntry& entry) {
  if (who.pools.empty())
    return true;
  if (!entry.pool.empty())
    return who.may_see_pool(entry.pool);
  return !entry.key.empty() && may_see_key(snapshot, who, entry.key);
}

json timeline_json(const TimelineEvent& event) {
  json object{{"at", format_event_time(event.at)}, {"what", event.what}, {"text", event.text}};
  add_known(object, {{"pool", event.pool}, {"key", event.key}, {"actor", event.actor}});
  return object;
}

// The keys whose story is asked for. Errors: invalid, not_found.
Status read_subject(const model::Snapshot& snapshot, const Principal& who,
                    const net::ServerRequest& request, TimelineQuestion& question) {
  const std::string pool = request.parameter("pool").value_or("");
  const std::string key = request.parameter("key").value_or("");
  if (pool.empty() == key.empty())
    return fail(ErrorCode::invalid, "use either ?pool=ID or ?key=ID");
  if (!pool.empty()) {
    const model::PoolView* view =
        who.may_see_pool(pool) ? model::find_pool(snapshot, pool) : nullptr;
    if (view == nullptr)
      return fail(ErrorCode::not_found, "no pool '" + printable(pool, 64) + "'");
    question.pool = pool;
    question.keys = view->pool.keys;
    return {};
  }
  if (!may_see_key(snapshot, who, key) || model::find_key(snapshot, key) == nullptr)
    return fail(ErrorCode::not_found, "no key '" + printable(key, 64) + "'");
  question.keys = {key};
  return {};
}

}  // namespace

json audit_json(const model::AuditEntry& entry) {
  json object{{"seq", entry.seq},
              {"at", format_event_time(entry.at)},
              {"actor", entry.actor},
              {"act", model::to_string(entry.act)},
              {"text", entry.text}};
  add_known(object, {{"provider", entry.provider},
                     {"pool", entry.pool},
                     {"key", entry.key},
                     {"rotation", entry.rotation}});
  return object;
}

Result<UsageRange> range_of(const ApiParts& parts, const net::ServerRequest& request) {
  UsageRange range;
  for (const auto& [name, into] : {std::pair{"from", &range.from}, std::pair{"to", &range.to}}) {
    if (const auto text = request.parameter(name)) {
      KH_ASSIGN(*into, parse_usage_time(*text, parts.control.timezone(), parts.clock.now().wall));
    }
  }
  return range;
}

net::Answer audit_answer(const ApiParts& parts, const Principal& who,
                         const net::ServerRequest& request) {
  constexpr std::int64_t kMost = 10'000;
  const auto limit = parse_int(request.parameter("limit").value_or("1000"));
  if (!limit || *limit < 1 || *limit > kMost)
    return respond_error(400, "invalid", "use ?limit=1..10000");
  const auto range = range_of(parts, request);
  if (!range)
    return respond_error(range.error());
  AuditQuestion question{range->from, range->to, request.parameter("pool").value_or(""),
                         request.parameter("key").value_or(""), static_cast<std::size_t>(*limit)};
  return when_ready<std::vector<model::AuditEntry>>(
      parts.clock, parts.control.audit(std::move(question)),
      [who, snapshot = parts.control.snapshot()](const std::vector<model::AuditEntry>& entries) {
        json list = json::array();
        for (const model::AuditEntry& entry : entries) {
          if (may_see_entry(*snapshot, who, entry))
            list.push_back(audit_json(entry));
        }
        return respond(200, list);
      });
}

net::Answer timeline_answer(const ApiParts& parts, const Principal& who,
                            const net::ServerRequest& request) {
  constexpr std::chrono::hours kDefaultRange{6};
  const auto range = range_of(parts, request);
  if (!range)
    return respond_error(range.error());
  TimelineQuestion question;
  question.to = range->to.value_or(parts.clock.now().wall);
  question.from = range->from.value_or(question.to - kDefaultRange);
  if (const auto read = read_subject(*parts.control.snapshot(), who, request, question); !read)
    return respond_error(read.error());
  return when_ready<std::vector<TimelineEvent>>(parts.clock,
                                                parts.control.timeline(std::move(question)),
                                                [](const std::vector<TimelineEvent>& events) {
                                                  json list = json::array();
                                                  for (const TimelineEvent& event : events)
                                                    list.push_back(timeline_json(event));
                                                  return respond(200, list);
                                                });
}

}  // namespace keyherd::api
