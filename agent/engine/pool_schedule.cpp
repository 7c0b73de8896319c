#include "engine/pool_schedule.hpp"

#include <algorithm>

#include "cron/jitter.hpp"

namespace keyherd::engine {

namespace {

constexpr std::size_t kMissedCap = 1'000'000;
// A running agent is never later than this; with catch_up = "skip" whatever is later was missed.
constexpr std::chrono::minutes kOnTime{1};

}  // namespace

bool PoolSchedule::configure(const model::Pool& pool, std::optional<cron::Schedule> schedule,
                             WallTime now) {
  std::string identity = pool.schedule + " | " + pool.timezone;
  const bool changed = identity != identity_;
  identity_ = std::move(identity);
  schedule_ = std::move(schedule);
  delay_ = cron::stable_delay(pool.id, pool.schedule_jitter);
  patience_ = pool.catch_up == model::CatchUp::once ? pool.catch_up_window : kOnTime;
  if (!schedule_) {
    next_fire_.reset();
  } else if (changed || !next_fire_) {
    last_fire_ = now;
    next_fire_ = schedule_->next(now);
  }
  return changed;
}

void PoolSchedule::restore(WallTime last_fire) {
  if (!schedule_)
    return;
  last_fire_ = last_fire;
  next_fire_ = schedule_->next(last_fire);
}

std::optional<WallTime> PoolSchedule::next() const {
  return next_fire_ ? std::optional(*next_fire_ + delay_) : std::nullopt;
}

std::optional<PoolSchedule::Fire> PoolSchedule::take_due(WallTime now) {
  if (!next_fire_ || *next_fire_ + delay_ > now)
    return std::nullopt;
  const cron::Firings due = schedule_->between(
      last_fire_.value_or(*next_fire_ - std::chrono::nanoseconds(1)), now - delay_, kMissedCap);
  Fire fire;
  fire.scheduled_at = due.latest.value_or(*next_fire_);
  fire.too_late = now - (fire.scheduled_at + delay_) > patience_;
  fire.missed =
      std::max<std::int64_t>(0, static_cast<std::int64_t>(due.count) - (fire.too_late ? 0 : 1));
  last_fire_ = fire.scheduled_at;
  next_fire_ = schedule_->next(std::max(fire.scheduled_at, now - delay_));
  return fire;
}

}  // namespace keyherd::engine
