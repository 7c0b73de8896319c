#pragma once

// Where in a line's JSON the canonical fields stand. Formats are data: a tree of names, walked
// along with the document.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/usage.hpp"

namespace keyherd::usage {

enum class Field : std::uint8_t {
  ts,
  key,
  model,
  input_tokens,
  output_tokens,
  cached_input_tokens,
  cache_write_tokens,
  reasoning_tokens,
  status,
  latency_ms,
  request_id,
  cost_usd
};
inline constexpr std::size_t kFieldCount = 12;
const std::array<std::string_view, kFieldCount>& field_names();
std::string_view to_string(Field field);

class Format {
 public:
  static constexpr std::uint32_t kRoot = 0;
  // What a member of an object (or an element of an array, named by its index) is to us.
  struct Entry {
    std::string name;
    std::optional<Field> field;
    std::uint32_t child = kRoot;  // node below it; kRoot: nothing below it is wanted
  };

  // All fields at the top, under their canonical names.
  static Format native();
  // The format that a log is configured with: "keyherd", or own `fields`, canonical field to JSON
  // Pointer; ts and key are required. Errors: invalid.
  static Result<Format> of(const model::UsageLog& log);

  // nullptr: not wanted.
  [[nodiscard]] const Entry* find(std::uint32_t node, std::string_view name) const;

 private:
  Format() : nodes_(1) {}
  Status add(Field field, std::string_view pointer);
  std::uint32_t child_of(std::uint32_t node, const std::string& name);
  Entry& entry(std::uint32_t node, const std::string& name);
  std::vector<std::vector<Entry>> nodes_;
};

}  // namespace keyherd::usage
