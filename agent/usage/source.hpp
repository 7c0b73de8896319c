#pragma once

// One configured usage log: the files that it means, how far each was read, and the batch that
// waits for its commit. Used by the Tailer, on its thread.
//
// A Generation is one stream of content: it keeps its cursor while its file is renamed or copied,
// and ends when the content is replaced (truncation, rewriting). What is left of a replaced
// generation is a cursor without a file: a copy of the old content, found later, is read on from
// there.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "model/usage.hpp"
#include "usage/accumulator.hpp"
#include "usage/chunk_reader.hpp"
#include "usage/directory.hpp"
#include "usage/format.hpp"
#include "usage/open_files.hpp"
#include "usage/tailer.hpp"

namespace keyherd::usage {

struct Generation {
  model::FileCursor cursor;  // id 0: no complete line yet, so no identity and nothing to remember
  model::FileCursor stored;  // as it was handed to the engine last
  std::shared_ptr<const ReadableFile> file;  // open, or nothing
  std::string live_path;                     // the name under which it was written
  bool packed = false;                       // the file is a .gz, seen as what was compressed
  bool listed = false;                       // a name that the configured path means leads to it
  bool located = false;  // not listed, but found beside live_path under cursor.path
  bool copy = false;     // holds what another generation's file holds: not read
  // When it was last found to be a copy: of which generation, and how long it was.
  std::optional<std::pair<std::int64_t, std::uint64_t>> copy_of;
  bool had_turn = false;              // since a batch was last full before all were read
  bool from_end = false;              // to begin behind what is there already
  std::optional<SteadyTime> left_at;  // when it was no longer listed
  int polls_since_left = 0;
  // As last seen, and as it was when nothing more could be read from it.
  std::uint64_t size = 0;  // of what was compressed, once it is open
  WallTime modified;
  WallTime last_read;  // the file's time then: what was written later was not read
  std::uint64_t packed_size = 0;
  SteadyTime grew_at;
  std::optional<std::pair<std::uint64_t, WallTime>> settled;
  // After a failure: what it was, and not again before retry_at.
  std::string problem;
  SteadyTime retry_at;
  std::chrono::nanoseconds backoff{0};

  [[nodiscard]] bool has_identity() const { return cursor.id != 0; }
  [[nodiscard]] bool has_place() const { return listed || located || file != nullptr; }
  [[nodiscard]] bool is_renamed() const { return cursor.path != live_path; }
  [[nodiscard]] bool is_settled() const {
    return settled && settled->first == size && settled->second == modified;
  }
  [[nodiscard]] std::uint64_t unread() const {
    return size > cursor.offset ? size - cursor.offset : 0;
  }
  // Of the open file.
  void observe(const FileStat& stat, Instant now);
  // Of the file under its name.
  void observe_listed(const FileStat& stat, Instant now);
};

class Source {
 public:
  struct Shared {
    const FileSystem& files;
    const TailerOptions& options;
    ChunkReader& reader;
    SeenIds& seen;
    OpenFiles& open_files;
    // Closes a file of any source to which a configured name leads; whether there was one.
    const std::function<bool()>& make_room;
  };
  // The other source that reads that file already, or none.
  using TakenBy = std::function<const Source*(const FileId&)>;

  // `restored`: the committed cursors, of all sources. `names` outlives the Source.
  Source(model::UsageLog log, const std::vector<model::FileCursor>& restored, Names& names);

  [[nodiscard]] const model::UsageLog& log() const { return log_; }
  [[nodiscard]] bool reads(const FileId& file) const;
  // Whether the last poll left lines unread that it could have read.
  [[nodiscard]] bool has_more() const { return has_more_; }
  // The cursors as the store has them.
  [[nodiscard]] std::vector<model::FileCursor> committed_cursors() const;
  [[nodiscard]] std::vector<std::string> directories() const;

  std::optional<model::Tally> poll(const Shared& shared, const TakenBy& taken_by, Instant now);
  // Of lines that are in no file; the batch is not set. Error invalid: the format.
  Result<model::Tally> take_delivery(ChunkReader& reader, SeenIds& seen, std::string lines,
                                     Instant now);
  void committed(std::uint64_t batch);
  void rejected(std::uint64_t batch, SeenIds& seen);
  // A batch that waits will never be answered.
  void abandon(SeenIds& seen) { rejected(batch_, seen); }
  // Closes the file that was silent for longest, of those to which a configured name leads: that
  // were read to their end, or all but the one that is being read.
  enum class Closable { settled, all };
  bool close_one(Closable which);

