#pragma once

// Which files a configured path means, and where rotation may have put one that left its name.

#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/result.hpp"

namespace keyherd::usage {

// One regular file, under every matching name that leads to it (hard links, symbolic links).
struct Match {
  FileStat stat;
  std::vector<std::string> paths;  // never empty
};

struct Listing {
  std::vector<Match> files;  // oldest change first, then by name
  std::vector<std::string>
      unsure;           // names that could not be examined: what they lead to is unknown
  std::string problem;  // of the first of them, or why there is nothing at all
};

[[nodiscard]] bool is_pattern(std::string_view path);
// A name as a pattern that matches it alone.
std::string escape_pattern(std::string_view path);
// The directory in which new matches appear; of a pattern, as far as it is no pattern itself.
std::string fixed_directory(std::string_view path);

// What the configured path means now. What matches a pattern and is no regular file is passed over,
// and so is what is compressed, but .gz where `with_gz`.
Listing list_files(const FileSystem& files, const std::string& path, bool with_gz);

// Regular files, uncompressed ones and where `with_gz` .gz, beside `path` whose names begin like
// it: "usage.jsonl" may have become "usage.jsonl.1" or "usage-20260501.jsonl". Unsorted names that
// cannot be examined are left out.
std::vector<Match> list_siblings(const FileSystem& files, const std::string& path, bool with_gz);
// Whether `name` is what rotation makes of `path` in the same directory: "a.log.1",
// "a.log-20260501", and with the ending kept "a.1.log", "a-20260501.log".
[[nodiscard]] bool is_rotated_name(std::string_view name, std::string_view path);
// Whether a file called `name` may be a copy of the log that is written as `path`: it is called as
// rotation calls it, or as people do ("a.log.old", "a.log~"), in whatever directory. Another log is
// not: neither "b.log", nor "a.log" in another directory.
[[nodiscard]] bool is_copy_name(std::string_view name, std::string_view path);

}  // namespace keyherd::usage
