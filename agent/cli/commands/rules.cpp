#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/rules_text.hpp"
#include "net/transport.hpp"

namespace keyherd::cli {

namespace {

using nlohmann::json;

struct RulesOptions {
  bool check = false;
  std::string prometheus = "http://127.0.0.1:9090";
  std::string token_file;
};

// What Prometheus calls a rule by: of an alert each severity is one.
struct Rule {
  std::string name;
  std::string severity;
  friend auto operator<=>(const Rule&, const Rule&) = default;
};

struct Live {
  std::multiset<Rule> rules;
  std::vector<std::pair<std::string, std::string>> failing;  // name, why
};

// The files are our own and are held to this shape by their tests: one `- alert:` or `- record:` a
// rule, and `severity:` below its labels.
std::multiset<Rule> shipped_rules() {
  std::multiset<Rule> rules;
  std::string name;
  const auto add = [&](std::string severity) {
    if (!name.empty())
      rules.insert({std::exchange(name, {}), std::move(severity)});
  };
  for (const std::string_view text : {alert_rules(), recording_rules()}) {
    for (const std::string_view raw : split(text, '\n')) {
      const std::string_view line = trim(raw);
      if (line.starts_with("- alert: ") || line.starts_with("- record: ")) {
        add({});
        name = line.substr(line.find(": ") + 2);
      } else if (line.starts_with("severity: ")) {
        add(std::string(line.substr(line.find(": ") + 2)));
      }
    }
    add({});
  }
  return rules;
}

Result<Live> live_rules(const json& answer) {
  Live live;
  if (answer.value("status", "") != "success")
    return fail(ErrorCode::invalid, "it is no Prometheus: the answer has no status success");
  for (const json& group : answer.at("data").at("groups")) {
    for (const json& rule : group.at("rules")) {
      const std::string name = rule.value("name", "");
      live.rules.insert({name, rule.value("labels", json::object()).value("severity", "")});
      if (rule.value("health", "") == "err")
        live.failing.emplace_back(name, rule.value("lastError", ""));
    }
  }
  return live;
}

Result<Live> ask(Context& context, const RulesOptions& options) {
  net::HttpRequest request;
  request.url = options.prometheus + "/api/v1/rules";
  request.max_response_bytes = 64U << 20U;
  request.ca_file = context.ca_file.value_or("");
  Secret token;
  if (!options.token_file.empty()) {
    KH_ASSIGN(auto file, context.files.open(options.token_file));
    std::string text(4'096, '\0');
    KH_ASSIGN(const std::size_t size, file->read_at(0, text));
    text.resize(size);
    token = Secret(std::string(trim(text)));
    context.redactor.add(token);
    request.secret = &token;
  }
  const auto transport = net::make_http_transport({});
  auto response = transport->send(request, {});
  if (!response)
    return fail(ErrorCode::unavailable, "no Prometheus answers at " + options.prometheus + " (" +
                                            response.error().message +
                                            "); say where it is with --prometheus URL");
  if (response->status != 200)
    return fail(response->status == 401 ? ErrorCode::denied : ErrorCode::unavailable,
                options.prometheus + "/api/v1/rules answered " + std::to_string(response->status));
  try {
    KH_ASSIGN(const json answer, parse_json(response->body));
    return live_rules(answer);
  } catch (const json::exception&) {
    return fail(ErrorCode::invalid, options.prometheus + " does not answer as a Prometheus does");
  }
}

int check(Context& context, const RulesOptions& options) {
  const auto live = ask(context, options);
  if (!live)
    return report(context, live.error(), kUnreachable);
  const std::multiset<Rule> shipped = shipped_rules();
  json missing = json::array();
  json failing = json::array();
  auto there = live->rules;
  for (const Rule& rule : shipped) {
    if (const auto found = there.find(rule); found != there.end())
      there.erase(found);
    else
      missing.push_back({{"rule", rule.name}, {"severity", rule.severity}});
  }
  for (const auto& one : live->failing) {
    const std::string& name = one.first;
    if (std::ranges::any_of(shipped, [&](const Rule& rule) { return rule.name == name; }))
      failing.push_back({{"rule", name}, {"error", one.second}});
  }
  if (context.json) {
    context.out << dump_json(
                       {{"rules", shipped.size()}, {"missing", missing}, {"failing", failing}})
                << "\n";
  } else {
    for (const json& rule : missing)
      context.out << "missing: " << rule.at("rule").get<std::string>()
                  << (rule.at("severity") == "" ? "" : ", severity ")
                  << rule.at("severity").get<std::string>() << "\n";
    for (const json& rule : failing)
      context.out << "failing: " << rule.at("rule").get<std::string>() << ": "
                  << rule.at("error").get<std::string>() << "\n";
    context.out << options.prometheus << " has " << shipped.size() - missing.size() << " of "
                << shipped.size() << " rules"
                << (missing.empty() ? "" : "; keyherd rules prints them") << "\n";
  }
  return missing.empty() && failing.empty() ? kFine : kBadNews;
}

}  // namespace

Action define_rules(CLI::App& app) {
  auto options = std::make_shared<RulesOptions>();
  app.add_flag("--check", options->check,
               "whether a running Prometheus has them, and can evaluate");
  app.add_option("--prometheus", options->prometheus, "where it is")->capture_default_str();
  app.add_option("--token-file", options->token_file, "a bearer token for it")
      ->check(CLI::ExistingFile);
  return [options](Context& context) {
    if (options->check)
      return check(context, *options);
    // One file of both: the second's groups go on where the first's end.
    std::string_view recording = recording_rules();
    recording.remove_prefix(recording.find("\ngroups:\n") + std::string_view("\ngroups:\n").size());
    if (context.json)
      context.out << dump_json({{"rules", std::string(alert_rules()) + std::string(recording)}})
                  << "\n";
    else
      context.out << alert_rules() << recording;
    return kFine;
  };
}

}  // namespace keyherd::cli
