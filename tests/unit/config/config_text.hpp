#pragma once

// Short ways from a text to a Config for the tests of this folder.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "support/memory_files.hpp"

namespace keyherd::test {

inline std::vector<std::string> lines(const std::vector<config::Problem>& problems) {
  std::vector<std::string> result;
  for (const config::Problem& problem : problems)
    result.push_back(config::to_string(problem));
  return result;
}

// The Config of a text that must be right.
inline config::Config parse(const std::string& text) {
  const MemoryFileSystem files;
  auto result = config::parse_config(text, "/etc/keyherd/keyherd.toml", files);
  INFO(text);
  CHECK(lines(result.errors) == std::vector<std::string>());
  REQUIRE(result.config);
  return std::move(*result.config);
}

}  // namespace keyherd::test
