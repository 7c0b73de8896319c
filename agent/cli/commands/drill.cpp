#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "base/time_text.hpp"
#include "cli/agent_client.hpp"
#include "cli/command.hpp"
#include "cli/screen.hpp"
#include "cli/table.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kLookEvery{200};
// An agent that is started again goes on with the drill; so long it may be away.
constexpr std::chrono::seconds kMostAway{60};

struct Milestone {
  const char* field;  // of drill.seconds
  const char* name;
};
constexpr Milestone kMilestones[] = {{"detection", "detected"},
                                     {"switch", "switched"},
                                     {"publication", "published"},
                                     {"adoption", "adopted"}};

std::string seconds_of(const json& value) {
  return value.is_null() ? "-"
                         : describe_duration(std::chrono::nanoseconds(
                               static_cast<std::int64_t>(value.get<double>() * 1e9)));
}

void tell_news(Context& context, const json& before, const json& now) {
  for (const Milestone& one : kMilestones) {
    const json& value = now["seconds"][one.field];
    if (!value.is_null() && (before.is_null() || before["seconds"][one.field].is_null()))
      context.err << "keyherd: " << one.name << " after " << seconds_of(value) << std::endl;
  }
}

// The drill once it is over, or the error that ended the watching.
Result<json> follow(Context& context, AgentClient& agent, const std::string& pool, json drill) {
  tell_news(context, {}, drill);
  SteadyTime seen = context.clock.now().steady;
  while (drill["ended_at"].is_null()) {
    if (!wait_for_next(context, kLookEvery))
      return fail(ErrorCode::cancelled,
                  "nobody reads the output; the drill goes on until " + text_of(drill["until"]));
    auto next = agent.get(pool_path(pool, "/drill"));
    if (!next && (next.error().code != ErrorCode::unavailable ||
                  context.clock.now().steady - seen > kMostAway))
      return next;
    if (!next)
      continue;
    seen = context.clock.now().steady;
    tell_news(context, drill, *next);
    drill = std::move(*next);
  }
  return drill;
}

void print_result(Context& context, const json& drill) {
  const std::string pool = text_of(drill["pool"]);
  context.out << "Drill of " << text_of(drill["key"]) << " in pool " << pool << ": grade "
              << text_of(drill["grade"]) << " (" << text_of(drill["meaning"]) << ")\n";
  Table table({"STEP", "AFTER"});
  for (const Milestone& one : kMilestones) {
    const bool unwatched = std::string_view(one.field) == "adoption" && drill["watched"] == false;
    table.add({one.name, unwatched ? "not measured: nothing tells who uses which key"
                                   : seconds_of(drill["seconds"][one.field])});
  }
  table.print(context);
  if (!drill["replaced_by"].is_null())
    context.out << text_of(drill["replaced_by"]) << " took over; the pool goes back to "
                << text_of(drill["key"]) << "\n";
  if (drill["note"] != "")
    context.out << "Note: " << text_of(drill["note"]) << "\n";
}

}  // namespace

Action define_drill(CLI::App& app) {
  struct DrillOptions {
    std::string pool, key, lasts = "5m";
  };
  auto options = std::make_shared<DrillOptions>();
  app.add_option("POOL", options->pool, "the pool")->required();
  app.add_option("--key", options->key, "its active key, to be treated as revoked")->required();
  app.add_option("--for", options->lasts, "at most so long, from 10s to 1h")
      ->type_name("DURATION")
      ->capture_default_str();
  return [options](Context& context) {
    return with_agent(context, [&](AgentClient& agent) {
      const auto started = agent.ask("POST", pool_path(options->pool, "/drill"),
                                     {{"key", options->key}, {"for", options->lasts}});
      if (!started)
        return report(context, started.error());
      if (started->status != 202)
        return report(context, started->error());
      if (!context.json)
        context.err << "keyherd: " << options->key << " is taken for revoked, until "
                    << text_of(started->body["until"]) << " at the latest" << std::endl;
      const auto drill = follow(context, agent, options->pool, started->body);
      if (!drill)
        return report(context, drill.error());
      if (context.json)
        context.out << dump_json(*drill) << "\n";
      else
        print_result(context, *drill);
      const std::string grade = (*drill)["grade"];
      return grade == "D" || grade == "F" ? kBadNews : kFine;
    });
  };
}

}  // namespace keyherd::cli
