#include "probe/ladder.hpp"

#include "probe/provider_type.hpp"
#include "probe/request.hpp"

namespace keyherd::probe {
namespace {

using model::EvidenceSource;
using model::ProbeKind;
using model::ProbeMethod;
using model::Verdict;
using model::VerdictClass;

std::size_t index_of(ProbeKind kind) {
  return static_cast<std::size_t>(kind);
}

ProbeKind free_probe(const ProviderType& type, const ProbeHistory& history) {
  for (const ProbeKind kind : type.ladder)
    if (!history.useless[index_of(kind)])
      return kind;
  return type.ladder.front();
}

bool proves_spending(const ProviderType& type, const model::Evidence& evidence) {
  if (evidence.source != EvidenceSource::probe)
    return evidence.source != EvidenceSource::command;
  return evidence.probe == ProbeKind::chat ||
         (evidence.probe == ProbeKind::balance && type.balance_tells_spending);
}

bool is_useless(const model::Evidence& evidence) {
  return evidence.verdict == Verdict::permission_denied || evidence.verdict == Verdict::bad_request;
}

bool paid_is_due(const model::Provider& provider, const ProbeHistory& history, WallTime now) {
  if (provider.probe.paid_every.count() <= 0 || !history.probed)
    return false;
  return !history.paid_at || now - *history.paid_at >= provider.probe.paid_every;
}

}  // namespace

void ProbeHistory::record(const model::Provider& provider, const model::Evidence& evidence) {
  const ProviderType* type = find_provider_type(provider.type);
  if (type == nullptr)
    return;
  if (model::info(evidence.verdict).kind == VerdictClass::quota)
    spending_in_doubt = true;
  else if (evidence.verdict == Verdict::ok && proves_spending(*type, evidence))
    spending_in_doubt = false;
  if (evidence.source != EvidenceSource::probe || !evidence.probe)
    return;
  probed = true;
  if (*evidence.probe == ProbeKind::chat)
    paid_at = evidence.at;
  else
    useless[index_of(*evidence.probe)] = is_useless(evidence);
}

ProbeKind choose_probe(const model::Provider& provider, const ProbeHistory& history, WallTime now) {
  switch (provider.probe.method) {
    case ProbeMethod::models:
      return ProbeKind::models;
    case ProbeMethod::balance:
      return ProbeKind::balance;
    case ProbeMethod::chat:
      return ProbeKind::chat;
    case ProbeMethod::auth:
      return ProbeKind::auth;
    case ProbeMethod::automatic:
      break;
  }
  const ProviderType* type = find_provider_type(provider.type);
  if (type == nullptr)
    return ProbeKind::models;
  if (!probe_model(*type, provider).empty() && provider.probe.paid_every.count() > 0) {
    if (history.spending_in_doubt && !type->balance_tells_spending)
      return ProbeKind::chat;
    if (!history.spending_in_doubt && paid_is_due(provider, history, now))
      return ProbeKind::chat;
  }
  return free_probe(*type, history);
}

}  // namespace keyherd::probe
