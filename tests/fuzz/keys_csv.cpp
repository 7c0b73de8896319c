#include "cli/key_table.hpp"
#include "config/json_text.hpp"
#include "config/load.hpp"
#include "fuzz.hpp"

using namespace keyherd;

// What a table becomes is always a document that can be read, if not one without mistakes.
void fuzz::keys_csv(const std::uint8_t* data, std::size_t size) {
  const auto text = cli::keys_from_csv(text_of(data, size));
  if (!text)
    return must(!text.error().message.empty());
  const auto read = config::parse_keys_json(*text, "/keys.csv");
  for (const auto& problem : read.errors)
    must(!config::to_string(problem).empty());
}
