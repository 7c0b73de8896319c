#include "store/sqlite_names.hpp"

#include <fmt/format.h>

namespace keyherd::store {

namespace {
Error gap(const Connection& connection, std::string_view table, std::int64_t id) {
  return Error{ErrorCode::corrupt,
               fmt::format("using {}: table {} has no row {}; the file is left as it "
                           "is, restore a backup of it",
                           connection.path(), table, id)};
}
}  // namespace

Status Names::load() {
  KH_TRY(load_names());
  KH_TRY(load_series());
  committed();
  return {};
}

Status Names::load_names() {
  names_.clear();
  ids_.clear();
  KH_ASSIGN(Statement * rows, connection_.prepared("SELECT id, name FROM name ORDER BY id"));
  rows->bind();
  for (;;) {
    KH_ASSIGN(const bool row, rows->next());
    if (!row)
      return {};
    names_.push_back(rows->text(1));
    const auto id = static_cast<std::int64_t>(names_.size());
    if (rows->integer(0) != id) {
      rows->reset();
      return fail(gap(connection_, "name", id));
    }
    ids_.emplace(names_.back(), id);
  }
}

Status Names::load_series() {
  series_.clear();
  series_ids_.clear();
  KH_ASSIGN(Statement * rows,
            connection_.prepared("SELECT id, key, model FROM series ORDER BY id"));
  rows->bind();
  for (;;) {
    KH_ASSIGN(const bool row, rows->next());
    if (!row)
      return {};
    const auto id = static_cast<std::int64_t>(series_.size()) + 1;
    series_.push_back(Series{rows->integer(0), rows->integer(1), rows->integer(2)});
    if (series_.back().id != id) {
      rows->reset();
      return fail(gap(connection_, "series", id));
    }
    series_ids_.emplace(std::pair(series_.back().key, series_.back().model), id);
  }
}

Result<std::int64_t> Names::intern(std::string_view name) {
  if (const auto found = ids_.find(name); found != ids_.end())
    return found->second;
  const auto id = static_cast<std::int64_t>(names_.size()) + 1;
  KH_ASSIGN(Statement * insert, connection_.prepared("INSERT INTO name (id, name) VALUES (?, ?)"));
  KH_TRY(insert->bind(id, name).run());
  names_.emplace_back(name);
  ids_.emplace(names_.back(), id);
  return id;
}

Result<std::int64_t> Names::intern_series(std::string_view key, std::string_view model) {
  KH_ASSIGN(const std::int64_t key_id, intern(key));
  KH_ASSIGN(const std::int64_t model_id, intern(model));
  const std::pair ids(key_id, model_id);
  if (const auto found = series_ids_.find(ids); found != series_ids_.end())
    return found->second;
  const auto id = static_cast<std::int64_t>(series_.size()) + 1;
  KH_ASSIGN(Statement * insert,
            connection_.prepared("INSERT INTO series (id, key, model) VALUES (?, ?, ?)"));
  KH_TRY(insert->bind(id, key_id, model_id).run());
  series_.push_back(Series{id, key_id, model_id});
  series_ids_.emplace(ids, id);
  return id;
}

void Names::committed() {
  committed_names_ = names_.size();
  committed_series_ = series_.size();
}

void Names::rolled_back() {
  for (; names_.size() > committed_names_; names_.pop_back())
    ids_.erase(names_.back());
  for (; series_.size() > committed_series_; series_.pop_back())
    series_ids_.erase(std::pair(series_.back().key, series_.back().model));
}

std::optional<std::int64_t> Names::find(std::string_view name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::string> Names::name(std::int64_t id) const {
  if (id < 1 || static_cast<std::size_t>(id) > names_.size())
    return fail(gap(connection_, "name", id));
  return names_[static_cast<std::size_t>(id) - 1];
}

}  // namespace keyherd::store
