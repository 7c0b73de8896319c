#include "usage/source.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "usage/gzip_file.hpp"
#include "usage/hash.hpp"

namespace keyherd::usage {

namespace {

constexpr std::chrono::seconds kFirstRetry{1};
constexpr std::chrono::seconds kLastRetry{30};

// A row that says only that the source was begun: so that "begin at the end" is decided once, even
// when there was no file yet.
model::FileCursor begun_marker(const std::string& source, WallTime now) {
  model::FileCursor marker;
  marker.source = source;
  marker.finished = true;
  marker.updated_at = now;
  return marker;
}

bool same_news(const model::SourceStatus& a, const model::SourceStatus& b) {
  return std::tie(a.up, a.problem, a.lag_bytes, a.last_record_at, a.last_read_at, a.files) ==
         std::tie(b.up, b.problem, b.lag_bytes, b.last_record_at, b.last_read_at, b.files);
}

}  // namespace

void Generation::observe(const FileStat& stat, Instant now) {
  if (stat.size != size)
    grew_at = now.steady;
  size = stat.size;
  modified = stat.modified;
}

void Generation::observe_listed(const FileStat& stat, Instant now) {
  if (!packed)
    return observe(stat, now);
  if (stat.size == packed_size && stat.modified == modified)
    return;
  packed_size = stat.size;
  modified = stat.modified;
  grew_at = now.steady;
  file.reset();  // to be examined anew
  settled.reset();
}

Source::Source(model::UsageLog log, const std::vector<model::FileCursor>& restored, Names& names)
    : log_(std::move(log)), sums_(names) {
  if (auto format = Format::of(log_))
    format_ = std::move(*format);
  else
    problem_ = format.error().message;
  for (const model::FileCursor& cursor : restored) {
    if (cursor.source != log_.id)
      continue;
    first_start_ = false;
    if (cursor.id == 0)
      continue;
    Generation& generation = generations_.emplace_back();
    generation.cursor = cursor;
    generation.stored = cursor;
    generation.last_read = cursor.updated_at;
    generation.packed = log_.read_gz && is_gzip_name(cursor.path);
    generation.live_path = is_pattern(log_.path) ? cursor.path : log_.path;
    next_id_ = std::max(next_id_, cursor.id + 1);
  }
}

bool Source::reads(const FileId& file) const {
  return std::any_of(generations_.begin(), generations_.end(), [&](const Generation& each) {
    return each.cursor.file == file && (each.has_place() || !each.cursor.finished);
  });
}

std::vector<model::FileCursor> Source::committed_cursors() const {
  std::vector<model::FileCursor> cursors;
  if (!first_start_)
    cursors.push_back(begun_marker(log_.id, WallTime()));
  for (const Generation& each : before_ ? *before_ : generations_) {
    if (each.stored.id != 0)
      cursors.push_back(each.stored);
  }
  return cursors;
}

std::vector<std::string> Source::directories() const {
  if (log_.path.empty())
    return {};
  std::vector<std::string> directories{fixed_directory(log_.path)};
  for (const Generation& each : generations_) {
    if (each.listed)
      directories.push_back(directory_of(each.cursor.path));
  }
  return directories;
}

std::optional<model::Tally> Source::poll(const Shared& shared, const TakenBy& taken_by,
                                         Instant now) {
  has_more_ = false;
  if (!format_ || log_.path.empty())
    return status_tally();
  if (before_) {
    look_at_sizes(now);
    return status_tally();
  }
  sums_.set_now(now.wall);
  discover(shared, taken_by, now);
  begin_at_end(shared, now);
  first_look_ = false;
  remember_state();
  begin_seen(shared.seen, now);
  shared.reader.set_lines(*format_, log_.max_line_bytes);
  read(shared, now);
  retire(shared, now);
  forget_old(shared, now);
  auto tally = make_tally(shared, now);
  if (!tally || tally->batch == 0)
    before_.reset();
  return tally;
}

// What a configured name leads to is closed when others need its descriptor, also while the batch
// waits.
void Source::remember_state() {
  before_ = generations_;
  for (Generation& each : *before_) {
    if (each.listed)
      each.file.reset();
  }
}

void Source::begin_seen(SeenIds& seen, Instant now) {
  if (!log_.dedup)
    return;
  seen.advance(now.wall);
  sums_.set_seen(seen, hash64(log_.id));
}

// Between two polls nothing is summed up that is not in a Tally already.
Result<model::Tally> Source::take_delivery(ChunkReader& reader, SeenIds& seen, std::string lines,
                                           Instant now) {
  static const std::string kPlace = "the body";
  if (!format_)
    return fail(ErrorCode::invalid, problem_);
  sums_.set_now(now.wall);
  sums_.set_file(kPlace);
  begin_seen(seen, now);
  reader.set_lines(*format_, log_.max_line_bytes);
  reader.take(std::move(lines), sums_);
  last_read_at_ = now.wall;
  model::Tally tally;
  sums_.take(tally);
  tally.source = log_.id;
  tally.status = status();
  tally.seen = seen.take_new();
  tally.seen_from = seen.oldest_epoch();
  reported_ = tally.status;
  return tally;
}

void Source::committed(std::uint64_t batch) {
  if (!before_ || batch != batch_)
    return;
  before_.reset();
  seen_ = {};
  first_start_ = false;
}

void Source::rejected(std::uint64_t batch, SeenIds& seen) {
  if (!before_ || batch != batch_)
    return;
  seen.forget(seen_);
  seen_ = {};
  for (Generation& each : *before_) {
    const Generation* open = each.file ? nullptr : find(each.cursor.file);
    if (open != nullptr && open->packed == each.packed)
      each.file = open->file;
  }
  generations_ = std::move(*before_);
  before_.reset();
}

std::vector<Generation*> Source::unread_generations(Instant now) {
  std::vector<Generation*> unread;
  for (Generation& each : generations_) {
    // One that was compressed and read to its end is not decompressed again at each start.
    const bool is_over =
        each.packed && each.cursor.finished && each.modified <= each.cursor.updated_at;
    if (each.has_place() && !each.is_settled() && !each.from_end && !is_over &&
        now.steady >= each.retry_at)
      unread.push_back(&each);
  }
  std::sort(unread.begin(), unread.end(), [](const Generation* a, const Generation* b) {
    return std::tie(a->had_turn, a->modified, a->cursor.path) <
           std::tie(b->had_turn, b->modified, b->cursor.path);
  });
  return unread;
}

// Oldest first, yet every file gets its share of every batch, or of the next where a batch was full
// before its turn: one that is written without pause cannot starve the others.
void Source::read(const Shared& shared, Instant now) {
  std::uint64_t left = shared.options.batch_bytes;
  look_at_sizes(now);
  auto unread = unread_generations(now);
  if (unread.empty())
    return;
  const std::uint64_t share =
      std::max<std::uint64_t>(shared.options.chunk_bytes, left / unread.size());
  for (Generation* each : unread) {
    left -= std::min(left, read_generation(shared, *each, std::min(share, left), now));
    each->had_turn = true;
    if (is_full(shared))
      break;
  }
  if (std::all_of(unread.begin(), unread.end(), [](const auto* each) { return each->had_turn; })) {
    for (Generation& each : generations_)
      each.had_turn = false;
  }
  for (Generation* each : unread_generations(now)) {
    if (left > 0 && !is_full(shared))
      left -= std::min(left, read_generation(shared, *each, left, now));
  }
  has_more_ = has_more_ || left == 0 || is_full(shared);
}

std::uint64_t Source::read_generation(const Shared& shared, Generation& generation,
                                      std::uint64_t limit, Instant now) {
  std::uint64_t done = 0;
  if (limit == 0 || generation.is_settled() || !ensure_open(shared, generation, now))
    return done;
  in_hand_ = &generation;
  if (auto read = read_some(shared, generation, limit, now, done); !read) {
    note_failure(generation, read.error(), now);
  } else {
    generation.problem.clear();
    generation.backoff = {};
  }
  in_hand_ = nullptr;
  return done;
}

Status Source::read_some(const Shared& shared, Generation& generation, std::uint64_t limit,
                         Instant now, std::uint64_t& done) {
  KH_ASSIGN(const FileStat stat, generation.file->stat());
  generation.observe(stat, now);
  if (stat.size < generation.cursor.offset)
    replace(generation);
  bool was_replaced = false;
  while (done < limit && !is_full(shared)) {
    if (!generation.has_identity()) {
      KH_TRY(recognise(shared, generation, now));
      if (!generation.file)  // a known generation goes on in it: at the next read
        return {};
    }
    if (generation.copy)
      break;
    sums_.set_file(generation.cursor.path);
    const std::uint64_t before = generation.cursor.offset;
    KH_ASSIGN(const auto step, shared.reader.step(*generation.file, generation.cursor, sums_));
    if (step == ChunkReader::Step::waiting)
      break;
    if (step == ChunkReader::Step::replaced) {
      if (was_replaced)
        return {};  // again within a moment: at the next poll
      was_replaced = true;
      replace(generation);
      continue;
    }
    done += generation.cursor.offset - before;
    generation.cursor.finished = false;
    last_read_at_ = now.wall;
    if (!generation.has_identity())
      generation.cursor.id = next_id_++;
  }
  if (done > 0) {
    KH_ASSIGN(const FileStat after, generation.file->stat());
    generation.observe(after, now);
    generation.last_read = after.modified;
  }
  if (done < limit && !is_full(shared)) {
    generation.settled = {stat.size, stat.modified};
    if (generation.packed && !generation.copy)
      return finish(shared, generation);
  }
  return {};
}

// Nobody writes it any more: what is left without a newline is a line.
Status Source::finish(const Shared& shared, Generation& generation) {
  if (generation.has_identity() || generation.unread() > 0) {
    if (!generation.has_identity())
      generation.cursor.id = next_id_++;
    sums_.set_file(generation.cursor.path);
    KH_TRY(shared.reader.finish(*generation.file, generation.cursor, sums_));
    generation.cursor.finished = generation.packed;
  }
  return {};
}

void Source::note_failure(Generation& generation, const Error& error, Instant now) {
  generation.problem = error.message;
  generation.backoff =
      std::clamp<std::chrono::nanoseconds>(generation.backoff * 2, kFirstRetry, kLastRetry);
  generation.retry_at = now.steady + generation.backoff;
  if (generation.listed || generation.located)
    generation.file.reset();  // it may be stale: opened again by its name
  ++sums_.counts().read_errors;
}

void Source::look_at_sizes(Instant now) {
  for (Generation& each : generations_) {
    if (!each.file)
      continue;
    if (const auto stat = each.file->stat())
      each.observe(*stat, now);
  }
}

std::optional<model::Tally> Source::make_tally(const Shared& shared, Instant now) {
  model::Tally tally;
  take_cursors(tally, now);
  tally.dropped_cursors = std::move(dropped_);
  dropped_.clear();
  if (tally.cursors.empty() && tally.dropped_cursors.empty() && sums_.empty())
    return status_tally();
  sums_.take(tally);
  seen_ = shared.seen.take_new();
  tally.seen = seen_;
  tally.seen_from = shared.seen.oldest_epoch();
  tally.source = log_.id;
  tally.batch = ++batch_;
  tally.status = status();
  tally.notes = std::exchange(notes_, {});
  reported_ = tally.status;
  return tally;
}

void Source::take_cursors(model::Tally& tally, Instant now) {
  if (first_start_ && log_.start_at_end)
    tally.cursors.push_back(begun_marker(log_.id, now.wall));
  for (Generation& each : generations_) {
    if (!each.has_identity() || each.cursor == each.stored)
      continue;
    each.cursor.updated_at = std::max(now.wall, each.last_read);  // neither is older
    each.stored = each.cursor;
    tally.cursors.push_back(each.cursor);
  }
}

model::SourceStatus Source::status() const {
  model::SourceStatus status;
  status.problem = problem_;
  for (const Generation& each : generations_) {
    if (!each.has_place() || each.copy)
      continue;
    ++status.files;
    status.lag_bytes += each.unread();
    if (status.problem.empty())
      status.problem = each.problem;
  }
  status.up = status.problem.empty();
  status.last_record_at = sums_.last_record_at();
  status.last_read_at = last_read_at_;
  return status;
}

std::optional<model::Tally> Source::status_tally() {
  model::SourceStatus now = status();
  if (reported_ && same_news(*reported_, now) && notes_.empty())
    return std::nullopt;
  reported_ = now;
  model::Tally tally;
  tally.source = log_.id;
  tally.status = std::move(now);
  tally.notes = std::exchange(notes_, {});
  return tally;
}

}  // namespace keyherd::usage
