#include "rotation/workflow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace keyherd::rotation {

namespace {

using Kind = StepRequest::Kind;
using model::Rotation;
using model::RotationFailure;
using model::RotationState;
using Targets = std::vector<model::PublishTarget>;

bool is_file(const model::PublishTarget& target) {
  return std::holds_alternative<model::PublishFile>(target);
}

Targets files_of(const model::Pool& pool) {
  Targets files;
  std::copy_if(pool.publish.begin(), pool.publish.end(), std::back_inserter(files), is_file);
  return files;
}

Targets hooks_of(const model::Pool& pool) {
  Targets hooks;
  std::copy_if(pool.publish.begin(), pool.publish.end(), std::back_inserter(hooks),
               std::not_fn(is_file));
  return hooks;
}

Targets targets_with(const StepDone& done, bool success) {
  Targets found;
  for (const TargetOutcome& outcome : done.outcomes) {
    if (outcome.status.has_value() == success)
      found.push_back(outcome.target);
  }
  return found;
}

// "file:/run/a.json: No space left; …", the causes of what failed.
std::string causes(const StepDone& done) {
  std::string text;
  for (const TargetOutcome& outcome : done.outcomes) {
    if (!outcome.status)
      text += (text.empty() ? "" : "; ") + outcome.status.error().message;
  }
  return text;
}

bool was_cancelled(const StepDone& done) {
  const auto cancelled = [](const Status& status) {
    return !status && status.error().code == ErrorCode::cancelled;
  };
  return cancelled(done.verified) ||
         std::any_of(done.outcomes.begin(), done.outcomes.end(),
                     [&](const TargetOutcome& outcome) { return cancelled(outcome.status); });
}

// What may go away by itself: the hook said so (75), or somebody was not there.
bool is_temporary(const Error& error) {
  return error.code == ErrorCode::unavailable || error.code == ErrorCode::timeout ||
         error.code == ErrorCode::no_space;
}

std::chrono::nanoseconds delay_before(int attempt) {
  return std::min<std::chrono::nanoseconds>(kFirstDelay * (1 << std::clamp(attempt - 2, 0, 20)),
                                            kLongestDelay);
}

// Adds one step to the journal's row and moves it there.
void enter(Rotation& rotation, RotationState state, WallTime now, std::string note) {
  rotation.state = state;
  rotation.updated_at = now;
  rotation.steps.push_back({state, now, std::move(note)});
}

struct Work {
  Kind kind;
  std::string key;
  Targets targets;
};

StepRequest step(const WorkflowContext& context, const Rotation& rotation, Work work,
                 WallTime published_at) {
  StepRequest request;
  request.kind = work.kind;
  request.rotation = rotation.id;
  request.pool = rotation.pool;
  request.key = std::move(work.key);
  request.generation = rotation.generation;
  request.targets = std::move(work.targets);
  request.published_at = published_at;
  request.valid_until = valid_until(context.pool, context.expires_at, published_at);
  return request;
}

model::PoolState decided(const WorkflowContext& context, const Rotation& rotation,
                         std::string active, WallTime published_at) {
  model::PoolState state = context.state;
  state.pool = rotation.pool;
  state.active = std::move(active);
  state.generation = rotation.generation;
  state.decided_at = published_at;
  state.last_rotation = rotation.id;
  if (state.active != context.state.active)
    state.switched_at = context.now;
  return state;
}

// The key is live. `left` are files that could not be written and will be tried again.
Transition publish_done(const WorkflowContext& context, Rotation rotation, WallTime published_at,
                        Targets left, std::string note) {
  Transition result;
  const bool all_written = left.empty();
  enter(rotation, RotationState::published, context.now, std::move(note));
  result.pool = decided(context, rotation, rotation.to, published_at);
  Targets outstanding = std::move(left);
  for (model::PublishTarget& hook : hooks_of(context.pool))
    outstanding.push_back(std::move(hook));
  if (outstanding.empty()) {
    enter(rotation, RotationState::committed, context.now, "");
  } else {
    result.next =
        step(context, rotation, {Kind::deliver, rotation.to, std::move(outstanding)}, published_at);
  }
  if (!all_written)
    result.failure = RotationFailure::publish;
  result.rotation = std::move(rotation);
  return result;
}

Transition verify_done(const WorkflowContext& context, Rotation rotation, std::string note) {
  enter(rotation, RotationState::verified, context.now, std::move(note));
  Targets files = files_of(context.pool);
  if (files.empty())
    return publish_done(context, std::move(rotation), context.now, {}, "the pool has no files");
  Transition result;
  result.next =
      step(context, rotation, {Kind::publish, rotation.to, std::move(files)}, context.now);
  result.rotation = std::move(rotation);
  return result;
}

Transition refuse(const WorkflowContext& context, Rotation rotation, const Error& cause) {
  Transition result;
  enter(rotation, RotationState::refused, context.now,
        fmt::format("{} is not proven: {}", rotation.to, cause.message));
  rotation.generation = context.state.generation;
  result.failure = RotationFailure::preflight;
  result.rotation = std::move(rotation);
  return result;
}

Transition give_up_unchanged(const WorkflowContext& context, Rotation rotation,
                             const std::string& cause) {
  Transition result;
  enter(rotation, RotationState::rolled_back, context.now, "nothing was changed: " + cause);
  rotation.generation = context.state.generation;
  result.failure = RotationFailure::publish;
  result.rotation = std::move(rotation);
  return result;
}

Transition turn_back(const WorkflowContext& context, Rotation rotation, Targets touched,
                     const std::string& cause) {
  Transition result;
  rotation.generation = context.state.generation + 2;
  enter(rotation, RotationState::verified, context.now,
        fmt::format("going back to {}: {}", rotation.from, cause));
  result.next =
      step(context, rotation, {Kind::restore, rotation.from, std::move(touched)}, context.now);
  result.failure = RotationFailure::publish;
  result.rotation = std::move(rotation);
  return result;
}

Transition after_publish(const WorkflowContext& context, Rotation rotation, const StepDone& done) {
  Targets failed = targets_with(done, false);
  if (failed.empty())
    return publish_done(context, std::move(rotation), done.request.published_at, {}, "");
  Targets touched = targets_with(done, true);
  if (done.request.after_crash)
    touched = done.request.targets;
  if (touched.empty())
    return give_up_unchanged(context, std::move(rotation), causes(done));
  if (context.previous_works && !rotation.from.empty())
    return turn_back(context, std::move(rotation), std::move(touched), causes(done));
  return publish_done(context, std::move(rotation), done.request.published_at, std::move(failed),
                      "not everywhere, and there is no working key to go back to: " + causes(done));
}

// The same step again for the targets that failed, after a pause; nothing when it was the last try.
std::optional<StepRequest> again(const StepDone& done) {
  if (done.request.attempt >= kDeliveryAttempts)
    return std::nullopt;
  StepRequest request = done.request;
  request.targets = targets_with(done, false);
  request.attempt += 1;
  request.delay = delay_before(request.attempt);
  return request;
}

Transition after_restore(const WorkflowContext& context, Rotation rotation, const StepDone& done) {
  Transition result;
  const bool complete = targets_with(done, false).empty();
  if (!complete) {
    result.next = again(done);
    if (result.next) {
      result.rotation = std::move(rotation);
      return result;
    }
  }
  enter(rotation, complete ? RotationState::rolled_back : RotationState::needs_human, context.now,
        complete ? rotation.from + " is published again"
                 : fmt::format("some files still hold {}: {}", rotation.to, causes(done)));
  result.pool = decided(context, rotation, rotation.from, done.request.published_at);
  result.rotation = std::move(rotation);
  return result;
}

// A failed hook counts at once, unless it may still come right; what runs out of attempts counts in
// any case. A file that failed was counted when it did.
bool hook_counts(const StepDone& done) {
  if (done.request.counted)
    return false;
  return std::any_of(done.outcomes.begin(), done.outcomes.end(), [&](const TargetOutcome& outcome) {
    return !outcome.status && !is_file(outcome.target) &&
           (done.request.attempt >= kDeliveryAttempts || !is_temporary(outcome.status.error()));
  });
}

Transition after_deliver(const WorkflowContext& context, Rotation rotation, const StepDone& done) {
  Transition result;
  const Targets failed = targets_with(done, false);
  if (hook_counts(done))
    result.failure = RotationFailure::hook;
  if (failed.empty()) {
    enter(rotation, RotationState::committed, context.now, "");
  } else if (auto retry = again(done)) {
    retry->counted = done.request.counted || result.failure.has_value();
    result.next = std::move(retry);
  } else {
    // A webhook only tells; without a file or a hook some consumer may still use the previous key.
    const bool only_told =
        std::all_of(failed.begin(), failed.end(), [](const model::PublishTarget& target) {
          return std::holds_alternative<model::PublishWebhook>(target);
        });
    enter(rotation, only_told ? RotationState::committed : RotationState::needs_human, context.now,
          fmt::format("{} is live, but after {} attempts: {}", rotation.to, kDeliveryAttempts,
                      causes(done)));
  }
  result.rotation = std::move(rotation);
  return result;
}

bool goes_back(const WorkflowContext& context, const Rotation& rotation) {
  return rotation.generation == context.state.generation + 2;
}

// The step that a row in this state waits for.
std::optional<Kind> awaited(const WorkflowContext& context, const Rotation& rotation) {
  switch (rotation.state) {
    case RotationState::planned:
      return Kind::verify;
    case RotationState::verified:
      return goes_back(context, rotation) ? Kind::restore : Kind::publish;
    case RotationState::published:
      return Kind::deliver;
    case RotationState::minted:
    case RotationState::staged:
    case RotationState::committed:
    case RotationState::retiring:
    case RotationState::retired:
    case RotationState::rolled_back:
    case RotationState::needs_human:
    case RotationState::refused:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::string make_rotation_id(WallTime now, Random& random) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::milliseconds>(now - day));
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}{:03}Z-{:08x}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count(), static_cast<std::uint32_t>(random.next() >> 32U));
}

