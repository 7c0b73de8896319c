#include "rotation/ending.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/time_text.hpp"

namespace keyherd::rotation {

namespace {

using model::Credential;
using model::CredentialState;
using model::RotationMode;

// While the pool has nothing else that works, it is looked at again so often.
constexpr std::chrono::seconds kLookAgainAfter{30};

StepRequest ending_step(const Credential& credential, StepRequest::Kind kind) {
  StepRequest request;
  request.kind = kind;
  request.rotation = credential.rotation;
  request.pool = credential.pool;
  request.key = credential.key;
  request.credential = credential.name;
  request.remote_id = credential.remote_id;
  request.issuer = credential.issuer;
  return request;
}

StepRequest retry(const StepRequest& request) {
  StepRequest next = request;
  next.attempt += 1;
  next.delay = std::min<std::chrono::nanoseconds>(
      kFirstDelay * (1 << std::clamp(next.attempt - 2, 0, 20)), kLongestEndingDelay);
  next.after_crash = true;  // it may have been done all the same
  return next;
}

void move(Ending& ending, CredentialState state, WallTime now, std::string note) {
  ending.credential.state = state;
  ending.credential.since = now;
  ending.credential.note = std::move(note);
}

Ending wait(const Credential& credential, WallTime until, std::string why) {
  Ending ending{credential, std::nullopt, false, false, false, until};
  ending.credential.note = std::move(why);
  return ending;
}

// The issuer (or the person) says that it is ended.
void confirm_or_end(Ending& ending, const EndingFacts& facts) {
  // A slot has a new secret by now.
  if (!facts.can_probe || facts.mode == RotationMode::slot) {
    ending.over = true;
    return;
  }
  move(ending, CredentialState::confirming, facts.now, "");
  ending.next = ending_step(ending.credential, StepRequest::Kind::refusal);
}

}  // namespace

Ending consider_ending(const Credential& credential, const EndingFacts& facts) {
  if (facts.in_use) {
    Ending ending{credential, std::nullopt, true, credential.remote_id.empty(), false, {}};
    move(ending, CredentialState::live, facts.now, "");
    return ending;
  }
  if (facts.now < credential.not_before && !facts.refused)
    return wait(credential, credential.not_before, "");
  if (facts.last_used_at && !facts.refused) {
    const WallTime quiet = *facts.last_used_at + facts.quiet_for;
    if (facts.now < quiet)
      return wait(
          credential, quiet,
          fmt::format("{} is still used: {}", credential.key, format_rfc3339(*facts.last_used_at)));
  }
  // Where secrets are made, a refused one is in the way of the next.
  const bool in_the_way = facts.refused && model::makes_secrets(facts.mode);
  if (!facts.replaced && !in_the_way && !credential.key.empty())
    return wait(credential, facts.now + kLookAgainAfter,
                "the pool has no other key that works, or fewer than min_available, so none is "
                "ended");
  Ending ending{credential, std::nullopt, false, false, true, {}};
  if (facts.mode == RotationMode::guided) {
    move(ending, CredentialState::confirming, facts.now,
         fmt::format("revoke {} at its provider now; the agent probes it until it is refused",
                     credential.key));
    ending.next = ending_step(ending.credential, StepRequest::Kind::refusal);
    return ending;
  }
  move(ending, CredentialState::revoking, facts.now, facts.refused ? "it is refused already" : "");
  ending.next = ending_step(ending.credential, StepRequest::Kind::revoke);
  return ending;
}

Ending advance_ending(const Credential& credential, const EndingFacts& facts,
                      const StepDone& done) {
  Ending ending{credential, std::nullopt, false, false, false, {}};
  if (done.request.kind == StepRequest::Kind::revoke) {
    if (done.status) {
      confirm_or_end(ending, facts);
    } else {
      ending.credential.note = done.status.error().message;
      ending.next = retry(done.request);
    }
    return ending;
  }
  // A refusal step: the probe must be denied.
  if (!done.status && done.status.error().code == ErrorCode::denied) {
    ending.over = true;
    return ending;
  }
  if (done.status && facts.mode != RotationMode::guided)
    ending.credential.note = credential.key + " is ended, says its provider, but still answers";
  ending.next = retry(done.request);
  return ending;
}

std::optional<StepRequest> resume_ending(const Credential& credential, const EndingFacts& facts) {
  std::optional<StepRequest> step;
  if (credential.state == CredentialState::revoking)
    step = ending_step(credential, StepRequest::Kind::revoke);
  if (credential.state == CredentialState::confirming && facts.can_probe)
    step = ending_step(credential, StepRequest::Kind::refusal);
  if (step)
    step->after_crash = true;
  return step;
}

}  // namespace keyherd::rotation
