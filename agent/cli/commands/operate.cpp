#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "cli/agent_client.hpp"
#include "cli/command.hpp"
#include "cli/table.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

Action define_key_command(CLI::App& app, const std::string& verb) {
  auto key = std::make_shared<std::string>();
  app.add_option("KEY", *key, "the key")->required();
  return [key, verb](Context& context) {
    return with_agent(context, [&](AgentClient& client) {
      const auto answer = client.post(key_path(*key, "/" + verb), json::object());
      if (!answer)
        return report(context, answer.error());
      if (context.json)
        context.out << dump_json(*answer) << "\n";
      else
        context.out << *key << " is " << (*answer)["state"].get<std::string>() << "\n";
      return kFine;
    });
  };
}

void print_rotation(Context& context, const json& rotation) {
  context.out << "pool " << text_of(rotation["pool"]) << ": " << text_of(rotation["state"]);
  if (rotation["state"] == "refused")
    context.out << ": " << text_of(rotation["reason"]) << "\n";
  else
    context.out << ", from " << text_of(rotation["from"]) << " to " << text_of(rotation["to"])
                << ", generation " << rotation["generation"] << "\n";
  for (const json& step : rotation["steps"]) {
    if (rotation["state"] != "refused")
      context.out << "  " << text_of(step["state"]) << "  " << text_of(step["note"]) << "\n";
  }
}

}  // namespace

Action define_pause(CLI::App& app) {
  return define_key_command(app, "pause");
}

Action define_resume(CLI::App& app) {
  return define_key_command(app, "resume");
}

Action define_rotate(CLI::App& app) {
  struct Options {
    std::string pool, to, reason;
    bool dry_run = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("POOL", options->pool, "the pool")->required();
  app.add_option("--to", options->to, "this key and no other")->type_name("KEY");
  app.add_option("--reason", options->reason, "kept in the journal")->type_name("TEXT");
  app.add_flag("--dry-run", options->dry_run, "show the plan, change nothing");
  return [options](Context& context) {
    return with_agent(context, [&](AgentClient& client) {
      json body{{"reason", options->reason}, {"dry_run", options->dry_run}};
      if (!options->to.empty())
        body["to"] = options->to;
      const auto answer = client.post(pool_path(options->pool, "/rotate"), body);
      if (!answer)
        return report(context, answer.error());
      if (context.json)
        context.out << dump_json(*answer) << "\n";
      else
        print_rotation(context, *answer);
      const std::string state = (*answer)["state"];
      // From `verified` on consumers have a key that works; what is left is to end the last one.
      const bool switched =
          state == "verified" || state == "committed" || state == "retiring" || state == "retired";
      return switched || (options->dry_run && state != "refused") ? kFine : kBadNews;
    });
  };
}

Action define_freeze(CLI::App& app) {
  struct FreezeOptions {
    std::string pool, until, lasts, reason;
  };
  auto options = std::make_shared<FreezeOptions>();
  app.add_option("POOL", options->pool, "the pool")->required();
  auto* until = app.add_option("--until", options->until, "until this time")->type_name("TIME");
  app.add_option("--for", options->lasts, "for so long, such as 2h")
      ->type_name("DURATION")
      ->excludes(until);
  app.add_option("--reason", options->reason, "shown to whoever asks why")->type_name("TEXT");
  return [options](Context& context) {
    json body{{"reason", options->reason}};
    if (!options->until.empty())
      body["until"] = options->until;
    if (!options->lasts.empty()) {
      const auto lasts = parse_duration(options->lasts);
      if (!lasts)
        return report(context, with_context(lasts.error(), "--for"));
      body["until"] = format_rfc3339(context.clock.now().wall +
                                     std::chrono::duration_cast<WallTime::duration>(*lasts));
    }
    return with_agent(context, [&](AgentClient& client) {
      const auto answer = client.post(pool_path(options->pool, "/freeze"), body);
      if (!answer)
        return report(context, answer.error());
      const json& until_time = (*answer)["freeze"]["until"];
      if (context.json)
        context.out << dump_json(*answer) << "\n";
      else
        context.out << "pool " << options->pool << " is frozen "
                    << (until_time.is_null() ? "until keyherd unfreeze " + options->pool
                                             : "until " + text_of(until_time))
                    << "; it stays at " << text_of((*answer)["active"]) << "\n";
      return kFine;
    });
  };
}

Action define_unfreeze(CLI::App& app) {
  auto pool = std::make_shared<std::string>();
  app.add_option("POOL", *pool, "the pool")->required();
  return [pool](Context& context) {
    return with_agent(context, [&](AgentClient& client) {
      const auto answer = client.post(pool_path(*pool, "/unfreeze"), json::object());
      if (!answer)
        return report(context, answer.error());
      if (context.json)
        context.out << dump_json(*answer) << "\n";
      else
        context.out << "pool " << *pool << " rotates again"
                    << ((*answer)["freeze"].is_null() ? "" : " once its freeze window has closed")
                    << "\n";
      return kFine;
    });
  };
}

Action define_history(CLI::App& app) {
  auto pool = std::make_shared<std::string>();
  auto steps = std::make_shared<bool>(false);
  app.add_option("POOL", *pool, "one pool; all when none is named");
  app.add_flag("--steps", *steps, "with the steps of each");
  return [pool, steps](Context& context) {
    return with_agent(context, [&](AgentClient& client) {
      const auto rows = client.get("/api/v1/rotations?pool=" + url_encode(*pool));
      if (!rows)
        return report(context, rows.error());
      if (context.json) {
        context.out << dump_json(*rows) << "\n";
        return kFine;
      }
      if (rows->empty()) {
        context.out << "No rotations.\n";
        return kFine;
      }
      if (*steps) {
        for (const json& row : *rows) {
          context.out << text_of(row["started_at"]) << "  " << text_of(row["trigger"]) << " by "
                      << text_of(row["actor"]) << "\n";
          print_rotation(context, row);
        }
        return kFine;
      }
      Table table({"STARTED", "POOL", "FROM", "TO", "STATE", "TRIGGER", "BY", "REASON"});
      for (const json& row : *rows)
        table.add({text_of(row["started_at"]), text_of(row["pool"]), text_of(row["from"]),
                   text_of(row["to"]), text_of(row["state"]), text_of(row["trigger"]),
                   text_of(row["actor"]), text_of(row["reason"])});
      table.print(context);
      return kFine;
    });
  };
}

}  // namespace keyherd::cli
