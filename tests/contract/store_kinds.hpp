#pragma once

// The implementations of the Store as types for the contract suite. reopen() ends one life of the
// store and begins the next; what was committed must be there in both.

#include <catch2/catch.hpp>
#include <memory>

#include "store/memory_store.hpp"
#include "store/sqlite_store.hpp"
#include "support/temp_dir.hpp"

namespace keyherd::test {

inline void commit(store::Store& store, const store::Batch& batch) {
  const Status done = store.commit(batch);
  if (!done)
    FAIL(done.error().message);
}

// So many seconds after 2026-05-01T00:00:00Z.
inline WallTime at(int seconds) {
  return WallTime(std::chrono::seconds(1'777'593'600 + seconds));
}

class InMemory {
 public:
  store::Store& store() { return *store_; }
  store::Store& reopen() { return *store_; }

 private:
  std::unique_ptr<store::Store> store_ = store::make_memory_store();
};

class InSqlite {
 public:
  InSqlite() { reopen(); }
  store::Store& store() { return *store_; }
  store::Store& reopen() {
    store_.reset();
    auto opened = store::open_sqlite_store({directory_ / "keyherd.db"});
    if (!opened)
      FAIL(opened.error().message);
    store_ = std::move(*opened);
    return *store_;
  }

 private:
  TempDir directory_;
  std::unique_ptr<store::Store> store_;
};

}  // namespace keyherd::test
