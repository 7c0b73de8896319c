#include "rotation/publishers/publisher.hpp"

#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/json.hpp"
#include "fixture.hpp"
#include "rotation/runner.hpp"
#include "support/memory_files.hpp"
#include "support/scripted_transport.hpp"
#include "support/temp_dir.hpp"

using namespace keyherd;
using namespace keyherd::test;

namespace {

constexpr const char* kCanary = "sk-canary-0123456789abcdef";

struct Desk {
  MemoryFileSystem memory;
  std::unique_ptr<FileSystem> disk = make_posix_file_system();
  ScriptedTransport transport;
  Redactor redactor;
  Secret secret{kCanary};
  std::string key = "k2";
  std::int64_t generation = 8;

  Desk() {
    redactor.add(secret);
    ::signal(SIGPIPE, SIG_IGN);  // as the agent does: a hook need not read its input
  }

  [[nodiscard]] rotation::Publication publication() const {
    return {"prod", key, secret, generation, kNow, kNow + std::chrono::hours(24), "r1"};
  }
  Status tell(const model::PublishTarget& target, bool on_disk = false) {
    const FileSystem& files = on_disk ? *disk : static_cast<const FileSystem&>(memory);
    return rotation::publish(
        target, publication(),
        {files, transport, redactor,
         [](const model::SecretRef&) -> Result<Secret> { return Secret("signing-key"); }},
        {});
  }
};

std::string slurp(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string script(const TempDir& dir, const std::string& body) {
  const std::string path = dir / "hook";
  std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
  REQUIRE(::chmod(path.c_str(), 0700) == 0);
  return path;
}

Status run_hook(Desk& desk, const std::string& path,
                std::chrono::nanoseconds timeout = std::chrono::seconds(10)) {
  return desk.tell(model::PublishExec{{path, "one argument"}, timeout}, true);
}

void check_hidden(const Status& status) {
  REQUIRE_FALSE(status);
  CHECK(status.error().message.find(kCanary) == std::string::npos);
  CHECK(status.error().message.find('\n') == std::string::npos);
  CHECK(status.error().message.size() < 400);
}

constexpr const char* kDocument =
    "{\"pool\":\"prod\",\"key\":\"k2\",\"secret\":\"sk-canary-0123456789abcdef\",\"generation\":8,"
    "\"published_at\":\"2026-05-01T00:00:00Z\",\"valid_until\":\"2026-05-02T00:00:00Z\"}\n";

}  // namespace

TEST_CASE("a published file is the promised document, mode 0600") {
  const TempDir dir;
  Desk desk;
  REQUIRE(desk.tell(model::PublishFile{dir / "prod.json"}, true));
  CHECK(slurp(dir / "prod.json") == kDocument);
  struct stat status {};
  REQUIRE(::stat((dir / "prod.json").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0600U);
}

TEST_CASE("secrets of any text survive the JSON of the document") {
  Desk desk;
  for (const std::string text : {"quote\"back\\slash", "tab\tnew\nline\x01", "schlüssel-日本"}) {
    desk.secret = Secret(text);
    const auto document = rotation::published_document(desk.publication());
    REQUIRE(document);
    const auto json = parse_json(document->reveal());
    REQUIRE(json);
    CHECK((*json)["secret"] == text);
    CHECK(json->size() == 6);
  }
}

TEST_CASE("a file may hold variables, or the secret alone") {
  const Secret secret("sk-it's-$HOME");
  const rotation::Publication publication{"prod", "k1", secret, 8, kNow, kNow, "r1"};
  model::PublishFile file;
  file.shape = model::FileTemplate::env;
  file.variable = "OPENAI_API_KEY";
  CHECK(rotation::published_text(file, publication)->reveal() ==
        "OPENAI_API_KEY='sk-it'\\''s-$HOME'\n"
        "KEYHERD_POOL=prod\nKEYHERD_KEY=k1\nKEYHERD_GENERATION=8\n"
        "KEYHERD_PUBLISHED_AT=2026-05-01T00:00:00Z\nKEYHERD_VALID_UNTIL=2026-05-01T00:00:00Z\n");
  file.shape = model::FileTemplate::raw;
  CHECK(rotation::published_text(file, publication)->reveal() == secret.reveal());
}

TEST_CASE("what is not text, or nothing, is not published") {
  Desk desk;
  for (const std::string text : {"", "\xff\xfe"}) {
    desk.secret = Secret(text);
    const Status told = desk.tell(model::PublishFile{"/run/prod.json"});
    REQUIRE_FALSE(told);
    CHECK(told.error().code == ErrorCode::invalid);
    CHECK_FALSE(desk.memory.exists("/run/prod.json"));
  }
}

TEST_CASE("a failed write leaves the old file byte for byte and names it") {
  Desk desk;
  REQUIRE(desk.tell(model::PublishFile{"/run/prod.json"}));
  const std::string before = desk.memory.content("/run/prod.json");
  desk.generation = 9;
  desk.memory.fault = [](std::string_view operation, const std::string&) -> Status {
    if (operation == "write_atomic")
      return fail(ErrorCode::no_space, "No space left on device");
    return {};
  };
  const Status told = desk.tell(model::PublishFile{"/run/prod.json"});
  check_hidden(told);
  CHECK(told.error().code == ErrorCode::no_space);
  CHECK(told.error().message == "publishing to file /run/prod.json: No space left on device");
  CHECK(desk.memory.content("/run/prod.json") == before);
}

TEST_CASE("a directory that is not there fails and leaves nothing behind") {
  const TempDir dir;
  Desk desk;
  const Status told = desk.tell(model::PublishFile{dir / "missing/prod.json"}, true);
  check_hidden(told);
  CHECK(told.error().code == ErrorCode::not_found);
}

TEST_CASE("a reader in a loop sees only whole files, and generations that never fall") {
  const TempDir dir;
  Desk desk;
  const std::string path = dir / "prod.json";
  REQUIRE(desk.tell(model::PublishFile{path}, true));
  std::atomic<bool> done{false};
  std::atomic<int> torn{0};
  std::atomic<int> reads{0};
  std::jthread reader([&] {
    std::int64_t newest = 0;
    while (!done) {
      const auto json = parse_json(slurp(path));
      if (!json || json->size() != 6 || (*json)["generation"].get<std::int64_t>() < newest)
        ++torn;
      else
        newest = (*json)["generation"].get<std::int64_t>();
      ++reads;
    }
  });
  for (int round = 0; round < 1'000 || reads == 0; ++round) {
    desk.generation = 9 + round;
    desk.key = std::string(static_cast<std::size_t>(1 + round % 40) * 50, 'k');
    REQUIRE(desk.tell(model::PublishFile{path}, true));
  }
  done = true;
  reader.join();
  CHECK(torn == 0);
  CHECK(reads > 0);
}

TEST_CASE("a hook gets the document on stdin, names in the environment, and no secret elsewhere") {
  const TempDir dir;
  Desk desk;
  ::setenv("KEYHERD_TEST_LEAK", "should not be inherited", 1);
  const std::string hook = script(dir,
                                  "d=$(dirname \"$0\")\ncat > \"$d/stdin\"\nenv > \"$d/env\"\n"
                                  "printf '%s|' \"$0\" \"$@\" > \"$d/argv\"");
  REQUIRE(run_hook(desk, hook));
  CHECK(slurp(dir / "stdin") == kDocument);
  CHECK(slurp(dir / "argv") == hook + "|one argument|");
  const std::string environment = slurp(dir / "env");
  for (const char* line : {"KEYHERD_POOL=prod\n", "KEYHERD_KEY=k2\n", "KEYHERD_GENERATION=8\n",
                           "KEYHERD_ROTATION=r1\n"})
    CHECK(environment.find(line) != std::string::npos);
  CHECK(environment.find("KEYHERD_TEST_LEAK") == std::string::npos);
  CHECK(environment.find(kCanary) == std::string::npos);
}

TEST_CASE("exit 75 asks for patience, any other code is a failure") {
  const TempDir dir;
  Desk desk;
  const std::string path = script(dir, "cat > /dev/null; echo busy >&2; exit 75");
  Status told = run_hook(desk, path);
  check_hidden(told);
  CHECK(told.error().code == ErrorCode::unavailable);
  CHECK(told.error().message ==
        "hook " + path + " asked to be run again later (exit 75) (it said: busy)");
  told = run_hook(desk, script(dir, "cat > /dev/null; exit 1"));
  check_hidden(told);
  CHECK(told.error().code == ErrorCode::invalid);
  CHECK(told.error().message == "hook " + path + " ended with exit code 1");
  told = run_hook(desk, script(dir, "cat > /dev/null; kill -9 $$"));
  check_hidden(told);
  CHECK(told.error().message == "hook " + path + " ended with exit code 137");
}

TEST_CASE("a hook that does not read its input may succeed all the same") {
  const TempDir dir;
  Desk desk;
  CHECK(run_hook(desk, script(dir, "exit 0")));
}

TEST_CASE("a hook that hangs is ended at its deadline, with all its children") {
  const TempDir dir;
  Desk desk;
  const auto start = std::chrono::steady_clock::now();
  const Status told =
      run_hook(desk, script(dir, "sleep 300 & sleep 300"), std::chrono::milliseconds(200));
  check_hidden(told);
  CHECK(told.error().code == ErrorCode::timeout);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("a child that outlives its hook and holds the pipe is not waited for") {
  const TempDir dir;
  Desk desk;
  const auto start = std::chrono::steady_clock::now();
  CHECK(run_hook(desk, script(dir, "cat > /dev/null; sleep 300 & exit 0")));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("a flood of output is capped and does not stop the hook from failing in time") {
  const TempDir dir;
  Desk desk;
  check_hidden(run_hook(desk, script(dir, "cat > /dev/null; head -c 20000000 /dev/zero; exit 1")));
  const Status told =
      run_hook(desk, script(dir, "exec cat /dev/zero"), std::chrono::milliseconds(300));
  check_hidden(told);
  CHECK(told.error().code == ErrorCode::timeout);
}

TEST_CASE("a hook that prints the secret does not get it into the error") {
  const TempDir dir;
  Desk desk;
  Status told = run_hook(desk, script(dir, "cat >&2; exit 1"));
  check_hidden(told);
  CHECK(told.error().message.find("[redacted]") != std::string::npos);
  check_hidden(run_hook(desk, script(dir, "base64; exit 1")));
}

TEST_CASE("a hook that is missing, not executable or not absolute is refused by name") {
  const TempDir dir;
  Desk desk;
  Status told = run_hook(desk, dir / "missing");
  check_hidden(told);
  CHECK(told.error().code == ErrorCode::not_found);
  const std::string plain = script(dir, "exit 0");
  REQUIRE(::chmod(plain.c_str(), 0600) == 0);
  told = run_hook(desk, plain);
  check_hidden(told);
  CHECK(told.error().code == ErrorCode::denied);
  told = run_hook(desk, "reload-app");
  check_hidden(told);
  CHECK(told.error().message == "hook reload-app is not an absolute path; write it in full");
}

TEST_CASE("a hook that everybody may write is not given the secret") {
  const TempDir dir;
  Desk desk;
  const std::string hook = script(dir, "cat > \"$(dirname \"$0\")/got\"");
  REQUIRE(::chmod(hook.c_str(), 0777) == 0);
  const Status told = run_hook(desk, hook);
  check_hidden(told);
  CHECK(told.error().code == ErrorCode::denied);
  CHECK(told.error().message ==
        "hook " + hook + " may be written by everybody; run: chmod o-w " + hook);
  CHECK_FALSE(desk.disk->stat(dir / "got"));
}

TEST_CASE("a hook called twice for one rotation is told the same") {
  const TempDir dir;
  Desk desk;
  const std::string hook =
      script(dir, "d=$(dirname \"$0\"); { cat; echo \"$KEYHERD_ROTATION\"; } >> \"$d/calls\"");
  REQUIRE(run_hook(desk, hook));
  REQUIRE(run_hook(desk, hook));
  const std::string once = std::string(kDocument) + "r1\n";
  CHECK(slurp(dir / "calls") == once + once);
}

TEST_CASE("a webhook says what happened, signed, and never the secret") {
  Desk desk;
  desk.transport.push(204, "");
  model::PublishWebhook webhook{"https://example.com/hook", model::SecretRef{}};
  REQUIRE(desk.tell(webhook));
  REQUIRE(desk.transport.requests().size() == 1);
  const auto request = desk.transport.requests().front();
  CHECK(request.method == "POST");
  CHECK(request.body.find(kCanary) == std::string::npos);
  CHECK(request.secret.empty());
  const auto json = parse_json(request.body);
  REQUIRE(json);
  CHECK((*json)["pool"] == "prod");
  CHECK((*json)["key"] == "k2");
  CHECK((*json)["generation"] == 8);
  CHECK((*json)["rotation"] == "r1");
  CHECK_FALSE(json->contains("secret"));
  const auto signature =
      std::find_if(request.headers.begin(), request.headers.end(),
                   [](const auto& header) { return header.first == "X-Keyherd-Signature"; });
  REQUIRE(signature != request.headers.end());
  CHECK(signature->second == "sha256=" + to_hex(hmac_sha256("signing-key", request.body)));

  desk.transport.push(200, "");
  webhook.signing_secret.reset();
  REQUIRE(desk.tell(webhook));
  CHECK(desk.transport.requests().back().headers.size() == 1);
}

TEST_CASE("HMAC-SHA256 is that of RFC 4231") {
  CHECK(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("what a webhook answers decides whether it is worth trying again") {
  Desk desk;
  const model::PublishWebhook webhook{"https://example.com/services/T0KEN", std::nullopt};
  for (const auto& [status, code] :
       std::vector<std::pair<int, ErrorCode>>{{429, ErrorCode::unavailable},
                                              {503, ErrorCode::unavailable},
                                              {408, ErrorCode::unavailable},
                                              {404, ErrorCode::invalid},
                                              {302, ErrorCode::invalid}}) {
    desk.transport.push(status, std::string("no: ") + kCanary);
    const Status told = desk.tell(webhook);
    check_hidden(told);
    CHECK(told.error().code == code);
    CHECK(told.error().message == "webhook:https://example.com answered " + std::to_string(status) +
                                      " (it said: no: [redacted])");
  }
}

TEST_CASE("every target of a step is tried, and after a stop none") {
  Desk desk;
  desk.transport.push(500, "");
  rotation::StepRequest request;
  request.kind = rotation::StepRequest::Kind::deliver;
  request.pool = "prod";
  request.key = "k2";
  request.targets = {model::PublishWebhook{"https://example.com/", std::nullopt},
                     model::PublishFile{"/run/prod.json"}};
  const rotation::PublishContext context{desk.memory, desk.transport, desk.redactor, {}};
  const auto done = rotation::run_step(request, desk.secret, context, {});
  REQUIRE(done.outcomes.size() == 2);
  CHECK_FALSE(done.outcomes[0].status);
  CHECK(done.outcomes[1].status);
  CHECK(desk.memory.exists("/run/prod.json"));

  std::stop_source stop;
  stop.request_stop();
  for (const auto& outcome :
       rotation::run_step(request, desk.secret, context, stop.get_token()).outcomes) {
    REQUIRE_FALSE(outcome.status);
    CHECK(outcome.status.error().code == ErrorCode::cancelled);
  }
}
