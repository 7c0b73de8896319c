#include "probe/ladder.hpp"

#include <algorithm>

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

std::optional<ProbeKind> fixed_kind(ProbeMethod method) {
  switch (method) {
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
  return std::nullopt;
}

// The first free probe that proves something and is allowed; else the first that proves something,
// since what is not allowed today may be tomorrow.
std::optional<ProbeKind> free_probe(const ProviderType& type, const ProbeHistory& history,
                                    const EndpointTrust& trust) {
  std::optional<ProbeKind> second_best;
  for (const ProbeKind kind : type.ladder) {
    if (is_worthless(trust, kind))
      continue;
    if (!history.useless[index_of(kind)])
      return kind;
    if (!second_best)
      second_best = kind;
  }
  return second_best;
}

bool can_pay(const ProviderType& type, const model::Provider& provider) {
  return provider.probe.paid_every.count() > 0 && !probe_model(type, provider).empty();
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
  if (!history.probed)
    return false;
  return !history.spent_at || now - *history.spent_at >= provider.probe.paid_every;
}

}  // namespace

void ProbeHistory::record(const model::Provider& provider, const model::Evidence& evidence) {
  const ProviderType* type = find_provider_type(provider.type);
  if (type == nullptr)
    return;
  const bool ok = evidence.verdict == Verdict::ok;
  if (model::info(evidence.verdict).kind == VerdictClass::quota)
    spending_in_doubt = true;
  else if (ok && proves_spending(*type, evidence))
    spending_in_doubt = false;
  const bool is_probe = evidence.source == EvidenceSource::probe && evidence.probe.has_value();
  const bool paid = is_probe && *evidence.probe == ProbeKind::chat;
  if (paid || (!is_probe && ok && proves_spending(*type, evidence)))
    spent_at = std::max(spent_at.value_or(evidence.at), evidence.at);
  if (!is_probe)
    return;
  probed = true;
  if (!paid)
    useless[index_of(*evidence.probe)] = is_useless(evidence);
}

ProbeChoice choose_probe(const model::Provider& provider, const ProbeHistory& history,
                         const EndpointTrust& trust, ProbeWish wish, WallTime now) {
  const ProviderType* type = find_provider_type(provider.type);
  const auto fixed = fixed_kind(provider.probe.method);
  if (type == nullptr || fixed) {
    if (fixed == ProbeKind::chat && !wish.may_pay)
      return {std::nullopt, true};
    return {fixed.value_or(ProbeKind::models), false};
  }
  const auto free = free_probe(*type, history, trust);
  if (!can_pay(*type, provider))
    return {free.value_or(type->ladder.front()), false};
  const bool open_question =
      (history.spending_in_doubt || wish.spending) && !type->balance_tells_spending;
  const bool regular = !history.spending_in_doubt && paid_is_due(provider, history, now);
  if (free && !open_question && !regular)
    return {free, false};
  if (wish.may_pay)
    return {ProbeKind::chat, false};
  return {free, true};
}

bool is_worthless(const EndpointTrust& trust, ProbeKind kind) {
  return trust.accepts_any[index_of(kind)];
}

void discount(const EndpointTrust& trust, model::Evidence& evidence) {
  if (evidence.verdict != Verdict::ok || !evidence.probe || !is_worthless(trust, *evidence.probe))
    return;
  evidence.verdict = Verdict::bad_request;
  evidence.message = "the endpoint accepts any key at the probe \"" +
                     std::string(model::to_string(*evidence.probe)) +
                     "\": it proves nothing; set probe.model, or control_every = \"0s\" if no key "
                     "is needed";
}

bool needs_paid_proof(const model::Provider& provider, const EndpointTrust& trust) {
  const ProviderType* type = find_provider_type(provider.type);
  return type != nullptr && provider.probe.method == ProbeMethod::automatic &&
         can_pay(*type, provider) && !free_probe(*type, {}, trust);
}

std::vector<ProbeKind> control_order(const model::Provider& provider) {
  if (const auto fixed = fixed_kind(provider.probe.method))
    return {*fixed};
  const ProviderType* type = find_provider_type(provider.type);
  if (type == nullptr)
    return {};
  std::vector<ProbeKind> order = type->ladder;
  if (can_pay(*type, provider))
    order.push_back(ProbeKind::chat);
  return order;
}

}  // namespace keyherd::probe
