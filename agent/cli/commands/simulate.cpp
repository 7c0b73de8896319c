#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "cli/replay.hpp"
#include "cli/simulation.hpp"
#include "cli/table.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

struct SimulateOptions {
  SyntheticOptions load;
  std::vector<std::string> strategies;
  std::string log;
  std::string format = "keyherd";
};

const std::vector<std::string>& all_strategies() {
  static const std::vector<std::string> kAll = [] {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < model::kStrategyCount; ++i)
      names.emplace_back(model::to_string(static_cast<model::Strategy>(i)));
    return names;
  }();
  return kAll;
}

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double mean_ms(const SimulationResult& result) {
  return ratio(result.latency_sum.count(), result.succeeded) / 1e6;
}

void print(Context& context, const std::vector<SimulationResult>& results) {
  json rows = json::array();
  Table table(
      {"STRATEGY", "REQUESTS", "SUCCESS", "LATENCY", "P95", "QUOTA USED", "COST", "PER 1,000 OK"});
  for (const SimulationResult& one : results) {
    const double cost = static_cast<double>(one.cost) / 1e9;
    const double p95 = static_cast<double>(one.latency_p95.count()) / 1e6;
    rows.push_back(
        {{"strategy", model::to_string(one.strategy)},
         {"requests", one.requests},
         {"success_ratio", ratio(one.succeeded, one.requests)},
         {"latency_ms_avg", mean_ms(one)},
         {"latency_ms_p95", p95},
         {"quota_utilisation", one.quota == 0 ? json(nullptr) : json(ratio(one.used, one.quota))},
         {"cost_usd", cost}});
    table.add(
        {std::string(model::to_string(one.strategy)), Cell::number(grouped(one.requests)),
         Cell::number(fmt::format("{:.1f} %", 100 * ratio(one.succeeded, one.requests))),
         Cell::number(fmt::format("{:.0f} ms", mean_ms(one))),
         Cell::number(fmt::format("{:.0f} ms", p95)),
         Cell::number(one.quota == 0 ? "-"
                                     : fmt::format("{:.1f} %", 100 * ratio(one.used, one.quota))),
         Cell::number(fmt::format("${:.4f}", cost)),
         Cell::number(
             one.succeeded == 0
                 ? "-"
                 : fmt::format("${:.3f}", 1'000 * cost / static_cast<double>(one.succeeded)))});
  }
  if (context.json)
    context.out << dump_json(rows) << "\n";
  else
    table.print(context);
}

Result<Workload> workload(Context& context, const SimulateOptions& options) {
  if (options.log.empty())
    return synthetic_workload(options.load);
  const auto names = load_offline_names(context);
  if (!names)
    return fail(ErrorCode::invalid, "the configuration cannot be used");
  return replay_of(context, options.log, options.format, *names, options.load.quota);
}

}  // namespace

Action define_simulate(CLI::App& app) {
  auto options = std::make_shared<SimulateOptions>();
  auto* quota = app.add_option("--quota", options->load.quota,
                               "tokens of each key; with --log of those without one configured, "
                               "where 0 means none")
                    ->capture_default_str()
                    ->check(CLI::NonNegativeNumber);
  app.add_option("--requests", options->load.requests, "requests in all")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--at-once", options->load.at_once, "requests under way at any time")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  app.add_option("--keys", options->load.keys, "keys of the pool")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  app.add_option("--seed", options->load.seed, "another one gives another load")
      ->capture_default_str();
  app.add_option("--strategy", options->strategies, "these strategies; else all")
      ->type_name("NAME")
      ->delimiter(',')
      ->check(CLI::IsMember(all_strategies()));
  app.add_option("--log", options->log,
                 "replay this usage log in place of a made-up load; - is stdin")
      ->type_name("FILE");
  app.add_option("--format", options->format, "of the log: a format's name, or a configured log")
      ->type_name("NAME")
      ->capture_default_str();
  return [options, quota](Context& context) {
    SimulateOptions asked = *options;
    if (!asked.log.empty() && quota->count() == 0)
      asked.load.quota = 0;
    const auto load = workload(context, asked);
    if (!load)
      return report(context, load.error(), kWrongUsage);
    const std::vector<std::string>& names =
        asked.strategies.empty() ? all_strategies() : asked.strategies;
    std::vector<SimulationResult> results;
    {
      Progress progress(context, load->requests.size() * names.size(), "requests");
      for (const std::string& name : names) {
        const std::size_t before = results.size() * load->requests.size();
        results.push_back(simulate(*model::strategy_from_string(name), *load, asked.load.seed,
                                   [&](std::size_t done) { progress.at(before + done); }));
      }
    }
    print(context, results);
    return kFine;
  };
}

}  // namespace keyherd::cli