WallTime valid_until(const model::Pool& pool, std::optional<WallTime> expires_at,
                     WallTime published_at) {
  const WallTime end = published_at + pool.valid_for;
  return expires_at ? std::min(end, *expires_at) : end;
}

Transition begin(const WorkflowContext& context, const Plan& plan, std::string id) {
  Rotation rotation;
  rotation.id = std::move(id);
  rotation.pool = plan.pool;
  rotation.from = plan.from;
  rotation.to = plan.to;
  rotation.generation = context.state.generation + 1;
  rotation.trigger = plan.trigger;
  rotation.reason = plan.reason;
  rotation.actor = plan.actor;
  rotation.started_at = context.now;
  enter(rotation, RotationState::planned, context.now, plan.reason);
  if (!plan.verify_first) {
    Transition result = verify_done(context, std::move(rotation),
                                    "by its latest evidence; probed after the switch");
    result.probe_now = true;
    return result;
  }
  Transition result;
  result.next = step(context, rotation, {Kind::verify, rotation.to, {}}, context.now);
  result.rotation = std::move(rotation);
  return result;
}

std::optional<Transition> advance(const WorkflowContext& context, const Rotation& rotation,
                                  const StepDone& done) {
  const StepRequest& request = done.request;
  if (request.rotation != rotation.id || awaited(context, rotation) != request.kind ||
      request.generation != rotation.generation || was_cancelled(done))
    return std::nullopt;
  switch (request.kind) {
    case Kind::verify:
      return done.verified ? verify_done(context, rotation, "a probe of it was ok")
                           : refuse(context, rotation, done.verified.error());
    case Kind::publish:
      return after_publish(context, rotation, done);
    case Kind::restore:
      return after_restore(context, rotation, done);
    case Kind::deliver:
      return after_deliver(context, rotation, done);
    case Kind::refresh:
      break;
  }
  return std::nullopt;
}

