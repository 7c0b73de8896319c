#include "cli/manual.hpp"

#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/build_info.hpp"

namespace keyherd::cli {

namespace {

constexpr std::string_view kExitStatus = R"(.SH EXIT STATUS
.TP
.B 0
fine
.TP
.B 1
the answer is bad news: an unhealthy key, a refused rotation
.TP
.B 2
wrong usage or configuration
.TP
.B 3
the agent or a server could not be reached
)";

constexpr std::string_view kEnvironment = R"(.SH ENVIRONMENT
.TP
.B KEYHERD_CONFIG
the configuration, where \fB\-\-config\fR does not name one
.TP
.B KEYHERD_TOKEN
the token that commands show to the agent; else the strongest of the configuration's that can be
read
.TP
.B NO_COLOR
no colours, whatever its value
.SH FILES
.TP
.I ./keyherd.toml
.TQ
.I /etc/keyherd/keyherd.toml
the configuration, the first that is there
)";

// Text that means itself: no escapes, no requests, hyphens that can be copied.
std::string roff(const std::string& text) {
  std::string escaped;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\''))
      escaped += "\\&";
    line_start = c == '\n';
    if (c == '\\')
      escaped += "\\e";
    else if (c == '-')
      escaped += "\\-";
    else
      escaped += c;
  }
  return escaped;
}

std::string title(const std::string& name, const std::string& summary) {
  return ".\\\" made by: keyherd man\n.TH " + name + " 1 \"\" \"keyherd " + std::string(kVersion) +
         "\" \"Keyherd\"\n.SH NAME\n" + roff(name) + " \\- " + roff(summary) + "\n";
}

std::string option_entry(const OptionHelp& option) {
  std::string entry = ".TP\n\\fB" + roff(option.name) + "\\fR";
  if (!option.positional && !option.value.empty())
    entry += " \\fI" + roff(option.value) + "\\fR";
  entry += "\n" + roff(option.text);
  if (!option.fallback.empty())
    entry += " (default: " + roff(option.fallback) + ")";
  return entry + "\n";
}

std::string synopsis_of(const CommandHelp& command) {
  std::string line = "\\fBkeyherd " + roff(command.name) + "\\fR";
  for (const OptionHelp& option : command.options) {
    if (!option.positional)
      continue;
    std::string word = "\\fI" + roff(option.name) + "\\fR" + (option.many ? "..." : "");
    line += option.required ? " " + word : " [" + word + "]";
  }
  return ".SH SYNOPSIS\n" + line + " [\\fIOPTIONS\\fR]\n";
}

std::string command_page(const CommandHelp& command, const std::vector<OptionHelp>& globals) {
  std::string page = title("keyherd-" + command.name, command.summary) + synopsis_of(command);
  page += ".SH OPTIONS\n";
  for (const OptionHelp& option : command.options)
    page += option_entry(option);
  for (const OptionHelp& option : globals)
    page += option_entry(option);
  page += ".SH EXAMPLES\n.nf\n";
  for (const std::string_view example : split(command.examples, '\n')) {
    if (!trim(example).empty())
      page += roff(std::string(trim(example))) + "\n";
  }
  page += ".fi\n";
  return page + std::string(kExitStatus) + ".SH SEE ALSO\n\\fBkeyherd\\fR(1)\n";
}

std::string main_page(const std::vector<CommandHelp>& commands,
                      const std::vector<OptionHelp>& globals) {
  std::string page =
      title("keyherd", "watches, accounts for and rotates a herd of LLM API keys") +
      ".SH SYNOPSIS\n\\fBkeyherd\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
      ".SH DESCRIPTION\nKeyherd stands beside the traffic, never in it. It validates every key "
      "with tiny probes,\naccounts for quota and cost from the usage logs that gateways write, "
      "rotates keys on schedules\nand events, and shows it to Prometheus, Alertmanager and "
      "Grafana.\n.SH COMMANDS\n";
  for (const CommandHelp& command : commands)
    page += ".TP\n\\fBkeyherd\\-" + roff(command.name) + "\\fR(1)\n" + roff(command.summary) + "\n";
  page += ".SH OPTIONS\n";
  for (const OptionHelp& option : globals)
    page += option_entry(option);
  page +=
      ".TP\n\\fB\\-\\-help\\fR\nexplain a command, with examples\n"
      ".TP\n\\fB\\-\\-version\\fR\ntell the version\n";
  return page + std::string(kEnvironment) + std::string(kExitStatus);
}

}  // namespace

std::vector<ManualPage> manual_pages() {
  const auto commands = describe_commands();
  const auto globals = describe_global_options();
  std::vector<ManualPage> pages{{"keyherd.1", main_page(commands, globals)}};
  for (const CommandHelp& command : commands)
    pages.push_back({"keyherd-" + command.name + ".1", command_page(command, globals)});
  return pages;
}

}  // namespace keyherd::cli
