#include "rotation/candidate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/time_text.hpp"

namespace keyherd::rotation {

namespace {

bool has_many_errors(const model::Pool& pool, const Candidate& candidate) {
  return candidate.error_ratio && *candidate.error_ratio > pool.max_error_ratio;
}

std::string until(const Candidate& candidate) {
  return candidate.cooldown_until ? " until " + format_rfc3339(*candidate.cooldown_until) : "";
}

std::optional<std::string> unfit_state(const Candidate& candidate, Demand demand) {
  switch (candidate.state) {
    case model::KeyState::healthy:
      break;
    case model::KeyState::unknown:
      if (demand != Demand::named)
        return "is not verified yet";
      break;
    case model::KeyState::throttled:
      return "is throttled" + until(candidate);
    case model::KeyState::exhausted:
      return "is exhausted" + until(candidate);
    case model::KeyState::degraded:
      if (demand == Demand::proven)
        return "is degraded";
      break;
    case model::KeyState::dead:
      return "is dead";
    case model::KeyState::paused:
      return "is paused";
  }
  return std::nullopt;
}

}  // namespace

std::int64_t reserve(const model::Pool& pool, const model::QuotaStatus& quota) {
  const bool keeps_reserve = pool.strategy == model::Strategy::quota_aware &&
                             quota.unit != model::QuotaUnit::usd &&
                             quota.limit > pool.min_remaining;
  return keeps_reserve ? std::max<std::int64_t>(pool.min_remaining, 0) : 0;
}

const model::QuotaStatus* spent_quota(const model::Pool& pool, const Candidate& candidate) {
  for (const model::QuotaStatus& quota : candidate.quotas) {
    if (quota.remaining() <= reserve(pool, quota))
      return &quota;
  }
  return nullptr;
}

std::optional<std::string> unfit(const model::Pool& pool, const Candidate& candidate, Demand demand,
                                 WallTime now) {
  if (candidate.drilled)
    return "is treated as revoked, for a drill";
  if (auto state = unfit_state(candidate, demand))
    return state;
  if (!candidate.secret_loaded)
    return "has no secret loaded";
  if (candidate.expires_at && *candidate.expires_at <= now)
    return "expired at " + format_rfc3339(*candidate.expires_at);
  if (candidate.frozen)
    return "belongs to a provider that has an incident";
  if (!candidate.verified && demand != Demand::named)
    return "is not verified: its latest evidence is not ok";
  if (const model::QuotaStatus* quota = spent_quota(pool, candidate)) {
    return fmt::format("has {} of {} {} left in quota {} (needs more than {})", quota->remaining(),
                       quota->limit, model::to_string(quota->unit), quota->quota,
                       reserve(pool, *quota));
  }
  if (demand == Demand::proven && has_many_errors(pool, candidate)) {
    return fmt::format("fails {:.1f} % of its requests (limit {:.1f} %)",
                       *candidate.error_ratio * 100, pool.max_error_ratio * 100);
  }
  return std::nullopt;
}

std::vector<const Candidate*> usable(const model::Pool& pool, const std::vector<Candidate>& members,
                                     WallTime now) {
  std::vector<const Candidate*> fit;
  for (const Candidate& member : members) {
    if (!unfit(pool, member, Demand::proven, now))
      fit.push_back(&member);
  }
  return fit;
}

std::optional<WallTime> ramps_until(const model::Pool& pool, const Candidate& candidate,
                                    WallTime now) {
  if (!candidate.recovered || !candidate.state_since || now < *candidate.state_since)
    return std::nullopt;
  const WallTime end =
      *candidate.state_since + std::chrono::duration_cast<WallTime::duration>(pool.ramp);
  return now < end ? std::optional(end) : std::nullopt;
}

double ramp_share(WallTime from, WallTime until, WallTime now) {
  constexpr double kLeast = 0.05;
  if (now < from || now >= until)
    return 1;
  return std::max(kLeast, std::chrono::duration<double>(now - from) /
                              std::chrono::duration<double>(until - from));
}

double share_of(const model::Pool& pool, const Candidate& candidate, WallTime now) {
  const auto until = ramps_until(pool, candidate, now);
  return until ? ramp_share(*candidate.state_since, *until, now) : 1;
}

bool is_fresh(const Candidate& candidate, WallTime now) {
  return candidate.verified && candidate.last_ok_at &&
         now - *candidate.last_ok_at <= 2 * candidate.probe_interval;
}

bool depends_on_prices(const model::Pool& pool) {
  return pool.strategy == model::Strategy::cheapest ||
         model::rotates_on(pool, model::RotateOn::dear);
}

const Candidate* find(const std::vector<Candidate>& members, std::string_view key) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const Candidate& member) { return member.key == key; });
  return found == members.end() ? nullptr : &*found;
}

}  // namespace keyherd::rotation
