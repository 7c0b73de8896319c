#include "sandbox/sandbox.hpp"

#include <CLI/CLI.hpp>
#include <csignal>
#include <memory>
#include <optional>
#include <ostream>
#include <thread>

#include "base/random.hpp"
#include "cli/command.hpp"
#include "net/transport.hpp"
#include "sandbox/traffic.hpp"

namespace keyherd::cli {

namespace {

constexpr std::size_t kLargestScenario = 1U << 20U;

struct SandboxOptions {
  std::string scenario;
  std::optional<int> port;  // else the scenario's
  std::string log;
  double rate = 5;
  std::vector<std::string> clients;  // POOL_FILE=FACE[:MODEL]
};

Result<sandbox::TrafficOptions> traffic_options(const SandboxOptions& options, int port) {
  sandbox::TrafficOptions traffic;
  traffic.log_path = options.log;
  traffic.requests_per_second = options.rate;
  for (const std::string& client : options.clients) {
    const auto equals = client.find('=');
    if (equals == std::string::npos)
      return fail(ErrorCode::invalid, "--client " + client +
                                          ": write it as POOL_FILE=FACE:MODEL, like "
                                          "run/prod.json=alpha:deepseek-flash");
    const std::string target = client.substr(equals + 1);
    const auto colon = target.find(':');
    traffic.clients.push_back(
        {client.substr(0, equals),
         "http://127.0.0.1:" + std::to_string(port) + "/" + target.substr(0, colon),
         colon == std::string::npos ? "deepseek-flash" : target.substr(colon + 1)});
  }
  return traffic;
}

int run(Context& context, const SandboxOptions& options) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT})
    sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);

  const auto text = context.files.read(options.scenario, kLargestScenario);
  if (!text)
    return report(context, text.error(), kWrongUsage);
  auto scenario = sandbox::parse_scenario(*text);
  if (!scenario)
    return report(context, with_context(scenario.error(), options.scenario), kWrongUsage);
  if (options.port)
    scenario->port = *options.port;
  auto fake = sandbox::Sandbox::start(std::move(*scenario), context.clock);
  if (!fake)
    return report(context, fake.error(), kWrongUsage);
  context.out << "sandbox on http://127.0.0.1:" << (*fake)->port() << std::endl;

  const auto transport = net::make_http_transport({});
  SeededRandom random(random_seed());
  std::optional<sandbox::Traffic> traffic;
  std::jthread clients;  // ends before what it uses
  if (!options.log.empty()) {
    auto made = traffic_options(options, (*fake)->port());
    if (!made)
      return report(context, made.error(), kWrongUsage);
    traffic.emplace(std::move(*made), *transport, context.files, context.clock, random);
    clients = std::jthread([&](const std::stop_token& stop) {
      if (auto ended = traffic->run(stop); !ended)
        report(context, ended.error());
    });
  }
  int signal = 0;
  sigwait(&set, &signal);
  return kFine;
}

}  // namespace

Action define_sandbox(CLI::App& app) {
  auto options = std::make_shared<SandboxOptions>();
  app.add_option("--scenario", options->scenario, "faces and keys, JSON (docs/sandbox.md)")
      ->type_name("FILE")
      ->required();
  app.add_option("--port", options->port, "0: any free port (default: the scenario's)")
      ->type_name("PORT");
  app.add_option("--log", options->log, "also be the clients, and write their usage log here")
      ->type_name("FILE");
  app.add_option("--rate", options->rate, "requests a second, of all clients")
      ->type_name("RATE")
      ->capture_default_str();
  app.add_option("--client", options->clients,
                 "a client: the pool file it reads, its face and its model")
      ->type_name("POOL_FILE=FACE:MODEL");
  return [options](Context& context) { return run(context, *options); };
}

}  // namespace keyherd::cli
