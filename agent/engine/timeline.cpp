#include "engine/timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "base/time_text.hpp"

namespace keyherd::engine {

namespace {

using api::TimelineEvent;
using api::TimelineQuestion;
using Events = std::vector<TimelineEvent>;

// What is read of a key's history, and of how many keys: commits must not wait for long.
constexpr std::size_t kMostOfKey = 1'000;
constexpr std::size_t kMostKeys = 100;

std::string text_of(const model::Evidence& evidence) {
  std::string text(model::to_string(evidence.verdict));
  if (evidence.http_status != 0)
    text += fmt::format(" (HTTP {})", evidence.http_status);
  if (!evidence.message.empty())
    text += ": " + evidence.message;
  return text;
}

// Alike ones in a row are one event, at the time of the first.
void add_evidence(Events& events, const std::string& key,
                  const std::vector<model::Evidence>& newest_first) {
  std::string before;
  std::int64_t count = 0;
  WallTime last;
  std::size_t open = 0;
  const auto close = [&] {
    if (count > 1)
      events[open].text += fmt::format(" ({} times, until {})", count, format_event_time(last));
  };
  for (auto one = newest_first.rbegin(); one != newest_first.rend(); ++one) {
    const bool is_probe = one->source == model::EvidenceSource::probe;
    const std::string alike = std::string(model::to_string(one->source)) + text_of(*one);
    if (events.size() > open && alike == before && count > 0) {
      count += one->count;
      last = one->at;
      continue;
    }
    close();
    before = alike;
    count = one->count;
    last = one->at;
    open = events.size();
    events.push_back({one->at, is_probe ? "probe" : "log", "", key, "", text_of(*one)});
  }
  close();
}

Status add_usage(Events& events, store::Store& store, const TimelineQuestion& question) {
  std::map<std::pair<std::int64_t, std::string>, model::UsageCounts> buckets;
  KH_TRY(store.each_usage({question.from, question.to, question.keys},
                          [&](const model::UsageRow& row) -> Status {
                            buckets[{row.bucket, row.key}].add(row.counts);
                            return {};
                          }));
  for (const auto& [place, counts] : buckets) {
    const double failed = counts.requests == 0 ? 0
                                               : 100.0 * static_cast<double>(counts.failed) /
                                                     static_cast<double>(counts.requests);
    events.push_back(
        {model::bucket_start(place.first), "usage", "", place.second, "",
         fmt::format("from here on: {} requests, {} failed ({:.1f} %), {} tokens", counts.requests,
                     counts.failed, failed, model::saturating_add(counts.input, counts.output))});
  }
  return {};
}

Status add_rotations(Events& events, store::Store& store, const TimelineQuestion& question) {
  KH_ASSIGN(const auto rows, store.rotations(question.pool, kMostOfKey));
  for (const model::Rotation& row : rows) {
    const bool ours = !question.pool.empty() ||
                      std::any_of(question.keys.begin(), question.keys.end(), [&](const auto& key) {
                        return key == row.to || key == row.from;
                      });
    if (!ours)
      continue;
    for (std::size_t i = 0; i < row.steps.size(); ++i) {
      const model::RotationStep& step = row.steps[i];
      if (step.at < question.from || step.at >= question.to)
        continue;
      const std::string way =
          i == 0 ? fmt::format("from {} to {}: ", row.from.empty() ? "nothing" : row.from, row.to)
                 : "";
      events.push_back({step.at, "rotation", row.pool, row.to, i == 0 ? row.actor : "",
                        fmt::format("{}{}{}{}", way, model::to_string(step.state),
                                    step.note.empty() ? "" : ": ", step.note)});
    }
  }
  return {};
}

// Those that rotated first.
std::vector<std::string> keys_to_tell(const Events& rotations, const TimelineQuestion& question) {
  std::vector<std::string> keys = question.keys;
  std::set<std::string> rotated;
  for (const TimelineEvent& event : rotations)
    rotated.insert(event.key);
  std::stable_partition(keys.begin(), keys.end(),
                        [&](const std::string& key) { return rotated.contains(key); });
  keys.resize(std::min(keys.size(), kMostKeys));
  return keys;
}

Status add_key(Events& events, store::Store& store, const TimelineQuestion& question,
               const std::string& key) {
  const store::HistoryQuery query{key, question.to, kMostOfKey};
  KH_ASSIGN(auto evidence, store.evidence(query));
  std::erase_if(evidence,
                [&](const auto& one) { return one.at < question.from || one.at >= question.to; });
  add_evidence(events, key, evidence);
  KH_ASSIGN(const auto changes, store.changes(query));
  for (const model::StateChange& change : changes) {
    if (change.at >= question.from && change.at < question.to)
      events.push_back({change.at, "state", "", key, "",
                        fmt::format("{} → {}: {}", model::to_string(change.from),
                                    model::to_string(change.to), change.why)});
  }
  return {};
}

}  // namespace

Result<Events> recorded_events(store::Store& store, const TimelineQuestion& question) {
  Events events;
  KH_TRY(add_rotations(events, store, question));
  const std::vector<std::string> told = keys_to_tell(events, question);
  for (const std::string& key : told)
    KH_TRY(add_key(events, store, question, key));
  if (!told.empty())
    KH_TRY(add_usage(events, store, {question.from, question.to, question.pool, told}));
  if (told.size() < question.keys.size())
    events.push_back(
        {question.from, "note", question.pool, "", "",
         fmt::format("probes, states and usage of {} of its {} keys are told; ask for the "
                     "others by name",
                     told.size(), question.keys.size())});
  return events;
}

Result<Events> decided_events(audit::Journal& journal, const TimelineQuestion& question) {
  KH_ASSIGN(const auto entries,
            journal.read({question.from, question.to, "", "", api::kMostTimelineEvents}));
  Events events;
  for (const model::AuditEntry& entry : entries) {
    if (entry.act == model::AuditAct::decided || entry.act == model::AuditAct::step)
      continue;
    const bool of_key =
        std::find(question.keys.begin(), question.keys.end(), entry.key) != question.keys.end();
    // What has neither is about the agent or a provider: it may be the cause.
    const bool ours =
        entry.pool.empty() ? of_key || entry.key.empty() : entry.pool == question.pool || of_key;
    if (ours)
      events.push_back({entry.at, std::string(model::to_string(entry.act)), entry.pool, entry.key,
                        entry.actor,
                        entry.provider.empty() ? entry.text : entry.provider + ": " + entry.text});
  }
  return events;
}

Events join(Events a, Events b) {
  a.insert(a.end(), std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()));
  std::stable_sort(a.begin(), a.end(),
                   [](const TimelineEvent& x, const TimelineEvent& y) { return x.at < y.at; });
  if (a.size() > api::kMostTimelineEvents)
    a.erase(a.begin(), a.end() - static_cast<std::ptrdiff_t>(api::kMostTimelineEvents));
  return a;
}

}  // namespace keyherd::engine
