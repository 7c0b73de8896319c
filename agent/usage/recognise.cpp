#include "usage/fingerprint.hpp"
#include "usage/hash.hpp"
#include "usage/source.hpp"

namespace keyherd::usage {

namespace {

Result<std::string> read_head(const ReadableFile& file) {
  std::string head(kHeadBytes, '\0');
  KH_ASSIGN(const std::size_t got, file.read_at(0, head));
  head.resize(got);
  return head;
}

// Whether both hold the same just before `end`.
Result<bool> same_before(const ReadableFile& a, const ReadableFile& b, std::uint64_t end) {
  const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(end, kAnchorBytes));
  KH_ASSIGN(const auto hash_a, hash_range(a, end - length, length));
  KH_ASSIGN(const auto hash_b, hash_range(b, end - length, length));
  return hash_a && hash_b && *hash_a == *hash_b;
}

}  // namespace

// A file without identity either holds what a known generation holds, whose file is gone: then that
// generation goes on in it; or is a copy of a file that is still there: then it is left alone; or
// is new.
Status Source::recognise(const Shared& shared, Generation& fresh, Instant now) {
  fresh.copy = false;
  if (fresh.size == 0)
    return {};
  KH_ASSIGN(const std::string head, read_head(*fresh.file));
  for (std::size_t i = 0; i < generations_.size(); ++i) {  // it may grow at its end meanwhile
    Generation& known = generations_[i];
    if (&known == &fresh || !known.has_identity())
      continue;
    KH_ASSIGN(const Likeness likeness, compare(shared, head, fresh, known, now));
    switch (likeness) {
      case Likeness::different:
        break;
      case Likeness::continues:
        take_over(fresh, known);
        return {};
      case Likeness::duplicate:
        fresh.copy = true;
        return {};
    }
  }
  return {};
}

Result<Source::Likeness> Source::compare(const Shared& shared, std::string_view head,
                                         const Generation& fresh, Generation& known, Instant now) {
  const model::FileCursor& cursor = known.cursor;
  const bool is_shorter = head.size() < cursor.head_length;
  if (!is_shorter && hash64(head.substr(0, cursor.head_length)) != cursor.head_hash)
    return Likeness::different;
  if (known.has_place() && ensure_open(shared, known, now)) {
    KH_ASSIGN(const auto likeness, compare_with_open(fresh, known));
    return likeness.value_or(Likeness::different);
  }
  if (known.listed)
    return fail(ErrorCode::unavailable,
                "comparing with " + cursor.path + ": it cannot be opened now");
  if (is_shorter)
    return Likeness::different;
  // Read further than this copy goes, in the moment between copying and truncation; unless the file
  // was written after that.
  if (fresh.size < cursor.offset)
    return fresh.packed || fresh.modified <= cursor.updated_at ? Likeness::duplicate
                                                               : Likeness::different;
  KH_ASSIGN(const bool same, has_anchor(*fresh.file, cursor));
  return same ? Likeness::continues : Likeness::different;
}

// Nothing: the known file does not hold its own content any more; what it held is now a generation
// without a file, at the end of the list.
Result<std::optional<Source::Likeness>> Source::compare_with_open(const Generation& fresh,
                                                                  Generation& known) {
  KH_ASSIGN(const FileStat stat, known.file->stat());
  KH_ASSIGN(const bool same, has_anchor(*known.file, known.cursor));
  if (stat.size < known.cursor.offset || !same) {
    replace(known);
    return std::optional<Likeness>();
  }
  if (fresh.size > stat.size)  // a copy is never longer
    return std::optional(Likeness::different);
  KH_ASSIGN(const bool is_copy, same_before(*fresh.file, *known.file, fresh.size));
  return std::optional(is_copy ? Likeness::duplicate : Likeness::different);
}

void Source::take_over(Generation& fresh, Generation& known) {
  Generation merged = fresh;
  merged.stored = known.stored;
  merged.live_path = known.live_path;
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
  model::FileCursor begin;
  begin.source = log_.id;
  begin.path = generation.cursor.path;
  begin.file = generation.cursor.file;
  generation.cursor = begin;
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
