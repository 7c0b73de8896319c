#include "config/secrets.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/subprocess.hpp"
#include "config/values.hpp"

namespace keyherd::config {

namespace {

using model::SecretRef;
constexpr std::size_t kMaxSecretFile = 65'536;

constexpr std::string_view kForms =
    "env:NAME, file:PATH, exec:[\"cmd\", \"arg\"], credential:NAME or keyring:ID";

tl::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::invalid, std::move(message));
}

bool is_variable_name(std::string_view text) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && (text.front() < '0' || text.front() > '9') &&
         std::all_of(text.begin(), text.end(), is_word);
}

// Names of credentials and keyring entries: an id that cannot climb out of a directory.
bool is_entry_name(std::string_view text) {
  return is_id(text) && text != "." && text != "..";
}

Result<std::vector<std::string>> parse_argv(std::string_view text) {
  constexpr std::string_view kShape =
      "exec: is followed by a JSON array of texts, such as exec:[\"cmd\", \"arg\"]";
  const auto parsed = parse_json(text, 2);
  if (!parsed || !parsed->is_array() || parsed->empty())
    return refuse(std::string(kShape));
  std::vector<std::string> argv;
  for (const nlohmann::json& item : *parsed) {
    if (!item.is_string())
      return refuse(std::string(kShape));
    argv.push_back(item.get<std::string>());
    if (argv.back().find('\0') != std::string::npos)
      return refuse("exec: a program's arguments cannot contain NUL");
  }
  if (argv.front().empty())
    return refuse(std::string(kShape));
  return argv;
}

// One line break at the end is the editor's or the command's, not the secret's.
Result<Secret> as_secret(std::string value, std::string_view shown) {
  if (value.ends_with('\n'))
    value.pop_back();
  if (value.ends_with('\r'))
    value.pop_back();
  if (value.empty())
    return refuse(fmt::format("reading the secret {}: it is empty", shown));
  return Secret(std::move(value));
}

Result<std::string> read_whole(const ReadableFile& file, std::uint64_t size,
                               std::string_view shown) {
  if (size > kMaxSecretFile)
    return fail(ErrorCode::too_large,
                fmt::format("reading the secret {}: the file is larger than 64 KiB", shown));
  std::string content(static_cast<std::size_t>(size), '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    KH_ASSIGN(const std::size_t count, file.read_at(filled, std::span(content).subspan(filled)));
    if (count == 0)
      break;
    filled += count;
  }
  content.resize(filled);
  return content;
}

Status check_closed(const FileStat& stat, const std::string& path) {
  // Root may lend a file to the group of an agent that is not root, as Kubernetes does with mounted
  // Secrets (fsGroup): to read, not to write.
  const bool is_lent = stat.owner == 0 && ::geteuid() != 0;
  const unsigned others = is_lent ? 037 : 077;
  if ((stat.mode & others) != 0)
    return fail(ErrorCode::denied,
                fmt::format("reading the secret file {}: it is open to others than its owner (mode "
                            "{:04o}); run: chmod 600 {}",
                            path, stat.mode, path));
  if (stat.owner != 0 && stat.owner != ::geteuid())
    return fail(
        ErrorCode::denied,
        fmt::format("reading the secret file {}: it belongs to another user; run: chown {} {}",
                    path, ::geteuid(), path));
  return {};
}

// The checks look at the file that is open, so that nobody can swap it between check and reading.
Result<Secret> read_file(const std::string& path, std::string_view shown, const FileSystem& files,
                         bool must_be_closed) {
  auto file = files.open(path);
  if (!file)
    return fail(with_context(std::move(file).error(), fmt::format("reading the secret {}", shown)));
  KH_ASSIGN(const FileStat stat, (*file)->stat());
  if (must_be_closed)
    KH_TRY(check_closed(stat, path));
  KH_ASSIGN(std::string content, read_whole(**file, stat.size, shown));
  return as_secret(std::move(content), shown);
}

// systemd guards its directory itself, and shows access lists as group permissions.
Result<Secret> read_credential(const SecretRef& reference, const SecretSources& sources) {
  const auto directory = sources.environment.get("CREDENTIALS_DIRECTORY");
  if (!directory || directory->empty())
    return fail(ErrorCode::not_found,
                fmt::format("reading the secret {}: $CREDENTIALS_DIRECTORY is not set; let systemd "
                            "pass it with LoadCredential={}:PATH",
                            reference.text, reference.name));
  return read_file(*directory + "/" + reference.name, reference.text, sources.files, false);
}

