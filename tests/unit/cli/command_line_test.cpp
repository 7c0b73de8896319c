#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json.hpp"
#include "cli/app.hpp"
#include "cli/completion.hpp"
#include "cli/manual.hpp"
#include "cli/table.hpp"
#include "cli_context.hpp"

using namespace keyherd;
using namespace keyherd::cli;

namespace {

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome run(const std::vector<std::string>& arguments) {
  test::CliContext world;
  const int code = run_command_line(world.context, arguments);
  return {code, world.out.str(), world.err.str()};
}

}  // namespace

TEST_CASE("every command says what it does, what it takes, and shows examples of itself") {
  std::set<std::string> names;
  for (const CommandHelp& command : describe_commands()) {
    INFO(command.name);
    CHECK(names.insert(command.name).second);
    CHECK_FALSE(command.summary.empty());
    CHECK(command.examples.find("keyherd " + command.name) != std::string::npos);
    for (const OptionHelp& option : command.options) {
      INFO(option.name);
      CHECK_FALSE(option.text.empty());
    }
    const Outcome help = run({command.name, "--help"});
    CHECK(help.code == kFine);
    CHECK(help.out.find("Examples:\n  ") != std::string::npos);
    for (const OptionHelp& option : command.options)
      CHECK(help.out.find(option.name) != std::string::npos);
  }
}

TEST_CASE("a mistake is one line that helps, or one object in JSON mode") {
  CHECK(run({}).err == "keyherd: a command is needed; see: keyherd --help\n");
  CHECK(run({"statsu"}).err == "keyherd: no command 'statsu'; did you mean 'status'?\n");
  CHECK(run({"--config", "usage", "xyzzy"}).err ==
        "keyherd: no command 'xyzzy'; see: keyherd --help\n");
  CHECK(run({"status", "--nonsense"}).err.find("see: keyherd status --help\n") !=
        std::string::npos);
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--json"},
                                             {"statsu", "--json"},
                                             {"rotate", "--json"},
                                             {"--json", "completion", "sh"}}) {
    const Outcome told = run(arguments);
    CHECK(told.code == kWrongUsage);
    CHECK(told.err.empty());
    const auto error = parse_json(told.out);
    REQUIRE(error);
    CHECK((*error)["error"]["code"] == "invalid");
    CHECK_FALSE((*error)["error"]["message"].get<std::string>().empty());
  }
  CHECK(run({"--version"}).out.starts_with("keyherd "));
}

TEST_CASE("completion scripts know every command and option") {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = run({"completion", shell}).out;
    for (const CommandHelp& command : describe_commands()) {
      INFO(shell << " " << command.name);
      CHECK(script.find(command.name) != std::string::npos);
      for (const OptionHelp& option : command.options) {
        if (!option.positional)
          CHECK(script.find(std::string(shell) == "fish" ? "-l " + option.name.substr(2)
                                                         : option.name) != std::string::npos);
      }
    }
  }
  CHECK(run({"completion", "tcsh"}).err ==
        "keyherd: no completion for 'tcsh'; there is one for bash, zsh and fish\n");
}

TEST_CASE("keys and pools are completed from the configuration, silently without one") {
  test::CliContext world;
  CHECK(run_command_line(world.context, {"completion", "keys"}) == kFine);
  CHECK(world.out.str().empty());
  world.files.create("keyherd.toml",
                     "[providers.p]\ntype = \"deepseek\"\n[keys.b]\nprovider = \"p\"\nsecret = "
                     "\"env:B\"\n[keys.a]\nprovider = \"p\"\nsecret = \"env:A\"\n[pools.prod]\n"
                     "keys = [\"a\"]\n");
  CHECK(run_command_line(world.context, {"completion", "keys"}) == kFine);
  CHECK(world.out.str() == "a\nb\n");
  world.out.str("");
  CHECK(run_command_line(world.context, {"completion", "pools"}) == kFine);
  CHECK(world.out.str() == "prod\n");
  CHECK(world.err.str().empty());
}

TEST_CASE("there is a manual page for every command, and hyphens in it can be copied") {
  const auto pages = manual_pages();
  REQUIRE(pages.size() == describe_commands().size() + 1);
  CHECK(pages.front().file == "keyherd.1");
  for (const CommandHelp& command : describe_commands())
    CHECK(pages.front().text.find("keyherd\\-" + command.name) != std::string::npos);
  for (const ManualPage& page : pages) {
    INFO(page.file);
    for (const char* section :
         {".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", ".SH EXIT STATUS"})
      CHECK(page.text.find(section) != std::string::npos);
    CHECK(page.text.find("\n'") == std::string::npos);
  }
  CHECK(run({"man", "usage"}).out.find("\\fB\\-\\-timezone\\fR \\fIZONE\\fR") != std::string::npos);
  CHECK(run({"man"}).out.starts_with(".\\\" made by"));
  CHECK(run({"man", "nonsense"}).code == kWrongUsage);
  test::CliContext world;
  CHECK(run_command_line(world.context, {"man", "--directory", "/man"}) == kFine);
  CHECK(world.files.content("/man/keyherd-usage.1") == run({"man", "usage"}).out);
}

TEST_CASE("on a narrow terminal the last column is cut, for programs nothing is") {
  test::CliContext world;
  Table table({"KEY", "WHY"});
  table.add({"k1", "a long story about everything that happened"});
  world.context.columns = 24;
  table.print(world.context);
  CHECK(world.out.str() == "KEY  WHY\nk1   a long story about…\n");
  world.out.str("");
  world.context.columns = 0;
  table.print(world.context);
  CHECK(world.out.str().find("happened\n") != std::string::npos);
}
