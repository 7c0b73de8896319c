#include "usage/offline.hpp"

#include <algorithm>

#include "usage/accumulator.hpp"
#include "usage/chunk_reader.hpp"
#include "usage/format.hpp"
#include "usage/names.hpp"

namespace keyherd::usage {

namespace {
constexpr std::size_t kOfflineChunk = 1U << 18U;

// Bytes of the line that began before, its newline included.
std::size_t rest_of_line(std::string_view data) {
  const std::size_t newline = data.find('\n');
  return newline == std::string_view::npos ? data.size() : newline + 1;
}
}  // namespace

struct OfflineReader::State {
  State(Format log_format, const model::UsageLog& log, const model::UsageContext& context,
        Instant now)
      : format(std::move(log_format)),
        max_line(log.max_line_bytes),
        names(UnknownKeys::accept),
        sums(names),
        chunks(kOfflineChunk) {
    names.set_context(std::make_shared<const model::UsageContext>(context));
    sums.set_now(now.wall);
    chunks.set_lines(format, max_line);
  }

  Format format;
  std::uint32_t max_line;
  Names names;
  Accumulator sums;
  ChunkReader chunks;
  RecordParser lines;

  void parse(std::string_view block, std::uint64_t offset) {
    lines.parse(block, offset, format, max_line, sums);
  }
};

OfflineReader::OfflineReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
OfflineReader::~OfflineReader() = default;
OfflineReader::OfflineReader(OfflineReader&&) noexcept = default;
OfflineReader& OfflineReader::operator=(OfflineReader&&) noexcept = default;

Result<OfflineReader> OfflineReader::make(const model::UsageLog& log,
                                          const model::UsageContext& context, Instant now) {
  KH_ASSIGN(Format format, Format::of(log));
  return OfflineReader(std::make_unique<State>(std::move(format), log, context, now));
}

Status OfflineReader::read_file(const FileSystem& files, const std::string& path,
                                const OfflineProgress& progress) {
  KH_ASSIGN(const auto file, files.open(path));
  state_->sums.set_file(path);
  model::FileCursor cursor;
  cursor.path = path;
  while (true) {
    KH_ASSIGN(const ChunkReader::Step step, state_->chunks.step(*file, cursor, state_->sums));
    if (step == ChunkReader::Step::replaced)
      return fail(ErrorCode::unavailable,
                  "reading " + path + ": it was replaced meanwhile; try again");
    if (progress)
      progress(cursor.offset);
    if (step == ChunkReader::Step::waiting)
      return state_->chunks.finish(*file, cursor, state_->sums);
  }
}

Status OfflineReader::read_stream(const ReadMore& more, const std::string& name,
                                  const OfflineProgress& progress) {
  state_->sums.set_file(name);
  // A line of the longest kind must fit behind what was read before it; the rest is the parser's.
  const std::size_t room = std::max<std::size_t>(kOfflineChunk, std::size_t{state_->max_line} + 2);
  std::vector<char> buffer(2 * room + RecordParser::kPadding);
  std::size_t held = 0;      // bytes of a line without its end yet
  std::uint64_t offset = 0;  // of the first of them
  bool skipping = false;     // inside an over-long line
  while (true) {
    KH_ASSIGN(const std::size_t got, more({buffer.data() + held, room}));
    state_->sums.counts().read_bytes += static_cast<std::int64_t>(got);
    std::string_view data(buffer.data(), held + got);
    if (skipping) {
      const std::size_t rest = rest_of_line(data);
      skipping = rest == 0 || data[rest - 1] != '\n';
      offset += rest;
      data.remove_prefix(rest);
    }
    const std::size_t last = data.rfind('\n');
    std::size_t whole = last == std::string_view::npos ? 0 : last + 1;
    if (got == 0 && !data.empty()) {  // the last line may have no newline
      buffer[static_cast<std::size_t>(data.data() - buffer.data()) + data.size()] = '\n';
      data = {data.data(), data.size() + 1};
      whole = data.size();
    }
    if (whole > 0)
      state_->parse(data.substr(0, whole), offset);
    offset += whole;
    data.remove_prefix(whole);
    if (got == 0)
      return {};
    if (data.size() > state_->max_line) {
      state_->sums.reject(model::RejectReason::too_long, std::nullopt, offset);
      offset += data.size();
      data = {};
      skipping = true;
    }
    std::copy(data.begin(), data.end(), buffer.begin());
    held = data.size();
    if (progress)
      progress(offset);
  }
}

OfflineReport OfflineReader::take() {
  model::Tally tally;
  state_->sums.take(tally);
  return OfflineReport{std::move(tally.usage), tally.counts, std::move(tally.samples)};
}

}  // namespace keyherd::usage
