#include <algorithm>
#include <string_view>

#include "usage/directory.hpp"
#include "usage/fingerprint.hpp"
#include "usage/hash.hpp"
#include "usage/source.hpp"

namespace keyherd::usage {

namespace {

// Whether both are called "a.log.1", wherever they stand.
bool same_rotated_name(std::string_view a, std::string_view b) {
  const auto name_of = [](std::string_view path) { return path.substr(path.rfind('/') + 1); };
  const std::string_view name = name_of(a);
  const std::size_t number = name.find_last_not_of("0123456789") + 1;
  return name == name_of(b) && number < name.size() && number > 1 &&
         (name[number - 1] == '.' || name[number - 1] == '-');
}

Result<std::string> read_head(const ReadableFile& file) {
  std::string head(kHeadBytes, '\0');
  KH_ASSIGN(const std::size_t got, file.read_at(0, head));
  head.resize(got);
  return head;
}

// Of the same file, before anything was read.
model::FileCursor unread_cursor(const model::FileCursor& cursor) {
  model::FileCursor begin;
  begin.source = cursor.source;
  begin.path = cursor.path;
  begin.file = cursor.file;
  return begin;
}

// Whether both hold the same just before `end`.
Result<bool> same_before(const ReadableFile& a, const ReadableFile& b, std::uint64_t end) {
  const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(end, kAnchorBytes));
  KH_ASSIGN(const auto hash_a, hash_range(a, end - length, length));
  KH_ASSIGN(const auto hash_b, hash_range(b, end - length, length));
  return hash_a && hash_b && *hash_a == *hash_b;
}

}  // namespace

// What a file may have to do with a known one by its name. A copy, while the log is still there or
// was truncated, is only what rotation makes: two logs that begin alike are two logs. A log that is
// gone may have been moved anywhere.
Source::Kinship Source::kinship(const Generation& fresh, const Generation& known) {
  const std::string& path = fresh.cursor.path;
  const model::FileCursor& cursor = known.cursor;
  const bool was_replaced = cursor.file == FileId{};
  const bool is_there = known.listed || known.located;
  if (path == cursor.path && !was_replaced)
    return Kinship::same_name;
  if (is_copy_name(path, known.live_path) || is_copy_name(path, cursor.path))
    return Kinship::rotated_name;
  if (is_there && is_copy_name(cursor.path, path))
    return Kinship::original;
  // A rotated file on its way to another directory.
  if (!was_replaced && (!is_there || same_rotated_name(path, cursor.path)))
    return Kinship::moved;
  return Kinship::none;
}

// A file without identity either holds what a known generation holds, whose file is gone or only a
// copy of this one: then that generation goes on in it; or is a copy of a file that is still there:
// then it is left alone; or is new.
Status Source::recognise(const Shared& shared, Generation& fresh, Instant now) {
  fresh.copy = false;
  if (fresh.size == 0)
    return {};
  KH_ASSIGN(const std::string head, read_head(*fresh.file));
  for (const Kinship kinship :
       {Kinship::same_name, Kinship::rotated_name, Kinship::original, Kinship::moved}) {
    KH_ASSIGN(const Likeness likeness, recognise_among(shared, kinship, head, fresh, now));
    if (likeness != Likeness::different)
      return {};
  }
  return {};
}

Result<Source::Likeness> Source::recognise_among(const Shared& shared, Kinship wanted,
                                                 std::string_view head, Generation& fresh,
                                                 Instant now) {
  for (std::size_t i = 0; i < generations_.size(); ++i) {  // it may grow at its end meanwhile
    Generation& known = generations_[i];
    if (&known == &fresh || !known.has_identity() || kinship(fresh, known) != wanted)
      continue;
    KH_ASSIGN(const Likeness likeness, compare(shared, head, fresh, known, now));
    if (likeness == Likeness::continues)
      take_over(fresh, known);
    if (likeness == Likeness::duplicate) {
      fresh.copy = true;
      fresh.copy_of = {known.cursor.id, fresh.size};
    }
    if (likeness != Likeness::different)
      return likeness;
  }
  return Likeness::different;
}

