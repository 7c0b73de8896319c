#pragma once

// Carries out one step of a rotation, except the probes, which are the engine's. For the
// step runner's thread: blocks for as long as the targets' deadlines allow, and returns soon after
// a stop.

#include <stop_token>

#include "rotation/issuers/issuer.hpp"
#include "rotation/publishers/publisher.hpp"
#include "rotation/workflow.hpp"

namespace keyherd::rotation {

// `secret` is that of request.key. request.delay is the caller's to wait for. Every target is
// tried, in order, whatever became of the others; after a stop the rest is reported as cancelled.
StepDone run_step(const StepRequest& request, const Secret& secret, const PublishContext& context,
                  std::stop_token stop);

// What a mint or a revoke is about, besides the request.
struct IssueOrder {
  const model::Issuer& issuer;
  std::string slot;                  // provider_key_id of the key whose slot it is; else empty
  const Secret* replaced = nullptr;  // what the slot had before
};
// kind mint or revoke.
StepDone run_issue(const StepRequest& request, const IssueOrder& order, const IssueContext& context,
                   std::stop_token stop);

// The same report for a step that could not be run at all (the key's secret cannot be loaded).
StepDone fail_step(const StepRequest& request, const Error& cause);

}  // namespace keyherd::rotation
