#include "config/init.hpp"

#include "config_text.hpp"

using namespace keyherd;

TEST_CASE("init writes references to the keys that the environment holds, never the keys") {
  const FixedEnvironment environment({{"DEEPSEEK_API_KEY", "sk-CANARY-one"},
                                      {"DEEPSEEK_API_KEY_1", "sk-CANARY-one"},
                                      {"DEEPSEEK_API_KEY_2", "sk-CANARY-two"},
                                      {"OPENAI_API_KEY", ""},
                                      {"HOLYSHEEP_API_KEY", "sk-CANARY-three"}});
  const std::string text = config::make_initial_config(environment);
  CHECK(text.find("CANARY") == std::string::npos);

  const auto config = test::parse(text);
  REQUIRE(config.keys.size() == 3);
  CHECK(config.keys[0].id == "deepseek-1");
  CHECK(config.keys[0].secret.text == "env:DEEPSEEK_API_KEY");
  CHECK(config.keys[1].secret.text == "env:DEEPSEEK_API_KEY_2");
  CHECK(config.keys[2].provider == "holysheep");
  REQUIRE(config.providers.size() == 2);
  CHECK(config.providers[1].type == "openai_compat");
  CHECK(config.providers[1].base_url == "https://api.holysheep.ai/v1");
  REQUIRE(config.pools.size() == 2);
  CHECK(config.pools[0].keys == std::vector<std::string>{"deepseek-1", "deepseek-2"});
}

TEST_CASE("init knows the usual variable of every provider it promises") {
  for (const char* name :
       {"DEEPSEEK", "OPENAI", "ANTHROPIC", "GEMINI", "OPENROUTER", "GROQ", "MISTRAL", "XAI",
        "MOONSHOT", "DASHSCOPE", "ZHIPU", "SILICONFLOW", "HOLYSHEEP"}) {
    const std::string variable = std::string(name) + "_API_KEY";
    const auto config = test::parse(
        config::make_initial_config(FixedEnvironment({{variable, "some-secret-value"}})));
    INFO(variable);
    REQUIRE(config.keys.size() == 1);
    CHECK(config.keys[0].secret.text == "env:" + variable);
  }
}

TEST_CASE("init without keys writes an example that loads, and that works once uncommented") {
  std::string text = config::make_initial_config(FixedEnvironment({}));
  CHECK(test::parse(text).keys.empty());
  const auto example = text.find("# [providers");
  REQUIRE(example != std::string::npos);
  const auto end = text.find("# Usage and cost");
  std::string uncommented = text.substr(example, end - example);
  for (auto at = uncommented.find("# "); at != std::string::npos; at = uncommented.find("# "))
    uncommented.erase(at, 2);
  for (auto at = uncommented.find("#\n"); at != std::string::npos; at = uncommented.find("#\n"))
    uncommented.erase(at, 1);
  CHECK(test::parse(uncommented).keys.size() == 1);
}
