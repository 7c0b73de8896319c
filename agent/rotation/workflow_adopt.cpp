// From a published key to one that consumers are seen to use: workflow.hpp.

#include <fmt/format.h>

#include "base/time_text.hpp"
#include "rotation/workflow_parts.hpp"

namespace keyherd::rotation {

namespace flow {

using model::CredentialState;
using model::Rotation;
using model::RotationFailure;
using model::RotationState;

namespace {

// A probe or two may be refused by mistake; consumers have the key.
constexpr int kDenials = 2;

Targets everybody(const model::Pool& pool) {
  Targets all = files_of(pool);
  for (model::PublishTarget& hook : hooks_of(pool))
    all.push_back(std::move(hook));
  return all;
}

bool can_turn_back(const WorkflowContext& context, const Rotation& rotation) {
  return context.previous_works && !rotation.from.empty();
}

}  // namespace

Transition commit(const WorkflowContext& context, Rotation rotation, std::string note) {
  Transition result;
  const bool retires = rotation.mode != model::RotationMode::switch_ && !rotation.from.empty();
  if (retires && !context.ending && !context.kept_because.empty())
    note += (note.empty() ? "" : "; ") + context.kept_because;
  enter(rotation, RotationState::committed, context.now, std::move(note));
  if (retires && context.ending) {
    model::Credential leaving = *context.ending;
    leaving.state = CredentialState::leaving;
    leaving.rotation = rotation.id;
    leaving.since = context.now;
    leaving.not_before = published_at(rotation).value_or(context.now) + context.pool.overlap;
    enter(rotation, RotationState::retiring, context.now,
          fmt::format("{} works beside it until {}, and until nobody uses it", rotation.from,
                      format_rfc3339(leaving.not_before)));
    result.credentials.push_back(std::move(leaving));
  }
  result.rotation = std::move(rotation);
  return result;
}

Transition verified(const WorkflowContext& context, Rotation rotation, std::string note) {
  enter(rotation, RotationState::verified, context.now, std::move(note));
  if (auto decided_already = watch(context, rotation))
    return std::move(*decided_already);
  Transition result;
  result.rotation = std::move(rotation);
  return result;
}

Transition after_confirm(const WorkflowContext& context, Rotation rotation, const StepDone& done) {
  if (done.status)
    return verified(context, std::move(rotation), "a probe of it was ok once it was live");
  const Error& error = done.status.error();
  const bool refused = error.code == ErrorCode::denied;
  if (done.request.attempt < (refused ? kDenials : kConfirmAttempts)) {
    Transition result;
    result.next = once_more(done.request);
    result.rotation = std::move(rotation);
    return result;
  }
  if (refused && can_turn_back(context, rotation))
    return turn_back(context, std::move(rotation), everybody(context.pool),
                     RotationFailure::preflight, "it does not work: " + error.message);
  return verified(
      context, std::move(rotation),
      fmt::format("it could not be proven once it was live{}: {}",
                  refused ? ", and there is no working key to go back to" : "", error.message));
}

}  // namespace flow

std::optional<WallTime> committed_at(const model::Rotation& rotation) {
  for (const model::RotationStep& step : rotation.steps) {
    if (step.state == model::RotationState::committed)
      return step.at;
  }
  return std::nullopt;
}

std::optional<WallTime> adoption_due(const model::Pool& pool, const model::Rotation& rotation) {
  const auto live_since = flow::published_at(rotation);
  if (rotation.state != model::RotationState::verified || !live_since)
    return std::nullopt;
  return *live_since + pool.adopt_within;
}

std::optional<Transition> watch(const WorkflowContext& context, const model::Rotation& rotation) {
  if (rotation.state != model::RotationState::verified)
    return std::nullopt;
  const bool watched = context.has_logs && !rotation.from.empty() &&
                       context.pool.adopt_within > std::chrono::nanoseconds(0);
  if (!watched)
    return flow::commit(context, rotation, "");
  const WallTime live_since = flow::published_at(rotation).value_or(rotation.updated_at);
  if (context.to_used_at && *context.to_used_at >= live_since)
    return flow::commit(context, rotation,
                        "consumers use it since " + format_rfc3339(*context.to_used_at));
  if (context.now < live_since + context.pool.adopt_within)
    return std::nullopt;
  if (!context.from_used_at || *context.from_used_at < live_since)
    return flow::commit(context, rotation, "nobody has used either key since");
  const std::string why =
      fmt::format("consumers still use {} at {}, and {} not at all", rotation.from,
                  format_rfc3339(*context.from_used_at), rotation.to);
  if (flow::can_turn_back(context, rotation))
    return flow::turn_back(context, rotation, flow::everybody(context.pool),
                           model::RotationFailure::adoption, why);
  Transition result =
      flow::commit(context, rotation, why + "; there is no working key to go back to");
  result.failure = model::RotationFailure::adoption;
  return result;
}

}  // namespace keyherd::rotation
