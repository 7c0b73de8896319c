#include "probe/prober.hpp"

#include <limits>

#include "base/text.hpp"
#include "cron/calendar.hpp"
#include "probe/classifier.hpp"
#include "probe/rate_limits.hpp"
#include "probe/readers.hpp"
#include "probe/request.hpp"

namespace keyherd::probe {
namespace {

using model::Verdict;

constexpr std::size_t kMessageBytes = 200;

// What a balance is counted in where the answer does not say.
void name_currencies(std::vector<model::Balance>& balances, const ProviderType& type,
                     const model::Provider& provider) {
  const auto url = net::parse_url(provider.base_url);
  if (!url)
    return;
  for (model::Balance& balance : balances)
    for (const auto& [ending, currency] : type.currencies)
      if (balance.currency == kNoCurrency && url->host.ends_with(ending))
        balance.currency = currency;
}

// tokens × price per million, saturating: a probe has few tokens, but a provider may claim any
// number.
model::NanoUsd cost_of(std::int64_t tokens, model::NanoUsd per_million) {
  constexpr std::int64_t kMillion = 1'000'000;
  std::int64_t whole = 0;
  std::int64_t rest = 0;
  if (__builtin_mul_overflow(tokens / kMillion, per_million, &whole) ||
      __builtin_mul_overflow(tokens % kMillion, per_million, &rest))
    return std::numeric_limits<model::NanoUsd>::max();
  return model::saturating_add(whole, rest / kMillion);
}

// What tokens of the model cost at this time; nothing when no price is known.
std::optional<model::Price> price_at(const model::Provider& provider, const std::string& model,
                                     WallTime at) {
  const auto listed = provider.prices.find(model);
  const model::Tariff* tariff =
      listed == provider.prices.end() ? nullptr : listed->second.tariff_at(at);
  if (tariff == nullptr)
    return std::nullopt;
  if (tariff->periods.empty())
    return tariff->price;
  const auto local = cron::local_time(at, tariff->timezone);
  return local ? tariff->at(local->weekday, local->minute) : tariff->price;
}

model::NanoUsd price_of(const Reading& reading, const model::Provider& provider,
                        const std::string& model, WallTime at) {
  if (reading.cost)
    return *reading.cost;
  auto price = price_at(provider, model, at);
  const ProviderType& type = *find_provider_type(provider.type);
  if (!price && !provider.prices.contains(model) && model == type.chat_model)
    price = type.chat_price;
  if (!price)
    return 0;
  const std::int64_t fresh = reading.input_tokens - reading.cached_input_tokens;
  return model::saturating_add(
      cost_of(fresh, price->input),
      model::saturating_add(cost_of(reading.cached_input_tokens, price->cached_input),
                            cost_of(reading.output_tokens, price->output)));
}

// Why this probe cannot be sent at all.
std::optional<std::string> obstacle(const ProviderType* type, const ProbeJob& job) {
  const model::Provider& provider = *job.provider;
  if (type == nullptr)
    return "provider type \"" + provider.type + "\" is not known";
  if (!type->rung(job.kind))
    return "type \"" + provider.type + "\" has no probe \"" +
           std::string(model::to_string(job.kind)) + "\"";
  if (job.kind == model::ProbeKind::chat && probe_model(*type, provider).empty())
    return "no model to ask for: set probe.model of provider \"" + provider.id + "\"";
  return std::nullopt;
}

void fill_in(model::Evidence& evidence, Classified&& classified, const Redactor& redactor) {
  Reading& reading = classified.reading;
  evidence.verdict = reading.verdict;
  // Redacted before it is cut, so that no half of a secret can stay.
  evidence.message = printable(redactor.redact(reading.message), kMessageBytes);
  evidence.retry_at = classified.retry_at;
  evidence.scope = reading.scope;
  evidence.balances = std::move(reading.balances);
  evidence.input_tokens = reading.input_tokens;
  evidence.output_tokens = reading.output_tokens;
}

}  // namespace

model::Evidence run_probe(const ProbeJob& job, net::Transport& transport, const Redactor& redactor,
                          const Clock& clock, std::stop_token stop) {
  const model::Provider& provider = *job.provider;
  const Instant begun = clock.now();
  model::Evidence evidence;
  evidence.key = job.key;
  evidence.probe = job.kind;
  evidence.at = begun.wall;

  const ProviderType* type = find_provider_type(provider.type);
  if (auto reason = obstacle(type, job)) {
    evidence.verdict = Verdict::bad_request;
    evidence.message = printable(*reason, kMessageBytes);
    return evidence;
  }
  const auto response =
      transport.send(build_request(*type, provider, job.kind, *job.secret), std::move(stop));
  const Instant answered = clock.now();
  evidence.at = answered.wall;
  if (!response) {
    evidence.latency = answered.steady - begun.steady;
    fill_in(evidence, classify_failure(*type, job.kind, response.error()), redactor);
    return evidence;
  }
  evidence.http_status = response->status;
  evidence.latency = response->latency;
  evidence.rate_limits = read_rate_limits(*response, answered.wall);
  Classified classified = classify(*type, job.kind, *response, answered.wall, provider.rules);
  name_currencies(classified.reading.balances, *type, provider);
  evidence.cost =
      price_of(classified.reading, provider, probe_model(*type, provider), answered.wall);
  fill_in(evidence, std::move(classified), redactor);
  return evidence;
}

}  // namespace keyherd::probe
