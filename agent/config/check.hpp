#pragma once

// What only the whole configuration can show to be wrong: names that lead nowhere, names given
// twice, sections that contradict each other.

#include "config/report.hpp"
#include "config/spec.hpp"

namespace keyherd::config {

// Reports errors and warnings. Expects everything in the order of reading; changes nothing.
void check_spec(const Spec& spec, Report& report);

// Ids given twice: within one TOML file this cannot happen; between files, and in JSON, it can.
// Part of check_spec.
void check_duplicate_keys(const Spec& spec, Report& report);

// The values of a spec without errors, sorted by id.
Config take_sorted(Spec spec);

}  // namespace keyherd::config
