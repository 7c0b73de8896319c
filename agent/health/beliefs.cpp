#include "health/beliefs.hpp"

#include <fmt/format.h>

#include "base/time_text.hpp"
#include "health/cadence.hpp"

namespace keyherd::health {

namespace {

using model::Evidence;
using model::EvidenceSource;
using model::KeyState;
using model::ProbeKind;
using model::Verdict;
using model::VerdictClass;

constexpr std::chrono::minutes kNewsFor{10};
// No rate is averaged over so long a time: told to slow down this often and this long whenever it
// was used, a key is out of quota, though its provider does not say so.
constexpr int kSlowdownsOfQuota = 5;
constexpr std::chrono::hours kSlowForQuota{1};
constexpr std::chrono::hours kSlowdownsApart{1};

bool is_passive(const Evidence& evidence) {
  return evidence.source == EvidenceSource::usage_log || evidence.source == EvidenceSource::report;
}

// Real use: more than a look at a list.
bool shows_use(const Evidence& evidence) {
  return is_passive(evidence) || evidence.probe == ProbeKind::chat;
}

// Whether probes of this key ever spend money.
bool never_paid(const Record& record) {
  const auto method = record.facts.probe.method;
  return method != model::ProbeMethod::automatic && method != model::ProbeMethod::chat;
}

bool shows_money(const Record& record, const Evidence& evidence) {
  if (shows_use(evidence))
    return true;
  if (evidence.probe == ProbeKind::balance && record.exhausted_by == Verdict::balance_exhausted)
    return true;
  // Nothing better will ever come; but not while the cool-down still runs.
  return never_paid(record) && !record.cooldown.ends;
}

// Logs cut times off, at the second or the millisecond: a line that bears the very second of a
// success may be of any part of it.
bool is_surely_before(WallTime line, WallTime success) {
  if (line == std::chrono::floor<std::chrono::seconds>(line))
    return line < std::chrono::floor<std::chrono::seconds>(success);
  return line < std::chrono::floor<std::chrono::milliseconds>(success);
}

// A permission that was missing for one kind of request is not shown by another kind.
bool shows_permission(const Record& record, const Evidence& evidence) {
  return shows_use(evidence) || never_paid(record) || evidence.probe == record.degraded_by;
}

// A refused region is the agent's place; the key's users may be elsewhere.
bool is_restriction(Verdict verdict) {
  return verdict == Verdict::permission_denied;
}

std::string_view by_whom(EvidenceSource source) {
  switch (source) {
    case EvidenceSource::probe:
      return "a probe";
    case EvidenceSource::usage_log:
      return "the usage log";
    case EvidenceSource::report:
      return "a consumer's report";
    case EvidenceSource::command:
      return "a command";
  }
  return "";
}

// " (a probe: <what the provider said>)"
std::string origin(const Evidence& evidence) {
  if (evidence.message.empty())
    return fmt::format(" ({})", by_whom(evidence.source));
  return fmt::format(" ({}: {})", by_whom(evidence.source), evidence.message);
}

void add_strikes(Record& record, const Evidence& evidence, const Moment& moment) {
  const int needed = record.facts.probe.failures_to_dead;
  const std::int64_t proofs = is_passive(evidence) ? evidence.count : 1;
  // A consumer may be wrong about a key, and a batch with successes in it does not tell what came
  // first: there the last proof is left to a probe.
  const bool needs_probe = evidence.source == EvidenceSource::report ||
                           is_outvoted(record, evidence, moment) ||
                           (is_passive(evidence) && record.success_at == moment.now.steady);
  int& strikes = record.health.auth_strikes;
  const int most = std::max(strikes, needs_probe ? needed - 1 : needed);
  strikes = static_cast<int>(std::min<std::int64_t>(most, strikes + proofs));
}

void add_trouble(Record& record, const Evidence& evidence, const Moment& moment) {
  const auto& info = model::info(evidence.verdict);
  if (!record.trouble || record.trouble->kind != info.kind)
    record.trouble =
        Trouble{info.kind, model::scope_of(evidence), moment.happened, moment.happened, 0};
  Trouble& trouble = *record.trouble;
  trouble.scope = model::scope_of(evidence);
  trouble.last = std::max(trouble.last, moment.happened);
  trouble.count += static_cast<int>(std::min<std::int64_t>(evidence.count, 1'000));
}

// Of a key's use, and not while all its provider's keys are told the same: that is our address.
void add_slowdown(Record& record, const Evidence& evidence, const Moment& moment, bool frozen) {
  auto& slowdowns = record.slowdowns;
  if (frozen || evidence.retry_at)
    slowdowns.reset();
  if (frozen || evidence.retry_at || !shows_use(evidence))
    return;
  if (!slowdowns || moment.happened - slowdowns->last > kSlowdownsApart)
    slowdowns = Slowdowns{moment.happened, moment.happened, 0};
  slowdowns->last = std::max(slowdowns->last, moment.happened);
  slowdowns->count += evidence.count;
}

bool is_spent_silently(const Record& record, const Moment& moment) {
  return record.slowdowns && record.slowdowns->count >= kSlowdownsOfQuota &&
         moment.happened - record.slowdowns->since >= kSlowForQuota;
}

void count_success(Record& record, const Evidence& evidence, const Moment& moment) {
  model::KeyHealth& health = record.health;
  ++health.consecutive_successes;
  health.auth_strikes = 0;
  // What a probe shows held when it was sent. Never in the future, where a line's writer or a step
  // of the clock may have put it: it would outdate every failure until then.
  const WallTime at = std::min(evidence.at - evidence.latency, moment.now.wall);
  const bool later = health.last_success_at && *health.last_success_at <= moment.now.wall;
  health.last_success_at = later ? std::max(*health.last_success_at, at) : at;
  if (evidence.source == EvidenceSource::probe)
    health.consecutive_failures = 0;
  record.trouble.reset();
  record.quiet_until.reset();
  record.successes_then = record.success_at == moment.now.steady ? record.successes_then : 0;
  record.success_at = moment.now.steady;
  record.successes_then += evidence.count;
  const bool counts = health.state == KeyState::dead ? evidence.source == EvidenceSource::probe
                                                     : shows_permission(record, evidence);
  record.proofs += counts ? 1 : 0;
  if (shows_money(record, evidence))
    record.wants_paid = false;
  if (shows_use(evidence))
    record.slowdowns.reset();
}

void count_failure(Record& record, const Evidence& evidence, const Moment& moment) {
  model::KeyHealth& health = record.health;
  health.consecutive_successes = 0;
  if (evidence.source == EvidenceSource::probe)
    ++health.consecutive_failures;
  switch (model::info(evidence.verdict).kind) {
    case VerdictClass::auth:
      record.proofs = 0;
      add_trouble(record, evidence, moment);
      add_strikes(record, evidence, moment);
      return;
    case VerdictClass::quota:
      // Who is asked for money has been recognised.
      record.proofs = 0;
      record.trouble.reset();
      health.auth_strikes = 0;
      return;
    case VerdictClass::rate:
    case VerdictClass::provider:
      add_trouble(record, evidence, moment);
      return;
    case VerdictClass::request:
      if (is_restriction(evidence.verdict))
        record.proofs = 0;
      return;
    case VerdictClass::good:
      return;
  }
}

std::optional<Move> judge_success(Record& record, const Evidence& evidence) {
  switch (record.health.state) {
    case KeyState::unknown:
      return Move{KeyState::healthy, fmt::format("accepted by the provider{}", origin(evidence))};
    case KeyState::exhausted:
      if (shows_money(record, evidence))
        return Move{KeyState::healthy, fmt::format("it can spend again{}", origin(evidence))};
      return std::nullopt;
    case KeyState::degraded:
    case KeyState::dead:
      if (record.proofs >= successes_needed(record))
        return Move{KeyState::healthy, fmt::format("accepted {} times in a row again{}",
                                                   record.proofs, origin(evidence))};
      return std::nullopt;
    case KeyState::healthy:
    case KeyState::throttled:  // until its time is over
    case KeyState::paused:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Move> judge_refusal(Record& record, const Evidence& evidence, const Moment& moment,
                                  bool frozen) {
  if (frozen || record.health.state == KeyState::dead || !is_condemned(record))
    return std::nullopt;
  record.died_at = moment.now.steady;
  note_relapse(record, moment.now.steady);
  return Move{KeyState::dead,
              fmt::format("refused {} times in a row as {}{}", record.health.auth_strikes,
                          model::to_string(evidence.verdict), origin(evidence))};
}

std::optional<Move> judge_spent(Record& record, const Evidence& evidence, const Moment& moment,
                                bool frozen) {
  if (frozen || record.health.state == KeyState::dead || is_outvoted(record, evidence, moment))
    return std::nullopt;
  record.exhausted_by = evidence.verdict;
  start_exhaustion(record, evidence, moment.now);
  if (record.health.state == KeyState::exhausted)
    return std::nullopt;
  return Move{KeyState::exhausted,
              fmt::format("{}; {} {}{}", model::to_string(evidence.verdict),
                          record.cooldown.stated ? "until" : "to be looked at again at",
                          format_rfc3339(*record.health.cooldown_until), origin(evidence))};
}

std::optional<Move> judge_too_fast(Record& record, const Evidence& evidence, const Moment& moment,
                                   bool frozen) {
  const KeyState state = record.health.state;
  add_slowdown(record, evidence, moment, frozen);
  if (state == KeyState::dead || state == KeyState::exhausted ||
      is_outvoted(record, evidence, moment))
    return std::nullopt;
  if (!frozen && is_longer_than_throttling(evidence, moment.now)) {
    record.exhausted_by = Verdict::quota_exhausted;
    start_exhaustion(record, evidence, moment.now);
    return Move{KeyState::exhausted,
                fmt::format("told to wait until {}, which is a quota rather than a rate{}",
                            format_rfc3339(*record.health.cooldown_until), origin(evidence))};
  }
  if (is_spent_silently(record, moment)) {
    record.exhausted_by = Verdict::quota_exhausted;
    start_exhaustion(record, evidence, moment.now);
    return Move{KeyState::exhausted,
                fmt::format("told to slow down {} times in {}, of no use since and not told until "
                            "when, which is a quota rather than a rate{}",
                            record.slowdowns->count,
                            format_duration(std::chrono::floor<std::chrono::minutes>(
                                moment.happened - record.slowdowns->since)),
                            origin(evidence))};
  }
  // Keys that are all told to slow down are limited by our address, not by their accounts.
  if (frozen && state != KeyState::throttled)
    return std::nullopt;
  start_throttling(record, evidence, moment.now);
  if (state == KeyState::throttled)
    return std::nullopt;
  return Move{KeyState::throttled,
              fmt::format("rate limited until {}{}", format_rfc3339(*record.health.cooldown_until),
                          origin(evidence))};
}

std::optional<Move> judge_request(Record& record, const Evidence& evidence, const Moment& moment,
                                  bool frozen) {
  const KeyState state = record.health.state;
  const bool may_degrade = state == KeyState::unknown || state == KeyState::healthy;
  if (!is_restriction(evidence.verdict) || is_outvoted(record, evidence, moment))
    return std::nullopt;
  if (may_degrade || state == KeyState::degraded)
    record.degraded_by = evidence.probe;
  if (frozen || !may_degrade)
    return std::nullopt;
  note_relapse(record, moment.now.steady);
  return Move{KeyState::degraded,
              fmt::format("it works, but not for all: {}{}", model::to_string(evidence.verdict),
                          origin(evidence))};
}

}  // namespace

bool is_relevant(const Record& record, const Evidence& evidence, const Moment& moment) {
  if (!is_passive(evidence))
    return true;
  if (moment.now.wall - evidence.at > kNewsFor)
    return false;
  if (evidence.verdict == Verdict::ok)
    return !record.trouble || moment.happened >= record.trouble->last;
  const auto& success = record.health.last_success_at;
  return !success || *success > moment.now.wall || !is_surely_before(evidence.at, *success);
}

bool is_outvoted(const Record& record, const Evidence& evidence, const Moment& moment) {
  return is_passive(evidence) && record.success_at == moment.now.steady &&
         record.successes_then >= evidence.count;
}

void count(Record& record, const Evidence& evidence, const Moment& moment) {
  record.observed_at = moment.now.steady;
  record.health.verdict = evidence.verdict;
  record.health.has_verdict = true;
  if (evidence.source == EvidenceSource::probe) {
    record.health.last_probe_at = evidence.at;
    record.probed_at = moment.now.steady;
    record.urgent = false;
  }
  if (evidence.verdict == Verdict::ok) {
    count_success(record, evidence, moment);
  } else {
    count_failure(record, evidence, moment);
    keep_quiet(record, evidence, moment.now);
  }
}

bool is_condemned(const Record& record) {
  return record.health.auth_strikes >= record.facts.probe.failures_to_dead;
}

std::optional<Move> judge(Record& record, const Evidence& evidence, const Moment& moment,
                          bool frozen) {
  if (record.health.paused)
    return std::nullopt;
  switch (model::info(evidence.verdict).kind) {
    case VerdictClass::good:
      return judge_success(record, evidence);
    case VerdictClass::auth:
      return judge_refusal(record, evidence, moment, frozen);
    case VerdictClass::quota:
      return judge_spent(record, evidence, moment, frozen);
    case VerdictClass::rate:
      return judge_too_fast(record, evidence, moment, frozen);
    case VerdictClass::provider:
      return std::nullopt;
    case VerdictClass::request:
      return judge_request(record, evidence, moment, frozen);
  }
  return std::nullopt;
}

std::optional<Move> after_cooldown(const Record& record) {
  if (record.health.state == KeyState::throttled) {
    if (record.health.last_success_at)
      return Move{KeyState::healthy, "the time it was told to wait is over"};
    return Move{KeyState::unknown, "the time it was told to wait is over; it was never proven"};
  }
  if (record.health.state == KeyState::exhausted && record.cooldown.stated)
    return Move{KeyState::unknown, "the stated end of its exhaustion has come; not yet proven"};
  return std::nullopt;
}

}  // namespace keyherd::health
