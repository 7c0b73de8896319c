#include "config/secrets.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "support/memory_files.hpp"
#include "support/temp_dir.hpp"

using namespace keyherd;
using namespace keyherd::config;
using model::SecretRef;

namespace {

// The revealed value, or the code of the error; the message must not show the value.
std::string resolve(const std::string& text, const SecretSources& sources) {
  const auto secret = resolve_secret(parse_secret_ref(text, "/etc/keyherd").value(), sources);
  if (secret)
    return std::string(secret->reveal());
  CHECK(secret.error().message.find("CANARY") == std::string::npos);
  return std::string(to_string(secret.error().code)) + ": " + secret.error().message;
}

}  // namespace

TEST_CASE("references to secrets are read in each of their forms") {
  const auto env = parse_secret_ref("env:DEEPSEEK_KEY_1").value();
  CHECK(env.kind == SecretRef::Kind::env);
  CHECK(env.name == "DEEPSEEK_KEY_1");
  CHECK(env.text == "env:DEEPSEEK_KEY_1");
  const auto file = parse_secret_ref("file:keys/one", "/etc/keyherd").value();
  CHECK(file.kind == SecretRef::Kind::file);
  CHECK(file.name == "/etc/keyherd/keys/one");
  CHECK(file.text == "file:keys/one");
  const auto exec = parse_secret_ref(R"(exec:["vault", "read a"])").value();
  CHECK(exec.kind == SecretRef::Kind::exec);
  CHECK(exec.argv == std::vector<std::string>{"vault", "read a"});
  CHECK(parse_secret_ref("credential:admin.token").value().kind == SecretRef::Kind::credential);
  CHECK(parse_secret_ref("keyring:prod-1").value().kind == SecretRef::Kind::keyring);
}

TEST_CASE("what is no reference is taken for a literal secret and never quoted") {
  for (const char* text :
       {"sk-CANARY0123456789", "CANARY", "", "env", "env:", "env:1CANARY", "env:CAN-ARY-CANARY",
        "ENV:CANARY", "file:", "exec:CANARY", "exec:[]", "exec:[1]", "exec:[[\"CANARY\"]]",
        "credential:a/CANARY", "credential:..", "keyring", "keyring:", "vault:CANARY"}) {
    const auto reference = parse_secret_ref(text);
    INFO(text);
    REQUIRE_FALSE(reference);
    CHECK(reference.error().code == ErrorCode::invalid);
    CHECK(reference.error().message.find("CANARY") == std::string::npos);
  }
  CHECK(parse_secret_ref("sk-x").error().message ==
        "a literal secret is refused: write where it is, as env:NAME, file:PATH, exec:[\"cmd\", "
        "\"arg\"], credential:NAME or keyring:ID");
}

TEST_CASE("secrets come from variables, and a missing or empty one is named") {
  const FixedEnvironment environment({{"KEY", "value-1"}, {"EMPTY", ""}});
  const test::MemoryFileSystem files;
  const SecretSources sources{environment, files};
  CHECK(resolve("env:KEY", sources) == "value-1");
  CHECK(resolve("env:NONE", sources) ==
        "not_found: reading the secret env:NONE: the environment has no such variable");
  CHECK(resolve("env:EMPTY", sources) == "invalid: reading the secret env:EMPTY: it is empty");
}

TEST_CASE("a secret file must be closed to everyone but its owner") {
  const FixedEnvironment environment({});
  test::MemoryFileSystem files;
  const SecretSources sources{environment, files};
  const std::string path = "/etc/keyherd/one.key";
  files.create(path, "CANARY-value\n");
  for (const unsigned open : {0644U, 0640U, 0604U, 0620U}) {
    files.set_mode(path, open);
    const std::string answer = resolve("file:one.key", sources);
    CHECK(answer.find("denied: ") == 0);
    CHECK(answer.find("run: chmod 600 " + path) != std::string::npos);
  }
  for (const unsigned closed : {0600U, 0400U}) {
    files.set_mode(path, closed);
    CHECK(resolve("file:one.key", sources) == "CANARY-value");
  }
}

TEST_CASE("one line break at the end of a secret file is not part of the secret") {
  const FixedEnvironment environment({});
  test::MemoryFileSystem files;
  const SecretSources sources{environment, files};
  const auto resolve_content = [&](const std::string& content) {
    files.create("/etc/keyherd/k", content);
    files.set_mode("/etc/keyherd/k", 0600);
    return resolve("file:k", sources);
  };
  CHECK(resolve_content("abc") == "abc");
  CHECK(resolve_content("abc\n") == "abc");
  CHECK(resolve_content("abc\r\n") == "abc");
  CHECK(resolve_content("abc\n\n") == "abc\n");
  CHECK(resolve_content("\n") == "invalid: reading the secret file:k: it is empty");
  CHECK(resolve_content(std::string(65'537, 'x')).find("too_large: ") == 0);
  CHECK(resolve("file:absent", sources).find("not_found: ") == 0);
}

TEST_CASE(
    "systemd credentials are read from their directory, or the message says how to pass them") {
  test::MemoryFileSystem files;
  files.create("/run/credentials/keyherd/admin", "token-1\n");
  const FixedEnvironment with(
      std::map<std::string, std::string>{{"CREDENTIALS_DIRECTORY", "/run/credentials/keyherd"}});
  CHECK(resolve("credential:admin", {with, files}) == "token-1");
  const FixedEnvironment without({});
  CHECK(resolve("credential:admin", {without, files}).find("LoadCredential=admin:") !=
        std::string::npos);
}

TEST_CASE("keyring references need a keyring") {
  const FixedEnvironment environment({});
  const test::MemoryFileSystem files;
  SecretSources sources{environment, files};
  CHECK(resolve("keyring:prod", sources).find("unavailable: ") == 0);
  sources.keyring = [](const std::string& id) -> Result<Secret> { return Secret("of-" + id); };
  CHECK(resolve("keyring:prod", sources) == "of-prod");
}

TEST_CASE("a command's output is the secret; its failure is told without its output") {
  const FixedEnvironment environment({});
  const test::MemoryFileSystem files;
  const SecretSources sources{environment, files};
  CHECK(resolve(R"(exec:["/bin/echo", "from-vault"])", sources) == "from-vault");
  const test::TempDir directory;
  const std::string script = directory / "fail.sh";
  std::ofstream(script) << "echo CANARY; echo CANARY >&2; exit 3\n";
  CHECK(resolve("exec:[\"/bin/sh\", \"" + script + "\"]", sources).find("exit code 3") !=
        std::string::npos);
  CHECK(resolve(R"(exec:["/nonexistent/vault"])", sources).find("not_found: ") == 0);
  CHECK(resolve(R"(exec:["/bin/true"])", sources).find("it is empty") != std::string::npos);
}

TEST_CASE("an API key is 8 to 4096 printable characters without spaces") {
  CHECK(check_secret_value(Secret("12345678")));
  CHECK(check_secret_value(Secret(std::string(4096, '~'))));
  for (const std::string& bad :
       {std::string("1234567"), std::string(4097, 'x'), std::string("CANARY 8"),
        std::string("CANARY\r\n8"), std::string("CANARY8\0", 8), std::string("CANARY\xc3\xa9")}) {
    const Status status = check_secret_value(Secret(bad));
    REQUIRE_FALSE(status);
    CHECK(status.error().message.find("CANARY") == std::string::npos);
  }
}
