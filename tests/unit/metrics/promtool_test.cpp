// Prometheus' own linter over what the agent says.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "sample_herd.hpp"
#include "support/temp_dir.hpp"

namespace {

using keyherd::test::add;
using keyherd::test::Fixture;

bool have_promtool() {
  return std::system("command -v promtool >/dev/null 2>&1") == 0;  // NOLINT(cert-env33-c)
}

void lint(const keyherd::model::Snapshot& snapshot) {
  if (!have_promtool()) {
    WARN("promtool is not installed (Debian package prometheus): not linted");
    return;
  }
  Fixture fixture;
  fixture.exposition.observe_http("/metrics", "GET", 200, std::chrono::milliseconds(3));
  const keyherd::test::TempDir directory;
  std::ofstream(directory / "metrics") << fixture.exposition.render(snapshot);
  const std::string command =
      "promtool check metrics <" + (directory / "metrics") + " >" + (directory / "said") + " 2>&1";
  const int result = std::system(command.c_str());  // NOLINT(cert-env33-c)
  std::ifstream said(directory / "said");
  INFO(std::string(std::istreambuf_iterator<char>(said), {}));
  CHECK(result == 0);
}

TEST_CASE("promtool finds nothing amiss without a single key") {
  lint({});
}
TEST_CASE("promtool finds nothing amiss with every fact known") {
  lint(keyherd::test::full_snapshot());
}
TEST_CASE("promtool reads names that are full of quotes, backslashes and broken bytes") {
  keyherd::model::Snapshot snapshot = keyherd::test::full_snapshot();
  keyherd::model::KeyView key = keyherd::test::full_key("z\"\\\n\xff");
  key.usage_by_model = {{"a\nb", {}}, {"a b", {}}, {"\xc3", {}}};
  key.key.labels = {{"über-team", "x\"y"},
                    {"a-b", "1"},
                    {"a_b", "2"},
                    {"hostile", "\xff\n\"\\\xF0\x9F\x98\x80" + std::string(10'000, 'x')}};
  add(snapshot, std::move(key));
  lint(snapshot);
}

}  // namespace