Result<Secret> read_variable(const SecretRef& reference, const SecretSources& sources) {
  auto value = sources.environment.get(reference.name);
  if (!value)
    return fail(
        ErrorCode::not_found,
        fmt::format("reading the secret {}: the environment has no such variable", reference.text));
  return as_secret(std::move(*value), reference.text);
}

// Neither output nor error output is ever shown: both may hold the secret.
Result<Secret> run_command(const SecretRef& reference, const SecretSources& sources,
                           const std::stop_token& stop) {
  SubprocessRequest request;
  request.argv = reference.argv;
  request.timeout = sources.timeout;
  request.max_output_bytes = kMaxSecretFile;
  auto result = run_subprocess(request, stop);
  if (!result)
    return fail(with_context(std::move(result).error(), "reading the secret " + reference.text));
  if (result->exit_code != 0)
    return fail(ErrorCode::unavailable,
                fmt::format("reading the secret {}: the command ended with exit code {}",
                            reference.text, result->exit_code));
  if (result->output_truncated)
    return fail(
        ErrorCode::too_large,
        fmt::format("reading the secret {}: the command wrote more than 64 KiB", reference.text));
  return as_secret(std::move(result->output), reference.text);
}

Result<Secret> read_keyring(const SecretRef& reference, const SecretSources& sources) {
  if (!sources.keyring)
    return fail(ErrorCode::unavailable,
                fmt::format("reading the secret {}: there is no keyring here; it needs "
                            "agent.master_key",
                            reference.text));
  auto secret = sources.keyring(reference.name);
  if (!secret)
    return fail(with_context(std::move(secret).error(), "reading the secret " + reference.text));
  return secret;
}

}  // namespace

Result<SecretRef> parse_secret_ref(std::string_view text, std::string_view directory) {
  SecretRef reference;
  reference.text = text;
  const auto colon = text.find(':');
  const std::string_view scheme = text.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (scheme == "env" && colon != std::string_view::npos) {
    if (!is_variable_name(rest))
      return refuse(
          "env: is followed by the name of an environment variable, such as env:OPENAI_KEY");
    reference.kind = SecretRef::Kind::env;
    reference.name = rest;
  } else if (scheme == "file" && colon != std::string_view::npos) {
    if (rest.empty() || rest.find('\0') != std::string_view::npos)
      return refuse("file: is followed by a path, such as file:/etc/keyherd/openai.key");
    reference.kind = SecretRef::Kind::file;
    reference.name = resolve_path(directory, rest);
  } else if (scheme == "exec" && colon != std::string_view::npos) {
    KH_ASSIGN(reference.argv, parse_argv(rest));
    reference.kind = SecretRef::Kind::exec;
  } else if (scheme == "credential" || scheme == "keyring") {
    if (!is_entry_name(rest))
      return refuse(fmt::format("{}: is followed by a name of {}", scheme, kIdRule));
    reference.kind = scheme == "keyring" ? SecretRef::Kind::keyring : SecretRef::Kind::credential;
    reference.name = rest;
  } else {
    return refuse(fmt::format("a literal secret is refused: write where it is, as {}", kForms));
  }
  return reference;
}

Result<Secret> resolve_secret(const SecretRef& reference, const SecretSources& sources,
                              const std::stop_token& stop) {
  switch (reference.kind) {
    case SecretRef::Kind::env:
      return read_variable(reference, sources);
    case SecretRef::Kind::file:
      return read_file(reference.name, reference.text, sources.files, true);
    case SecretRef::Kind::exec:
      return run_command(reference, sources, stop);
    case SecretRef::Kind::credential:
      return read_credential(reference, sources);
    case SecretRef::Kind::keyring:
      return read_keyring(reference, sources);
  }
  return fail(ErrorCode::internal, "a secret reference of no known kind");
}

Result<Secret> read_secret_file(const std::string& path, const FileSystem& files) {
  return read_file(path, "file:" + path, files, true);
}

Status check_secret_value(const Secret& secret) {
  constexpr std::size_t kShortest = 8;
  constexpr std::size_t kLongest = 4096;
  const std::string_view value = secret.reveal();
  if (value.size() < kShortest || value.size() > kLongest)
    return refuse(fmt::format("the secret is {} bytes long; an API key has {} to {}", value.size(),
                              kShortest, kLongest));
  if (!std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < '\x7f'; }))
    return refuse(
        "the secret has a space, a line break or a character outside ASCII; an API key has none");
  return {};
}

}  // namespace keyherd::config
