#pragma once

// Which probe to send next: the cheapest that proves what is in doubt. Plain values; the engine
// keeps one ProbeHistory a key and feeds it all evidence of that key, and one EndpointTrust a
// provider, which the negative control fills.

#include <array>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "model/evidence.hpp"
#include "model/provider.hpp"

namespace keyherd::probe {

struct ProbeHistory {
  bool probed = false;
  // When spending was last put to the proof: by a chat probe, whatever came of it, or by a success
  // in real use.
  std::optional<WallTime> spent_at;
  // The key was refused for want of money or quota and has not been seen to spend since.
  bool spending_in_doubt = false;
  // Free probes that this key or this endpoint does not allow (a key without the scope to list
  // models, a gateway without that path): they say nothing about the key.
  std::array<bool, model::kProbeKindCount> useless{};

  // Any evidence of the key: probes, usage logs, reports.
  void record(const model::Provider& provider, const model::Evidence& evidence);
};

// The probes that an endpoint answers whatever key it is shown: their green does not count.
struct EndpointTrust {
  std::array<bool, model::kProbeKindCount> accepts_any{};
};

struct ProbeWish {
  bool spending = false;  // the open question is one of money
  bool may_pay = true;    // false: the budget is used up
};

struct ProbeChoice {
  std::optional<model::ProbeKind>
      kind;                        // nothing: only a paid probe would do, and may_pay is false
  bool went_without_paid = false;  // a paid probe was due but for the budget
};

// A configured method is taken as it is. `automatic`: a free probe that proves something; each
// `paid_every` a chat probe (0: never; also never where no model is known); chat while spending is
// in doubt and the balance cannot tell, and where no free probe proves anything. If nothing does,
// the first free probe, for what it is worth. Precondition: check_provider(provider) passed.
ProbeChoice choose_probe(const model::Provider& provider, const ProbeHistory& history,
                         const EndpointTrust& trust, ProbeWish wish, WallTime now);

// Whether a success of that probe shows nothing about the key.
bool is_worthless(const EndpointTrust& trust, model::ProbeKind kind);

// A success where any key succeeds is none: such evidence becomes a bad_request that says so.
void discount(const EndpointTrust& trust, model::Evidence& evidence);

// Whether no free probe of `automatic` proves a key here, so that each proof is paid for.
bool needs_paid_proof(const model::Provider& provider, const EndpointTrust& trust);

// The probes with which an endpoint is to show that it refuses a made-up key, in the order in
// which they would be used.
std::vector<model::ProbeKind> control_order(const model::Provider& provider);

}  // namespace keyherd::probe
