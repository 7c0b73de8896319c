#pragma once

// What a mapping makes of the values that it found: the step between a line's JSON and a Record.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "usage/accumulator.hpp"
#include "usage/mapping.hpp"

namespace keyherd::usage {

// A value as it stands in the line.
struct Token {
  enum class Kind {
    absent,  // not there, null, "" or "-"
    text,    // a string, without quotes and escapes
    bare,    // a number, true or false, as written
    nested   // an object or a list
  };
  Kind kind = Kind::absent;
  std::string_view text;
};

struct MappedRecord {
  enum class Kind { good, skipped, rejected };
  Kind kind = Kind::good;
  model::RejectReason reason = model::RejectReason::bad_value;
  std::optional<Field> field;
  Record record;  // its views point to where the tokens' do, or into the mapping
};

// `tokens`: by slot. `into` says which keys are known.
MappedRecord make_record(const Mapping& mapping, std::span<const Token> tokens,
                         const Accumulator& into);

// Gateways log the SHA-256 of a key, we know the first 12 digits of it: 64 hex digits, with or
// without "sha256:" before them, become "sha256:<12 digits>" in `buffer`. Everything else stays.
using KeyBuffer = std::array<char, 19>;
std::string_view known_form(std::string_view key, KeyBuffer& buffer);

}  // namespace keyherd::usage
