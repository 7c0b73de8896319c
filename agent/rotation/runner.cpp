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

StepDone run_issue(const StepRequest& request, const IssueOrder& order, const IssueContext& context,
                   std::stop_token stop) {
  StepDone done;
  done.request = request;
  const auto keep = [&](Minted& minted) {
    done.secret = std::make_shared<const Secret>(std::move(minted.secret));
    done.remote_id = minted.remote_id;
    done.expires_at = minted.expires_at;
  };
  if (request.kind == StepRequest::Kind::mint) {
    auto minted =
        mint(order.issuer,
             {request.credential, request.key, order.slot, order.replaced, request.after_crash},
             context, std::move(stop));
    if (minted)
      keep(*minted);
    else
      done.status = fail(std::move(minted).error());
    return done;
  }
  auto revoked = revoke(
      order.issuer, {request.credential, request.remote_id, order.replaced, request.after_crash},
      context, std::move(stop));
  if (!revoked)
    done.status = fail(std::move(revoked).error());
  else if (*revoked)
    keep(**revoked);
  return done;
}

StepDone fail_step(const StepRequest& request, const Error& cause) {
  StepDone done;
  done.request = request;
  done.status = fail(cause);
  for (const model::PublishTarget& target : request.targets)
    done.outcomes.push_back({target, fail(cause)});
  return done;
}

}  // namespace keyherd::rotation
