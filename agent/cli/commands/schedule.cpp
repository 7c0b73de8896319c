#include "cron/schedule.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "base/time_text.hpp"
#include "cli/command.hpp"
#include "cli/configuration.hpp"
#include "cli/table.hpp"

namespace keyherd::cli {

namespace {

struct ScheduleOptions {
  std::string from;
  std::size_t count = 5;
  std::string cron;
  std::string timezone = "UTC";
};

struct Line {
  std::string schedule;
  WallTime at;
  std::string local;
  std::string remark;
};

void add_lines(std::vector<Line>& lines, const std::string& name, const cron::Schedule& schedule,
               WallTime from, std::size_t count) {
  for (const WallTime at : schedule.next_n(from, count))
    lines.push_back({name, at, schedule.local(at), schedule.remark(at).value_or("")});
}

void print(Context& context, const std::vector<Line>& lines) {
  if (context.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const Line& line : lines) {
      nlohmann::json item{
          {"schedule", line.schedule}, {"at", format_rfc3339(line.at)}, {"local", line.local}};
      if (!line.remark.empty())
        item["remark"] = line.remark;
      list.push_back(std::move(item));
    }
    context.out << dump_json(list) << "\n";
    return;
  }
  Table table({"SCHEDULE", "LOCAL", "UTC", ""});
  for (const Line& line : lines)
    table.add({line.schedule, line.local, format_rfc3339(line.at), Cell(line.remark, Colour::dim)});
  table.print(context);
}

int show_expression(Context& context, const ScheduleOptions& options, WallTime from) {
  const auto schedule = cron::Schedule::parse(options.cron, options.timezone);
  if (!schedule)
    return report(context, schedule.error(), kWrongUsage);
  if (!context.json) {
    context.out << schedule->describe() << "\n";
    for (const std::string& note : schedule->notes(from))
      context.out << "note: " << note << "\n";
    context.out << "\n";
  }
  std::vector<Line> lines;
  add_lines(lines, options.cron, *schedule, from, options.count);
  print(context, lines);
  return kFine;
}

int show_configured(Context& context, const ScheduleOptions& options, WallTime from) {
  const auto config = load_or_report(context);
  if (!config)
    return kWrongUsage;
  std::vector<Line> lines;
  for (const model::Pool& pool : config->pools) {
    if (pool.schedule.empty())
      continue;
    const auto schedule = cron::Schedule::parse(pool.schedule, pool.timezone);
    if (!schedule)
      return report(context, schedule.error(), kWrongUsage);
    if (!context.json)
      context.out << pool.id << ": " << schedule->describe() << "\n";
    add_lines(lines, pool.id, *schedule, from, options.count);
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.at < b.at; });
  if (!context.json)
    context.out << (lines.empty() ? "No pool has a schedule.\n" : "\n");
  if (!lines.empty() || context.json)
    print(context, lines);
  return kFine;
}

}  // namespace

Action define_schedule(CLI::App& app) {
  auto options = std::make_shared<ScheduleOptions>();
  app.add_option("--from", options->from, "count from here (default: now)")->type_name("RFC3339");
  app.add_option("--count", options->count, "firings of each schedule")
      ->check(CLI::Range(1, 10'000))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--cron", options->cron, "an expression, instead of the configuration's schedules")
      ->type_name("EXPR");
  app.add_option("--timezone", options->timezone, "of --cron")
      ->type_name("ZONE")
      ->capture_default_str();
  return [options](Context& context) {
    const auto from = options->from.empty() ? Result<WallTime>(context.clock.now().wall)
                                            : parse_rfc3339(options->from);
    if (!from)
      return report(context, from.error(), kWrongUsage);
    return options->cron.empty() ? show_configured(context, *options, *from)
                                 : show_expression(context, *options, *from);
  };
}

}  // namespace keyherd::cli
