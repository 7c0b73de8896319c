#pragma once

// Values that do not fit a column as they are: lists as JSON text, enums as their names, and the
// counts of a usage row. For the SQLite store alone.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/evidence.hpp"
#include "model/pool.hpp"
#include "model/usage.hpp"
#include "store/sqlite_connection.hpp"

namespace keyherd::store {

// Nothing for an empty list: most evidence has none, and NULL costs a byte.
std::optional<std::string> encode(const std::vector<model::Balance>& balances);
std::optional<std::string> encode(const std::vector<model::RateLimit>& limits);
std::string encode(const std::vector<model::RotationStep>& steps);

// corrupt when the text is not what encode() wrote.
Result<std::vector<model::Balance>> decode_balances(std::string_view text);
Result<std::vector<model::RateLimit>> decode_rate_limits(std::string_view text);
Result<std::vector<model::RotationStep>> decode_steps(std::string_view text);

// corrupt, naming the column, when the value is none of the enum's names.
Error unknown_name(std::string_view column, std::string_view value);

template <class Enum>
Result<Enum> decode_name(std::optional<Enum> value, std::string_view column,
                         std::string_view text) {
  if (!value)
    return fail(unknown_name(column, text));
  return *value;
}

// The twelve counts of a row, as columns `first` and following, in the order of kCountColumns.
model::UsageCounts read_counts(const Statement& row, int first);

// "INSERT INTO <table> (<identity>, <counts>) … ON CONFLICT (<identity>) DO UPDATE" that adds;
// either plainly (fast, refused on overflow) or saturating.
std::string add_counts_sql(std::string_view table, const std::vector<std::string_view>& identity,
                           bool saturating);
// "requests, failed, …"
const std::string& count_columns();

// The two forms of an upsert that adds counts: the plain one, and the saturating one for the row in
// a billion that the plain one refuses.
class CountsUpsert {
 public:
  CountsUpsert(std::string_view table, const std::vector<std::string_view>& identity)
      : plain_(add_counts_sql(table, identity, false)),
        saturating_(add_counts_sql(table, identity, true)) {}

  // For many rows: what is looked up once a statement, not once a row.
  class Adder {
   public:
    Adder(Connection& connection, const CountsUpsert& upsert, Statement& plain)
        : connection_(connection), upsert_(upsert), plain_(plain) {}

    template <class... Identity>
    Status add(const model::UsageCounts& c, Identity... identity) {
      const auto bind = [&](Statement& statement) -> Statement& {
        return statement.bind(identity..., c.requests, c.failed, c.input, c.cached_input,
                              c.cache_write, c.output, c.reasoning, c.cost, c.unpriced,
                              c.latency_ms, c.latency_count, c.table_cost);
      };
      KH_ASSIGN(const bool done, bind(plain_).run_unless_overflow());
      if (done)
        return {};
      KH_ASSIGN(Statement * saturating, connection_.prepared(upsert_.saturating_));
      return bind(*saturating).run();
    }

   private:
    Connection& connection_;
    const CountsUpsert& upsert_;
    Statement& plain_;
  };
  Result<Adder> adder(Connection& connection) const {
    KH_ASSIGN(Statement * plain, connection.prepared(plain_));
    return Adder(connection, *this, *plain);
  }

 private:
  const std::string plain_;
  const std::string saturating_;
};

}  // namespace keyherd::store
