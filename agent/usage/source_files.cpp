#include <algorithm>
#include <set>

#include "usage/fingerprint.hpp"
#include "usage/gzip_file.hpp"
#include "usage/hash.hpp"
#include "usage/source.hpp"

namespace keyherd::usage {

namespace {

constexpr std::size_t kMaxRemembered = 256;  // cursors of files that are gone

// Where to begin so that only lines written from now on count: behind the last newline; in the
// middle of a line that is too long anyway, behind everything.
Status place_at_end(const ReadableFile& file, std::uint32_t max_line, model::FileCursor& cursor) {
  KH_ASSIGN(const FileStat stat, file.stat());
  std::string tail(std::min<std::uint64_t>(stat.size, std::uint64_t{max_line} + 1), '\0');
  const std::uint64_t begin = stat.size - tail.size();
  KH_ASSIGN(const std::size_t got, file.read_at(begin, tail));
  tail.resize(got);
  const std::size_t newline = tail.rfind('\n');
  cursor.skipping = newline == std::string::npos && begin > 0;
  if (cursor.skipping)
    cursor.offset = begin + got;
  else
    cursor.offset = newline == std::string::npos ? 0 : begin + newline + 1;
  KH_TRY(load_anchor(file, cursor));
  return grow_head(file, cursor);
}

// The .gz as what was compressed, if that holds what was read of the cursor's file. Nothing also
// when it cannot be read to its end.
std::unique_ptr<const ReadableFile> open_compressed(const FileSystem& files,
                                                    const std::string& path,
                                                    const model::FileCursor& cursor) {
  auto packed = files.open(path);
  if (!packed)
    return nullptr;
  const std::string head = gzip_head(**packed, cursor.head_length);
  if (head.size() < cursor.head_length || hash64(head) != cursor.head_hash)
    return nullptr;
  auto unpacked = GzipFile::open(std::move(*packed), path);
  if (!unpacked || !(*unpacked)->is_complete())
    return nullptr;
  const auto anchor = has_anchor(**unpacked, cursor);
  if (!anchor || !*anchor)
    return nullptr;
  return std::move(*unpacked);
}

}  // namespace

void Source::discover(const Shared& shared, const TakenBy& taken_by, Instant now) {
  const Listing listing = list_files(shared.files, log_.path, log_.read_gz);
  problem_ = listing.problem;
  std::set<const Generation*> seen;
  for (const Match& match : listing.files) {
    if (const Source* other = taken_by(match.stat.id); other != nullptr) {
      note_overlap(*other, match);
      continue;
    }
    Generation* known = find(match.stat.id);
    if (known != nullptr)
      attach(*known, match, now);
    else
      known = &add_generation(match, now);
    seen.insert(known);
  }
  const auto is_unsure = [&](const Generation& each) {
    return std::any_of(listing.unsure.begin(), listing.unsure.end(), [&](const std::string& name) {
      return name == each.cursor.path || name == log_.path;
    });
  };
  const std::size_t count = generations_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Generation& each = generations_[i];
    const bool is_over = each.cursor.finished && !each.has_place();
    if (!seen.contains(&each) && !each.left_at && !is_over && !is_unsure(each))
      leave(shared, taken_by, each, now);
  }
  if (first_look_)
    adopt_since_stop(shared, taken_by, now);
  for (Generation& each : generations_) {
    // So that a file renamed or deleted soon is not lost.
    if (each.has_place() && !each.cursor.finished && shared.open_files.has_room())
      ensure_open(shared, each, now);
  }
}

void Source::note_overlap(const Source& other, const Match& match) {
  if (overlaps_.insert(other.log().id).second)
    notes_.push_back(match.paths.front() + " belongs to usage log " + other.log().id +
                     " as well: it is counted there, once");
}

Generation* Source::find(const FileId& id) {
  const auto found =
      std::find_if(generations_.begin(), generations_.end(), [&](const Generation& each) {
        return each.cursor.file == id && (each.has_identity() || each.has_place());
      });
  return found == generations_.end() ? nullptr : &*found;
}

void Source::attach(Generation& generation, const Match& match, Instant now) {
  generation.listed = true;
  generation.located = false;
  generation.left_at.reset();
  const auto& paths = match.paths;
  if (std::find(paths.begin(), paths.end(), generation.cursor.path) == paths.end()) {
    generation.cursor.path = paths.front();
    ++sums_.counts().renames;
  }
  generation.packed = log_.read_gz && is_gzip_name(generation.cursor.path);
  generation.observe_listed(match.stat, now);
}

Generation& Source::add_generation(const Match& match, Instant now) {
  Generation& added = generations_.emplace_back();
  added.cursor.source = log_.id;
  added.cursor.path = match.paths.front();
  added.cursor.file = match.stat.id;
  added.live_path = added.cursor.path;
  added.listed = true;
  added.from_end = first_look_ && first_start_ && log_.start_at_end && match.stat.size > 0;
  added.packed = log_.read_gz && is_gzip_name(added.cursor.path);
  added.observe_listed(match.stat, now);
  added.grew_at = now.steady;
  return added;
}

