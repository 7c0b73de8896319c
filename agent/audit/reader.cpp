#include "audit/reader.hpp"

#include <algorithm>
#include <deque>
#include <iterator>

namespace keyherd::audit {

namespace {
constexpr std::size_t kChunk = 256 * 1024;
}

Result<std::vector<std::string>> files_of(const FileSystem& files, const std::string& path) {
  KH_ASSIGN(std::vector<std::string> list, files.glob(path + ".[0-9][0-9][0-9][0-9][0-9][0-9]"
                                                             "[0-9][0-9][0-9][0-9][0-9][0-9]"));
  const auto present = files.stat(path);
  if (present)
    list.push_back(path);
  else if (present.error().code != ErrorCode::not_found)
    return fail(present.error());
  return list;
}

Status each_line(const FileSystem& files, const std::string& file,
                 const std::function<bool(const RawLine&)>& visit) {
  KH_ASSIGN(const auto opened, files.open(file));
  std::string rest;
  std::vector<char> buffer(kChunk);
  std::uint64_t offset = 0;
  std::int64_t number = 0;
  while (true) {
    KH_ASSIGN(const std::size_t got, opened->read_at(offset, buffer));
    if (got == 0)
      break;
    offset += got;
    rest.append(buffer.data(), got);
    std::size_t begin = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos;
         end = rest.find('\n', begin)) {
      if (!visit({file, ++number, std::string_view(rest).substr(begin, end - begin), true}))
        return {};
      begin = end + 1;
    }
    rest.erase(0, begin);
    if (rest.size() > kLongestLine)
      rest.resize(kLongestLine);  // no line of ours: so much is enough to say so
  }
  if (!rest.empty())
    visit({file, ++number, rest, false});
  return {};
}

bool matches(const Query& query, const model::AuditEntry& entry) {
  return (!query.from || entry.at >= *query.from) && (!query.to || entry.at < *query.to) &&
         (query.pool.empty() || entry.pool == query.pool) &&
         (query.key.empty() || entry.key == query.key);
}

Result<std::vector<model::AuditEntry>> read_entries(const FileSystem& files,
                                                    const std::string& path, const Query& query) {
  KH_ASSIGN(const std::vector<std::string> list, files_of(files, path));
  std::vector<model::AuditEntry> found;
  // From the newest file back, until there are enough or the files are older than what is wanted.
  for (auto file = list.rbegin(); file != list.rend() && found.size() < query.limit; ++file) {
    std::deque<model::AuditEntry> of_file;
    std::optional<WallTime> first;
    KH_TRY(each_line(files, *file, [&](const RawLine& line) {
      auto sealed = line.whole ? parse_line(line.text) : fail(ErrorCode::invalid, "torn");
      if (!sealed)
        return true;
      if (!first)
        first = sealed->entry.at;
      if (matches(query, sealed->entry)) {
        of_file.push_back(std::move(sealed->entry));
        if (of_file.size() + found.size() > query.limit)
          of_file.pop_front();
      }
      return true;
    }));
    found.insert(found.begin(), std::make_move_iterator(of_file.begin()),
                 std::make_move_iterator(of_file.end()));
    if (query.from && first && *first < *query.from)
      break;
  }
  return found;
}

}  // namespace keyherd::audit
