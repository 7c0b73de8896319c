#include "usage/line_reader.hpp"

#include "usage/accumulator.hpp"
#include "usage/chunk_reader.hpp"
#include "usage/format.hpp"
#include "usage/names.hpp"

namespace keyherd::usage {

struct LineReader::State {
  State(Format log_format, const model::UsageLog& log, const model::UsageContext& context,
        Instant now)
      : format(std::move(log_format)),
        names(UnknownKeys::accept),
        sums(names),
        chunks(log.max_line_bytes + 2) {
    names.set_context(std::make_shared<const model::UsageContext>(context));
    sums.set_now(now.wall);
    sums.set_file(place);
    chunks.set_lines(format, log.max_line_bytes);
  }

  const std::string place = "a line";
  Format format;
  Names names;
  Accumulator sums;
  ChunkReader chunks;
};

LineReader::LineReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
LineReader::~LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;

Result<LineReader> LineReader::make(const model::UsageLog& log, const model::UsageContext& context,
                                    Instant now) {
  KH_ASSIGN(Format format, Format::of(log));
  return LineReader(std::make_unique<State>(std::move(format), log, context, now));
}

// The sums of one line are what it says.
std::optional<LoggedRequest> LineReader::read(std::string line) {
  state_->chunks.take(std::move(line), state_->sums);
  model::Tally tally;
  state_->sums.take(tally);
  if (tally.usage.size() != 1)
    return std::nullopt;
  const model::UsageRow& row = tally.usage.front();
  LoggedRequest request;
  request.key = row.key;
  request.model = row.model;
  request.input_tokens = row.counts.input;
  request.output_tokens = row.counts.output;
  request.cost = row.counts.cost;
  if (row.counts.latency_count > 0)
    request.latency_ms = row.counts.latency_ms;
  if (!tally.failures.empty()) {
    request.http_status = tally.failures.front().http_status;
    request.at = tally.failures.front().last_at;
  } else if (!tally.successes.empty()) {
    request.at = tally.successes.front().last_at;
  }
  return request;
}

}  // namespace keyherd::usage
