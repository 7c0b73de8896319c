#pragma once

// A whole log summed without an agent.

#include "usage/offline.hpp"

namespace keyherd::test {

inline Result<usage::OfflineReport> read_whole(const FileSystem& files, const model::UsageLog& log,
                                               const model::UsageContext& context, Instant now) {
  KH_ASSIGN(auto reader, usage::OfflineReader::make(log, context, now));
  KH_TRY(reader.read_file(files, log.path));
  return reader.take();
}

}  // namespace keyherd::test
