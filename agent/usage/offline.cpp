#include "usage/offline.hpp"

#include "usage/accumulator.hpp"
#include "usage/chunk_reader.hpp"
#include "usage/format.hpp"
#include "usage/names.hpp"

namespace keyherd::usage {

namespace {

constexpr std::size_t kChunkBytes = 1U << 20U;

Status read_all(const ReadableFile& file, ChunkReader& reader, model::FileCursor& cursor,
                Accumulator& into, const OfflineProgress& progress) {
  KH_ASSIGN(const FileStat stat, file.stat());
  while (true) {
    KH_ASSIGN(const ChunkReader::Step step, reader.step(file, cursor, into));
    if (step == ChunkReader::Step::replaced)
      return fail(ErrorCode::unavailable,
                  "reading " + cursor.path + ": it was replaced meanwhile; try again");
    if (progress)
      progress(cursor.offset, stat.size);
    if (step == ChunkReader::Step::waiting)
      return reader.finish(file, cursor, into);
  }
}

}  // namespace

Result<OfflineReport> read_file(const FileSystem& files, const model::UsageLog& log,
                                const model::UsageContext& context, Instant now,
                                const OfflineProgress& progress) {
  KH_ASSIGN(const Format format, Format::of(log));
  KH_ASSIGN(const auto file, files.open(log.path));
  Names names(UnknownKeys::accept);
  names.set_context(std::make_shared<const model::UsageContext>(context));
  Accumulator sums(names);
  sums.set_now(now.wall);
  sums.set_file(log.path);
  ChunkReader reader(kChunkBytes);
  reader.set_lines(format, log.max_line_bytes);
  model::FileCursor cursor;
  cursor.path = log.path;
  KH_TRY(read_all(*file, reader, cursor, sums, progress));
  model::Tally tally;
  sums.take(tally);
  return OfflineReport{std::move(tally.usage), tally.counts, std::move(tally.samples)};
}

}  // namespace keyherd::usage
