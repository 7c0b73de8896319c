#pragma once

// What the parts of the workflow share. For workflow*.cpp alone.

#include <string>
#include <vector>

#include "rotation/workflow.hpp"

namespace keyherd::rotation::flow {

using Targets = std::vector<model::PublishTarget>;

bool is_file(const model::PublishTarget& target);
Targets files_of(const model::Pool& pool);
Targets hooks_of(const model::Pool& pool);
Targets targets_with(const StepDone& done, bool success);
// "file:/run/a.json: No space left; …", the causes of what failed.
std::string causes(const StepDone& done);
bool only_webhooks(const Targets& targets);

// Before the n-th attempt: 1, 2, 4 … 60 s.
std::chrono::nanoseconds delay_before(int attempt);
// The same step once more, after a pause.
StepRequest once_more(const StepRequest& request);

// Adds one step to the journal's row and moves it there.
void enter(model::Rotation& rotation, model::RotationState state, WallTime now, std::string note);

struct Work {
  StepRequest::Kind kind;
  std::string key;
  Targets targets;
};
StepRequest step(const WorkflowContext& context, const model::Rotation& rotation, Work work,
                 WallTime published_at);

// The pool's state after it was told `active`.
model::PoolState decided(const WorkflowContext& context, const model::Rotation& rotation,
                         std::string active, WallTime published_at);

// When the row's key went live; nothing before that.
std::optional<WallTime> published_at(const model::Rotation& rotation);

// Whether the row is on its way back to its `from`: staged, and it was live already or is two
// ahead.
bool goes_back(const WorkflowContext& context, const model::Rotation& rotation);

// workflow.cpp: the key is proven; on to publishing it.
Transition stage(const WorkflowContext& context, model::Rotation rotation, std::string note);

// workflow_mint.cpp
Transition begin_mint(const WorkflowContext& context, model::Rotation rotation);
StepRequest mint_step(const WorkflowContext& context, const model::Rotation& rotation);
StepRequest verify_minted_step(const WorkflowContext& context, const model::Rotation& rotation);
Transition after_mint(const WorkflowContext& context, model::Rotation rotation,
                      const StepDone& done);
Transition after_minted_verify(const WorkflowContext& context, model::Rotation rotation,
                               const StepDone& done);

// workflow_back.cpp
Transition give_up_unchanged(const WorkflowContext& context, model::Rotation rotation,
                             model::RotationFailure failure, const std::string& cause);
Transition turn_back(const WorkflowContext& context, model::Rotation rotation, Targets touched,
                     model::RotationFailure failure, const std::string& cause);
Transition after_restore(const WorkflowContext& context, model::Rotation rotation,
                         const StepDone& done);
// The minted secret of a rotation that ends here, before it was published: to be ended.
void discard_minted(const WorkflowContext& context, const model::Rotation& rotation,
                    Transition& transition);

// workflow_adopt.cpp
Transition after_confirm(const WorkflowContext& context, model::Rotation rotation,
                         const StepDone& done);
Transition verified(const WorkflowContext& context, model::Rotation rotation, std::string note);
Transition commit(const WorkflowContext& context, model::Rotation rotation, std::string note);

}  // namespace keyherd::rotation::flow
