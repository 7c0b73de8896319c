#pragma once

// Where the steps of loading leave what they found wrong. One load, one thread.

#include <string>
#include <vector>

#include "base/redactor.hpp"
#include "config/config.hpp"
#include "config/node.hpp"

namespace keyherd::config {

// A position in one of the files of a load.
struct Place {
  std::size_t file = 0;  // as add_file() returned it
  Position position;
};

class Report {
 public:
  std::size_t add_file(std::string name);
  [[nodiscard]] const std::string& file_name(std::size_t file) const { return files_[file]; }

  // Messages are masked; names within `key` have passed shown().
  void error(const Place& place, std::string_view key, std::string_view message);
  void warning(const Place& place, std::string_view key, std::string_view message);

  // A name from the file, fit to be shown: masked if it looks like a provider's key.
  [[nodiscard]] std::string shown(std::string_view name) const;
  // "FILE:LINE", or "FILE" where the line is not known.
  [[nodiscard]] std::string describe(const Place& place) const;
  // Suggestions compare with every candidate: only the first errors of a load get one.
  [[nodiscard]] bool may_suggest() const { return errors_.size() < 50; }

  // In the order of files and positions. Empties the report.
  std::vector<Problem> take_errors() { return take(errors_); }
  std::vector<Problem> take_warnings() { return take(warnings_); }

 private:
  struct Entry {
    Place place;
    Problem problem;
  };
  void add(std::vector<Entry>& entries, const Place& place, std::string_view key,
           std::string_view message);
  static std::vector<Problem> take(std::vector<Entry>& entries);

  std::vector<std::string> files_;
  std::vector<Entry> errors_;
  std::vector<Entry> warnings_;
  Redactor redactor_;
};

// The word in quotes, fit for a message: control characters and great length removed.
std::string in_quotes(std::string_view word);
// "; did you mean "x"?" or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace keyherd::config
