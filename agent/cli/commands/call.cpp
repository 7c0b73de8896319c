#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "cli/agent_client.hpp"
#include "cli/command.hpp"
#include "cli/configuration.hpp"
#include "cli/failover.hpp"
#include "cli/input.hpp"
#include "cli/screen.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

struct CallOptions {
  std::string pool;
  std::string data;
  std::string path;
  std::string connect_timeout = "5s";
  std::string read_timeout = "30s";
};

// What the provider is like beyond what the agent says of it: from this configuration, if it is
// there.
model::Provider provider_of(const config::Config& config, const json& named) {
  model::Provider provider;
  const auto known =
      std::find_if(config.providers.begin(), config.providers.end(),
                   [&](const model::Provider& one) { return one.id == named["provider"]; });
  if (known != config.providers.end())
    provider = *known;
  provider.id = named["provider"].get<std::string>();
  provider.type = named["type"].get<std::string>();
  provider.base_url = named["base_url"].get<std::string>();
  return provider;
}

Result<NamedKey> ask_for_key(Context& context, AgentClient& agent, const config::Config& config,
                             const std::string& pool, const std::vector<std::string>& exclude) {
  KH_ASSIGN(const auto answer, agent.ask("POST", pool_path(pool, "/next"), {{"exclude", exclude}}));
  if (answer.status == 503)  // the agent is there: it has no key
    return fail(ErrorCode::conflict, answer.message());
  if (answer.status != 200)
    return fail(answer.error());
  NamedKey named{answer.body["key"].get<std::string>(),
                 Secret(answer.body["secret"].get<std::string>()),
                 provider_of(config, answer.body)};
  context.redactor.add(named.secret);
  return named;
}

std::string described(Context& context, const Attempt& attempt) {
  const std::string status = attempt.status == 0 ? "" : std::to_string(attempt.status) + " ";
  const std::string what = printable(context.redactor.redact(attempt.what), 200);
  return attempt.key + ": " + status + std::string(model::to_string(attempt.verdict)) +
         (what.empty() ? "" : ": " + what);
}

json attempts_json(Context& context, const CallOutcome& outcome) {
  json list = json::array();
  const auto ms = [](std::chrono::nanoseconds span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
  };
  for (const Attempt& one : outcome.attempts)
    list.push_back({{"key", one.key},
                    {"status", one.status},
                    {"verdict", model::to_string(one.verdict)},
                    {"message", printable(context.redactor.redact(one.what), 200)},
                    {"latency_ms", ms(one.latency)},
                    {"waited_ms", ms(one.waited)}});
  return list;
}

// Why nothing came, and the exit code that says it.
std::pair<Error, int> failure_of(Context& context, const CallOutcome& outcome) {
  if (outcome.error && (outcome.attempts.empty() || outcome.error->code != ErrorCode::conflict)) {
    const bool unreachable = outcome.error->code == ErrorCode::unavailable;
    const bool wrong = outcome.error->code != ErrorCode::conflict && !unreachable;
    return {*outcome.error, wrong ? kWrongUsage : unreachable ? kUnreachable : kBadNews};
  }
  const Attempt& last = outcome.attempts.back();
  const std::size_t tries = outcome.attempts.size();
  Error error{outcome.reached ? ErrorCode::conflict : ErrorCode::unavailable,
              fmt::format("no good answer in {} {}; the last: {}", tries,
                          tries == 1 ? "attempt" : "attempts", described(context, last))};
  if (outcome.error)
    error.message += " (then " + outcome.error->message + ")";
  return {std::move(error), outcome.reached ? kBadNews : kUnreachable};
}

