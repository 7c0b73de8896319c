#pragma once

// Names that metrics and alerts give to what a Snapshot holds, so that both give the same. Pure.

#include <map>
#include <string>
#include <string_view>

#include "model/snapshot.hpp"

namespace keyherd::model {

// Host, and port where it is given, of a base URL: "api.deepseek.com". Never its user or path.
std::string endpoint_of(std::string_view base_url);

// The provider of each limit group's keys, by the group as it owns a quota ("group:" and its name);
// empty where they do not agree.
std::map<std::string, std::string, std::less<>> providers_of_groups(const Snapshot& snapshot);

}  // namespace keyherd::model
