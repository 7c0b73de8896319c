#include "engine/endpoint_pace.hpp"

#include <algorithm>

#include "net/transport.hpp"

namespace keyherd::engine {

namespace {

std::string endpoint_name(const std::string& base_url) {
  const auto url = net::parse_url(base_url);
  return url ? url->scheme + "://" + url->host + ":" + std::to_string(url->port) : base_url;
}

}  // namespace

void EndpointPace::clear() {
  of_provider_.clear();
  for (auto& [name, endpoint] : endpoints_)
    endpoint = Endpoint{0, {}, {}, {}, endpoint.next};
}

void EndpointPace::add(const std::string& provider, const std::string& base_url, std::int64_t keys,
                       std::chrono::nanoseconds every, std::chrono::nanoseconds spacing) {
  const std::string name = endpoint_name(base_url);
  Endpoint& endpoint = endpoints_[name];
  endpoint.keys += keys;
  endpoint.every = endpoint.every.count() == 0 ? every : std::min(endpoint.every, every);
  endpoint.wanted = std::max(endpoint.wanted, spacing);
  endpoint.spacing =
      std::min(endpoint.wanted, endpoint.every / (2 * std::max<std::int64_t>(1, endpoint.keys)));
  of_provider_[provider] = name;
}

std::optional<SteadyTime> EndpointPace::take(const std::string& provider, SteadyTime now) {
  const auto found = of_provider_.find(provider);
  if (found == of_provider_.end())
    return std::nullopt;
  Endpoint& endpoint = endpoints_.at(found->second);
  const SteadyTime slot = std::max(now, endpoint.next);
  endpoint.next = slot + endpoint.spacing;
  return slot > now ? std::optional(slot) : std::nullopt;
}

std::chrono::nanoseconds EndpointPace::spacing(const std::string& provider) const {
  const auto found = of_provider_.find(provider);
  return found == of_provider_.end() ? std::chrono::nanoseconds(0)
                                     : endpoints_.at(found->second).spacing;
}

}  // namespace keyherd::engine
