#pragma once

// Talking to the running agent of a configuration over its HTTP API.

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/context.hpp"
#include "config/config.hpp"

namespace keyherd::cli {

class AgentClient {
 public:
  // Where the configuration's `client.url` says, else `agent.listen`. Signs in with $KEYHERD_TOKEN,
  // else with what `client` names, else with the most powerful of the configuration's tokens that
  // this user may read. $KEYHERD_CONFIG and --config as everywhere.
  AgentClient(Context& context, const config::Config& config);
  ~AgentClient();

  // The answer's JSON. Errors: unavailable (no agent there; says how to start it), and what the
  // agent answered, with its code.
  Result<nlohmann::json> get(const std::string& path);
  // The answer as it is, and the path of the page that its Link header names; empty: none.
  struct Page {
    std::string body;
    std::string next;
  };
  Result<Page> get_page(const std::string& path);
  Result<nlohmann::json> post(const std::string& path, const nlohmann::json& body);
  // For who must know the status, too. Error unavailable: no agent there.
  struct Answer;
  Result<Answer> ask(const std::string& method, const std::string& path,
                     const nlohmann::json& body);
  // A document as it stands, with a passphrase (null: none) beside it.
  Result<nlohmann::json> post_text(const std::string& path, const std::string& text,
                                   const Secret* passphrase);
  Result<std::string> get_text(const std::string& path, const Secret* passphrase);
  // Only the status, for health checks.
  Result<int> status_of(const std::string& path);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct AgentClient::Answer {
  int status = 0;
  nlohmann::json body;
  // What the agent says against it.
  [[nodiscard]] std::string message() const;
  [[nodiscard]] Error error() const;
};

// Loads the configuration, makes a client and runs `use` with it; reports errors of each.
int with_agent(Context& context, const std::function<int(AgentClient&)>& use);

// "/api/v1/keys/" + the encoded id + suffix
std::string key_path(const std::string& id, const std::string& suffix = "");
std::string pool_path(const std::string& id, const std::string& suffix = "");

}  // namespace keyherd::cli
