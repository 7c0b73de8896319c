#include "cli/one_shot_probe.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "cli/configuration.hpp"
#include "cli/table.hpp"
#include "engine/negative_control.hpp"
#include "net/transport.hpp"
#include "probe/ladder.hpp"
#include "probe/prober.hpp"
#include "probe/provider_type.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

constexpr std::size_t kWorkers = 8;

const model::Provider& provider_of(const config::Config& config, const model::Key& key) {
  return *std::find_if(config.providers.begin(), config.providers.end(),
                       [&](const auto& provider) { return provider.id == key.provider; });
}

Result<std::vector<const model::Key*>> choose(const config::Config& config,
                                              const std::vector<std::string>& wanted) {
  std::vector<const model::Key*> chosen;
  std::vector<std::string> ids;
  for (const model::Key& key : config.keys) {
    ids.push_back(key.id);
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), key.id) != wanted.end())
      chosen.push_back(&key);
  }
  for (const std::string& id : wanted) {
    if (std::find(ids.begin(), ids.end(), id) != ids.end())
      continue;
    const auto near = nearest(id, ids);
    return fail(ErrorCode::not_found, "no key '" + printable(id, 64) + "'" +
                                          (near ? "; did you mean '" + *near + "'?" : ""));
  }
  return chosen;
}

struct Outcome {
  const model::Key* key;
  std::optional<model::Evidence> evidence;
  std::string problem;  // why there is none
};

// A provider that is to be probed, and what it answers to a made-up key.
struct Target {
  std::shared_ptr<const model::Provider> provider;
  probe::EndpointTrust trust;
};
using Targets = std::map<std::string, Target>;  // by provider id

void show_made_up_key(Context& context, Target& target, net::Transport& transport) {
  engine::NegativeControl control;
  const SteadyTime now = context.clock.now().steady;
  control.configure({{target.provider->id, target.provider}}, now);
  while (const auto question = control.take_due(now)) {
    const probe::ProbeJob job{"", target.provider, control.bogus_key(), question->kind};
    const auto evidence = probe::run_probe(job, transport, context.redactor, context.clock, {});
    control.answered(*question, evidence.verdict, now);
  }
  target.trust = control.trust(target.provider->id);
}

// All of them at once: one that does not answer holds up nobody else.
Targets make_targets(Context& context, const config::Config& config,
                     const std::vector<const model::Key*>& keys, net::Transport& transport) {
  Targets targets;
  for (const model::Key* key : keys) {
    const model::Provider& provider = provider_of(config, *key);
    if (probe::check_provider(provider))
      targets.try_emplace(provider.id,
                          Target{std::make_shared<const model::Provider>(provider), {}});
  }
  std::vector<std::jthread> askers;
  for (auto& [id, target] : targets)
    askers.emplace_back([&, &asked = target] { show_made_up_key(context, asked, transport); });
  askers.clear();  // joins
  return targets;
}

Outcome probe_one(Context& context, const config::Config& config, const Targets& targets,
                  const model::Key& key, net::Transport& transport) {
  const model::Provider& provider = provider_of(config, key);
  auto secret = key_secret(context, key.secret);
  if (!secret)
    return {&key, std::nullopt, secret.error().message};
  if (auto usable = probe::check_provider(provider); !usable)
    return {&key, std::nullopt, usable.error().message};
  const Target& target = targets.at(provider.id);
  probe::ProbeJob job;
  job.key = key.id;
  job.provider = target.provider;
  job.secret = std::make_shared<const Secret>(std::move(*secret));
  job.kind = *probe::choose_probe(provider, {}, target.trust, {}, context.clock.now().wall).kind;
  auto evidence = probe::run_probe(job, transport, context.redactor, context.clock, {});
  probe::discount(target.trust, evidence);
  return {&key, std::move(evidence), ""};
}

std::vector<Outcome> probe_all(Context& context, const config::Config& config,
                               const std::vector<const model::Key*>& keys) {
  const auto transport = net::make_http_transport({});
  const Targets targets = make_targets(context, config, keys, *transport);
  std::vector<Outcome> outcomes(keys.size());
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> workers;
  for (std::size_t i = 0; i < std::min(kWorkers, keys.size()); ++i) {
    workers.emplace_back([&] {
      for (std::size_t at = next++; at < keys.size(); at = next++)
        outcomes[at] = probe_one(context, config, targets, *keys[at], *transport);
    });
  }
  workers.clear();  // joins
  return outcomes;
}

json outcome_json(const Outcome& outcome) {
  json line{{"key", outcome.key->id}, {"provider", outcome.key->provider}};
  if (!outcome.evidence) {
    line.update({{"verdict", nullptr},
                 {"http_status", nullptr},
                 {"latency_ms", nullptr},
                 {"message", outcome.problem},
                 {"retry_at", nullptr}});
    return line;
  }
  const model::Evidence& evidence = *outcome.evidence;
  line.update(
      {{"verdict", model::to_string(evidence.verdict)},
       {"http_status", evidence.http_status},
       {"latency_ms", evidence.latency.count() / 1'000'000},
       {"message", evidence.message},
       {"retry_at", evidence.retry_at ? json(format_rfc3339(*evidence.retry_at)) : json(nullptr)}});
  return line;
}

void print(Context& context, const std::vector<Outcome>& outcomes) {
  if (context.json) {
    json list = json::array();
    for (const Outcome& outcome : outcomes)
      list.push_back(outcome_json(outcome));
    context.out << dump_json(list) << "\n";
    return;
  }
  Table table({"KEY", "PROVIDER", "VERDICT", "HTTP", "LATENCY", "EVIDENCE"});
  for (const Outcome& outcome : outcomes) {
    if (!outcome.evidence) {
      table.add({outcome.key->id, outcome.key->provider, Cell("not probed", Colour::red), "-", "-",
                 outcome.problem});
      continue;
    }
    const model::Evidence& evidence = *outcome.evidence;
    const std::string verdict(model::to_string(evidence.verdict));
    table.add({outcome.key->id, outcome.key->provider, Cell(verdict, colour_of_verdict(verdict)),
               evidence.http_status == 0 ? "-" : std::to_string(evidence.http_status),
               Cell::number(std::to_string(evidence.latency.count() / 1'000'000) + " ms"),
               evidence.message.empty() ? std::string(model::info(evidence.verdict).meaning)
                                        : evidence.message});
  }
  table.print(context);
}

}  // namespace

int probe_and_print(Context& context, const config::Config& config,
                    const std::vector<std::string>& keys) {
  const auto chosen = choose(config, keys);
  if (!chosen)
    return report(context, chosen.error(), kWrongUsage);
  const auto outcomes = probe_all(context, config, *chosen);
  print(context, outcomes);
  const bool all_ok = std::all_of(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) {
    return outcome.evidence && outcome.evidence->verdict == model::Verdict::ok;
  });
  return all_ok ? kFine : kBadNews;
}

}  // namespace keyherd::cli
