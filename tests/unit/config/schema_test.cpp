#include "config/schema.hpp"

#include <algorithm>
#include <fstream>
#include <set>

#include "base/files.hpp"
#include "config/diff.hpp"
#include "config/reference.hpp"
#include "config/sections.hpp"
#include "config_text.hpp"
#include "support/temp_dir.hpp"

using namespace keyherd;
using namespace keyherd::config;

namespace {

// Whether every choice of a field is a name that the enum's parser knows.
template <class Enum>
void check_choices(SectionId id, std::string_view name,
                   std::optional<Enum> (*parse)(std::string_view), std::size_t count) {
  const Field* field = find_field(section(id), name);
  REQUIRE(field != nullptr);
  const auto choices = choice_list(*field);
  INFO(name);
  CHECK(choices.size() == count);
  for (const std::string& choice : choices)
    CHECK(parse(choice));
}

// A valid text in which `line`, of the field `name`, stands in the given section.
std::string with_line(SectionId id, std::string_view name, const std::string& line) {
  const auto in = [&](SectionId here) { return here == id ? line + "\n" : std::string(); };
  // The kind of target that the field belongs to.
  std::string publish = "file = \"/run/a.json\"";
  if (id == SectionId::publish && name == "timeout")
    publish = "exec = [\"/bin/true\"]";
  else if (id == SectionId::publish && name != "mode" && name != "template" && name != "variable")
    publish = "webhook = \"https://h.example\"";
  if (id == SectionId::publish && name == "variable")
    publish += ", template = \"env\"";
  if (id == SectionId::publish && !line.empty())
    publish += ", " + line;
  return "[agent]\n" + in(SectionId::agent) + "[providers.p]\ntype = \"deepseek\"\n" +
         in(SectionId::provider) + "[providers.p.probe]\n" + in(SectionId::probe) +
         "[keys.k]\nprovider = \"p\"\nsecret = \"env:K\"\n" + in(SectionId::key) +
         "[issuers.i]\ntype = \"openrouter\"\nadmin_secret = \"env:I\"\n" + in(SectionId::issuer) +
         "[quotas.q]\nlimit = 5\n" + in(SectionId::quota) + "[pools.o]\nkeys = [\"k\"]\n" +
         in(SectionId::pool) + (id == SectionId::pool ? "" : "publish = [{ " + publish + " }]\n") +
         "[usage_logs.u]\npath = \"/u.log\"\n" + in(SectionId::usage_log) +
         (id == SectionId::token ? "[[web.tokens]]\nrole = \"read\"\ntoken = \"env:T\"\n" : "");
}

}  // namespace

TEST_CASE("the schema's sections stand in the order of their ids") {
  for (std::size_t i = 0; i < schema().size(); ++i)
    CHECK(static_cast<std::size_t>(schema()[i].id) == i);
}

TEST_CASE("no section has a field twice, and every field is documented") {
  for (const Section& section : schema()) {
    std::set<std::string_view> names;
    for (const Field& field : section.fields) {
      INFO(section.path << "." << field.name);
      CHECK(names.insert(field.name).second);
      CHECK(field.doc.size() > 8);
      CHECK(field.doc.ends_with("."));
      const bool is_choice = field.type == Type::choice || field.type == Type::choices;
      CHECK(is_choice == !field.choices.empty());
    }
  }
}

TEST_CASE("the choices of the schema are the names of the enums") {
  check_choices(SectionId::probe, "method", model::probe_method_from_string, 5);
  check_choices(SectionId::quota, "unit", model::quota_unit_from_string, 5);
  check_choices(SectionId::pool, "strategy", model::strategy_from_string, 6);
  check_choices(SectionId::pool, "catch_up", model::catch_up_from_string, 2);
  check_choices(SectionId::pool, "rotate_on", model::rotate_on_from_string, 6);
  check_choices(SectionId::pool, "mode", model::rotation_mode_from_string, 6);
  check_choices(SectionId::publish, "template", model::file_template_from_string, 3);
  check_choices(SectionId::issuer, "type", model::issuer_type_from_string, model::kIssuerTypeCount);
  check_choices(SectionId::token, "role", model::role_from_string, model::kRoleCount);
  const auto types = choice_list(*find_field(section(SectionId::provider), "type"));
  CHECK(types == model::provider_types());
}

TEST_CASE("every provider type with a place of its own has a valid URL, the others need one") {
  std::vector<std::string> without;
  for (const std::string& type : model::provider_types()) {
    if (!default_base_url(type))
      without.push_back(type);
    else
      CHECK(test::parse("[providers.p]\ntype = \"" + type + "\"\n").providers[0].base_url ==
            *default_base_url(type));
  }
  CHECK(without == std::vector<std::string>{"azure", "litellm", "newapi", "openai_compat"});
}

TEST_CASE("writing a documented default changes nothing") {
  for (const Section& section : schema()) {
    for (const Field& field : section.fields) {
      if (field.fallback.empty() || field.type == Type::table_list ||
          section.id == SectionId::token)
        continue;
      const std::string line = std::string(field.name) + " = " + std::string(field.fallback);
      INFO(section.path << "." << line);
      const auto explicit_default = test::parse(with_line(section.id, field.name, line));
      const auto implicit = test::parse(with_line(section.id, field.name, ""));
      CHECK(describe_changes(implicit, explicit_default) == std::vector<std::string>());
    }
  }
}

TEST_CASE("the reference in docs/configuration.md is the schema's") {
  const std::string path = std::string(KEYHERD_SOURCE) + "/docs/configuration.md";
  const std::string text = make_posix_file_system()->read(path, 1U << 20U).value();
  const auto at = text.find("## Reference\n");
  REQUIRE(at != std::string::npos);
  const bool is_same = text.substr(at) == config_reference_markdown();
  if (!is_same) {
    // Kept for copying into the document.
    const test::TempDir directory;
    const std::string generated = directory / "reference.md";
    std::ofstream(generated) << config_reference_markdown();
    FAIL("docs/configuration.md is behind the schema: replace its end by " << generated);
  }
  CHECK(is_same);
}
