#include "engine/drills.hpp"

#include <spdlog/logger.h>

#include "base/time_text.hpp"

namespace keyherd::engine {

namespace {

constexpr std::string_view kSetting = "drill";
// Who has used the key shortly before a drill is expected to use the other one after it.
constexpr std::chrono::minutes kUsedLately{10};

model::Evidence as_refused(model::Evidence evidence) {
  evidence.verdict = model::Verdict::invalid_key;
  evidence.message = "a drill: as if it was refused";
  evidence.retry_at.reset();
  evidence.scope.reset();
  if (evidence.probe)
    evidence.http_status = 401;
  return evidence;
}

}  // namespace

void Drills::configure(std::shared_ptr<const Setup> setup, Instant now) {
  setup_ = std::move(setup);
  if (!is_under_way())
    return;
  if (parts_.herd.find(drill_->key) == nullptr ||
      !parts_.pools.has_member(drill_->pool, drill_->key))
    end("the key left the pool", now);
  else if (!drill_->detected_at)
    begin_shadow(now);
}

void Drills::restore(const store::State& state, Instant now) {
  const auto known = state.settings.find(std::string(kSetting));
  if (known == state.settings.end())
    return;
  drill_ = model::drill_from_text(known->second);
  if (is_under_way()) {
    if (now.wall < drill_->started_at)  // the clock was set back meanwhile
      model::shift(*drill_, now.wall - drill_->started_at);
    parts_.log.warn("the drill of key {} in pool {} goes on until {}", drill_->key, drill_->pool,
                    format_rfc3339(drill_->until));
  }
  configure(setup_, now);
}

// Of all keys of the provider: whether keys that fail alike are bad depends on the others.
void Drills::begin_shadow(Instant now) {
  const std::string& provider = parts_.herd.find(drill_->key)->key.provider;
  std::vector<health::KeyFacts> facts;
  std::map<std::string, model::KeyHealth> beliefs;
  for (const auto& [id, record] : parts_.herd.records()) {
    if (record.key.provider != provider)
      continue;
    facts.push_back(facts_of(record.key, *setup_));
    if (const model::KeyHealth* health = parts_.herd.tracker().health(id))
      beliefs[id] = *health;
  }
  shadow_.emplace();
  static_cast<void>(shadow_->configure(std::move(facts), now));
  shadow_->restore(beliefs, now);
}

Result<model::Drill> Drills::start(const std::string& pool, const std::string& key,
                                   std::chrono::nanoseconds at_most, const std::string& actor,
                                   Instant now) {
  const KeyRecord* record = parts_.herd.find(key);
  if (record == nullptr || !parts_.pools.has_member(pool, key))
    return fail(ErrorCode::not_found, "pool " + pool + " has no key '" + key + "'");
  if (is_under_way())
    return fail(ErrorCode::conflict, "a drill of key " + drill_->key + " in pool " + drill_->pool +
                                         " is under way until " + format_rfc3339(drill_->until));
  if (const auto why = parts_.pools.why_no_drill(pool, key, now))
    return fail(ErrorCode::conflict, *why);
  model::Drill drill;
  drill.pool = pool;
  drill.key = key;
  drill.actor = actor;
  drill.started_at = now.wall;
  drill.until = now.wall + std::chrono::duration_cast<WallTime::duration>(at_most);
  drill.watched = record->last_used_at && *record->last_used_at >= now.wall - kUsedLately;
  drill_ = std::move(drill);
  begin_shadow(now);
  parts_.log.warn("drill of key {} in pool {} by {}: from now on it is taken for revoked, until {}",
                  key, pool, actor, format_rfc3339(drill_->until));
  changed();
  return *drill_;
}

void Drills::clock_stepped(WallTime::duration by) {
  if (!is_under_way())
    return;
  model::shift(*drill_, by);
  changed();
}

void Drills::observe(const model::Evidence& evidence, Instant now) {
  if (!is_under_way() || !shadow_)
    return;
  const bool is_ours = evidence.key == drill_->key;
  const health::Change change = shadow_->observe(is_ours ? as_refused(evidence) : evidence, now);
  for (const std::string& key : change.probe_soon)  // also another one's: are all refused?
    parts_.probe_soon(key, now);
  if (!is_ours)
    return;
  const model::KeyHealth* health = shadow_->health(drill_->key);
  if (health != nullptr && health->state == model::KeyState::dead) {
    drill_->detected_at = now.wall;
    shadow_.reset();
    probe_at_.reset();
    parts_.log.warn("drill: key {} is taken for dead after {}", drill_->key,
                    describe_duration(now.wall - drill_->started_at));
    changed();
  } else if (const auto plan = shadow_->next_probe(drill_->key, now)) {
    probe_at_ = now.steady + plan->wait;
  }
}

void Drills::run(Instant now) {
  if (!is_under_way())
    return;
  if (probe_at_ && *probe_at_ <= now.steady) {
    probe_at_.reset();
    parts_.probe_soon(drill_->key, now);
  }
  if (drill_->detected_at)
    notice_steps(now);
  if (!is_under_way() || now.wall < drill_->until)
    return;
  if (!drill_->detected_at)
    end("nothing was heard of the key: no probe and no request came", now);
  else if (!drill_->published_at)
    end("no other key was published", now);
  else
    end(drill_->watched && !drill_->adopted_at ? "nobody was seen to use the other key" : "", now);
}

// What the journal and the usage logs say.
void Drills::notice_steps(Instant now) {
  const auto row = parts_.pools.drill_rotation(drill_->pool, drill_->key, drill_->started_at);
  if (!row)
    return;
  const bool was_published = drill_->published_at.has_value();
  const bool was_adopted = drill_->adopted_at.has_value();
  for (const model::RotationStep& step : row->steps) {
    if (!drill_->published_at && step.state == model::RotationState::published)
      drill_->published_at = step.at;
  }
  if (!drill_->switched_at) {
    drill_->switched_at = row->started_at;
    drill_->replaced_by = row->to;
    changed();
  }
  const KeyRecord* other = parts_.herd.find(row->to);
  if (drill_->published_at && !drill_->adopted_at && other != nullptr && other->last_used_at &&
      *other->last_used_at >= *drill_->published_at)
    drill_->adopted_at = std::max(*drill_->published_at, *other->last_used_at);
  if (drill_->published_at.has_value() != was_published ||
      drill_->adopted_at.has_value() != was_adopted)
    changed();
  const bool is_measured = drill_->published_at && (!drill_->watched || drill_->adopted_at);
  if (is_measured && model::is_final(row->state))
    end("", now);
}

// The pool goes back to the key, which works: the drill leaves things as they were.
void Drills::end(std::string note, Instant now) {
  drill_->ended_at = now.wall;
  shadow_.reset();
  probe_at_.reset();
  const auto stays = parts_.pools.go_back(drill_->pool, drill_->key, drill_->actor, now);
  drill_->note = std::move(note);
  if (stays)
    drill_->note += (drill_->note.empty() ? "" : "; ") + *stays;
  const model::Grade grade = model::grade_of(*drill_);
  parts_.log.warn("drill of key {} in pool {} is over, grade {} ({}){}{}", drill_->key,
                  drill_->pool, model::to_string(grade), model::meaning_of(*drill_),
                  drill_->note.empty() ? "" : ": ", drill_->note);
  changed();
}

void Drills::changed() {
  parts_.pipeline.next().settings[std::string(kSetting)] = model::to_text(*drill_);
  parts_.herd.touch(drill_->key);
  parts_.pools.key_changed(drill_->key);
  parts_.pools.mark_changed(drill_->pool);
}

bool Drills::condemns(const std::string& key) const {
  return concerns(key) && drill_->detected_at.has_value();
}

std::optional<SteadyTime> Drills::next_due(Instant now) const {
  if (!is_under_way())
    return std::nullopt;
  const SteadyTime at_end = now.steady + (drill_->until - now.wall);
  return probe_at_ ? std::min(at_end, *probe_at_) : at_end;
}

}  // namespace keyherd::engine
