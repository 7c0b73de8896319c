#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "cli/agent_client.hpp"
#include "cli/command.hpp"
#include "cli/screen.hpp"
#include "cli/table.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

// "5m 3s" since then, or until then.
std::string distance(Context& context, const json& time) {
  const auto at = time.is_string() ? parse_rfc3339(time.get<std::string>())
                                   : Result<WallTime>(fail(ErrorCode::invalid, ""));
  if (!at)
    return "-";
  const auto apart = context.clock.now().wall - *at;
  return describe_duration(apart < std::chrono::nanoseconds(0) ? -apart : apart);
}

Cell quota_cell(const json& quotas) {
  if (quotas.empty())
    return "-";
  double worst = 0;
  int level = 0;
  for (const json& quota : quotas) {
    worst = std::max(worst, quota["ratio"].get<double>());
    level = std::max(level, quota["level"].get<int>());
  }
  Cell cell = Cell::number(std::to_string(static_cast<int>(worst * 100)) + "%");
  cell.colour = level == 0 ? Colour::none : level < 3 ? Colour::yellow : Colour::red;
  return cell;
}

void print_keys(Context& context, const json& keys) {
  Table table({"KEY", "PROVIDER", "STATE", "SINCE", "VERDICT", "QUOTA", "REQUESTS", "TOKENS",
               "COST USD", "WHY"});
  for (const json& key : keys) {
    const std::string state = key["state"];
    const json& usage = key["usage"];
    table.add({key["id"].get<std::string>(), key["provider"].get<std::string>(),
               Cell(state + (key["in_drill"] == true ? " (drill)" : ""), colour_of_state(state)),
               distance(context, key["since"]),
               Cell(text_of(key["verdict"]), colour_of_verdict(text_of(key["verdict"]))),
               quota_cell(key["quotas"]), Cell::number(grouped(usage["requests"])),
               Cell::number(grouped(usage["input_tokens"].get<std::int64_t>() +
                                    usage["output_tokens"].get<std::int64_t>())),
               Cell::number(text_of(usage["cost_usd"])), text_of(key["why"])});
  }
  if (table.empty())
    context.out << "No keys are configured.\n";
  else
    table.print(context);
}

void print_pools(Context& context, const json& pools) {
  Table table({"POOL", "ACTIVE", "GENERATION", "USABLE", "SPARE", "STRATEGY", "NEXT ROTATION"});
  for (const json& pool : pools) {
    const bool spare = pool["survives_key_loss"];
    table.add({pool["id"].get<std::string>(), text_of(pool["active"]),
               Cell::number(text_of(pool["generation"])),
               Cell::number(text_of(pool["available"]) + "/" + std::to_string(pool["keys"].size())),
               Cell(spare ? "yes" : "no", spare ? Colour::green : Colour::red),
               pool["strategy"].get<std::string>(),
               pool["next_rotation_at"].is_null()
                   ? "-"
                   : "in " + distance(context, pool["next_rotation_at"])});
  }
  if (!table.empty()) {
    context.out << "\n";
    table.print(context);
  }
}

void print_troubles(Context& context, const json& status) {
  for (const json& provider : status["providers"]) {
    if (!provider["up"].get<bool>())
      context.out << "\nprovider " << text_of(provider["id"])
                  << " is down: " << text_of(provider["incident"]) << "\n";
  }
  for (const json& pool : status["pools"]) {
    if (!pool["drill"].is_null())
      context.out << "\npool " << text_of(pool["id"])
                  << " has a drill: " << text_of(pool["drill"]["key"])
                  << " is treated as revoked, until " << text_of(pool["drill"]["until"])
                  << " at the latest\n";
    if (!pool["problem"].get<std::string>().empty())
      context.out << "\n" << text_of(pool["problem"]) << "\n";
  }
  if (!status["agent"]["ready"].get<bool>())
    context.out << "\nthe agent is not ready: " << text_of(status["agent"]["not_ready_because"])
                << "\n";
}

bool is_bad(const json& key) {
  return key["state"] != "healthy" && key["state"] != "paused";
}

void print_status(Context& context, const json& status) {
  if (context.json) {
    context.out << dump_json(status) << "\n";
    return;
  }
  print_keys(context, status["keys"]);
  print_pools(context, status["pools"]);
  print_troubles(context, status);
}

int show_all(Context& context, AgentClient& client) {
  const auto status = client.get("/api/v1/status");
  if (!status)
    return report(context, status.error());
  print_status(context, *status);
  return kFine;
}

