#pragma once

// Configuration text to checked Config: every error at once, with its position and what to do about
// it. Pure over the FileSystem: reads the file and its key_files, resolves no secret, starts
// nothing, keeps nothing. Callable from any thread.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "config/config.hpp"

namespace keyherd::config {

struct LoadOptions {
  // The log formats that usage_logs.*.format may name; empty: any name is taken.
  std::vector<std::string> usage_formats{};
  // Says what is wrong with a log's format, fields and units taken together.
  std::function<Status(const model::UsageLog&)> check_format{};
};

// `config` is there exactly when `errors` is empty. Both lists are in the order of the files.
struct LoadResult {
  std::optional<Config> config;
  std::vector<Problem> errors;
  std::vector<Problem> warnings;
};

LoadResult load_config(const std::string& path, const FileSystem& files,
                       const LoadOptions& options = {});

// The same for a text already at hand. `name` stands for the file in problems, and its directory is
// where relative paths begin.
LoadResult parse_config(std::string_view text, const std::string& name, const FileSystem& files,
                        const LoadOptions& options = {});

// Keys in bulk, as key_files and `keyherd import` have them: {"keys": {"id": {…}}} or
// {"keys": [{"id": "…", …}]}, fields as in [keys.*]. Only what the text itself can show is checked:
// whether providers and quotas exist, load_config says.
struct KeysResult {
  std::vector<model::Key> keys;
  std::vector<int> lines;  // of each key, in that order
  std::vector<Problem> errors;
};
KeysResult parse_keys_json(std::string_view text, const std::string& name);

}  // namespace keyherd::config
