// From the intention to have a secret made until it is proven: workflow.hpp.

#include <fmt/format.h>

#include "base/time_text.hpp"
#include "rotation/workflow_parts.hpp"

namespace keyherd::rotation::flow {

namespace {

using Kind = StepRequest::Kind;
using model::Credential;
using model::CredentialState;
using model::Rotation;
using model::RotationFailure;
using model::RotationState;

constexpr std::string_view kSecondTry = "-2";

Credential intention(const WorkflowContext& context, const Rotation& rotation) {
  Credential credential;
  credential.name = rotation.credential;
  credential.key = rotation.to;
  credential.pool = rotation.pool;
  credential.issuer = context.pool.issuer;
  credential.state = CredentialState::intended;
  credential.rotation = rotation.id;
  credential.since = context.now;
  credential.not_before = context.now;
  return credential;
}

WallTime minted_at(const Rotation& rotation) {
  for (auto one = rotation.steps.rbegin(); one != rotation.steps.rend(); ++one) {
    if (one->state == RotationState::minted)
      return one->at;
  }
  return rotation.started_at;
}

// The provider made a secret that it refuses itself: another one, once; the first is ended.
Transition mint_again(const WorkflowContext& context, Rotation rotation, const std::string& why) {
  Transition result;
  discard_minted(context, rotation, result);
  result.held = HeldSecret::discard;
  rotation.credential += kSecondTry;
  enter(rotation, RotationState::planned, context.now,
        "a second one is made, the first is refused: " + why);
  result.credentials.push_back(intention(context, rotation));
  result.next = mint_step(context, rotation);
  result.rotation = std::move(rotation);
  return result;
}

Transition not_proven(const WorkflowContext& context, Rotation rotation, const Error& cause) {
  const bool slot = rotation.mode == model::RotationMode::slot;
  if (cause.code == ErrorCode::denied && !slot && !rotation.credential.ends_with(kSecondTry))
    return mint_again(context, std::move(rotation), cause.message);
  Transition result =
      give_up_unchanged(context, std::move(rotation), RotationFailure::preflight,
                        fmt::format("the new secret is not proven: {}", cause.message));
  // A slot has the new secret, whatever we think of it: the old one is gone.
  result.held = slot ? HeldSecret::adopt : HeldSecret::discard;
  return result;
}

}  // namespace

StepRequest mint_step(const WorkflowContext& context, const Rotation& rotation) {
  StepRequest request = step(context, rotation, {Kind::mint, rotation.to, {}}, context.now);
  request.credential = rotation.credential;
  request.issuer = context.pool.issuer;
  return request;
}

StepRequest verify_minted_step(const WorkflowContext& context, const Rotation& rotation) {
  StepRequest request = step(context, rotation, {Kind::verify, rotation.to, {}}, context.now);
  request.credential = rotation.credential;
  request.held = true;
  request.paid = true;
  return request;
}

Transition begin_mint(const WorkflowContext& context, Rotation rotation) {
  Transition result;
  rotation.credential = "keyherd-" + rotation.id;
  result.credentials.push_back(intention(context, rotation));
  result.next = mint_step(context, rotation);
  result.rotation = std::move(rotation);
  return result;
}

Transition after_mint(const WorkflowContext& context, Rotation rotation, const StepDone& done) {
  Transition result;
  if (done.status) {
    Credential credential = context.minted.value_or(intention(context, rotation));
    credential.state = CredentialState::live;
    credential.remote_id = done.remote_id;
    credential.expires_at = done.expires_at;
    credential.since = context.now;
    enter(rotation, RotationState::minted, context.now,
          done.remote_id +
              (done.expires_at ? ", expires at " + format_rfc3339(*done.expires_at) : ""));
    result.credentials.push_back(std::move(credential));
    result.held = HeldSecret::hold;
    result.next = verify_minted_step(context, rotation);
    result.rotation = std::move(rotation);
    return result;
  }
  const Error& error = done.status.error();
  const bool hopeless = error.code == ErrorCode::denied || error.code == ErrorCode::invalid;
  if (done.request.attempt < (hopeless ? 2 : kMintAttempts)) {
    result.next = once_more(done.request);
    result.next->after_crash = true;  // it may have been made all the same: the issuer is asked
    result.rotation = std::move(rotation);
    return result;
  }
  return give_up_unchanged(context, std::move(rotation), RotationFailure::preflight,
                           "no secret could be had: " + error.message);
}

Transition after_minted_verify(const WorkflowContext& context, Rotation rotation,
                               const StepDone& done) {
  Transition result;
  // When consumers have nothing that works, one proof is enough.
  const int needed = context.previous_works ? kProofs : 1;
  if (done.status && done.request.proofs + 1 >= needed) {
    result = stage(context, std::move(rotation), fmt::format("{} paid probes were ok", needed));
    result.held = HeldSecret::adopt;
    return result;
  }
  const WallTime settled = minted_at(rotation) + context.pool.settle_within;
  const bool refused = !done.status && done.status.error().code == ErrorCode::denied;
  const bool away = !done.status && !refused;
  // A new secret may be unknown for a while; a provider that is away says nothing about it.
  if ((refused && context.now >= settled) || (away && context.now >= settled + kLongestPause))
    return not_proven(context, std::move(rotation), done.status.error());
  result.next = once_more(done.request);
  result.next->proofs = done.status ? done.request.proofs + 1 : 0;
  if (done.status)
    result.next->delay = kFirstDelay;
  result.rotation = std::move(rotation);
  return result;
}

}  // namespace keyherd::rotation::flow
