#pragma once

// The audit log's lines: one JSON object each, chained by their hashes. Pure.
//
//   {"seq":7,"at":"…","actor":"agent","act":"step",…,"text":"…","prev":"<hash of line
//   6>","hash":"…"}
//
// `hash` is the SHA-256, in hex, of the line up to and without `,"hash":`; `prev` is the hash of
// the line before it, 64 zeros in the first one.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "model/audit.hpp"

namespace keyherd::audit {

inline constexpr std::size_t kLongestText = 2'000;  // bytes of an entry's text; more is cut off

// Where a chain ends: what the next line refers to.
struct Head {
  std::int64_t seq = 0;  // 0: nothing was ever written
  std::string hash = std::string(64, '0');
  friend bool operator==(const Head&, const Head&) = default;
};

// An entry that has its number and waits for its place in the chain.
struct Line {
  std::int64_t seq = 0;
  std::string content;  // the object without `prev` and `hash`
};

Line make_line(const model::AuditEntry& entry);

// The whole line, without its end; `head` moves on to it.
std::string seal(const Line& line, Head& head);

// A line as it was read.
struct Sealed {
  model::AuditEntry entry;
  std::string prev;
  std::string hash;     // as it stands there
  bool intact = false;  // and it is the line's
};
// Error invalid: it is no line of an audit log.
Result<Sealed> parse_line(std::string_view text);

}  // namespace keyherd::audit
