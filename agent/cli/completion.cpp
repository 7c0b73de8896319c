#include "cli/completion.hpp"

#include <algorithm>
#include <array>

#include "cli/app.hpp"

namespace keyherd::cli {

namespace {

constexpr std::string_view kHead = "# keyherd completion, made by: keyherd completion ";

// How the values of an option are completed, by what help calls them.
enum class Values { none, files, keys, pools, shells, columns };
Values values_of(const OptionHelp& option) {
  constexpr std::array<std::pair<std::string_view, Values>, 6> kTable{
      {{"KEY", Values::keys},
       {"POOL", Values::pools},
       {"FILE", Values::files},
       {"LOG", Values::files},
       {"SHELL", Values::shells},
       {"COLUMNS", Values::columns}}};
  for (const auto& [name, values] : kTable) {
    if (name == option.value)
      return values;
  }
  return Values::none;
}

std::string_view words_of(Values values) {
  switch (values) {
    case Values::shells:
      return "bash zsh fish";
    case Values::columns:
      return "key provider pool group model hour day month";
    case Values::none:
    case Values::files:
    case Values::keys:
    case Values::pools:
      return "";
  }
  return "";
}

// --- bash

std::string bash_values(Values values) {
  switch (values) {
    case Values::files:
      return "COMPREPLY=($(compgen -f -- \"$cur\"))";
    case Values::keys:
      return "COMPREPLY=($(compgen -W \"$(_keyherd_ids keys)\" -- \"$cur\"))";
    case Values::pools:
      return "COMPREPLY=($(compgen -W \"$(_keyherd_ids pools)\" -- \"$cur\"))";
    case Values::shells:
    case Values::columns:
      return "COMPREPLY=($(compgen -W \"" + std::string(words_of(values)) + "\" -- \"$cur\"))";
    case Values::none:
      return "COMPREPLY=()";
  }
  return "";
}

// The ids are those of the configuration that the line names.
constexpr std::string_view kBashStart = R"(_keyherd_ids() {
  local i config=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${COMP_WORDS[i]} == --config ]] && config=(--config "${COMP_WORDS[i + 1]}")
  done
  "${COMP_WORDS[0]}" completion "$1" "${config[@]}" 2>/dev/null
}

_keyherd() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' words='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    --config) ((i++)) ;;
    -*) ;;
    *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  if [[ $prev == --config ]]; then
    COMPREPLY=($(compgen -f -- "$cur"))
    return
  fi
)";

std::string bash_script() {
  std::string names;
  std::string words;
  std::string values;
  std::string positionals;
  std::string globals;
  for (const OptionHelp& option : describe_global_options())
    globals += " " + option.name;
  for (const CommandHelp& command : describe_commands()) {
    names += (names.empty() ? "" : " ") + command.name;
    std::string own = "--help" + globals;
    for (const OptionHelp& option : command.options) {
      if (option.positional) {
        positionals += "    " + command.name + ") " + bash_values(values_of(option)) + " ;;\n";
        continue;
      }
      own += " " + option.name;
      if (!option.value.empty())
        values += "    '" + command.name + " " + option.name + "') " +
                  bash_values(values_of(option)) + "; return ;;\n";
    }
    words += "    " + command.name + ") words='" + own + "' ;;\n";
  }
  return std::string(kHead) + "bash\n" + std::string(kBashStart) +
         "  if [[ -z $command ]]; then\n    COMPREPLY=($(compgen -W '" + names +
         " --help --version" + globals + "' -- \"$cur\"))\n    return\n  fi\n" +
         "  case \"$command $prev\" in\n" + values + "  esac\n  case $command in\n" + words +
         "  esac\n  if [[ $cur == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n    return\n  fi\n"
         "  case $command in\n" +
         positionals + "  esac\n}\ncomplete -o filenames -F _keyherd keyherd\n";
}

// --- zsh

std::string zsh_quoted(const std::string& text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else if (c == '[' || c == ']' || c == ':' || c == '\\')
      quoted += std::string("\\") + c;
    else
      quoted += c;
  }
  return quoted;
}

