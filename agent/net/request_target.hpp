#pragma once

// The target of a request: path and query, percent-decoded after they are cut, so that an encoded
// slash or ampersand stays data. Pure.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_head.hpp"

namespace keyherd::net {

struct RequestTarget {
  std::string path;                   // decoded, without the query
  std::vector<std::string> segments;  // decoded; "/a/b" is {"a", "b"}, "/" is {""}
  std::multimap<std::string, std::string> query;
};

// Refuses broken percent-encoding, and what decodes to control characters or to bad UTF-8.
OrRefusal<RequestTarget> parse_target(std::string_view target);

}  // namespace keyherd::net
