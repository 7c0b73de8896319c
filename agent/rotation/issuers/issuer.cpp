#include "rotation/issuers/issuer.hpp"

#include "rotation/issuers/types.hpp"

namespace keyherd::rotation {

namespace {

using model::IssuerType;

IssuerCalls calls_of(IssuerType type) {
  switch (type) {
    case IssuerType::openrouter:
      return openrouter_calls();
    case IssuerType::litellm:
      return litellm_calls();
    case IssuerType::openai:
      return openai_calls();
    case IssuerType::xai:
      return xai_calls();
    case IssuerType::newapi:
      return newapi_calls();
    case IssuerType::command:
      return command_calls();
    case IssuerType::azure:
    case IssuerType::anthropic:
      break;
  }
  return {};
}

IssuerApi api_of(const model::Issuer& issuer, const IssueContext& context, std::stop_token stop) {
  IssuerApi api(issuer, context, std::move(stop));
  if (issuer.type == IssuerType::anthropic) {
    api.set_secret_header("x-api-key", "");
    api.set_header("anthropic-version", "2023-06-01");
  }
  if (issuer.type == IssuerType::newapi)
    api.set_header("New-Api-User", issuer.owner);
  return api;
}

// 404 says that it is gone, which is what was wanted.
Status remove_one(const IssuerCalls& calls, const IssuerApi& api, const std::string& remote_id) {
  Status removed = calls.remove(api, remote_id);
  if (!removed && removed.error().code == ErrorCode::not_found)
    return {};
  return removed;
}

// What an earlier attempt has left under the name: one whose secret can still be had is kept, all
// others are ended.
Result<std::optional<Minted>> settle_earlier(const IssuerCalls& calls, const IssuerApi& api,
                                             const std::string& name) {
  KH_ASSIGN(std::vector<Found> found, calls.find(api, name));
  std::optional<Minted> kept;
  for (Found& one : found) {
    if (one.secret && !kept) {
      kept = Minted{std::move(*one.secret), one.remote_id, std::nullopt};
      continue;
    }
    KH_TRY(remove_one(calls, api, one.remote_id));
  }
  return kept;
}

}  // namespace

Result<Minted> mint(const model::Issuer& issuer, const MintRequest& request,
                    const IssueContext& context, std::stop_token stop) {
  const IssuerApi api = api_of(issuer, context, std::move(stop));
  if (issuer.type == IssuerType::azure)
    return regenerate_slot(api, request.slot, request.replaced, request.maybe_done);
  if (issuer.type == IssuerType::anthropic)
    return fail(ErrorCode::invalid,
                "issuer " + issuer.id + ": Anthropic has no API that makes keys");
  const IssuerCalls calls = calls_of(issuer.type);
  if (request.maybe_done) {
    KH_ASSIGN(std::optional<Minted> kept, settle_earlier(calls, api, request.name));
    if (kept)
      return std::move(*kept);
  }
  return calls.create(api, request);
}

Result<std::optional<Minted>> revoke(const model::Issuer& issuer, const RevokeRequest& request,
                                     const IssueContext& context, std::stop_token stop) {
  const IssuerApi api = api_of(issuer, context, std::move(stop));
  if (issuer.type == IssuerType::azure) {
    KH_ASSIGN(Minted next,
              regenerate_slot(api, request.remote_id, request.replaced, request.maybe_done));
    return std::optional<Minted>(std::move(next));
  }
  if (issuer.type == IssuerType::anthropic) {
    Status done = deactivate(api, request.remote_id);
    if (!done && done.error().code != ErrorCode::not_found)
      return fail(std::move(done).error());
    return std::optional<Minted>();
  }
  const IssuerCalls calls = calls_of(issuer.type);
  if (!request.remote_id.empty()) {
    KH_TRY(remove_one(calls, api, request.remote_id));
    return std::optional<Minted>();
  }
  KH_ASSIGN(const std::vector<Found> found, calls.find(api, request.name));
  for (const Found& one : found)
    KH_TRY(remove_one(calls, api, one.remote_id));
  return std::optional<Minted>();
}

}  // namespace keyherd::rotation