int conclude(Context& context, const std::string& pool, const CallOutcome& outcome,
             const std::string& body) {
  const bool good = !outcome.attempts.empty() && outcome.attempts.back().is_good();
  if (!good) {
    const auto [error, code] = failure_of(context, outcome);
    if (!context.json)
      return report(context, error, code);
    context.out << dump_json({{"error",
                               {{"code", to_string(error.code)},
                                {"message", context.redactor.redact(error.message)}}},
                              {"attempts", attempts_json(context, outcome)}})
                << "\n";
    return code;
  }
  if (!context.json) {
    if (outcome.attempts.size() > 1)
      context.err << "keyherd: answered with " << outcome.attempts.back().key << "\n";
    return kFine;
  }
  const auto value = parse_json(body);
  context.out << dump_json({{"pool", pool},
                            {"key", outcome.attempts.back().key},
                            {"status", outcome.attempts.back().status},
                            {"attempts", attempts_json(context, outcome)},
                            {"body", value ? *value : json(body)}})
              << "\n";
  return kFine;
}

int call(Context& context, AgentClient& agent, const config::Config& config,
         const CallOptions& options, const CallRequest& request) {
  const auto transport = net::make_http_transport({"keyherd-cli", "/etc/ssl/certs"});
  std::string body;
  CallParts parts{
      [&](const std::vector<std::string>& exclude) {
        return ask_for_key(context, agent, config, options.pool, exclude);
      },
      [&](const json& report) {
        if (const auto saved = agent.post(pool_path(options.pool, "/report"), report); !saved)
          context.err << "keyherd: the agent was not told of it: " << saved.error().message << "\n";
      },
      *transport,
      context.clock,
      [&](std::chrono::nanoseconds pause) { wait_for_next(context, pause); },
      [&](std::string_view bytes) {
        if (context.json)
          body += bytes;
        else
          (context.out << bytes).flush();
      },
      [&](const Attempt& attempt) {
        if (attempt.is_good() || context.json)
          return;
        context.err << "keyherd: " << described(context, attempt);
        if (attempt.waited.count() > 0)
          context.err << "; again in " << describe_duration(attempt.waited);
        context.err << std::endl;
      }};
  return conclude(context, options.pool, call_with_failover(request, parts), body);
}

}  // namespace

Action define_call(CLI::App& app) {
  auto options = std::make_shared<CallOptions>();
  app.add_option("POOL", options->pool, "the pool")->required();
  app.add_option("--data", options->data, "the request, JSON; @FILE reads a file, @- stdin")
      ->required()
      ->type_name("JSON");
  app.add_option("--path", options->path,
                 "behind the provider's base URL; else where its type takes chats")
      ->type_name("PATH");
  app.add_option("--connect-timeout", options->connect_timeout, "for a connection, TLS included")
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_option("--read-timeout", options->read_timeout, "without a byte of the answer")
      ->type_name("DURATION")
      ->capture_default_str();
  return [options](Context& context) {
    CallRequest request;
    const auto data = read_argument(context, options->data);
    if (!data)
      return report(context, with_context(data.error(), "--data"), kWrongUsage);
    if (const auto parsed = parse_json(*data); !parsed)
      return report(context, with_context(parsed.error(), "--data"), kWrongUsage);
    request.body = *data;
    if (!options->path.empty() && options->path.front() != '/')
      return report(context, {ErrorCode::invalid, "--path: must begin with /"});
    if (!options->path.empty())
      request.path = options->path;
    for (const auto& [name, text, into] :
         {std::tuple{"--connect-timeout", &options->connect_timeout, &request.connect_timeout},
          std::tuple{"--read-timeout", &options->read_timeout, &request.read_timeout}}) {
      const auto span = parse_duration(*text);
      if (!span || span->count() <= 0)
        return report(context,
                      {ErrorCode::invalid, std::string(name) + ": must be a duration such as 5s"});
      *into = std::chrono::ceil<std::chrono::milliseconds>(*span);
    }
    const auto config = load_or_report(context);
    if (!config)
      return kWrongUsage;
    AgentClient agent(context, *config);
    return call(context, agent, *config, *options, request);
  };
}

}  // namespace keyherd::cli
