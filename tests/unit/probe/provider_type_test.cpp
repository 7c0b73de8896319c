#include "probe/provider_type.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace keyherd;

namespace {
std::string problem(std::string type, model::ProbeMethod method, std::string model = "") {
  model::Provider provider;
  provider.id = "p";
  provider.type = std::move(type);
  provider.probe.method = method;
  provider.probe.model = std::move(model);
  const Status status = probe::check_provider(provider);
  return status ? "" : status.error().message;
}
}  // namespace

TEST_CASE("every provider type of the configuration can be probed", "[probe]") {
  CHECK(probe::supported_types() == model::provider_types());
  for (const std::string& name : model::provider_types()) {
    INFO(name);
    REQUIRE(probe::find_provider_type(name) != nullptr);
    CHECK(probe::find_provider_type(name)->name == name);
  }
  CHECK(probe::find_provider_type("no-such") == nullptr);
}

TEST_CASE("every type has a chat and a ladder of probes that it has", "[probe]") {
  for (const std::string& name : probe::supported_types()) {
    INFO(name);
    const probe::ProviderType& type = *probe::find_provider_type(name);
    CHECK(type.rung(model::ProbeKind::chat));
    REQUIRE_FALSE(type.ladder.empty());
    for (const model::ProbeKind kind : type.ladder) {
      CHECK(type.rung(kind));
      CHECK(kind != model::ProbeKind::chat);
    }
  }
}

TEST_CASE("texts of rules are in lower case, or they could never match", "[probe]") {
  for (const std::string& name : probe::supported_types())
    for (const probe::Rule& rule : probe::find_provider_type(name)->rules)
      for (const std::string_view text : rule.texts) {
        INFO(name << ": " << text);
        CHECK(std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
      }
}

TEST_CASE("probe settings that cannot work are named", "[probe]") {
  using model::ProbeMethod;
  CHECK(problem("deepseek", ProbeMethod::automatic).empty());
  CHECK(problem("deepseek", ProbeMethod::balance).empty());
  CHECK(problem("deepseek", ProbeMethod::chat).empty());
  CHECK(problem("openai_compat", ProbeMethod::automatic).empty());
  CHECK(problem("openai_compat", ProbeMethod::chat, "m").empty());
  CHECK(problem("openai_compat", ProbeMethod::balance) ==
        "probe method \"balance\" does not exist for type \"openai_compat\"; it has auto, models, "
        "chat, auth");
  CHECK(problem("openai_compat", ProbeMethod::chat) ==
        "probe method \"chat\" needs probe.model for type \"openai_compat\"");
  CHECK(problem("nonesuch", ProbeMethod::automatic) == "provider type \"nonesuch\" is not known");
}
