#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "cli/agent_client.hpp"
#include "cli/command.hpp"

namespace keyherd::cli {

Action define_healthcheck(CLI::App&) {
  return [](Context& context) {
    return with_agent(context, [&](AgentClient& client) {
      const auto status = client.status_of("/-/ready");
      if (!status)
        return report(context, status.error(), kUnreachable);
      const bool ready = *status == 200;
      if (context.json)
        context.out << dump_json({{"ready", ready}}) << "\n";
      else
        context.out << (ready ? "ready\n" : "not ready\n");
      return ready ? kFine : kBadNews;
    });
  };
}

}  // namespace keyherd::cli
