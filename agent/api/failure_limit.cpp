#include "api/failure_limit.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/secret.hpp"

namespace keyherd::api {

std::string network_of(std::string_view peer) {
  std::string text(peer);
  std::array<unsigned char, 16> address{};
  if (::inet_pton(AF_INET6, text.c_str(), address.data()) != 1)
    return text;
  return to_hex(std::string_view(reinterpret_cast<const char*>(address.data()), 8)) + "/64";
}

std::chrono::seconds FailureLimit::take(std::string_view peer, SteadyTime now) {
  const std::string network = network_of(peer);
  MutexLock lock(mutex_);
  if (whole_at_.size() >= kMostNetworks && !whole_at_.contains(network))
    make_room(now);
  SteadyTime& whole_at = whole_at_.try_emplace(network, now).first->second;
  whole_at = std::max(whole_at, now);
  const auto excess = whole_at - now - (kAtOnce - 1) * kEvery;
  if (excess > std::chrono::nanoseconds::zero())
    return std::chrono::ceil<std::chrono::seconds>(excess);
  whole_at += kEvery;
  return {};
}

void FailureLimit::give_back(std::string_view peer) {
  MutexLock lock(mutex_);
  if (const auto found = whole_at_.find(network_of(peer)); found != whole_at_.end())
    found->second -= kEvery;
}

// Whoever has all chances back is as good as unknown; of the others the one who soonest will.
void FailureLimit::make_room(SteadyTime now) {
  if (std::erase_if(whole_at_, [now](const auto& entry) { return entry.second <= now; }) == 0)
    whole_at_.erase(
        std::min_element(whole_at_.begin(), whole_at_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; }));
}

}  // namespace keyherd::api