Transition resume(const WorkflowContext& context, const Rotation& rotation) {
  Transition result;
  result.rotation = rotation;
  const auto kind = awaited(context, rotation);
  if (!kind) {
    if (!model::is_final(rotation.state))
      return abandon(rotation, "this version does not know how to go on from here", context.now);
    return result;
  }
  // Which targets are done is not known: all again, which is safe to repeat.
  Work work{*kind, *kind == Kind::restore ? rotation.from : rotation.to, {}};
  if (*kind != Kind::verify)
    work.targets = files_of(context.pool);
  if (*kind == Kind::deliver) {
    for (model::PublishTarget& hook : hooks_of(context.pool))
      work.targets.push_back(std::move(hook));
  }
  const bool decided_already = *kind == Kind::deliver;
  result.next = step(context, rotation, std::move(work),
                     decided_already ? context.state.decided_at : context.now);
  result.next->after_crash = true;
  return result;
}

Transition abandon(const Rotation& rotation, std::string why, WallTime now) {
  Transition result;
  result.rotation = rotation;
  switch (rotation.state) {
    case RotationState::planned:
      enter(result.rotation, RotationState::refused, now, std::move(why));
      result.rotation.generation -= 1;  // the pool's stays what it was
      break;
    case RotationState::published:
      enter(result.rotation, RotationState::committed, now,
            "live; its hooks were not all called: " + why);
      break;
    case RotationState::minted:
    case RotationState::staged:
    case RotationState::verified:
    case RotationState::retiring:
      enter(result.rotation, RotationState::needs_human, now,
            fmt::format("some files may hold {} already: {}", rotation.to, why));
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

bool can_be_overtaken(const Rotation& rotation) {
  return rotation.state == RotationState::published;
}

StepRequest refresh(const WorkflowContext& context) {
  Rotation decision;
  decision.id = context.state.last_rotation;
  decision.pool = context.pool.id;
  decision.generation = context.state.generation;
  return step(context, decision, {Kind::refresh, context.state.active, files_of(context.pool)},
              context.now);
}

}  // namespace keyherd::rotation
