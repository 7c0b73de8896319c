#include "engine/negative_control.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/random.hpp"

namespace keyherd::engine {

namespace {

using model::Verdict;

// After an answer that says neither.
constexpr std::chrono::minutes kAskAgainAfter{5};

enum class Finding { refuses, accepts, cannot_be_asked, unclear };

Finding finding_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return Finding::accepts;
    case Verdict::invalid_key:
    case Verdict::disabled_key:
    case Verdict::account_disabled:
    case Verdict::permission_denied:
      return Finding::refuses;
    case Verdict::model_missing:
    case Verdict::bad_request:
      return Finding::cannot_be_asked;
    case Verdict::region_denied:
    case Verdict::balance_exhausted:
    case Verdict::quota_exhausted:
    case Verdict::rate_limited:
    case Verdict::overloaded:
    case Verdict::server_error:
    case Verdict::upstream_auth:
    case Verdict::network:
      break;
  }
  return Finding::unclear;
}

bool same_questions(const model::Provider& a, const model::Provider& b) {
  return std::tie(a.type, a.base_url, a.probe.method, a.probe.model, a.probe.paths, a.auth_header,
                  a.auth_prefix, a.rules, a.probe.control_every, a.probe.paid_every) ==
         std::tie(b.type, b.base_url, b.probe.method, b.probe.model, b.probe.paths, b.auth_header,
                  b.auth_prefix, b.rules, b.probe.control_every, b.probe.paid_every);
}

std::shared_ptr<const Secret> make_bogus_key() {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string text = "sk-bogus";
  for (const char byte : random_bytes(40))
    text += kLetters[static_cast<unsigned char>(byte) % kLetters.size()];
  return std::make_shared<const Secret>(std::move(text));
}

}  // namespace

NegativeControl::NegativeControl() : bogus_key_(make_bogus_key()) {}

void NegativeControl::configure(const Providers& providers, SteadyTime now) {
  std::map<std::string, Endpoint> known = std::exchange(endpoints_, {});
  for (const auto& [id, provider] : providers) {
    Endpoint& endpoint = endpoints_[id];
    const auto old = known.find(id);
    const bool same = old != known.end() && same_questions(*old->second.provider, *provider);
    if (same)
      endpoint = std::move(old->second);
    endpoint.provider = provider;
    if (provider->probe.control_every.count() <= 0 || probe::control_order(*provider).empty()) {
      endpoint = Endpoint{};
      endpoint.provider = provider;
      endpoint.awaited = false;
    } else if (!same) {
      endpoint.due = now;
    }
  }
}

std::optional<NegativeControl::Question> NegativeControl::take_due(SteadyTime now) {
  for (auto& [id, endpoint] : endpoints_) {
    if (endpoint.round != 0 || !endpoint.due || *endpoint.due > now)
      continue;
    endpoint.round = ++rounds_;
    return Question{id, probe::control_order(*endpoint.provider).at(endpoint.step), endpoint.round};
  }
  return std::nullopt;
}

NegativeControl::Endpoint* NegativeControl::asked(const Question& question) {
  const auto found = endpoints_.find(question.provider);
  return found != endpoints_.end() && found->second.round == question.round ? &found->second
                                                                            : nullptr;
}

void NegativeControl::put_back(const Question& question, SteadyTime now) {
  Endpoint* endpoint = asked(question);
  if (endpoint == nullptr)
    return;
  endpoint->round = 0;
  endpoint->due = now;
}

void NegativeControl::answered(const Question& question, Verdict verdict, SteadyTime now) {
  Endpoint* const found = asked(question);
  if (found == nullptr)
    return;
  Endpoint& endpoint = *found;
  const auto order = probe::control_order(*endpoint.provider);
  const std::chrono::nanoseconds every = endpoint.provider->probe.control_every;
  const Finding finding = finding_of(verdict);
  endpoint.round = 0;
  if (finding == Finding::refuses || finding == Finding::accepts) {
    endpoint.trust.accepts_any[static_cast<std::size_t>(question.kind)] =
        finding == Finding::accepts;
    if (endpoint.step == 0 || !endpoint.authenticates)
      endpoint.authenticates = finding == Finding::refuses;
  }
  const bool climb = finding == Finding::accepts || finding == Finding::cannot_be_asked;
  if (climb && endpoint.step + 1 < order.size()) {
    ++endpoint.step;
    endpoint.due = now;
    return;
  }
  endpoint.step = 0;
  endpoint.awaited = false;
  endpoint.due =
      now + (finding == Finding::unclear ? std::min<std::chrono::nanoseconds>(every, kAskAgainAfter)
                                         : every);
}

bool NegativeControl::is_awaited(const std::string& provider) const {
  const auto found = endpoints_.find(provider);
  return found != endpoints_.end() && found->second.awaited;
}

const probe::EndpointTrust& NegativeControl::trust(const std::string& provider) const {
  static const probe::EndpointTrust kUnknown{};
  const auto found = endpoints_.find(provider);
  return found == endpoints_.end() ? kUnknown : found->second.trust;
}

std::optional<bool> NegativeControl::authenticates(const std::string& provider) const {
  const auto found = endpoints_.find(provider);
  return found == endpoints_.end() ? std::nullopt : found->second.authenticates;
}

std::optional<SteadyTime> NegativeControl::next_due() const {
  std::optional<SteadyTime> next;
  for (const auto& [id, endpoint] : endpoints_)
    if (endpoint.due && endpoint.round == 0)
      next = std::min(next.value_or(*endpoint.due), *endpoint.due);
  return next;
}

}  // namespace keyherd::engine
