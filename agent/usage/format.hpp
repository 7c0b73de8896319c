#pragma once

// Where in a line's JSON the canonical fields stand, and what must be done to a value before it
// means what ours means. The native format is read straight; every other one is a Mapping.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/usage.hpp"

namespace keyherd::usage {

// In the order of model::kUsageFields.
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
  cost_usd,
  started_at  // of mappings only: the latency is ts minus this where none is logged
};
inline constexpr std::size_t kFieldCount = model::kUsageFields.size();
inline constexpr std::size_t kNativeFieldCount = kFieldCount - 1;
std::string_view to_string(Field field);
std::optional<Field> field_from_string(std::string_view name);
// Whether a log's format, fields and units can be read. Error: invalid.
Status check_format(const model::UsageLog& log);

struct Mapping;

class Format {
 public:
  // A name of the native format and its field.
  struct Entry {
    std::string_view name;
    Field field;
  };

  // All fields at the top, under their canonical names.
  static Format native();
  // The format that a log is configured with: native, a preset, an own mapping, or a preset with
  // fields of its own. Errors: invalid.
  static Result<Format> of(const model::UsageLog& log);

  // nullptr: the native format.
  [[nodiscard]] const Mapping* mapping() const { return mapping_.get(); }
  // Of the native format; nullptr: not wanted.
  [[nodiscard]] static const Entry* find(std::string_view name);

 private:
  std::shared_ptr<const Mapping> mapping_;
};

}  // namespace keyherd::usage
