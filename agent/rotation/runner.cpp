#include "rotation/runner.hpp"

namespace keyherd::rotation {

StepDone run_step(const StepRequest& request, const Secret& secret, const PublishContext& context,
                  std::stop_token stop) {
  const Publication publication{request.pool,       request.key,          secret,
                                request.generation, request.published_at, request.valid_until,
                                request.rotation};
  StepDone done;
  done.request = request;
  done.outcomes.reserve(request.targets.size());
  for (const model::PublishTarget& target : request.targets)
    done.outcomes.push_back({target, publish(target, publication, context, stop)});
  return done;
}

StepDone fail_step(const StepRequest& request, const Error& cause) {
  StepDone done;
  done.request = request;
  done.verified = fail(cause);
  for (const model::PublishTarget& target : request.targets)
    done.outcomes.push_back({target, fail(cause)});
  return done;
}

}  // namespace keyherd::rotation
