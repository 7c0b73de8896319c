#include "config/load.hpp"
#include "fuzz.hpp"

void keyherd::fuzz::keys_json(const std::uint8_t* data, std::size_t size) {
  const auto read =
      keyherd::config::parse_keys_json(keyherd::fuzz::text_of(data, size), "/keys.json");
  for (const auto& problem : read.errors)
    keyherd::fuzz::must(!keyherd::config::to_string(problem).empty());
}
