#pragma once

// Random batches for the Store's contract suite, from a seed.

#include <random>

#include "store/store.hpp"

namespace keyherd::test {

// A WallTime within the first minutes of May 2026, at nanosecond grain.
WallTime some_time(std::mt19937& random);

// A batch in which every part is present, sometimes with the same identity as in an earlier batch.
// `number` makes its schedule firings new.
store::Batch random_batch(std::mt19937& random, int number);

}  // namespace keyherd::test