// No configured name leads to it any more: rotated away, deleted, or never seen since the start.
void Source::leave(const Shared& shared, const TakenBy& taken_by, Generation& generation,
                   Instant now) {
  if (generation.listed)
    ++sums_.counts().renames;
  generation.listed = false;
  generation.left_at = now.steady;
  generation.polls_since_left = 0;
  generation.grew_at = now.steady;
  if (!generation.has_identity() && !generation.file)
    return;
  const std::vector<Match> siblings =
      list_siblings(shared.files, generation.live_path, log_.read_gz);
  for (const Match& sibling : siblings) {
    if (locate(shared, generation, sibling)) {
      move_to(generation, sibling, now);
      break;
    }
  }
  adopt_between(taken_by, generation, siblings, now);
  if (!generation.has_place()) {
    if (!generation.cursor.finished)
      sums_.counts().lost_bytes += static_cast<std::int64_t>(lost_of(shared, generation));
    generation.cursor.finished = true;
  }
}

void Source::move_to(Generation& generation, const Match& match, Instant now) const {
  generation.located = true;
  generation.cursor.path = match.paths.front();
  generation.cursor.file = match.stat.id;
  generation.packed = log_.read_gz && is_gzip_name(generation.cursor.path);
  generation.observe_listed(match.stat, now);
}

// What is known to have been in it, unread, of a generation that is gone: by its size when it was
// seen last, or because it was compressed and is not to be read so.
std::uint64_t Source::lost_of(const Shared& shared, const Generation& generation) const {
  if (log_.read_gz || !generation.has_identity())
    return generation.unread();
  for (const Match& sibling : list_siblings(shared.files, generation.live_path, true)) {
    const std::string& path = sibling.paths.front();
    if (!is_gzip_name(path))
      continue;
    const auto unpacked = open_compressed(shared.files, path, generation.cursor);
    const auto stat = unpacked ? unpacked->stat() : Result<FileStat>(FileStat{});
    if (stat && stat->size > generation.cursor.offset)
      return stat->size - generation.cursor.offset;
  }
  return generation.unread();
}

// Whether the sibling is the generation's file, or, when it has none, holds its content.
bool Source::locate(const Shared& shared, Generation& generation, const Match& sibling) {
  const model::FileCursor& cursor = generation.cursor;
  if (sibling.stat.id == cursor.file)
    return true;
  const std::string& path = sibling.paths.front();
  if (generation.file || find(sibling.stat.id) != nullptr)
    return false;
  if (is_gzip_name(path))
    return open_compressed(shared.files, path, cursor) != nullptr;
  if (sibling.stat.size < cursor.offset)
    return false;
  const auto file = shared.files.open(path);
  if (!file)
    return false;
  const auto head = has_head(**file, cursor);
  const auto anchor = has_anchor(**file, cursor);
  return head && *head && anchor && *anchor;
}

// Files that came and went under the same name since it was looked at last: rotated away after this
// one, and never seen under the configured name.
void Source::adopt_between(const TakenBy& taken_by, const Generation& left,
                           const std::vector<Match>& siblings, Instant now) {
  const WallTime since = left.modified != WallTime() ? left.modified : left.cursor.updated_at;
  const std::string live_path = left.live_path;
  for (const Match& sibling : siblings) {
    const std::string& path = sibling.paths.front();
    if (!is_rotated_name(path, live_path) || sibling.stat.modified <= since ||
        find(sibling.stat.id) != nullptr || taken_by(sibling.stat.id) != nullptr)
      continue;
    Generation& added = add_generation(sibling, now);
    added.live_path = live_path;
    added.listed = false;
    added.located = true;
    added.left_at = now.steady;
  }
}

// What was rotated away, never seen, after the last file that was read to its end before the stop.
void Source::adopt_since_stop(const Shared& shared, const TakenBy& taken_by, Instant now) {
  const Generation* last = nullptr;
  for (const Generation& each : generations_) {
    if (each.has_identity() && !each.has_place() &&
        (last == nullptr || last->cursor.updated_at < each.cursor.updated_at))
      last = &each;
  }
  if (last == nullptr)
    return;
  const auto siblings = list_siblings(shared.files, last->live_path, log_.read_gz);
  Generation base = *last;
  for (const Match& sibling : siblings) {
    if (sibling.stat.id == base.cursor.file)
      base.observe(sibling.stat, now);
  }
  adopt_between(taken_by, base, siblings, now);
}