std::string zsh_values(Values values) {
  switch (values) {
    case Values::files:
      return "_files";
    case Values::keys:
      return "_keyherd_ids keys";
    case Values::pools:
      return "_keyherd_ids pools";
    case Values::shells:
    case Values::columns:
      return "(" + std::string(words_of(values)) + ")";
    case Values::none:
      return " ";
  }
  return "";
}

std::string zsh_option(const OptionHelp& option) {
  const std::string values =
      option.value.empty() ? ""
                           : ":" + zsh_quoted(option.value) + ":" + zsh_values(values_of(option));
  if (option.positional)
    return std::string("'") + (option.many ? "*" : "") + values + "'";
  return "'" + option.name + "[" + zsh_quoted(option.text) + "]" + values + "'";
}

std::string zsh_script() {
  std::string names;
  std::string cases;
  std::string globals;
  for (const OptionHelp& option : describe_global_options())
    globals += " " + zsh_option(option);
  for (const CommandHelp& command : describe_commands()) {
    names += "    '" + command.name + ":" + zsh_quoted(command.summary) + "'\n";
    cases += "      " + command.name + ") _arguments '--help[explain it]'" + globals;
    for (const OptionHelp& option : command.options)
      cases += " \\\n        " + zsh_option(option);
    cases += " ;;\n";
  }
  return "#compdef keyherd\n" + std::string(kHead) + "zsh\n" +
         R"zsh(_keyherd_ids() {
  local -a ids
  ids=(${(f)"$(keyherd completion $1 2>/dev/null)"})
  compadd -a ids
}

_keyherd() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands
  commands=(
)zsh" + names +
         R"zsh(  )
  _arguments -C '--help[explain it]' '--version[tell the version]')zsh" +
         globals + R"zsh( '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
)zsh" + cases +
         R"zsh(      esac ;;
  esac
}

if [[ $funcstack[1] == _keyherd ]]; then _keyherd "$@"; else compdef _keyherd keyherd; fi
)zsh";
}

// --- fish

std::string fish_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text)
    quoted += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return quoted + "'";
}

std::string fish_values(Values values) {
  switch (values) {
    case Values::files:
      return " -F";
    case Values::keys:
      return " -f -a '(keyherd completion keys 2>/dev/null)'";
    case Values::pools:
      return " -f -a '(keyherd completion pools 2>/dev/null)'";
    case Values::shells:
    case Values::columns:
      return " -f -a " + fish_quoted(std::string(words_of(values)));
    case Values::none:
      return " -f";
  }
  return "";
}

std::string fish_option(const std::string& condition, const OptionHelp& option) {
  std::string line = "complete -c keyherd" + condition;
  if (!option.positional)
    line += " -l " + option.name.substr(2) + (option.value.empty() ? "" : " -r");
  if (!option.value.empty())
    line += fish_values(values_of(option));
  return line + " -d " + fish_quoted(option.text) + "\n";
}

std::string fish_script() {
  std::string script = std::string(kHead) + "fish\ncomplete -c keyherd -f\n";
  for (const OptionHelp& option : describe_global_options())
    script += fish_option("", option);
  for (const CommandHelp& command : describe_commands()) {
    script += "complete -c keyherd -n __fish_use_subcommand -a " + command.name + " -d " +
              fish_quoted(command.summary) + "\n";
    for (const OptionHelp& option : command.options)
      script += fish_option(" -n '__fish_seen_subcommand_from " + command.name + "'", option);
  }
  return script;
}

}  // namespace

std::optional<Shell> shell_from_string(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Shell>, 3> kShells{
      {{"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}}};
  for (const auto& [known, shell] : kShells) {
    if (known == name)
      return shell;
  }
  return std::nullopt;
}

std::string completion_script(Shell shell) {
  switch (shell) {
    case Shell::bash:
      return bash_script();
    case Shell::zsh:
      return zsh_script();
    case Shell::fish:
      return fish_script();
  }
  return "";
}

}  // namespace keyherd::cli