// An agent that restarts meanwhile is waited for; the first look must succeed.
int watch(Context& context, AgentClient& client, const std::string& key,
          std::chrono::nanoseconds every) {
  Screen screen(context);
  bool seen = false;
  do {
    const auto status = client.get(key.empty() ? "/api/v1/status" : key_path(key));
    if (!status && (!seen || status.error().code != ErrorCode::unavailable))
      return report(context, status.error());
    seen = true;
    screen.show([&](Context& into) {
      if (!into.json)
        into.out << "every " << describe_duration(every) << ", now "
                 << format_rfc3339(context.clock.now().wall).substr(0, 19) << "Z; Ctrl-C ends\n\n";
      if (!status)
        into.out << (into.json ? dump_json({{"error",
                                             {{"code", to_string(status.error().code)},
                                              {"message", status.error().message}}}})
                               : status.error().message)
                 << "\n";
      else if (key.empty() || into.json)
        print_status(into, *status);
      else
        print_keys(into, json::array({*status}));
    });
  } while (wait_for_next(context, every));
  return kFine;
}

int show_one(Context& context, AgentClient& client, const std::string& key) {
  const auto view = client.get(key_path(key));
  if (!view)
    return report(context, view.error());
  if (context.json)
    context.out << dump_json(*view) << "\n";
  else
    print_keys(context, json::array({*view}));
  return is_bad(*view) ? kBadNews : kFine;
}

void print_story(Context& context, const json& story, bool is_past) {
  context.out << text_of(story["id"]) << (is_past ? " was " : " is ") << text_of(story["state"]);
  if (story["since"].is_string())
    context.out << " since " << text_of(story["since"]);
  context.out << ": " << text_of(story["why"]) << "\n";
  if (story.contains("incident") && story["incident"].is_string())
    context.out << "its provider is down, nothing is concluded meanwhile: "
                << text_of(story["incident"]) << "\n";
  if (story.contains("in_drill") && story["in_drill"] == true)
    context.out << "a drill is under way: its pools treat it as revoked, which it is not\n";
  if (story.contains("seems_to_share_account_with")) {
    for (const auto& [other, why] : story["seems_to_share_account_with"].items())
      context.out << "with " << other << ": " << text_of(why)
                  << "; give them one limit_group, or they count as a spare for each other\n";
  }
  context.out << "\n";
  Table changes({"WHEN", "FROM", "TO", "VERDICT", "WHY"});
  for (const json& change : story["changes"])
    changes.add({text_of(change["at"]), text_of(change["from"]),
                 Cell(text_of(change["to"]), colour_of_state(text_of(change["to"]))),
                 text_of(change["verdict"]), text_of(change["why"])});
  Table evidence({"WHEN", "SOURCE", "VERDICT", "HTTP", "COUNT", "MESSAGE"});
  for (const json& item : story["evidence"])
    evidence.add({text_of(item["at"]), text_of(item["source"]),
                  Cell(text_of(item["verdict"]), colour_of_verdict(text_of(item["verdict"]))),
                  text_of(item["http_status"]), Cell::number(text_of(item["count"])),
                  text_of(item["message"])});
  changes.print(context);
  context.out << "\n";
  evidence.print(context);
}

}  // namespace

Action define_status(CLI::App& app) {
  struct Options {
    std::string key;
    std::string every = "2s";
    bool watch = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("KEY", options->key, "one key; exit 1 if it is not healthy");
  app.add_flag("--watch", options->watch, "look again and again, until Ctrl-C");
  app.add_option("--every", options->every, "with --watch: how often to look")
      ->type_name("DURATION")
      ->capture_default_str();
  return [options](Context& context) {
    const auto every = parse_pause(options->every);
    if (!every)
      return report(context, every.error(), kWrongUsage);
    return with_agent(context, [&](AgentClient& client) {
      if (options->watch)
        return watch(context, client, options->key, *every);
      return options->key.empty() ? show_all(context, client)
                                  : show_one(context, client, options->key);
    });
  };
}

Action define_explain(CLI::App& app) {
  struct Options {
    std::string key;
    std::string at;
  };
  auto options = std::make_shared<Options>();
  app.add_option("KEY", options->key, "the key")->required();
  app.add_option("--at", options->at, "what was believed then (RFC 3339), not now");
  return [options](Context& context) {
    if (!options->at.empty() && !parse_rfc3339(options->at))
      return report(context, parse_rfc3339(options->at).error());
    return with_agent(context, [&](AgentClient& client) {
      const std::string at = options->at.empty() ? "" : "?at=" + url_encode(options->at);
      const auto story = client.get(key_path(options->key, "/explain") + at);
      if (!story)
        return report(context, story.error());
      if (context.json)
        context.out << dump_json(*story) << "\n";
      else
        print_story(context, *story, !options->at.empty());
      return kFine;
    });
  };
}

}  // namespace keyherd::cli
