#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "api/audit_answer.hpp"
#include "api/usage_question.hpp"
#include "audit/verify.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "cli/agent_client.hpp"
#include "cli/command.hpp"
#include "cli/configuration.hpp"
#include "cli/table.hpp"
#include "engine/audit_trail.hpp"
#include "store/sqlite_store.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

struct AuditOptions {
  std::string file, from, to, pool, key;
  std::int64_t limit = 1'000;
  std::int64_t first = 1;
};
using AuditChoice = std::shared_ptr<AuditOptions>;

// Where the log is, and what the agent's state remembers of it (nothing: it cannot be read).
struct Place {
  std::string path;
  std::optional<audit::Head> known;
  std::string not_known_because;
};

Result<Place> find_log(Context& context, const AuditOptions& options) {
  if (!options.file.empty())
    return Place{options.file, std::nullopt, "--file names a log without its state"};
  const auto config = load_or_report(context);
  if (!config)
    return fail(ErrorCode::invalid, "");
  if (config->agent.audit.empty())
    return fail(ErrorCode::invalid, "no audit log is kept: agent.audit is \"\"");
  return Place{config->agent.audit, std::nullopt, config->agent.state};
}

void recall(Place& place) {
  if (place.not_known_because.starts_with("--file"))
    return;
  auto store = store::open_sqlite_store({place.not_known_because, true});
  const auto state = store ? (*store)->load() : Result<store::State>(fail(store.error()));
  if (state)
    place.known = engine::audit_head(*state);
  place.not_known_because = state ? "" : state.error().message;
}

Result<audit::Query> query_of(Context& context, const AuditOptions& options) {
  audit::Query query;
  query.pool = options.pool;
  query.key = options.key;
  query.limit = static_cast<std::size_t>(options.limit);
  const WallTime now = context.clock.now().wall;
  if (!options.from.empty()) {
    KH_ASSIGN(query.from, api::parse_usage_time(options.from, "UTC", now));
  }
  if (!options.to.empty()) {
    KH_ASSIGN(query.to, api::parse_usage_time(options.to, "UTC", now));
  }
  return query;
}

std::string subject_of(const model::AuditEntry& entry) {
  std::string subject;
  for (const std::string& part : {entry.provider, entry.pool, entry.key}) {
    if (!part.empty())
      subject += (subject.empty() ? "" : "/") + part;
  }
  return subject.empty() ? "-" : subject;
}

int list_entries(Context& context, const AuditChoice& options) {
  const auto place = find_log(context, *options);
  if (!place)
    return place.error().message.empty() ? kWrongUsage
                                         : report(context, place.error(), kWrongUsage);
  const auto query = query_of(context, *options);
  if (!query)
    return report(context, query.error(), kWrongUsage);
  const auto entries = audit::read_entries(context.files, place->path, *query);
  if (!entries)
    return report(context, entries.error(), kWrongUsage);
  if (context.json) {
    json rows = json::array();
    for (const model::AuditEntry& entry : *entries)
      rows.push_back(api::audit_json(entry));
    context.out << dump_json(rows) << "\n";
    return kFine;
  }
  if (entries->empty()) {
    context.out << "No entries in " << place->path << ".\n";
    return kFine;
  }
  Table table({"ENTRY", "AT", "BY", "ACT", "ABOUT", "TEXT"});
  for (const model::AuditEntry& entry : *entries)
    table.add({Cell::number(std::to_string(entry.seq)), format_event_time(entry.at), entry.actor,
               std::string(model::to_string(entry.act)), subject_of(entry), entry.text});
  table.print(context);
  return kFine;
}

json finding_json(const audit::Finding& finding) {
  return {{"flaw", audit::to_string(finding.flaw)},
          {"file", finding.file},
          {"line", finding.line},
          {"seq", finding.seq},
          {"message", finding.message}};
}

void print_verdict(Context& context, const Place& place, const audit::Verdict& verdict) {
  for (const audit::Finding& finding : verdict.findings)
    context.out << finding.file << ":" << finding.line << ": " << finding.message << "\n";
  if (verdict.flaws > static_cast<std::int64_t>(verdict.findings.size()))
    context.out << "and " << verdict.flaws - static_cast<std::int64_t>(verdict.findings.size())
                << " more\n";
  context.out << grouped(verdict.lines) << " lines in " << verdict.files.size() << " file(s), "
              << (verdict.flaws == 0 ? "whole" : grouped(verdict.flaws) + " flaw(s)")
              << "; the last is entry " << verdict.head.seq << ", " << verdict.head.hash << "\n";
  if (!place.known)
    context.out << "Whether lines are missing from the end is not known: "
                << place.not_known_because << "\n";
}

