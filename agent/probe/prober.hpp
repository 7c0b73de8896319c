#pragma once

// One probe of one key, from the request to the evidence. Called by the probe workers, by `keyherd
// probe` and by the verification of a rotation; any thread, many at once.

#include <memory>
#include <stop_token>
#include <string>

#include "base/clock.hpp"
#include "base/redactor.hpp"
#include "base/secret.hpp"
#include "model/evidence.hpp"
#include "model/provider.hpp"
#include "net/transport.hpp"

namespace keyherd::probe {

// What a worker needs; all shared and immutable, so that a reload can drop its copies at any time.
struct ProbeJob {
  std::string key;
  std::shared_ptr<const model::Provider> provider;
  std::shared_ptr<const Secret> secret;
  model::ProbeKind kind = model::ProbeKind::models;
};

// Blocks for at most the provider's probe time-out. Never throws on what the network brings. The
// evidence is complete: verdict, message (redacted, printable, ≤ 200 bytes), retry_at, status,
// latency, balances, rate limits, tokens and cost. A probe that the type does not have is
// bad_request and sends nothing. A stopped one is `network` with the message "cancelled": to be
// dropped.
model::Evidence run_probe(const ProbeJob& job, net::Transport& transport, const Redactor& redactor,
                          const Clock& clock, std::stop_token stop);

}  // namespace keyherd::probe
