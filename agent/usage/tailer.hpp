#pragma once

// Follows the configured usage logs and sums what is new in them into Tallies, so that every line
// is counted exactly once: through rotation, truncation, copies, restarts and refused commits. One
// thread owns a Tailer and makes every call. It reads through FileSystem and takes the time as a
// parameter; it never waits (see watcher.hpp for when to call poll).

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/result.hpp"
#include "model/usage.hpp"
#include "usage/names.hpp"
#include "usage/seen_ids.hpp"

namespace keyherd::usage {

struct TailerOptions {
  // Read from one source in one poll, at most (about): what is behind is read in large batches,
  // since the store writes a row for each key, model and time, however many lines it sums up.
  std::uint64_t batch_bytes = 40U << 20U;
  std::size_t batch_rows = 20'480;
  std::size_t chunk_bytes = 1U << 18U;  // read at once, but for longer lines
  // How long a file that was rotated away must be silent before it is closed for good.
  std::chrono::nanoseconds grace = std::chrono::seconds(60);
  // At once, of all sources together (2 at least); others wait for their turn. One or two more are
  // open for a moment where files are compared.
  std::size_t max_open_files = 128;
  // Of keys that the context does not name: what they used is rejected, or counted as it is named.
  UnknownKeys unknown_keys = UnknownKeys::reject;
  // How long the cursor of a file that is gone is kept, to recognise a late copy of it.
  std::chrono::nanoseconds keep_cursors = std::chrono::hours(24 * 7);
  SeenIds::Limits request_ids;  // of all sources together
};

class Tailer {
 public:
  // Batches of deliveries count from here; those of files stay below.
  static constexpr std::uint64_t kFirstDelivery = 1ULL << 62U;

  // `files` outlives the Tailer. `restored`: all committed cursors, of whatever source.
  Tailer(const FileSystem& files, std::vector<model::UsageLog> logs,
         std::vector<model::FileCursor> restored, TailerOptions options = {});
  ~Tailer();
  Tailer(const Tailer&) = delete;
  Tailer& operator=(const Tailer&) = delete;

  // The request ids that were counted before; once, before the first poll.
  void restore_seen(const std::vector<model::SeenBlock>& blocks);
  // How to attribute and price from the next line on. Until the first call every key is unknown.
  void set_context(std::shared_ptr<const model::UsageContext> context);
  // After a reload: sources that stayed as they were go on undisturbed, others start from their
  // committed cursors. A batch of a changed source must not be committed any more.
  void set_logs(std::vector<model::UsageLog> logs);

  // Looks at every source and reads what is new, within options.batch_bytes each. Returns a Tally
  // for every source that has something to say. With batch != 0 it must be answered by committed()
  // or rejected(): until then that source is not read on. batch == 0 carries status alone.
  std::vector<model::Tally> poll(Instant now);
  // Sums up lines that came by another way than a file, in the format of the log. The batch is to
  // be answered like one of poll(). Errors: not_found (no such log), invalid (its format).
  Result<model::Tally> take_delivery(const std::string& log, std::string lines, Instant now);
  // The batch is in the store: reading may go on from there. Unknown batches are ignored.
  void committed(const std::string& source, std::uint64_t batch);
  // It is not in the store: the same lines are read again.
  void rejected(const std::string& source, std::uint64_t batch);

  // The last poll left complete lines unread, so the next need not wait for a hint.
  [[nodiscard]] bool has_more() const;
  // Where new lines and files appear: what a Watcher should watch.
  [[nodiscard]] std::vector<std::string> directories() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keyherd::usage