bool Source::ensure_open(const Shared& shared, Generation& generation, Instant now) {
  if (generation.file)
    return true;
  if (now.steady < generation.retry_at)
    return false;
  if (!shared.open_files.has_room() && !shared.make_room()) {
    generation.retry_at = now.steady + std::chrono::seconds(1);
    return false;
  }
  const std::string& path = generation.cursor.path;
  auto opened = shared.files.open(path);
  if (!opened && opened.error().code == ErrorCode::unavailable && shared.make_room())
    opened = shared.files.open(path);  // the process may have too many open files
  if (!opened) {
    if (opened.error().code != ErrorCode::not_found)  // gone since: the next look sorts it out
      note_failure(generation, opened.error(), now);
    return false;
  }
  const auto stat = (*opened)->stat();
  if (!stat || stat->id != generation.cursor.file) {
    note_failure(generation,
                 Error{ErrorCode::unavailable, "opening " + path + ": it is another file by now"},
                 now);
    return false;
  }
  if (generation.packed)
    generation.file = unpack(shared, generation, std::move(*opened), now);
  else
    generation.file = shared.open_files.hold(std::move(*opened));
  return generation.file != nullptr;
}

// Nothing while it is being compressed; what is whole of one that is damaged.
std::shared_ptr<const ReadableFile> Source::unpack(const Shared& shared, Generation& generation,
                                                   std::unique_ptr<ReadableFile> packed,
                                                   Instant now) {
  auto unpacked = GzipFile::open(std::move(packed), generation.cursor.path);
  if (!unpacked) {
    note_failure(generation, unpacked.error(), now);
    return nullptr;
  }
  if (!(*unpacked)->is_complete()) {
    if (now.wall - generation.modified < shared.options.grace) {
      generation.retry_at = now.steady + std::chrono::seconds(1);
      return nullptr;
    }
    ++sums_.counts().read_errors;
  }
  if (const auto stat = (*unpacked)->stat())
    generation.observe(*stat, now);
  return shared.open_files.hold(std::move(*unpacked));
}

bool Source::close_one(Closable which) {
  Generation* idlest = nullptr;
  for (Generation& each : generations_) {
    const bool may_close = which == Closable::all || each.is_settled();
    if (each.file && each.listed && may_close && &each != in_hand_ &&
        (idlest == nullptr || each.grew_at < idlest->grew_at))
      idlest = &each;
  }
  if (idlest == nullptr)
    return false;
  idlest->file.reset();
  return true;
}

void Source::begin_at_end(const Shared& shared, Instant now) {
  for (Generation& each : generations_) {
    if (!each.from_end || !ensure_open(shared, each, now))
      continue;
    if (auto placed = place_at_end(*each.file, log_.max_line_bytes, each.cursor); !placed) {
      note_failure(each, placed.error(), now);
      continue;
    }
    each.from_end = false;
    if (each.cursor.offset > 0)
      each.cursor.id = next_id_++;
  }
}

// Lines without a newline are counted, and files closed, when nobody can be expected to write on.
void Source::retire(const Shared& shared, Instant now) {
  for (Generation& each : generations_) {
    if (each.left_at)
      ++each.polls_since_left;
    const bool is_rotated = each.left_at || (each.listed && each.is_renamed());
    if (!each.has_place() || each.cursor.finished || !is_rotated || each.copy ||
        !each.is_settled() || now.steady - each.grew_at < shared.options.grace)
      continue;
    const bool closes = each.left_at && may_close(shared, each);
    if ((!closes && !each.listed) || !ensure_open(shared, each, now))
      continue;
    if (auto ended = finish(shared, each); !ended) {
      note_failure(each, ended.error(), now);
      continue;
    }
    if (!closes)
      continue;
    each.cursor.finished = true;
    each.file.reset();
    each.located = false;
    for (Generation& copy : generations_) {  // it may go on in one of them
      if (copy.copy)
        copy.settled.reset();
    }
  }
}

// A renamed file may still be written until its successor exists; one that is nowhere any more
// holds only disk space.
bool Source::may_close(const Shared& shared, const Generation& generation) const {
  if (generation.polls_since_left < 2)
    return false;
  const auto successor = shared.files.stat(generation.live_path);
  const bool has_successor = successor && successor->id != generation.cursor.file;
  const auto there = shared.files.stat(generation.cursor.path);
  const bool is_nowhere = !there || there->id != generation.cursor.file;
  return has_successor || is_nowhere;
}

void Source::forget_old(const Shared& shared, Instant now) {
  std::vector<WallTime> ages;
  for (const Generation& each : generations_) {
    if (each.has_identity() && !each.has_place())
      ages.push_back(each.cursor.updated_at);
  }
  WallTime oldest = now.wall - shared.options.keep_cursors;
  if (ages.size() > kMaxRemembered) {
    const auto bound = ages.end() - kMaxRemembered;
    std::nth_element(ages.begin(), bound, ages.end());
    oldest = std::max(oldest, *bound);
  }
  std::erase_if(generations_, [&](const Generation& each) {
    if (each.has_place())
      return false;
    if (!each.has_identity())
      return true;
    const bool is_old = each.cursor.finished && each.stored.id != 0 && each.stored == each.cursor &&
                        each.cursor.updated_at < oldest;
    if (is_old)
      dropped_.push_back(each.cursor.id);
    return is_old;
  });
}

}  // namespace keyherd::usage
