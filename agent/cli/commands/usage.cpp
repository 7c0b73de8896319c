#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "api/views.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "cli/agent_client.hpp"
#include "cli/command.hpp"
#include "cli/configuration.hpp"
#include "cli/table.hpp"
#include "usage/offline.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

struct UsageOptions {
  std::string by = "key,model,day";
  std::string from;
  std::string to;
  std::string file;
};

std::vector<std::string> dimensions(const UsageOptions& options) {
  std::vector<std::string> names;
  for (const auto part : split(options.by, ','))
    names.emplace_back(trim(part));
  return names;
}

void print(Context& context, const json& lines, const std::vector<std::string>& by) {
  if (context.json) {
    context.out << dump_json(lines) << "\n";
    return;
  }
  std::vector<std::string> heads;
  for (const std::string& name : by) {
    heads.push_back(name);
    for (char& c : heads.back())
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  for (const char* head : {"REQUESTS", "FAILED", "INPUT", "CACHED", "OUTPUT", "COST USD"})
    heads.emplace_back(head);
  Table table(heads);
  for (const json& line : lines) {
    std::vector<Cell> row;
    for (const std::string& name : by)
      row.emplace_back(line[name].get<std::string>());
    for (const char* name :
         {"requests", "failed_requests", "input_tokens", "cached_input_tokens", "output_tokens"})
      row.push_back(Cell::number(grouped(line[name])));
    row.push_back(Cell::number(line["cost_usd"].dump()));
    table.add(std::move(row));
  }
  if (table.empty())
    context.out << "No usage.\n";
  else
    table.print(context);
}

void tell_rejected(Context& context, const usage::OfflineReport& report) {
  for (std::size_t i = 0; i < model::kRejectReasonCount; ++i) {
    if (report.counts.rejected[i] > 0)
      context.err << "warning: " << report.counts.rejected[i]
                  << " lines not counted: " << model::to_string(static_cast<model::RejectReason>(i))
                  << "\n";
  }
  for (const std::string& sample : report.samples)
    context.err << "  " << sample << "\n";
}

// Names and prices of the configuration, where there is one; the file alone will do.
model::UsageContext offline_context(Context& context) {
  model::UsageContext names;
  if (!find_config(context))
    return names;
  const auto loaded = config::load_config(*find_config(context), context.files, load_options());
  if (!loaded.config)
    return names;
  for (const model::Key& key : loaded.config->keys)
    names.keys[key.id] = {key.id, key.provider, false};
  for (const model::Provider& provider : loaded.config->providers)
    names.prices[provider.id] = provider.prices;
  return names;
}

// A bar on stderr for anything that takes longer than a second.
usage::OfflineProgress progress_bar(Context& context) {
  if (!context.colour)
    return {};
  const auto started = context.clock.now().steady;
  return [&context, started](std::uint64_t done, std::uint64_t size) {
    if (size == 0 || context.clock.now().steady - started < std::chrono::seconds(1))
      return;
    context.err << "\r" << done * 100 / size << "% of " << size / 1'000'000 << " MB"
                << (done >= size ? "\n" : "") << std::flush;
  };
}

int from_file(Context& context, const UsageOptions& options) {
  model::UsageLog log;
  log.id = "file";
  log.path = options.file;
  const auto read = usage::read_file(context.files, log, offline_context(context),
                                     context.clock.now(), progress_bar(context));
  if (!read)
    return report(context, read.error(), kWrongUsage);
  const auto by = dimensions(options);
  const auto lines = api::usage_json(read->usage, by);
  if (!lines)
    return report(context, lines.error(), kWrongUsage);
  print(context, *lines, by);
  tell_rejected(context, *read);
  return kFine;
}

int from_agent(Context& context, const UsageOptions& options) {
  return with_agent(context, [&](AgentClient& client) {
    std::string path = "/api/v1/usage?by=" + url_encode(options.by);
    if (!options.from.empty())
      path += "&from=" + url_encode(options.from);
    if (!options.to.empty())
      path += "&to=" + url_encode(options.to);
    const auto lines = client.get(path);
    if (!lines)
      return report(context, lines.error());
    print(context, *lines, dimensions(options));
    return kFine;
  });
}

}  // namespace

Action define_usage(CLI::App& app) {
  auto options = std::make_shared<UsageOptions>();
  app.add_option("--by", options->by, "key, model, hour, day, month; comma-separated")
      ->capture_default_str();
  app.add_option("--from", options->from, "only from here on")->type_name("RFC3339");
  app.add_option("--to", options->to, "only before this")->type_name("RFC3339");
  app.add_option("--file", options->file, "sum this log; no agent needed")->type_name("LOG");
  return [options](Context& context) {
    return options->file.empty() ? from_agent(context, *options) : from_file(context, *options);
  };
}

}  // namespace keyherd::cli
