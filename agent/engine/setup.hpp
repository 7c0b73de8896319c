#pragma once

// A checked configuration made ready to run: secrets resolved, schedules parsed, the tables that
// the parts share built once. Made outside the loop (resolving may run commands), immutable,
// swapped whole at a reload.

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "api/auth.hpp"
#include "api/routes.hpp"
#include "base/environment.hpp"
#include "base/files.hpp"
#include "base/redactor.hpp"
#include "config/config.hpp"
#include "cron/schedule.hpp"
#include "engine/freezes.hpp"
#include "model/issuer.hpp"
#include "model/usage.hpp"
#include "net/tls_server.hpp"
#include "quota/drains.hpp"
#include "store/keyring.hpp"

namespace keyherd::engine {

struct KeySecret {
  std::shared_ptr<const Secret> secret;  // null when it could not be loaded
  std::string fingerprint;
  std::string problem;  // why not, for people
};

struct Setup {
  config::Config config;
  std::map<std::string, std::shared_ptr<const model::Provider>> providers;
  std::map<std::string, KeySecret> secrets;                    // by key id
  std::map<std::string, cron::Schedule> schedules;             // by pool id, where the pool has one
  std::map<std::string, std::vector<FreezeSchedule>> freezes;  // by pool id
  std::map<std::string, std::shared_ptr<const Secret>>
      signing_secrets;                                                  // of webhooks, by reference
  std::map<std::string, std::shared_ptr<const model::Issuer>> issuers;  // by id
  std::vector<std::shared_ptr<const Secret>> notify_tokens;  // of config.notify; null: none
  std::shared_ptr<const model::UsageContext> usage;
  std::shared_ptr<const api::Access> access;
  std::shared_ptr<const net::TlsServer> certificate;  // null: plain HTTP
  std::string installation_key;                       // for fingerprints of secrets that come later
  // By kind of reference, each from the start.
  std::map<std::string, std::int64_t> secret_load_failures{
      {"credential", 0}, {"env", 0}, {"exec", 0}, {"file", 0}, {"keyring", 0}};
};

// One wallet for each key without a limit group, and for each limit group at each provider.
std::vector<quota::Wallet> wallets_of(const config::Config& config);

struct SetupParts {
  const Environment& environment;
  const FileSystem& files;
  Redactor& redactor;
  std::string installation_key;             // for fingerprints
  const store::Keyring* keyring = nullptr;  // none without agent.master_key
  std::string listening_on{};               // the address, once there is one; else the configured
};

// A key whose secret cannot be loaded is reported in its KeySecret and does not stop the others. A
// web token or certificate that cannot be loaded is an error: half the doors must not be left open
// or shut by accident.
Result<std::shared_ptr<const Setup>> make_setup(config::Config config, const SetupParts& parts,
                                                std::stop_token stop);

}  // namespace keyherd::engine
