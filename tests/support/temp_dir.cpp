#include "support/temp_dir.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

namespace keyherd::test {

TempDir::TempDir() : exceptions_(std::uncaught_exceptions()) {
  const char* parent = std::getenv("TMPDIR");
  std::string pattern = std::string(parent != nullptr ? parent : "/tmp") + "/keyherd-test-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr)
    std::abort();
  path_ = pattern;
}

TempDir::~TempDir() {
  if (std::uncaught_exceptions() > exceptions_) {
    std::fprintf(stderr, "kept for a look: %s\n", path_.c_str());
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace keyherd::test
