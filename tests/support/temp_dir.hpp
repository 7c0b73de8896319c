#pragma once

// A directory of the test's own. Removed when the test passed; kept, and its path printed, when an
// exception is in flight (a failed REQUIRE) or keep() was called.

#include <string>

namespace keyherd::test {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  int exceptions_;
};

}  // namespace keyherd::test
