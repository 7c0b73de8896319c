#pragma once

// What reading the files gives, before anything is compared with anything else: values, where they
// were written, and the names by which they refer to each other.

#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/report.hpp"

namespace keyherd::config {

enum class Target { provider, key, quota, pool, issuer };

// "What stands at `place` is the id of a `target`."
struct Reference {
  Target target = Target::provider;
  std::string id;
  Place place;
  std::string path;
};

// The price lists that a provider names; none named: that of its type.
struct ListChoice {
  std::optional<std::vector<std::string>> names;
  Place place;
};

struct Spec {
  Config config;
  std::vector<Reference> references;
  // In step with the vectors of `config`.
  std::vector<Place> provider_places;
  std::vector<ListChoice> list_choices;  // of the providers
  std::vector<Place> key_places;
  std::vector<Place> limit_group_places;
  std::vector<Place> quota_places;
  std::vector<Place> pool_places;
  Place listen;
  Place key_files;
  Place price_file;
  bool has_callers = false;  // tokens or users are written, if perhaps wrongly
};

}  // namespace keyherd::config
