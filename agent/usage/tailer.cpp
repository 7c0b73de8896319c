#include "usage/tailer.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "usage/chunk_reader.hpp"
#include "usage/names.hpp"
#include "usage/source.hpp"

namespace keyherd::usage {

namespace {

// What makes a source another one: where and how it is read. Alert thresholds do not.
bool reads_alike(const model::UsageLog& a, const model::UsageLog& b) {
  return a.path == b.path && a.format == b.format && a.fields == b.fields && a.units == b.units &&
         a.status_words == b.status_words && a.only == b.only && a.key_names == b.key_names &&
         a.max_line_bytes == b.max_line_bytes && a.dedup == b.dedup;
}

}  // namespace

struct Tailer::State {
  const FileSystem& files;
  const TailerOptions options;
  std::vector<model::FileCursor> restored;
  Names names;
  SeenIds seen;
  OpenFiles open_files;
  std::unique_ptr<ChunkReader> reader;
  std::vector<std::unique_ptr<Source>> sources;
  std::uint64_t deliveries = 0;
  // Not answered yet: what each remembered.
  std::map<std::uint64_t, model::SeenBlocks> delivered;

  Source* find(const std::string& id) {
    const auto found = std::find_if(sources.begin(), sources.end(),
                                    [&](const auto& each) { return each->log().id == id; });
    return found == sources.end() ? nullptr : found->get();
  }
  bool make_room() {
    const auto close_one = [&](Source::Closable which) {
      return std::any_of(sources.begin(), sources.end(),
                         [&](const auto& each) { return each->close_one(which); });
    };
    return close_one(Source::Closable::settled) || close_one(Source::Closable::all);
  }
  // Of two sources that mean the same file, the one that began it reads it; else the first.
  [[nodiscard]] const Source* taken_by(const Source& asking, const FileId& file) const {
    const bool reads_itself = asking.reads(file);
    for (const auto& each : sources) {
      if (each.get() == &asking) {
        if (reads_itself)
          return nullptr;
      } else if (each->reads(file)) {
        return each.get();
      }
    }
    return nullptr;
  }
};

Tailer::Tailer(const FileSystem& files, std::vector<model::UsageLog> logs,
               std::vector<model::FileCursor> restored, TailerOptions options)
    : state_(new State{files,
                       options,
                       std::move(restored),
                       Names{options.unknown_keys},
                       SeenIds(options.request_ids),
                       OpenFiles(options.max_open_files),
                       nullptr,
                       {},
                       0,
                       {}}) {
  set_logs(std::move(logs));
}

Tailer::~Tailer() = default;

void Tailer::set_context(std::shared_ptr<const model::UsageContext> context) {
  state_->names.set_context(std::move(context));
}

void Tailer::restore_seen(const std::vector<model::SeenBlock>& blocks) {
  state_->seen.restore(blocks);
}

void Tailer::set_logs(std::vector<model::UsageLog> logs) {
  std::vector<std::unique_ptr<Source>> old = std::move(state_->sources);
  state_->sources.clear();
  for (const auto& source : old) {  // what is known of each replaces what was restored
    std::erase_if(state_->restored,
                  [&](const model::FileCursor& each) { return each.source == source->log().id; });
    const auto cursors = source->committed_cursors();
    state_->restored.insert(state_->restored.end(), cursors.begin(), cursors.end());
  }
  for (model::UsageLog& log : logs) {
    const auto kept = std::find_if(old.begin(), old.end(), [&](const auto& each) {
      return each && each->log().id == log.id && reads_alike(each->log(), log);
    });
    if (kept != old.end())
      state_->sources.push_back(std::move(*kept));
    else
      state_->sources.push_back(
          std::make_unique<Source>(std::move(log), state_->restored, state_->names));
  }
  for (const auto& source : old) {
    if (source)
      source->abandon(state_->seen);
  }
  // The parser remembers the layout of formats that may be gone.
  state_->reader = std::make_unique<ChunkReader>(state_->options.chunk_bytes);
}

std::vector<model::Tally> Tailer::poll(Instant now) {
  std::vector<model::Tally> tallies;
  const std::function<bool()> make_room = [&] { return state_->make_room(); };
  const Source::Shared shared{state_->files, state_->options,    *state_->reader,
                              state_->seen,  state_->open_files, make_room};
  for (const auto& source : state_->sources) {
    const auto taken_by = [&](const FileId& file) { return state_->taken_by(*source, file); };
    if (auto tally = source->poll(shared, taken_by, now))
      tallies.push_back(std::move(*tally));
  }
  return tallies;
}

Result<model::Tally> Tailer::take_delivery(const std::string& log, std::string lines, Instant now) {
  Source* source = state_->find(log);
  if (source == nullptr)
    return fail(ErrorCode::not_found, "no usage log '" + log + "'");
  KH_ASSIGN(model::Tally tally,
            source->take_delivery(*state_->reader, state_->seen, std::move(lines), now));
  tally.batch = kFirstDelivery + state_->deliveries++;
  state_->delivered[tally.batch] = tally.seen;
  return tally;
}

void Tailer::committed(const std::string& source, std::uint64_t batch) {
  if (state_->delivered.erase(batch) > 0)
    return;
  if (Source* found = state_->find(source))
    found->committed(batch);
}

void Tailer::rejected(const std::string& source, std::uint64_t batch) {
  if (const auto found = state_->delivered.find(batch); found != state_->delivered.end()) {
    state_->seen.forget(found->second);
    state_->delivered.erase(found);
    return;
  }
  if (Source* found = state_->find(source))
    found->rejected(batch, state_->seen);
}

bool Tailer::has_more() const {
  return std::any_of(state_->sources.begin(), state_->sources.end(),
                     [](const auto& each) { return each->has_more(); });
}

std::vector<std::string> Tailer::directories() const {
  std::set<std::string> directories;
  for (const auto& source : state_->sources) {
    const auto own = source->directories();
    directories.insert(own.begin(), own.end());
  }
  return {directories.begin(), directories.end()};
}

}  // namespace keyherd::usage
