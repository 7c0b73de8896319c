// What the pools tell the audit log: every decision, refusal and step.

#include <fmt/format.h>

#include <algorithm>

#include "engine/pools.hpp"

namespace keyherd::engine {

namespace {

using model::AuditAct;

std::string_view step_name(rotation::StepRequest::Kind kind) {
  using Kind = rotation::StepRequest::Kind;
  switch (kind) {
    case Kind::verify:
      return "probing before it is published";
    case Kind::mint:
      return "having a secret made";
    case Kind::publish:
      return "publishing";
    case Kind::restore:
      return "publishing the previous key again";
    case Kind::deliver:
      return "telling the hooks";
    case Kind::confirm:
      return "probing once it is live";
    case Kind::refresh:
      return "renewing what is published";
    case Kind::revoke:
      return "ending the secret";
    case Kind::refusal:
      return "proving that the secret is refused";
  }
  return "";
}

std::string attempt_of(const rotation::StepRequest& request) {
  return request.attempt > 1 ? fmt::format(" (attempt {})", request.attempt) : "";
}

}  // namespace

// The row's steps that are not in the journal yet.
void Pools::note_steps(const Record& record, const model::Rotation& rotation, Instant now) {
  const auto before = std::find_if(record.history.begin(), record.history.end(),
                                   [&](const auto& row) { return row.id == rotation.id; });
  for (std::size_t i = before == record.history.end() ? 0 : before->steps.size();
       i < rotation.steps.size(); ++i) {
    const model::RotationStep& step = rotation.steps[i];
    const bool first = i == 0;
    model::AuditEntry entry;
    entry.act = first ? AuditAct::decided : AuditAct::step;
    entry.pool = rotation.pool;
    entry.key = rotation.to;
    entry.rotation = rotation.id;
    if (first) {
      entry.actor = rotation.actor;
      entry.text =
          fmt::format("from {} to {} ({}): {}", rotation.from.empty() ? "nothing" : rotation.from,
                      rotation.to, model::to_string(rotation.trigger), rotation.reason);
    } else {
      entry.text =
          std::string(model::to_string(step.state)) + (step.note.empty() ? "" : ": " + step.note);
    }
    parts_.audit.note(std::move(entry), now);
  }
}

void Pools::note_refusal(const Record& record, const rotation::Refusal& refusal,
                         const rotation::Request& request, Instant now) {
  parts_.audit.note(
      {.actor = request.actor,
       .act = AuditAct::refused,
       .pool = record.pool.id,
       .key = request.to.value_or(""),
       .text = fmt::format("by the guard {}: {} (wanted: {})", rotation::to_string(refusal.guard),
                           refusal.message, request.reason)},
      now);
}

void Pools::note_failures(const rotation::StepDone& done, Instant now) {
  // That a secret is refused is what such a probe is for.
  if (done.request.kind == rotation::StepRequest::Kind::refusal)
    return;
  const auto note = [&](const std::string& what, const Error& error) {
    if (error.code == ErrorCode::cancelled)
      return;
    parts_.audit.note(
        {.act = AuditAct::failed,
         .pool = done.request.pool,
         .key = done.request.key,
         .rotation = done.request.rotation,
         .text = fmt::format("{}{}: {}", what, attempt_of(done.request), error.message)},
        now);
  };
  const std::string step(step_name(done.request.kind));
  if (!done.status && done.outcomes.empty())
    note(step, done.status.error());
  for (const rotation::TargetOutcome& outcome : done.outcomes) {
    if (!outcome.status)
      note(step, outcome.status.error());
  }
}

void Pools::note_credential(const model::Credential& credential, const std::string& what,
                            Instant now) {
  parts_.audit.note({.act = AuditAct::credential,
                     .pool = credential.pool,
                     .key = credential.key,
                     .rotation = credential.rotation,
                     .text = fmt::format("{} {}{}", credential.name, what,
                                         credential.note.empty() ? "" : ": " + credential.note)},
                    now);
}

}  // namespace keyherd::engine
