// The ways out of a rotation that does not end well: workflow.hpp.

#include <fmt/format.h>

#include <algorithm>

#include "rotation/workflow_parts.hpp"

namespace keyherd::rotation {

namespace flow {

using Kind = StepRequest::Kind;
using model::CredentialState;
using model::Rotation;
using model::RotationFailure;
using model::RotationState;

namespace {
constexpr std::chrono::minutes kLateMint{2};
}  // namespace

void discard_minted(const WorkflowContext& context, const Rotation& rotation,
                    Transition& transition) {
  if (!context.minted)
    return;
  model::Credential credential = *context.minted;
  credential.state = CredentialState::leaving;
  credential.since = context.now;
  // A request whose answer was lost may still be carried out: what is looked for too soon is not
  // there.
  credential.not_before =
      context.now + (credential.remote_id.empty() ? kLateMint : std::chrono::minutes(0));
  // Until it was adopted it is the secret of no key. A key that has it loses it; unless nothing
  // else works, and then the next attempt finds it there.
  if (rotation.state == RotationState::planned || rotation.state == RotationState::minted)
    credential.key.clear();
  transition.credentials.push_back(std::move(credential));
}

Transition give_up_unchanged(const WorkflowContext& context, Rotation rotation,
                             RotationFailure failure, const std::string& cause) {
  Transition result;
  // Of a slot there is nothing to end: it has the one secret or the other.
  if (rotation.mode != model::RotationMode::slot)
    discard_minted(context, rotation, result);
  enter(rotation, RotationState::rolled_back, context.now, "nothing was changed: " + cause);
  rotation.generation = context.state.generation;
  result.failure = failure;
  result.rotation = std::move(rotation);
  return result;
}

Transition turn_back(const WorkflowContext& context, Rotation rotation, Targets touched,
                     RotationFailure failure, const std::string& cause) {
  Transition result;
  // Consumers may have seen the generation that did not work.
  rotation.generation = context.state.generation + (published_at(rotation) ? 1 : 2);
  enter(rotation, RotationState::staged, context.now,
        fmt::format("going back to {}: {}", rotation.from, cause));
  result.next =
      step(context, rotation, {Kind::restore, rotation.from, std::move(touched)}, context.now);
  result.failure = failure;
  result.rotation = std::move(rotation);
  return result;
}

Transition after_restore(const WorkflowContext& context, Rotation rotation, const StepDone& done) {
  Transition result;
  const Targets failed = targets_with(done, false);
  if (!failed.empty() && done.request.attempt < kDeliveryAttempts) {
    result.next = once_more(done.request);
    result.next->targets = failed;
    result.rotation = std::move(rotation);
    return result;
  }
  const bool complete = only_webhooks(failed);
  const bool was_live = published_at(rotation).has_value();
  enter(rotation, complete ? RotationState::rolled_back : RotationState::needs_human, context.now,
        complete ? rotation.from + " is published again"
                 : fmt::format("some consumers still have {}: {}", rotation.to, causes(done)));
  result.pool = decided(context, rotation, rotation.from, done.request.published_at);
  if (complete && rotation.mode != model::RotationMode::slot && context.minted) {
    // Consumers get the time of an overlap to follow.
    model::Credential credential = *context.minted;
    credential.state = CredentialState::leaving;
    credential.since = context.now;
    credential.not_before =
        context.now + (was_live ? context.pool.overlap : std::chrono::nanoseconds(0));
    result.credentials.push_back(std::move(credential));
  }
  result.rotation = std::move(rotation);
  return result;
}

}  // namespace flow

Transition abandon(const WorkflowContext& context, const model::Rotation& rotation,
                   std::string why) {
  using model::RotationState;
  Transition result;
  result.rotation = rotation;
  model::Rotation& row = result.rotation;
  const bool slot = rotation.mode == model::RotationMode::slot;
  switch (rotation.state) {
    case RotationState::planned:
    case RotationState::minted:
      // A slot has its new secret, whatever becomes of it: the old one is gone.
      if (!rotation.credential.empty() && !slot)
        flow::discard_minted(context, rotation, result);
      if (rotation.state == RotationState::minted)
        result.held = slot ? HeldSecret::adopt : HeldSecret::discard;
      flow::enter(row,
                  rotation.credential.empty() ? RotationState::refused : RotationState::rolled_back,
                  context.now, std::move(why));
      row.generation -= 1;  // the pool's stays what it was
      break;
    case RotationState::published:
    case RotationState::verified:
      // The last key is retired all the same, unless it is needed again.
      return flow::commit(context, rotation, "live; not everything was waited for: " + why);
    case RotationState::staged:
      flow::enter(row, RotationState::needs_human, context.now,
                  fmt::format("some files may hold {} already: {}", rotation.to, why));
      break;
    case RotationState::retiring:
      flow::enter(row, RotationState::needs_human, context.now,
                  fmt::format("{} was not retired: {}", rotation.from, why));
      break;
    case RotationState::committed:
    case RotationState::retired:
    case RotationState::rolled_back:
    case RotationState::needs_human:
    case RotationState::refused:
      break;
  }
  return result;
}

Transition ended(const model::Rotation& rotation, bool called_off, std::string note, WallTime now) {
  Transition result;
  result.rotation = rotation;
  flow::enter(result.rotation,
              called_off ? model::RotationState::committed : model::RotationState::retired, now,
              std::move(note));
  return result;
}

}  // namespace keyherd::rotation
