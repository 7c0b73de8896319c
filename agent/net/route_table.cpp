#include "net/route_table.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.hpp"

namespace keyherd::net {

namespace {

bool is_capture(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::optional<std::vector<std::string>> captures_of(const std::vector<std::string>& pattern,
                                                    const std::vector<std::string>& path) {
  if (pattern.size() != path.size())
    return std::nullopt;
  std::vector<std::string> captures;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_capture(pattern[i]) && !path[i].empty())
      captures.push_back(path[i]);
    else if (pattern[i] != path[i])
      return std::nullopt;
  }
  return captures;
}

std::string join(const std::set<std::string>& methods) {
  std::string text;
  for (const auto& method : methods)
    text += (text.empty() ? "" : ", ") + method;
  return text;
}

}  // namespace

RouteTable::RouteTable(std::vector<Route> routes) {
  for (auto& route : routes) {
    Entry entry;
    for (const std::string_view part : split(std::string_view(route.pattern).substr(1), '/')) {
      entry.segments.emplace_back(part);
      entry.captures += is_capture(part) ? 1U : 0U;
    }
    entry.route = std::move(route);
    entries_.push_back(std::move(entry));
  }
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.captures < b.captures; });
}

RouteMatch RouteTable::match(std::string_view method,
                             const std::vector<std::string>& segments) const {
  const std::string_view wanted = method == "HEAD" ? std::string_view("GET") : method;
  RouteMatch found;
  std::set<std::string> methods;
  for (const Entry& entry : entries_) {
    auto captures = captures_of(entry.segments, segments);
    if (!captures)
      continue;
    if (entry.route.method == wanted) {
      found.route = &entry.route;
      found.captures = std::move(*captures);
      return found;
    }
    methods.insert(entry.route.method);
    if (entry.route.method == "GET")
      methods.insert("HEAD");
  }
  found.allowed = join(methods);
  return found;
}

}  // namespace keyherd::net
