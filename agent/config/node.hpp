#pragma once

// Configuration as it was written, whatever the format: a tree of values with positions. TOML and
// JSON are read into it, and only the reader of sections looks inside.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace keyherd::config {

struct Position {
  int line = 0;  // from 1; 0: not known
  int column = 0;
};

struct Member;
struct Node;

// An RFC 3339 text that was written without quotes (TOML dates and times).
struct DateText {
  std::string text;
};
using List = std::vector<Node>;
// In the order of reading; the same name may come twice from JSON.
using Table = std::vector<Member>;

struct Node {
  Position position;
  std::variant<std::monostate, std::string, std::int64_t, double, bool, DateText, List, Table>
      value;
};

struct Member {
  std::string name;
  Position position;
  Node node;
};

// "text", "a whole number", … for messages.
std::string_view describe_kind(const Node& node);

}  // namespace keyherd::config