Result<Source::Likeness> Source::compare(const Shared& shared, std::string_view head,
                                         const Generation& fresh, Generation& known, Instant now) {
  const model::FileCursor& cursor = known.cursor;
  const bool is_shorter = head.size() < cursor.head_length;
  if (!is_shorter && hash64(head.substr(0, cursor.head_length)) != cursor.head_hash)
    return Likeness::different;
  if (kinship(fresh, known) == Kinship::original) {  // the copy happened to be read first
    KH_ASSIGN(const bool same, has_anchor(*fresh.file, cursor));
    return same && !is_shorter ? Likeness::continues : Likeness::different;
  }
  if (known.has_place() && ensure_open(shared, known, now)) {
    KH_ASSIGN(const auto likeness, compare_with_open(fresh, known));
    return likeness.value_or(Likeness::different);
  }
  if (known.listed)
    return fail(ErrorCode::unavailable,
                "comparing with " + cursor.path + ": it cannot be opened now");
  if (fresh.size >= cursor.offset) {
    KH_ASSIGN(const bool same, has_anchor(*fresh.file, cursor));
    return same ? Likeness::continues : Likeness::different;
  }
  // Read further than this copy goes, in the moment between copying and truncation. If nobody
  // looked in that moment, times tell: what was written later is something else. Of a copy that is
  // shorter than the head only its name and time speak.
  if (fresh.copy_of == std::pair(cursor.id, fresh.size))
    return Likeness::duplicate;
  const bool may_be_older = fresh.packed || fresh.modified <= known.last_read;
  const bool is_like = !is_shorter || kinship(fresh, known) == Kinship::rotated_name;
  return may_be_older && is_like ? Likeness::duplicate : Likeness::different;
}

// Nothing: the known file does not hold its own content any more; what it held is now a generation
// without a file, at the end of the list.
Result<std::optional<Source::Likeness>> Source::compare_with_open(const Generation& fresh,
                                                                  Generation& known) {
  KH_ASSIGN(const FileStat stat, known.file->stat());
  KH_ASSIGN(const bool is_prefix, same_before(*fresh.file, *known.file, fresh.size));
  // Asked last: it may be truncated at any moment, and then what was compared means nothing.
  KH_ASSIGN(const bool same, has_anchor(*known.file, known.cursor));
  KH_ASSIGN(const FileStat after, known.file->stat());
  if (after.size < known.cursor.offset || !same) {
    replace(known);
    return std::optional<Likeness>();
  }
  // A copy is never longer.
  const bool is_copy = is_prefix && fresh.size <= stat.size;
  return std::optional(is_copy ? Likeness::duplicate : Likeness::different);
}

void Source::take_over(Generation& fresh, Generation& known) {
  Generation merged = fresh;
  if (known.listed || known.located) {  // what it was read from is a copy
    Generation& copy = generations_.emplace_back(known);
    copy.cursor = unread_cursor(known.cursor);
    copy.stored = {};
    copy.copy = true;
    copy.settled.reset();
  } else {
    merged.live_path = known.live_path;
  }
  merged.stored = known.stored;
  merged.last_read = known.last_read;
  merged.cursor = known.cursor;
  merged.cursor.path = fresh.cursor.path;
  merged.cursor.file = fresh.cursor.file;
  merged.cursor.finished = false;
  known = std::move(merged);
  fresh = Generation();
  has_more_ = true;
}

// The file holds other content than before. What it held lives on as a cursor without a file, to
// recognise copies; what it holds now begins at 0 and gets an identity with its first line.
void Source::replace(Generation& generation) {
  Generation old;
  old.cursor = generation.cursor;
  old.cursor.file = FileId{};
  old.stored = generation.stored;
  old.live_path = generation.live_path;
  old.modified = generation.modified;
  old.last_read = generation.last_read;
  generation.cursor = unread_cursor(generation.cursor);
  generation.stored = {};
  generation.settled.reset();
  generations_.push_back(std::move(old));
  for (Generation& each : generations_) {
    if (each.copy)
      each.settled.reset();
  }
  ++sums_.counts().truncations;
}

}  // namespace keyherd::usage
