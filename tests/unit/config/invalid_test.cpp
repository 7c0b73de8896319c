// Every rule has a file tests/data/config/invalid-<rule>.toml and its exact messages beside it.

#include <catch2/catch.hpp>

#include "base/files.hpp"
#include "config/load.hpp"

using namespace keyherd;

namespace {

const std::string kDirectory = std::string(KEYHERD_TEST_DATA) + "/config/";

std::string without_directory(std::string text) {
  for (auto at = text.find(kDirectory); at != std::string::npos; at = text.find(kDirectory))
    text.erase(at, kDirectory.size());
  return text;
}

std::vector<std::string> fixtures(const FileSystem& files) {
  return files.glob(kDirectory + "invalid-*.toml").value();
}

}  // namespace

TEST_CASE("each invalid configuration gives exactly the messages beside it") {
  const auto files = make_posix_file_system();
  REQUIRE(fixtures(*files).size() >= 45);
  for (const std::string& path : fixtures(*files)) {
    const std::string expected_path = path.substr(0, path.size() - 5) + ".expected";
    const auto result = config::load_config(path, *files, {{"keyherd"}});
    std::string messages;
    for (const config::Problem& problem : result.errors)
      messages += without_directory(config::to_string(problem)) + "\n";
    INFO(path);
    CHECK(messages == files->read(expected_path, 100'000).value());
    CHECK_FALSE(result.config);
  }
}

TEST_CASE("no message about an invalid configuration shows a secret that stands in it") {
  const auto files = make_posix_file_system();
  int with_canary = 0;
  for (const std::string& path : fixtures(*files)) {
    with_canary += files->read(path, 100'000).value().find("CANARY") != std::string::npos ? 1 : 0;
    const auto result = config::load_config(path, *files);
    for (const auto* list : {&result.errors, &result.warnings}) {
      for (const config::Problem& problem : *list)
        CHECK(config::to_string(problem).find("CANARY") == std::string::npos);
    }
  }
  CHECK(with_canary >= 8);
}

TEST_CASE("a configuration that is not there is one clear error") {
  const auto files = make_posix_file_system();
  const auto result = config::load_config(kDirectory + "absent.toml", *files);
  CHECK_FALSE(result.config);
  REQUIRE(result.errors.size() == 1);
  CHECK(result.errors[0].line == 0);
  CHECK(result.errors[0].message.find("No such file") != std::string::npos);
}
