// What the pools remember of their rotations.

#include <spdlog/logger.h>

#include <algorithm>
#include <iterator>

#include "engine/pools.hpp"

namespace keyherd::engine {

namespace {

constexpr std::size_t kHistory = 100;
constexpr std::chrono::hours kBudgetTime{1};
constexpr std::size_t kMostHistory = 5'000;  // more than the largest budget
constexpr std::size_t kShownRotations = 100;

}  // namespace

// A row that retires its last key has succeeded; how that ends is another matter.
void Pools::settle(Record& record, const model::Rotation& rotation, Instant now) {
  const auto retiring =
      std::find_if(rotation.steps.begin(), rotation.steps.end(),
                   [](const auto& step) { return step.state == model::RotationState::retiring; });
  record.dirty = true;
  if (retiring != rotation.steps.end() && rotation.state != model::RotationState::retiring)
    return;
  const double seconds =
      std::chrono::duration<double>(rotation.updated_at - rotation.started_at).count();
  model::observe(durations_, std::max(0.0, seconds));
  if (rotation.state == model::RotationState::committed ||
      rotation.state == model::RotationState::retiring) {
    record.last_success_at = now.wall;
    if (rotation.trigger == model::RotationTrigger::schedule)
      record.last_scheduled_success_at = now.wall;
  } else {
    parts_.log.warn("rotation {} of pool {} ended {}: {}", rotation.id, rotation.pool,
                    model::to_string(rotation.state),
                    rotation.steps.empty() ? "" : rotation.steps.back().note);
  }
}

void Pools::remember(Record& record, const model::Rotation& rotation) {
  if (rotation.state == model::RotationState::verified) {
    record.adopting = rotation.id;
    record.adopt_by = rotation::adoption_due(record.pool, rotation);
  } else if (rotation.id == record.adopting) {
    record.adopt_by.reset();
  }
  recent_.reset();
  for (model::Rotation& row : record.history) {
    if (row.id == rotation.id) {
      row = rotation;
      return;
    }
  }
  record.history.insert(record.history.begin(), rotation);
  // A row that still retires its last key must be found when that has ended, and the budget counts
  // the rows of an hour.
  const auto may_go = [&](const model::Rotation& row) {
    return model::is_final(row.state) &&
           (row.started_at < rotation.started_at - WallTime::duration(kBudgetTime) ||
            record.history.size() > kMostHistory);
  };
  while (record.history.size() > kHistory) {
    const auto oldest = std::find_if(record.history.rbegin(), record.history.rend(), may_go);
    if (oldest == record.history.rend())
      return;
    record.history.erase(std::next(oldest).base());
  }
}

model::RotationsPtr Pools::recent_rotations() {
  if (recent_)
    return recent_;
  std::vector<const model::Rotation*> all;
  for (const auto& [id, record] : records_)
    for (const model::Rotation& row : record.history)
      all.push_back(&row);
  const std::size_t shown = std::min(all.size(), kShownRotations);
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown), all.end(),
                    [](const auto* a, const auto* b) { return a->id > b->id; });
  std::vector<model::Rotation> rows;
  rows.reserve(shown);
  for (std::size_t i = 0; i < shown; ++i)
    rows.push_back(*all[i]);
  recent_ = std::make_shared<const std::vector<model::Rotation>>(std::move(rows));
  return recent_;
}

}  // namespace keyherd::engine
