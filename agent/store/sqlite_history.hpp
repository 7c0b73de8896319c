#pragma once

// The history queries of the Store on SQLite. For the SQLite store alone; see Store for meanings.

#include <string>
#include <vector>

#include "store/sqlite_connection.hpp"
#include "store/sqlite_names.hpp"
#include "store/store.hpp"

namespace keyherd::store {

Status read_usage(Connection& connection, const Names& names, const UsageQuery& query,
                  const UsageVisitor& visit);
Result<std::vector<model::MinuteRow>> read_minutes(Connection& connection, const Names& names,
                                                   const UsageQuery& query);
Result<std::vector<model::BalanceDrop>> read_balance_drops(Connection& connection,
                                                           const Names& names,
                                                           const UsageQuery& query);
Result<std::vector<model::Evidence>> read_evidence(Connection& connection, const Names& names,
                                                   const HistoryQuery& query);
// What a start reads of a key: the newest of all and the newest of probes, newest first.
Result<std::vector<model::Evidence>> read_recent_evidence(Connection& connection,
                                                          const Names& names,
                                                          const std::string& key);
Result<std::vector<model::StateChange>> read_changes(Connection& connection, const Names& names,
                                                     const HistoryQuery& query);
// Of one pool, or of all when empty.
Result<std::vector<model::Rotation>> read_rotations(Connection& connection, const std::string& pool,
                                                    std::size_t limit);
Result<std::vector<model::Rotation>> read_needed_rotations(Connection& connection);

}  // namespace keyherd::store