 private:
  using Generations = std::deque<Generation>;  // references stay valid while it grows at its end

  // source_files.cpp: which files there are.
  void discover(const Shared& shared, const TakenBy& taken_by, Instant now);
  Generation* find(const FileId& id);
  void note_overlap(const Source& other, const Match& match);
  void attach(Generation& generation, const Match& match, Instant now);
  Generation& add_generation(const Match& match, Instant now);
  void leave(const Shared& shared, const TakenBy& taken_by, Generation& generation, Instant now);
  bool locate(const Shared& shared, Generation& generation, const Match& sibling);
  [[nodiscard]] std::uint64_t lost_of(const Shared& shared, const Generation& generation) const;
  void move_to(Generation& generation, const Match& match, Instant now) const;
  void adopt_between(const TakenBy& taken_by, const Generation& left,
                     const std::vector<Match>& siblings, Instant now);
  void adopt_since_stop(const Shared& shared, const TakenBy& taken_by, Instant now);
  bool ensure_open(const Shared& shared, Generation& generation, Instant now);
  std::shared_ptr<const ReadableFile> unpack(const Shared& shared, Generation& generation,
                                             std::unique_ptr<ReadableFile> packed, Instant now);
  void begin_at_end(const Shared& shared, Instant now);
  void retire(const Shared& shared, Instant now);
  bool may_close(const Shared& shared, const Generation& generation) const;
  void forget_old(const Shared& shared, Instant now);

  // recognise.cpp: whether a file holds what is known already.
  enum class Likeness { different, continues, duplicate };
  // Of a file to a known generation: the smaller, the likelier is it the file that goes on there.
  enum class Kinship { same_name, rotated_name, original, moved, none };
  static Kinship kinship(const Generation& fresh, const Generation& known);
  Status recognise(const Shared& shared, Generation& fresh, Instant now);
  Result<Likeness> recognise_among(const Shared& shared, Kinship kinship, std::string_view head,
                                   Generation& fresh, Instant now);
  Result<Likeness> compare(const Shared& shared, std::string_view head, const Generation& fresh,
                           Generation& known, Instant now);
  Result<std::optional<Likeness>> compare_with_open(const Generation& fresh, Generation& known);
  void take_over(Generation& fresh, Generation& known);
  void replace(Generation& generation);

  // source.cpp: what is in them.
  void remember_state();
  void begin_seen(SeenIds& seen, Instant now);
  [[nodiscard]] bool is_full(const Shared& shared) const {
    return sums_.rows() >= shared.options.batch_rows;
  }
  void read(const Shared& shared, Instant now);
  std::vector<Generation*> unread_generations(Instant now);
  std::uint64_t read_generation(const Shared& shared, Generation& generation, std::uint64_t limit,
                                Instant now);
  Status read_some(const Shared& shared, Generation& generation, std::uint64_t limit, Instant now,
                   std::uint64_t& done);
  Status finish(const Shared& shared, Generation& generation);
  void note_failure(Generation& generation, const Error& error, Instant now);
  void look_at_sizes(Instant now);
  std::optional<model::Tally> make_tally(const Shared& shared, Instant now);
  void take_cursors(model::Tally& tally, Instant now);
  [[nodiscard]] model::SourceStatus status() const;
  std::optional<model::Tally> status_tally();

  const model::UsageLog log_;
  std::optional<Format> format_;
  std::string problem_;  // of the configured format, or of the last look at the directory
  Accumulator sums_;
  Generations generations_;
  std::optional<Generations> before_;  // while a batch waits: where a refusal returns to
  model::SeenBlocks seen_;             // what it remembered
  std::vector<std::int64_t> dropped_;
  std::vector<std::string> notes_;
  std::set<std::string> overlaps_;  // other sources with which a note was made
  std::uint64_t batch_ = 0;
  std::int64_t next_id_ = 1;
  bool first_look_ = true;
  bool first_start_ = true;  // nothing was ever recorded of this source
  bool has_more_ = false;
  const Generation* in_hand_ = nullptr;  // its file stays open
  std::optional<WallTime> last_read_at_;
  std::optional<model::SourceStatus> reported_;
};

}  // namespace keyherd::usage
