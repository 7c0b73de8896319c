#pragma once

// What the agent does between its usage logs and its store, in one thread: the real Tailer on real
// files, the real store, one transaction a batch. For programs that are killed.

#include <map>
#include <memory>
#include <string>

#include "base/files.hpp"
#include "store/store.hpp"
#include "usage/tailer.hpp"

namespace keyherd::test {

class Teller {
 public:
  // Follows <directory>/usage.jsonl*, keeps its state in <directory>/state.db.
  // split_commits: offsets in a transaction of their own, after the counts. That is what must not
  // be done: the tests must catch it.
  static Result<std::unique_ptr<Teller>> open(const std::string& directory, bool split_commits);

  // One look at the logs, and the commit of what they said; tried again while the store refuses it,
  // a hundred times at most. True when there was something.
  Result<bool> step();
  // Steps until there is nothing more.
  Status drain();
  // Key "k1": requests and input tokens.
  Result<model::UsageCounts> totals();

 private:
  Teller(std::unique_ptr<store::Store> store, const std::string& directory, store::State state);
  Status commit(store::Batch batch);
  Status commit_whole(const store::Batch& batch);

  std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<usage::Tailer> tailer_;
  bool split_commits_ = false;
};

}  // namespace keyherd::test
