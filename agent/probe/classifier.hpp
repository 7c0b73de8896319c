#pragma once

// What an answer, or its absence, says about a key. Pure functions; any thread.

#include <optional>
#include <span>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/evidence.hpp"
#include "net/transport.hpp"
#include "probe/provider_type.hpp"

namespace keyherd::probe {

struct Classified {
  Reading reading;  // its message is the provider's own text: raw, of any length, may echo the key
  // When the provider says that the condition ends. Only with rate_limited, overloaded,
  // server_error and quota_exhausted.
  std::optional<WallTime> retry_at;
};

// `kind` is the probe that was answered. Never ok unless the answer is the documented success (for
// auth: a refusal that only a valid key gets). `own` are the rules of the configuration, which come
// before the type's.
Classified classify(const ProviderType& type, model::ProbeKind kind,
                    const net::HttpResponse& response, WallTime now,
                    std::span<const model::ErrorRule> own = {});

// A transport error: network, or what else is known of it.
Classified classify_failure(const ProviderType& type, model::ProbeKind kind, const Error& error);

}  // namespace keyherd::probe
