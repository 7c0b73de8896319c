#include "usage/directory.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "usage/gzip_file.hpp"

namespace keyherd::usage {

namespace {

bool is_foreign(std::string_view name, bool with_gz) {
  if (with_gz && is_gzip_name(name))
    return false;
  constexpr std::string_view kEndings[] = {".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip"};
  return std::any_of(std::begin(kEndings), std::end(kEndings),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

constexpr std::size_t kDate = 6;  // digits that are no mere index

// "-20260501", ".1"
bool is_numbering(std::string_view text) {
  return text.size() >= 2 && (text[0] == '.' || text[0] == '-') && text[1] >= '0' && text[1] <= '9';
}

std::string_view name_in_directory(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// "/log/a.log" is "/log/a" and ".log"; what has no ending is whole.
std::pair<std::string_view, std::string_view> split_ending(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || dot <= path.size() - name_in_directory(path).size())
    return {path, {}};
  return {path.substr(0, dot), path.substr(dot)};
}

void add_match(std::vector<Match>& files, const std::string& path, const FileStat& stat) {
  const auto same = std::find_if(files.begin(), files.end(),
                                 [&](const Match& each) { return each.stat.id == stat.id; });
  if (same != files.end())
    same->paths.push_back(path);
  else
    files.push_back(Match{stat, {path}});
}

void sort_by_age(std::vector<Match>& files) {
  std::sort(files.begin(), files.end(), [](const Match& a, const Match& b) {
    return std::tie(a.stat.modified, a.paths.front()) < std::tie(b.stat.modified, b.paths.front());
  });
}

}  // namespace

bool is_pattern(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

std::string escape_pattern(std::string_view path) {
  std::string pattern;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\')
      pattern += '\\';
    pattern += c;
  }
  return pattern;
}

std::string fixed_directory(std::string_view path) {
  const std::size_t wild = path.find_first_of("*?[");
  return directory_of(path.substr(0, wild));
}

Listing list_files(const FileSystem& files, const std::string& path, bool with_gz) {
  Listing listing;
  std::vector<std::string> names{path};
  if (is_pattern(path)) {
    auto found = files.glob(path);
    if (!found) {
      listing.unsure.push_back(path);
      listing.problem = found.error().message;
      return listing;
    }
    names = std::move(*found);
    std::erase_if(names, [&](const std::string& name) { return is_foreign(name, with_gz); });
    if (names.empty())
      listing.problem = "no file matches " + path;
  }
  if (is_foreign(path, with_gz)) {
    listing.problem = path + " is compressed; a .gz is read with read_gz = true";
    return listing;
  }
  for (const std::string& name : names) {
    const auto stat = files.stat(name);
    if (!stat) {
      if (stat.error().code != ErrorCode::not_found)
        listing.unsure.push_back(name);
      if (listing.problem.empty() && (names.size() == 1 || !listing.unsure.empty()))
        listing.problem = stat.error().message;
    } else if (stat->type == FileType::regular) {
      add_match(listing.files, name, *stat);
    } else if (!is_pattern(path)) {
      listing.problem = name + " is not a regular file";
    }
  }
  sort_by_age(listing.files);
  return listing;
}

std::vector<Match> list_siblings(const FileSystem& files, const std::string& path, bool with_gz) {
  std::vector<Match> siblings;
  const auto names = files.glob(escape_pattern(split_ending(path).first) + "*");
  if (!names)
    return siblings;
  for (const std::string& name : *names) {
    if (is_foreign(name, with_gz))
      continue;
    if (const auto stat = files.stat(name); stat && stat->type == FileType::regular)
      add_match(siblings, name, *stat);
  }
  sort_by_age(siblings);
  return siblings;
}

bool is_rotated_name(std::string_view name, std::string_view path) {
  if (is_gzip_name(name))
    name = split_ending(name).first;
  if (name.starts_with(path))
    return is_numbering(name.substr(path.size()));
  const auto [stem, ending] = split_ending(path);
  if (ending.empty() || name.size() < path.size() || !name.starts_with(stem) ||
      !name.ends_with(ending))
    return false;
  // "a-2.log" is more likely another log than a rotated one.
  const std::string_view middle = name.substr(stem.size(), name.size() - path.size());
  return is_numbering(middle) && (middle.front() == '.' || middle.size() > kDate) &&
         middle.find_first_not_of("0123456789.-_T") == std::string_view::npos;
}

bool is_copy_name(std::string_view name, std::string_view path) {
  name = name_in_directory(name);
  path = name_in_directory(path);
  constexpr std::string_view kSeparators = ".-_~";
  return is_rotated_name(name, path) ||
         (name.starts_with(path) && name.size() > path.size() &&
          kSeparators.find(name[path.size()]) != std::string_view::npos);
}

}  // namespace keyherd::usage
