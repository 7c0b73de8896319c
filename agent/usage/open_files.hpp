#pragma once

// How many log files are open at once, over all sources: a strict bound, since the server and the
// probes want descriptors too. One thread.

#include <cstddef>
#include <memory>

#include "base/files.hpp"

namespace keyherd::usage {

class OpenFiles {
 public:
  // Comparing two files takes both.
  static constexpr std::size_t kLeast = 2;

  explicit OpenFiles(std::size_t most) : most_(most < kLeast ? kLeast : most) {}

  [[nodiscard]] bool has_room() const { return *open_ < most_; }
  // Counts the file until the last owner lets go of it.
  std::shared_ptr<const ReadableFile> hold(std::unique_ptr<const ReadableFile> file) {
    ++*open_;
    return {file.release(), [open = open_](const ReadableFile* each) {
              delete each;
              --*open;
            }};
  }

 private:
  const std::size_t most_;
  std::shared_ptr<std::size_t> open_ = std::make_shared<std::size_t>(0);
};

}  // namespace keyherd::usage
