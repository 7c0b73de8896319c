#pragma once

// Names as small integers: keys, models, sources, quotas, pools. Rows carry the number, so that the
// hot upserts compare integers. For the SQLite store alone.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "store/sqlite_connection.hpp"

namespace keyherd::store {

// The tables `name` and `series` held in memory. What a transaction interned is forgotten again
// when it fails.
class Names {
 public:
  explicit Names(Connection& connection) : connection_(connection) {}

  // Reads both tables; whatever was known before is dropped.
  Status load();

  // Inside a write transaction: the number of the name, new if it must be.
  Result<std::int64_t> intern(std::string_view name);
  Result<std::int64_t> intern_series(std::string_view key, std::string_view model);
  void committed();
  void rolled_back();

  struct Series {
    std::int64_t id;
    std::int64_t key;
    std::int64_t model;
  };
  // Nothing for a name that was never stored.
  [[nodiscard]] std::optional<std::int64_t> find(std::string_view name) const;
  // corrupt when no such number was given out.
  Result<std::string> name(std::int64_t id) const;
  [[nodiscard]] const std::vector<Series>& series() const { return series_; }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  struct PairHash {
    std::size_t operator()(const std::pair<std::int64_t, std::int64_t>& pair) const {
      return std::hash<std::int64_t>()(pair.first * 1'000'003 + pair.second);
    }
  };
  Status load_names();
  Status load_series();

  Connection& connection_;
  // Ids are dense: entry i of the vectors has id i + 1.
  std::vector<std::string> names_;
  std::vector<Series> series_;
  std::unordered_map<std::string, std::int64_t, TextHash, std::equal_to<>> ids_;
  std::unordered_map<std::pair<std::int64_t, std::int64_t>, std::int64_t, PairHash> series_ids_;
  std::size_t committed_names_ = 0;
  std::size_t committed_series_ = 0;
};

}  // namespace keyherd::store
