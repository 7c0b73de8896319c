#pragma once

// The price lists: what providers publish for everyone, shipped with the program (prices.toml), or
// a file in its place. A provider takes the lists that it names, else the one of its type; what it
// says itself about a model comes first.

#include <string>
#include <string_view>

#include "base/files.hpp"
#include "config/report.hpp"
#include "config/spec.hpp"

namespace keyherd::config {

// The text of the shipped lists.
std::string_view shipped_prices();

// Fills in the prices of the providers. Reports a file or list that is not there, and all that is
// wrong in the file.
void apply_price_lists(const FileSystem& files, Report& report, Spec& spec);

}  // namespace keyherd::config
