#pragma once

// Keys as a document and back: what an export writes, and what an import makes of the keys that are
// there and those that come. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "config/load.hpp"

namespace keyherd::config {

// {"keys": [{"id": …}, …]}, a key a line, sorted by id, fields without meaning left out. Reading it
// gives the same keys, and writing those the same text.
std::string keys_document(std::vector<model::Key> keys);
// One key as a JSON object.
std::string key_document(const model::Key& key);

// What an import would do, by id.
struct KeyChanges {
  std::vector<std::string> added;
  struct Changed {
    std::string id;
    std::vector<std::string> fields;
  };
  std::vector<Changed> changed;
  std::vector<std::string> unchanged;
  // The managed keys as they will be.
  std::vector<model::Key> keys;
};

// `managed`: the keys of the file that imports own; `elsewhere`: those that other files configure,
// of which an import may repeat but not change any. Error conflict: naming the first.
Result<KeyChanges> merge_keys(std::vector<model::Key> managed,
                              const std::vector<model::Key>& elsewhere,
                              const std::vector<model::Key>& imported);

// The file that imports own: imported.json where a pattern of agent.key_files finds it. Error
// conflict: none does, and how to mend that.
Result<std::string> managed_key_file(const std::vector<std::string>& key_files);

}  // namespace keyherd::config
