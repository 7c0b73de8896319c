#include "engine/workers.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <catch2/catch.hpp>
#include <future>
#include <sstream>
#include <stdexcept>

#include "store/memory_store.hpp"

using namespace keyherd;
using namespace keyherd::engine;

namespace {

// Breaks its promise not to throw.
class BrokenTransport final : public net::Transport {
 public:
  Result<net::HttpResponse> send(const net::HttpRequest&, std::stop_token) override {
    throw std::runtime_error("sk-CANARY-0123456789");
  }
};

// The threads with a transport and a store that throw, and what they post.
struct Broken {
  Broken() {
    WorkerOptions options{*files, clock, redactor, log, 1, {}, {}, {}, {}, {}};
    options.transport = std::make_unique<BrokenTransport>();
    options.resolve = [](const model::SecretRef&, const std::stop_token&) -> Result<Secret> {
      throw std::bad_alloc();
    };
    options.post = [this](Event event, const std::stop_token&) {
      if (auto* probe = std::get_if<ProbeFinished>(&event))
        probed.set_value(std::move(*probe));
      if (auto* step = std::get_if<StepFinished>(&event))
        stepped.set_value(std::move(*step));
      return true;
    };
    options.notify_readers = [] {};
    threads = start_worker_threads(std::move(options), store::make_memory_store(), nullptr, {});
  }
  ~Broken() {
    threads->stop_sources();
    threads->stop();
  }

  std::unique_ptr<FileSystem> files = make_posix_file_system();
  SystemClock clock;
  Redactor redactor;
  std::ostringstream text;
  spdlog::logger log{"test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)};
  std::promise<ProbeFinished> probed;
  std::promise<StepFinished> stepped;
  std::unique_ptr<WorkerThreads> threads;
};

}  // namespace

TEST_CASE("a probe that throws is one without an answer, and the next one is made") {
  Broken broken;
  auto provider = std::make_shared<model::Provider>();
  provider->type = "openai";
  provider->base_url = "http://127.0.0.1:1";
  const auto secret = std::make_shared<const Secret>("sk-0123456789");
  for (std::uint64_t id : {7U, 8U}) {
    broken.probed = {};
    REQUIRE(broken.threads->start_probe({id, {"k1", provider, secret, model::ProbeKind::models}}));
    const ProbeFinished finished = broken.probed.get_future().get();
    CHECK(finished.order == id);
    CHECK(finished.evidence.key == "k1");
    CHECK(finished.evidence.verdict == model::Verdict::network);
    CHECK(finished.evidence.message == "the probe failed by an internal error");
  }
  CHECK_THAT(broken.text.str(), Catch::Contains("the probe of key k1 failed"));
  CHECK_THAT(broken.text.str(), !Catch::Contains("CANARY"));
}

TEST_CASE("a step that throws has failed, and its pool goes on") {
  Broken broken;
  StepOrder order;
  order.request.kind = rotation::StepRequest::Kind::revoke;
  order.request.pool = "prod";
  auto issuer = std::make_shared<model::Issuer>();
  issuer->admin_secret = model::SecretRef{};
  order.issuer = issuer;
  broken.threads->run_step(std::move(order));
  const rotation::StepDone done = broken.stepped.get_future().get().done;
  CHECK(done.request.pool == "prod");
  CHECK_FALSE(done.status);
  CHECK_THAT(broken.text.str(), Catch::Contains("a step of pool prod failed"));
}
