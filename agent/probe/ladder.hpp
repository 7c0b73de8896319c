#pragma once

// Which probe to send next: the cheapest that proves what is in doubt. Plain values; the engine
// keeps one ProbeHistory a key and feeds it all evidence of that key.

#include <array>
#include <optional>

#include "base/clock.hpp"
#include "model/evidence.hpp"
#include "model/provider.hpp"

namespace keyherd::probe {

struct ProbeHistory {
  bool probed = false;
  std::optional<WallTime> paid_at;  // of the last chat probe, whatever came of it
  // The key was refused for want of money or quota and has not been seen to spend since.
  bool spending_in_doubt = false;
  // Free probes that this key or this endpoint does not allow (a key without the scope to list
  // models, a gateway without that path): they say nothing about the key.
  std::array<bool, model::kProbeKindCount> useless{};

  // Any evidence of the key: probes, usage logs, reports.
  void record(const model::Provider& provider, const model::Evidence& evidence);
};

// A configured method is taken as it is. `automatic`: a free probe, each `paid_every` a chat probe
// (0: never; also never where no model is known), and chat while spending is in doubt and the
// balance cannot tell. Precondition: check_provider(provider) passed.
model::ProbeKind choose_probe(const model::Provider& provider, const ProbeHistory& history,
                              WallTime now);

}  // namespace keyherd::probe
