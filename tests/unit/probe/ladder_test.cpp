#include "probe/ladder.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace std::chrono_literals;
using model::ProbeKind;
using model::Verdict;
using probe::EndpointTrust;
using probe::ProbeHistory;

namespace {

const WallTime kLadderNow = test::ManualClock().now().wall;

// Where every probe proves something and money is no question.
std::optional<ProbeKind> choose_probe(const model::Provider& provider, const ProbeHistory& history,
                                      WallTime now) {
  return probe::choose_probe(provider, history, {}, {}, now).kind;
}

EndpointTrust open_at(std::initializer_list<ProbeKind> kinds) {
  EndpointTrust trust;
  for (const ProbeKind kind : kinds)
    trust.accepts_any[static_cast<std::size_t>(kind)] = true;
  return trust;
}

model::Provider provider(std::string type, std::string model = "") {
  model::Provider made;
  made.id = "p";
  made.type = std::move(type);
  made.probe.model = std::move(model);
  made.probe.paid_every = 6h;
  return made;
}

model::Evidence probed(ProbeKind kind, Verdict verdict, WallTime at = kLadderNow) {
  model::Evidence evidence;
  evidence.probe = kind;
  evidence.verdict = verdict;
  evidence.at = at;
  return evidence;
}

model::Evidence logged(Verdict verdict) {
  model::Evidence evidence;
  evidence.source = model::EvidenceSource::usage_log;
  evidence.verdict = verdict;
  evidence.at = kLadderNow;
  return evidence;
}

}  // namespace

TEST_CASE("a configured method is taken as it is", "[probe]") {
  model::Provider fixed = provider("deepseek");
  fixed.probe.method = model::ProbeMethod::models;
  CHECK(choose_probe(fixed, {}, kLadderNow) == ProbeKind::models);
  fixed.probe.method = model::ProbeMethod::auth;
  CHECK(choose_probe(fixed, {}, kLadderNow) == ProbeKind::auth);
}

TEST_CASE("the first probe is free: balance at deepseek, models at others", "[probe]") {
  CHECK(choose_probe(provider("deepseek"), {}, kLadderNow) == ProbeKind::balance);
  CHECK(choose_probe(provider("openai_compat", "m"), {}, kLadderNow) == ProbeKind::models);
  CHECK(choose_probe(provider("openrouter"), {}, kLadderNow) == ProbeKind::balance);
  CHECK(choose_probe(provider("xai"), {}, kLadderNow) == ProbeKind::auth);
}

TEST_CASE("a chat probe follows, and again every paid_every", "[probe]") {
  const auto deepseek = provider("deepseek");
  ProbeHistory history;
  history.record(deepseek, probed(ProbeKind::balance, Verdict::ok));
  CHECK(choose_probe(deepseek, history, kLadderNow + 5min) == ProbeKind::chat);
  history.record(deepseek, probed(ProbeKind::chat, Verdict::ok, kLadderNow + 5min));
  CHECK(choose_probe(deepseek, history, kLadderNow + 10min) == ProbeKind::balance);
  CHECK(choose_probe(deepseek, history, kLadderNow + 5min + 6h) == ProbeKind::chat);
}

TEST_CASE("nothing is paid where paid_every is zero or no model is known", "[probe]") {
  model::Provider free = provider("deepseek");
  free.probe.paid_every = 0s;
  ProbeHistory history;
  history.record(free, probed(ProbeKind::balance, Verdict::ok));
  CHECK(choose_probe(free, history, kLadderNow + 24h) == ProbeKind::balance);
  CHECK(choose_probe(provider("openai_compat"), history, kLadderNow + 24h) == ProbeKind::models);
}

TEST_CASE("a key refused for money proves by chat that it can spend again", "[probe]") {
  const auto openai = provider("openai");
  ProbeHistory history;
  history.record(openai, probed(ProbeKind::chat, Verdict::balance_exhausted));
  CHECK(choose_probe(openai, history, kLadderNow + 5min) == ProbeKind::chat);
  history.record(openai, probed(ProbeKind::models, Verdict::ok));
  CHECK(choose_probe(openai, history, kLadderNow + 10min) == ProbeKind::chat);
  history.record(openai, probed(ProbeKind::chat, Verdict::ok));
  CHECK(choose_probe(openai, history, kLadderNow + 15min) == ProbeKind::models);
}

TEST_CASE("the usage log casts doubt on spending and removes it", "[probe]") {
  const auto openai = provider("openai");
  ProbeHistory history;
  history.record(openai, probed(ProbeKind::chat, Verdict::ok));
  history.record(openai, logged(Verdict::quota_exhausted));
  CHECK(choose_probe(openai, history, kLadderNow + 5min) == ProbeKind::chat);
  history.record(openai, logged(Verdict::ok));
  CHECK(choose_probe(openai, history, kLadderNow + 5min) == ProbeKind::models);
}