int verify_log(Context& context, const AuditChoice& options) {
  auto place = find_log(context, *options);
  if (!place)
    return place.error().message.empty() ? kWrongUsage
                                         : report(context, place.error(), kWrongUsage);
  recall(*place);  // before the log is read: an agent may be writing
  const auto verdict = audit::verify(context.files, {place->path, options->first, place->known});
  if (!verdict)
    return report(context, verdict.error(), kWrongUsage);
  if (context.json) {
    json findings = json::array();
    for (const audit::Finding& finding : verdict->findings)
      findings.push_back(finding_json(finding));
    context.out << dump_json({{"whole", verdict->flaws == 0},
                              {"lines", verdict->lines},
                              {"first", verdict->first_seq},
                              {"last", verdict->head.seq},
                              {"hash", verdict->head.hash},
                              {"end_known", place->known.has_value()},
                              {"files", verdict->files},
                              {"flaws", verdict->flaws},
                              {"findings", findings}})
                << "\n";
  } else {
    print_verdict(context, *place, *verdict);
  }
  return verdict->flaws == 0 ? kFine : kBadNews;
}

void print_timeline(Context& context, const json& events) {
  Table table({"AT", "WHAT", "ABOUT", "BY", "TEXT"});
  for (const json& event : events) {
    const std::string pool = event.value("pool", "");
    const std::string key = event.value("key", "");
    table.add({text_of(event["at"]), text_of(event["what"]),
               pool.empty() || key.empty() ? pool + key : pool + "/" + key,
               event.value("actor", ""), text_of(event["text"])});
  }
  table.print(context);
}

}  // namespace

Action define_audit(CLI::App& app) {
  auto options = std::make_shared<AuditOptions>();
  auto chosen = std::make_shared<int (*)(Context&, const AuditChoice&)>(list_entries);
  app.add_option("--from", options->from, "from this time on, or so long ago, such as 7d")
      ->type_name("TIME");
  app.add_option("--to", options->to, "before this time")->type_name("TIME");
  app.add_option("--pool", options->pool, "of this pool")->type_name("POOL");
  app.add_option("--key", options->key, "about this key")->type_name("KEY");
  app.add_option("--limit", options->limit, "the newest so many (1000)")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--file", options->file, "another audit log than the configuration's")
      ->type_name("PATH");
  CLI::App* check = app.add_subcommand(
      "verify", "whether lines were changed, removed, added or moved; exit code 1 if so");
  check->add_option("--file", options->file, "another audit log than the configuration's")
      ->type_name("PATH");
  check
      ->add_option("--first", options->first,
                   "the entry that the log begins with, when its oldest files were taken away")
      ->type_name("N")
      ->check(CLI::Range(1L, std::numeric_limits<std::int64_t>::max()));
  check->callback([chosen] { *chosen = verify_log; });
  app.require_subcommand(0, 1);
  return [options, chosen](Context& context) { return (*chosen)(context, options); };
}

Action define_timeline(CLI::App& app) {
  struct TimelineOptions {
    std::string subject, from, to;
    bool key = false;
  };
  auto options = std::make_shared<TimelineOptions>();
  app.add_option("POOL", options->subject, "the pool, or else the key of that name")->required();
  app.add_flag("--key", options->key, "it is a key, though a pool has the same name");
  app.add_option("--from", options->from, "from this time on, or so long ago, such as 90m (6h)")
      ->type_name("TIME");
  app.add_option("--to", options->to, "before this time")->type_name("TIME");
  return [options](Context& context) {
    return with_agent(context, [&](AgentClient& client) {
      std::string range;
      for (const auto& [name, value] :
           {std::pair{"&from=", &options->from}, std::pair{"&to=", &options->to}})
        if (!value->empty())
          range += name + url_encode(*value);
      const auto ask = [&](const char* kind) {
        return client.get("/api/v1/timeline?" + std::string(kind) + "=" +
                          url_encode(options->subject) + range);
      };
      auto events = ask(options->key ? "key" : "pool");
      if (!events && events.error().code == ErrorCode::not_found && !options->key) {
        events = ask("key");
        if (!events && events.error().code == ErrorCode::not_found)
          events = fail(ErrorCode::not_found, "no pool and no key '" + options->subject + "'");
      }
      if (!events)
        return report(context, events.error());
      if (context.json)
        context.out << dump_json(*events) << "\n";
      else if (events->empty())
        context.out << "Nothing happened in that time.\n";
      else
        print_timeline(context, *events);
      return kFine;
    });
  };
}

}  // namespace keyherd::cli
