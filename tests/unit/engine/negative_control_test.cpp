#include "engine/negative_control.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace std::chrono_literals;
using engine::NegativeControl;
using model::ProbeKind;
using model::Verdict;

namespace {

const SteadyTime kControlNow = test::ManualClock().now().steady;

struct ControlBench {
  NegativeControl control;
  std::shared_ptr<model::Provider> provider = std::make_shared<model::Provider>();

  explicit ControlBench(std::string model = "m") {
    provider->id = "p";
    provider->type = "openai_compat";
    provider->base_url = "https://api.example/v1";
    provider->probe.model = std::move(model);
    configure();
  }
  void configure() { control.configure({{"p", provider}}, kControlNow); }
  // What is asked now, and answered.
  std::optional<ProbeKind> ask(Verdict answer, SteadyTime now = kControlNow) {
    const auto question = control.take_due(now);
    if (!question)
      return std::nullopt;
    control.answered(*question, answer, now);
    return question->kind;
  }
  bool accepts(ProbeKind kind) { return probe::is_worthless(control.trust("p"), kind); }
};

}  // namespace

TEST_CASE("an endpoint that refuses a made-up key authenticates, and is asked again next day") {
  ControlBench bench;
  CHECK(bench.control.is_awaited("p"));
  CHECK_FALSE(bench.control.authenticates("p"));
  CHECK(bench.ask(Verdict::invalid_key) == ProbeKind::models);
  CHECK_FALSE(bench.control.is_awaited("p"));
  CHECK(bench.control.authenticates("p") == true);
  CHECK_FALSE(bench.ask(Verdict::ok));
  CHECK(bench.control.next_due() == kControlNow + 24h);
  CHECK(bench.ask(Verdict::ok, kControlNow + 24h) == ProbeKind::models);
  CHECK(bench.control.authenticates("p") == false);
}

TEST_CASE("where the first probe accepts any key, the next ones are asked until one refuses") {
  ControlBench bench;
  CHECK(bench.ask(Verdict::ok) == ProbeKind::models);
  CHECK(bench.control.is_awaited("p"));  // which probe will do is not known yet
  CHECK(bench.ask(Verdict::ok) == ProbeKind::auth);
  CHECK(bench.ask(Verdict::permission_denied) == ProbeKind::chat);
  CHECK_FALSE(bench.ask(Verdict::ok));
  CHECK_FALSE(bench.control.is_awaited("p"));
  CHECK(bench.control.authenticates("p") == false);
  CHECK(bench.accepts(ProbeKind::models));
  CHECK(bench.accepts(ProbeKind::auth));
  CHECK_FALSE(bench.accepts(ProbeKind::chat));
  // The provider mended it.
  CHECK(bench.ask(Verdict::invalid_key, kControlNow + 24h) == ProbeKind::models);
  CHECK(bench.control.authenticates("p") == true);
  CHECK_FALSE(bench.accepts(ProbeKind::models));
}

TEST_CASE("no answer is no finding, keeps nobody waiting, and is asked for again soon") {
  for (const Verdict verdict :
       {Verdict::network, Verdict::rate_limited, Verdict::server_error, Verdict::overloaded}) {
    ControlBench bench;
    CHECK(bench.ask(verdict) == ProbeKind::models);
    CHECK_FALSE(bench.control.is_awaited("p"));
    CHECK_FALSE(bench.control.authenticates("p"));
    CHECK(bench.control.next_due() == kControlNow + 5min);
  }
}

TEST_CASE("a probe that the endpoint does not have gives way to the next") {
  ControlBench bench;
  CHECK(bench.ask(Verdict::bad_request) == ProbeKind::models);
  CHECK(bench.ask(Verdict::invalid_key) == ProbeKind::auth);
  CHECK(bench.control.authenticates("p") == true);
}

TEST_CASE("zero switches the control off") {
  ControlBench bench;
  bench.provider->probe.control_every = 0s;
  bench.configure();
  CHECK_FALSE(bench.control.is_awaited("p"));
  CHECK_FALSE(bench.control.next_due());
  CHECK_FALSE(bench.ask(Verdict::ok));
}

TEST_CASE("a reload that changes the endpoint asks anew, any other does not") {
  ControlBench bench;
  bench.ask(Verdict::invalid_key);
  bench.provider = std::make_shared<model::Provider>(*bench.provider);
  bench.provider->prices["m"] = {};
  bench.configure();
  CHECK(bench.control.authenticates("p") == true);
  const auto late = [&] {
    bench.provider = std::make_shared<model::Provider>(*bench.provider);
    bench.provider->base_url = "https://elsewhere.example/v1";
    bench.configure();
    return bench.control.take_due(kControlNow);
  }();
  REQUIRE(late);
  CHECK_FALSE(bench.control.authenticates("p"));
  // Its answer comes after yet another reload: it is about an endpoint of the past.
  bench.provider = std::make_shared<model::Provider>(*bench.provider);
  bench.provider->base_url = "https://third.example/v1";
  bench.configure();
  bench.control.answered(*late, Verdict::ok, kControlNow);
  CHECK_FALSE(bench.control.authenticates("p"));
  CHECK(bench.ask(Verdict::invalid_key) == ProbeKind::models);
}

TEST_CASE("the made-up key is of no shape that a provider gives out, and no two are alike") {
  const NegativeControl one;
  const NegativeControl other;
  CHECK(one.bogus_key()->size() == 48);
  CHECK_FALSE(*one.bogus_key() == *other.bogus_key());
}
