#pragma once

// From a probe to the HTTP request that carries it. Inside this folder only.

#include <string>

#include "base/secret.hpp"
#include "model/evidence.hpp"
#include "model/provider.hpp"
#include "net/transport.hpp"
#include "probe/provider_type.hpp"

namespace keyherd::probe {

// The model that a chat probe asks for; empty when neither the configuration nor the type names
// one.
std::string probe_model(const ProviderType& type, const model::Provider& provider);

// The secret is borrowed by the request, never part of its URL. Precondition: the type has the
// rung.
net::HttpRequest build_request(const ProviderType& type, const model::Provider& provider,
                               model::ProbeKind kind, const Secret& secret);

// All but method, path and body: credential, headers, time-out, CA.
net::HttpRequest provider_request(const ProviderType& type, const model::Provider& provider,
                                  const Secret& secret);

// base_url and the rung's path.
std::string url_of(const model::Provider& provider, const Rung& rung, const std::string& model);

}  // namespace keyherd::probe
