#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "base/text.hpp"
#include "base/time_text.hpp"
#include "cli/agent_client.hpp"
#include "cli/command.hpp"
#include "cli/screen.hpp"
#include "cli/unaccounted.hpp"
#include "cli/usage_files.hpp"
#include "cli/usage_output.hpp"

namespace keyherd::cli {

namespace {

constexpr std::size_t kPage = 20'000;

struct UsageOptions {
  std::string by = "key,model,day";
  std::vector<std::string> where;
  std::string from;
  std::string to;
  std::string timezone;  // empty: the agent's
  std::vector<std::string> files;
  std::string format = "keyherd";
  std::string every = "2s";
  bool csv = false;
  bool follow = false;
  bool unaccounted = false;

  [[nodiscard]] UsageStyle style(const Context& context) const {
    return csv ? UsageStyle::as_csv : context.json ? UsageStyle::as_json : UsageStyle::as_table;
  }
};

struct Asked {
  std::vector<api::UsageTerm> by;
  std::vector<api::UsageFilter> where;
  std::chrono::nanoseconds every{0};
};

Result<Asked> parse(const Context& context, const UsageOptions& options) {
  Asked asked;
  if (options.csv && context.json)
    return fail(ErrorCode::invalid, "--csv and --json exclude each other");
  if (options.csv && options.follow)
    return fail(ErrorCode::invalid, "--csv is written once; follow with --json instead");
  KH_ASSIGN(asked.by, api::parse_usage_terms(options.by));
  for (const std::string& text : options.where) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      return fail(ErrorCode::invalid,
                  "--where " + printable(text, 60) + ": write it as NAME=VALUE, like pool=prod");
    KH_ASSIGN(auto filter,
              api::parse_usage_filter(text.substr(0, equals), text.substr(equals + 1)));
    asked.where.push_back(std::move(filter));
  }
  if (!options.timezone.empty())
    KH_TRY(api::check_timezone(options.timezone));
  KH_ASSIGN(asked.every, parse_pause(options.every));
  return asked;
}

Result<api::UsageQuestion> question_of(const Context& context, const UsageOptions& options,
                                       const Asked& asked, const OfflineNames& names) {
  api::UsageQuestion question;
  question.by = asked.by;
  question.where = asked.where;
  question.timezone = options.timezone.empty() ? names.timezone() : options.timezone;
  const WallTime now = context.clock.now().wall;
  if (!options.from.empty()) {
    KH_ASSIGN(question.from, api::parse_usage_time(options.from, question.timezone, now));
  }
  if (!options.to.empty()) {
    KH_ASSIGN(question.to, api::parse_usage_time(options.to, question.timezone, now));
  }
  return question;
}

int from_files(Context& context, const UsageOptions& options, const Asked& asked) {
  const auto names = load_offline_names(context);
  if (!names)
    return kWrongUsage;
  const auto question = question_of(context, options, asked, *names);
  if (!question)
    return report(context, question.error(), kWrongUsage);
  api::UsageReport sums(*question, names->facts(), 10 * api::UsageReport::kMaxLines);
  const auto print = [&](Context& into) {
    print_usage(into, sums.lines(), asked.by, options.style(context));
  };
  Status done;
  if (options.follow) {
    Screen screen(context);
    done = follow_files(context, options.files, *names, options.format, asked.every, sums, [&] {
      screen.show(print);
      return true;
    });
  } else {
    const auto files = files_of(context, options.files);
    done = files ? sum_files(context, *files, *names, options.format, sums)
                 : Status(fail(files.error()));
    if (done)
      print(context);
  }
  return done ? kFine : report(context, done.error(), kWrongUsage);
}

std::string query_of(const UsageOptions& options, const Asked& asked) {
  std::string path = "/api/v1/usage?by=" + url_encode(options.by);
  for (const auto& [name, value] : {std::pair{"from", options.from}, std::pair{"to", options.to},
                                    std::pair{"timezone", options.timezone}}) {
    if (!value.empty())
      path += "&" + std::string(name) + "=" + url_encode(value);
  }
  for (const api::UsageFilter& filter : asked.where) {
    for (const std::string& value : filter.values)
      path += "&" + url_encode(filter.term.text) + "=" + url_encode(value);
  }
  return path + "&limit=" + std::to_string(kPage);
}

Result<std::vector<api::UsageLine>> ask_agent(AgentClient& client, std::string path,
                                              const std::vector<api::UsageTerm>& by) {
  std::vector<api::UsageLine> lines;
  while (!path.empty()) {
    KH_ASSIGN(const AgentClient::Page page, client.get_page(path));
    KH_ASSIGN(auto more, parse_usage_answer(page.body, by));
    lines.insert(lines.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
    path = page.next;
  }
  return lines;
}

int from_agent(Context& context, const UsageOptions& options, const Asked& asked) {
  return with_agent(context, [&](AgentClient& client) {
    const std::string path = query_of(options, asked);
    Screen screen(context);
    do {
      const auto lines = ask_agent(client, path, asked.by);
      if (!lines)
        return report(context, lines.error());
      const auto print = [&](Context& into) {
        print_usage(into, *lines, asked.by, options.style(context));
      };
      if (!options.follow) {
        print(context);
        return kFine;
      }
      screen.show(print);
    } while (wait_for_next(context, asked.every));
    return kFine;
  });
}

}  // namespace

Action define_usage(CLI::App& app) {
  auto options = std::make_shared<UsageOptions>();
  app.add_option("--by", options->by,
                 "columns: key, provider, pool, group, model, label.NAME, hour, day, month")
      ->type_name("COLUMNS")
      ->capture_default_str();
  app.add_option("--where", options->where,
                 "only what has this value, like pool=prod or label.team=search,ads")
      ->type_name("NAME=VALUE");
  app.add_option("--from", options->from, "from here on: 2026-11-23, 2026-11, RFC 3339, or 7d ago")
      ->type_name("TIME");
  app.add_option("--to", options->to, "before this")->type_name("TIME");
  app.add_option("--timezone", options->timezone, "whose days (default: the agent's)")
      ->type_name("ZONE");
  app.add_option("--file", options->files,
                 "sum these logs; no agent needed; patterns, - for a pipe")
      ->type_name("LOG");
  app.add_option("--format", options->format, "of the logs, or the id of a configured log")
      ->type_name("FORMAT")
      ->capture_default_str();
  app.add_flag("--csv", options->csv, "comma-separated, with a line of names");
  app.add_flag("--follow", options->follow, "show it again as it grows, until Ctrl-C");
  app.add_option("--every", options->every, "with --follow: how often to look")
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_flag("--unaccounted", options->unaccounted,
               "instead: what balances lost that no log explains (exit 1 if anything)");
  return [options](Context& context) {
    if (options->unaccounted && !options->files.empty())
      return report(context, Error{ErrorCode::invalid,
                                   "--unaccounted needs balances: ask the agent, without --file"});
    if (options->unaccounted)
      return show_unaccounted(context, options->from, options->to);
    const auto asked = parse(context, *options);
    if (!asked)
      return report(context, asked.error(), kWrongUsage);
    return options->files.empty() ? from_agent(context, *options, *asked)
                                  : from_files(context, *options, *asked);
  };
}

}  // namespace keyherd::cli
