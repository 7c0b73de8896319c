#pragma once

// The Store in memory, for tests and for `keyherd run` with state = ":memory:". Held to the same
// contract suite as SQLite.

#include <memory>

#include "store/store.hpp"

namespace keyherd::store {

std::unique_ptr<Store> make_memory_store();

}  // namespace keyherd::store
