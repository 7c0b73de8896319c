#pragma once

// Keys as a table with commas (RFC 4180), as spreadsheets have them, to the JSON that imports take.

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace keyherd::cli {

// The first row names the columns: the fields of [keys.ID] and `id`; quotas are separated by ';', a
// label has a column of its own, "label.team". Empty cells are left out. The key of row N stands in
// line N of the result, so that whoever finds fault with it names the row. Error invalid: with the
// row.
Result<std::string> keys_from_csv(std::string_view text);

}  // namespace keyherd::cli
