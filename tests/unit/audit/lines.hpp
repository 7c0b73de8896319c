#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "audit/journal.hpp"

namespace keyherd::test {

inline audit::Line line_number(std::int64_t seq, const std::string& text = "") {
  model::AuditEntry entry;
  entry.seq = seq;
  entry.at = WallTime(std::chrono::seconds(1'790'000'000 + seq * 60));
  entry.actor = "agent";
  entry.act = model::AuditAct::step;
  entry.pool = seq % 2 == 0 ? "even" : "odd";
  entry.key = "k" + std::to_string(seq % 3);
  entry.rotation = "r1";
  entry.text = text.empty() ? "entry number " + std::to_string(seq) : text;
  return audit::make_line(entry);
}

inline std::vector<audit::Line> lines(std::int64_t first, std::int64_t last) {
  std::vector<audit::Line> made;
  for (std::int64_t seq = first; seq <= last; ++seq)
    made.push_back(line_number(seq));
  return made;
}

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void spill(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace keyherd::test
