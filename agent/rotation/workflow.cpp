#include "rotation/workflow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "rotation/workflow_parts.hpp"

namespace keyherd::rotation {

namespace flow {

using model::Rotation;
using model::RotationState;

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

std::string causes(const StepDone& done) {
  std::string text;
  for (const TargetOutcome& outcome : done.outcomes) {
    if (!outcome.status)
      text += (text.empty() ? "" : "; ") + outcome.status.error().message;
  }
  return text;
}

bool only_webhooks(const Targets& targets) {
  return std::all_of(targets.begin(), targets.end(), [](const model::PublishTarget& target) {
    return std::holds_alternative<model::PublishWebhook>(target);
  });
}

std::chrono::nanoseconds delay_before(int attempt) {
  return std::min<std::chrono::nanoseconds>(kFirstDelay * (1 << std::clamp(attempt - 2, 0, 20)),
                                            kLongestDelay);
}

StepRequest once_more(const StepRequest& request) {
  StepRequest next = request;
  next.attempt += 1;
  next.delay = delay_before(next.attempt);
  return next;
}

void enter(Rotation& rotation, RotationState state, WallTime now, std::string note) {
  rotation.state = state;
  rotation.updated_at = now;
  rotation.steps.push_back({state, now, std::move(note)});
}

StepRequest step(const WorkflowContext& context, const Rotation& rotation, Work work,
                 WallTime published_at) {
  StepRequest request;
  request.kind = work.kind;
  request.rotation = rotation.id;
  request.pool = rotation.pool;
  request.key = std::move(work.key);
  request.credential = rotation.credential;
  request.generation = rotation.generation;
  request.targets = std::move(work.targets);
  request.published_at = published_at;
  request.valid_until = valid_until(context.pool, context.expires_at, published_at);
  // A key of the other modes may never have been asked to spend.
  request.paid = rotation.mode != model::RotationMode::switch_;
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

std::optional<WallTime> published_at(const Rotation& rotation) {
  for (const model::RotationStep& one : rotation.steps) {
    if (one.state == RotationState::published)
      return one.at;
  }
  return std::nullopt;
}

bool goes_back(const WorkflowContext& context, const Rotation& rotation) {
  return rotation.state == RotationState::staged &&
         (published_at(rotation) || rotation.generation == context.state.generation + 2);
}

}  // namespace flow

namespace {

using flow::enter;
using flow::goes_back;
using flow::Targets;
using flow::targets_with;
using Kind = StepRequest::Kind;
using model::Rotation;
using model::RotationFailure;
using model::RotationState;

bool was_cancelled(const StepDone& done) {
  const auto cancelled = [](const Status& status) {
    return !status && status.error().code == ErrorCode::cancelled;
  };
  return cancelled(done.status) ||
         std::any_of(done.outcomes.begin(), done.outcomes.end(),
                     [&](const TargetOutcome& outcome) { return cancelled(outcome.status); });
}

// What may go away by itself: the hook said so (75), or somebody was not there.
bool is_temporary(const Error& error) {
  return error.code == ErrorCode::unavailable || error.code == ErrorCode::timeout ||
         error.code == ErrorCode::no_space;
}

StepRequest confirm_step(const WorkflowContext& context, const Rotation& rotation) {
  return flow::step(context, rotation, {Kind::confirm, rotation.to, {}}, context.state.decided_at);
}

// The key is live. `left` are files that could not be written and will be tried again.
Transition publish_done(const WorkflowContext& context, Rotation rotation, WallTime published_at,
                        Targets left, std::string note) {
  Transition result;
  if (!left.empty())
    result.failure = RotationFailure::publish;
  enter(rotation, RotationState::published, context.now, std::move(note));
  result.pool = flow::decided(context, rotation, rotation.to, published_at);
  Targets outstanding = std::move(left);
  for (model::PublishTarget& hook : flow::hooks_of(context.pool))
    outstanding.push_back(std::move(hook));
  result.next =
      outstanding.empty()
          ? confirm_step(context, rotation)
          : flow::step(context, rotation, {Kind::deliver, rotation.to, std::move(outstanding)},
                       published_at);
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

Transition after_publish(const WorkflowContext& context, Rotation rotation, const StepDone& done) {
  Targets failed = targets_with(done, false);
  if (failed.empty())
    return publish_done(context, std::move(rotation), done.request.published_at, {}, "");
  Targets touched = targets_with(done, true);
  if (done.request.after_crash)
    touched = done.request.targets;
  if (touched.empty())
    return flow::give_up_unchanged(context, std::move(rotation), RotationFailure::publish,
                                   flow::causes(done));
  if (context.previous_works && !rotation.from.empty())
    return flow::turn_back(context, std::move(rotation), std::move(touched),
                           RotationFailure::publish, flow::causes(done));
  return publish_done(
      context, std::move(rotation), done.request.published_at, std::move(failed),
      "not everywhere, and there is no working key to go back to: " + flow::causes(done));
}

// A failed hook counts at once, unless it may still come right; what runs out of attempts counts in
// any case. A file that failed was counted when it did.
bool hook_counts(const StepDone& done) {
  if (done.request.counted)
    return false;
  return std::any_of(done.outcomes.begin(), done.outcomes.end(), [&](const TargetOutcome& outcome) {
    return !outcome.status && !flow::is_file(outcome.target) &&
           (done.request.attempt >= kDeliveryAttempts || !is_temporary(outcome.status.error()));
  });
}

Transition after_deliver(const WorkflowContext& context, Rotation rotation, const StepDone& done) {
  Transition result;
  const Targets failed = targets_with(done, false);
  if (hook_counts(done))
    result.failure = RotationFailure::hook;
  if (failed.empty()) {
    result.next = confirm_step(context, rotation);
  } else if (done.request.attempt < kDeliveryAttempts) {
    StepRequest retry = flow::once_more(done.request);
    retry.targets = failed;
    retry.counted = done.request.counted || result.failure.has_value();
    result.next = std::move(retry);
  } else {
    // A webhook only tells; without a file or a hook some consumer may still use the previous key.
    std::string note = fmt::format("{} is live, but after {} attempts: {}", rotation.to,
                                   kDeliveryAttempts, flow::causes(done));
    if (flow::only_webhooks(failed)) {
      rotation.steps.push_back({rotation.state, context.now, std::move(note)});
      result.next = confirm_step(context, rotation);
    } else {
      enter(rotation, RotationState::needs_human, context.now, std::move(note));
    }
  }
  result.rotation = std::move(rotation);
  return result;
}

// Whether a row in this state waits for such a step.
bool awaits(const WorkflowContext& context, const Rotation& rotation, Kind kind) {
  switch (rotation.state) {
    case RotationState::planned:
      return kind == (rotation.credential.empty() ? Kind::verify : Kind::mint);
    case RotationState::minted:
      return kind == Kind::verify;
    case RotationState::staged:
      return kind == (goes_back(context, rotation) ? Kind::restore : Kind::publish);
    case RotationState::published:
      return kind == Kind::deliver || kind == Kind::confirm;
    case RotationState::verified:
    case RotationState::committed:
    case RotationState::retiring:
    case RotationState::retired:
    case RotationState::rolled_back:
    case RotationState::needs_human:
    case RotationState::refused:
      break;
  }
  return false;
}

// The step that a row waits for after a start: which targets are done is not known, so all again,
// which is safe to repeat.
StepRequest resumed_step(const WorkflowContext& context, const Rotation& rotation) {
  const bool live = flow::published_at(rotation).has_value();
  Targets all = flow::files_of(context.pool);
  for (model::PublishTarget& hook : flow::hooks_of(context.pool))
    all.push_back(std::move(hook));
  if (goes_back(context, rotation))
    return flow::step(context, rotation,
                      {Kind::restore, rotation.from, live ? all : flow::files_of(context.pool)},
                      context.now);
  switch (rotation.state) {
    case RotationState::planned:
      return rotation.credential.empty()
                 ? flow::step(context, rotation, {Kind::verify, rotation.to, {}}, context.now)
                 : flow::mint_step(context, rotation);
    case RotationState::minted:
      return flow::verify_minted_step(context, rotation);
    case RotationState::staged:
      return flow::step(context, rotation,
                        {Kind::publish, rotation.to, flow::files_of(context.pool)}, context.now);
    case RotationState::published:
    case RotationState::verified:
    case RotationState::committed:
    case RotationState::retiring:
    case RotationState::retired:
    case RotationState::rolled_back:
    case RotationState::needs_human:
    case RotationState::refused:
      break;
  }
  return flow::step(context, rotation, {Kind::deliver, rotation.to, std::move(all)},
                    context.state.decided_at);
}

}  // namespace

Transition flow::stage(const WorkflowContext& context, Rotation rotation, std::string note) {
  enter(rotation, RotationState::staged, context.now, std::move(note));
  Targets files = files_of(context.pool);
  if (files.empty())
    return publish_done(context, std::move(rotation), context.now, {}, "the pool has no files");
  Transition result;
  result.next =
      step(context, rotation, {Kind::publish, rotation.to, std::move(files)}, context.now);
  result.rotation = std::move(rotation);
  return result;
}

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
  rotation.mode = context.pool.mode;
  rotation.started_at = context.now;
  enter(rotation, RotationState::planned, context.now, plan.reason);
  if (plan.mint)
    return flow::begin_mint(context, std::move(rotation));
  if (!plan.verify_first) {
    Transition result = flow::stage(context, std::move(rotation),
                                    "by its latest evidence; probed after the switch");
    result.probe_now = true;
    return result;
  }
  Transition result;
  result.next = flow::step(context, rotation, {Kind::verify, rotation.to, {}}, context.now);
  result.rotation = std::move(rotation);
  return result;
}

std::optional<Transition> advance(const WorkflowContext& context, const Rotation& rotation,
                                  const StepDone& done) {
  const StepRequest& request = done.request;
  if (request.rotation != rotation.id || !awaits(context, rotation, request.kind) ||
      request.generation != rotation.generation || request.credential != rotation.credential ||
      was_cancelled(done))
    return std::nullopt;
  switch (request.kind) {
    case Kind::mint:
      return flow::after_mint(context, rotation, done);
    case Kind::verify:
      if (!rotation.credential.empty())
        return flow::after_minted_verify(context, rotation, done);
      return done.status ? flow::stage(context, rotation, "a probe of it was ok")
                         : refuse(context, rotation, done.status.error());
    case Kind::publish:
      return after_publish(context, rotation, done);
    case Kind::restore:
      return flow::after_restore(context, rotation, done);
    case Kind::deliver:
      return after_deliver(context, rotation, done);
    case Kind::confirm:
      return flow::after_confirm(context, rotation, done);
    case Kind::refresh:
    case Kind::revoke:
    case Kind::refusal:
      break;
  }
  return std::nullopt;
}

Transition resume(const WorkflowContext& context, const Rotation& rotation) {
  Transition result;
  result.rotation = rotation;
  const bool waits =
      rotation.state == RotationState::retiring || rotation.state == RotationState::verified;
  if (waits || model::is_final(rotation.state))
    return result;
  result.next = resumed_step(context, rotation);
  result.next->after_crash = true;
  return result;
}

bool can_be_overtaken(const Rotation& rotation) {
  switch (rotation.state) {
    case RotationState::planned:
    case RotationState::minted:
      return !rotation.credential.empty();
    case RotationState::published:
    case RotationState::verified:
      return true;
    case RotationState::staged:
    case RotationState::committed:
    case RotationState::retiring:
    case RotationState::retired:
    case RotationState::rolled_back:
    case RotationState::needs_human:
    case RotationState::refused:
      break;
  }
  return false;
}

bool is_in_progress(const Rotation& rotation) {
  return !model::is_final(rotation.state) && rotation.state != RotationState::retiring;
}

StepRequest refresh(const WorkflowContext& context) {
  Rotation decision;
  decision.id = context.state.last_rotation;
  decision.pool = context.pool.id;
  decision.generation = context.state.generation;
  return flow::step(context, decision,
                    {Kind::refresh, context.state.active, flow::files_of(context.pool)},
                    context.now);
}

}  // namespace keyherd::rotation
