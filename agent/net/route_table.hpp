#pragma once

// Which route a request belongs to. Built once, then read by any thread.

#include <string>
#include <string_view>
#include <vector>

#include "net/server.hpp"

namespace keyherd::net {

struct RouteMatch {
  const Route* route = nullptr;       // null: none for this path and method
  std::vector<std::string> captures;  // what the {…} of the pattern stand for
  std::string allowed;                // the path's methods ("GET, HEAD"); empty: no such path
};

class RouteTable {
 public:
  explicit RouteTable(std::vector<Route> routes);

  // segments: the decoded path. HEAD goes to the route of GET. A {…} matches one segment that is
  // not empty; a pattern that matches literally wins over one that captures.
  [[nodiscard]] RouteMatch match(std::string_view method,
                                 const std::vector<std::string>& segments) const;

 private:
  struct Entry {
    Route route;
    std::vector<std::string> segments;
    std::size_t captures = 0;
  };
  std::vector<Entry> entries_;
};

}  // namespace keyherd::net
