#include "config/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/text.hpp"

namespace keyherd::config {

std::size_t Report::add_file(std::string name) {
  files_.push_back(std::move(name));
  return files_.size() - 1;
}

void Report::error(const Place& place, std::string_view key, std::string_view message) {
  add(errors_, place, key, message);
}

void Report::warning(const Place& place, std::string_view key, std::string_view message) {
  add(warnings_, place, key, message);
}

std::string Report::shown(std::string_view name) const {
  return redactor_.redact(printable(name, 80));
}

std::string Report::describe(const Place& place) const {
  const std::string& name = file_name(place.file);
  return place.position.line == 0 ? name : fmt::format("{}:{}", name, place.position.line);
}

void Report::add(std::vector<Entry>& entries, const Place& place, std::string_view key,
                 std::string_view message) {
  entries.push_back({place,
                     {file_name(place.file), place.position.line, place.position.column,
                      std::string(key), redactor_.redact(message)}});
}

std::vector<Problem> Report::take(std::vector<Entry>& entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.place.file, a.place.position.line, a.place.position.column) <
           std::tie(b.place.file, b.place.position.line, b.place.position.column);
  });
  std::vector<Problem> problems;
  problems.reserve(entries.size());
  for (Entry& entry : entries)
    problems.push_back(std::move(entry.problem));
  entries.clear();
  return problems;
}

std::string in_quotes(std::string_view word) {
  return fmt::format("\"{}\"", printable(word, 80));
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const auto near = nearest(word, candidates);
  return near ? fmt::format("; did you mean \"{}\"?", *near) : std::string();
}

}  // namespace keyherd::config