TEST_CASE("at deepseek the balance tells when an exhausted key is good again", "[probe]") {
  const auto deepseek = provider("deepseek");
  ProbeHistory history;
  history.record(deepseek, probed(ProbeKind::chat, Verdict::balance_exhausted));
  CHECK(choose_probe(deepseek, history, kLadderNow + 7h) == ProbeKind::balance);
  history.record(deepseek, probed(ProbeKind::balance, Verdict::ok, kLadderNow + 7h));
  CHECK_FALSE(history.spending_in_doubt);
  CHECK(choose_probe(deepseek, history, kLadderNow + 7h) == ProbeKind::chat);
}

TEST_CASE("a free probe that the key or the gateway does not allow gives way to the next",
          "[probe]") {
  const auto compat = provider("openai_compat");
  ProbeHistory history;
  history.record(compat, probed(ProbeKind::models, Verdict::permission_denied));
  CHECK(choose_probe(compat, history, kLadderNow) == ProbeKind::auth);
  history.record(compat, probed(ProbeKind::auth, Verdict::ok));
  CHECK(choose_probe(compat, history, kLadderNow) == ProbeKind::auth);
  history.record(compat, probed(ProbeKind::auth, Verdict::bad_request));
  CHECK(choose_probe(compat, history, kLadderNow) == ProbeKind::models);
}

TEST_CASE("a success in real use is a proof of spending, and saves the paid probe", "[probe]") {
  const auto openai = provider("openai");
  ProbeHistory history;
  history.record(openai, probed(ProbeKind::models, Verdict::ok));
  history.record(openai, logged(Verdict::ok));
  CHECK(choose_probe(openai, history, kLadderNow + 5h) == ProbeKind::models);
  CHECK(choose_probe(openai, history, kLadderNow + 6h) == ProbeKind::chat);
}

TEST_CASE("where a free probe accepts any key the next one is used, and a paid one after the last",
          "[probe]") {
  const auto choose = [](const model::Provider& provider, const EndpointTrust& trust) {
    return probe::choose_probe(provider, {}, trust, {}, kLadderNow).kind;
  };
  const auto compat = provider("openai_compat", "m");
  CHECK(choose(compat, open_at({})) == ProbeKind::models);
  CHECK(choose(compat, open_at({ProbeKind::models})) == ProbeKind::auth);
  CHECK(choose(compat, open_at({ProbeKind::models, ProbeKind::auth})) == ProbeKind::chat);
  // Nothing proves anything there without a model: the first free probe, for what it is worth.
  CHECK(choose(provider("openai_compat"), open_at({ProbeKind::models, ProbeKind::auth})) ==
        ProbeKind::models);
  CHECK(probe::needs_paid_proof(compat, open_at({ProbeKind::models, ProbeKind::auth})));
  CHECK_FALSE(probe::needs_paid_proof(compat, open_at({ProbeKind::models})));
  CHECK_FALSE(probe::needs_paid_proof(provider("openai_compat"),
                                      open_at({ProbeKind::models, ProbeKind::auth})));
}

TEST_CASE(
    "without budget the free probe goes instead of the paid one, and nothing where none helps",
    "[probe]") {
  const auto openai = provider("openai");
  ProbeHistory history;
  history.record(openai, probed(ProbeKind::models, Verdict::ok));
  const probe::ProbeWish poor{false, false};
  const auto instead = probe::choose_probe(openai, history, {}, poor, kLadderNow);
  CHECK(instead.kind == ProbeKind::models);
  CHECK(instead.went_without_paid);
  const auto none = probe::choose_probe(
      openai, history, open_at({ProbeKind::models, ProbeKind::auth}), poor, kLadderNow);
  CHECK_FALSE(none.kind);
  CHECK(none.went_without_paid);
  model::Provider chat_only = openai;
  chat_only.probe.method = model::ProbeMethod::chat;
  CHECK_FALSE(probe::choose_probe(chat_only, history, {}, poor, kLadderNow).kind);
}

TEST_CASE("a question of money is put to a chat, or to a balance that can answer it", "[probe]") {
  const probe::ProbeWish spending{true, true};
  ProbeHistory history;
  history.record(provider("openai"), probed(ProbeKind::chat, Verdict::ok));
  CHECK(probe::choose_probe(provider("openai"), history, {}, spending, kLadderNow).kind ==
        ProbeKind::chat);
  CHECK(probe::choose_probe(provider("deepseek"), history, {}, spending, kLadderNow).kind ==
        ProbeKind::balance);
}

TEST_CASE("the control asks with the probes that would be used, cheapest first", "[probe]") {
  using Kinds = std::vector<ProbeKind>;
  CHECK(probe::control_order(provider("openai")) ==
        Kinds{ProbeKind::models, ProbeKind::auth, ProbeKind::chat});
  CHECK(probe::control_order(provider("openai_compat")) ==
        Kinds{ProbeKind::models, ProbeKind::auth});
  model::Provider fixed = provider("deepseek");
  fixed.probe.method = model::ProbeMethod::models;
  CHECK(probe::control_order(fixed) == Kinds{ProbeKind::models});
}
