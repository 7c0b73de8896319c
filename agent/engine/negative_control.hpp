#pragma once

// Whether each provider's endpoint really looks at keys: once in a while it is shown a made-up one,
// which it must refuse. Where it does not, that probe's green is worth nothing, and the next
// stronger probe is tried in its place. Owned by the loop.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "model/evidence.hpp"
#include "model/provider.hpp"
#include "probe/ladder.hpp"

namespace keyherd::engine {

class NegativeControl {
 public:
  using Providers = std::map<std::string, std::shared_ptr<const model::Provider>>;

  // A provider that is new, or whose endpoint or method of probing changed, is asked at once; the
  // others keep what is known of them.
  void configure(const Providers& providers, SteadyTime now);

  struct Question {
    std::string provider;
    model::ProbeKind kind = model::ProbeKind::models;
    std::uint64_t round = 0;  // tells an answer to an earlier configuration's question
  };
  // What is to be asked now; it is under way until answered() or given_up().
  [[nodiscard]] std::optional<Question> take_due(SteadyTime now);
  // There was no room to ask: it stays due.
  void put_back(const Question& question, SteadyTime now);
  void answered(const Question& question, model::Verdict verdict, SteadyTime now);
  void given_up(const Question& question, SteadyTime now) { put_back(question, now); }

  // Keys of the provider wait with their probes until the first answer: what an endpoint that
  // accepts any key says of them would be believed. An endpoint that does not answer is not waited
  // for.
  [[nodiscard]] bool is_awaited(const std::string& provider) const;
  [[nodiscard]] const probe::EndpointTrust& trust(const std::string& provider) const;
  // Whether the probe of the first choice refuses a made-up key; nothing while that is not known.
  [[nodiscard]] std::optional<bool> authenticates(const std::string& provider) const;
  [[nodiscard]] std::optional<SteadyTime> next_due() const;

  // Made up anew for each process; of the shape that most providers use.
  [[nodiscard]] const std::shared_ptr<const Secret>& bogus_key() const { return bogus_key_; }

  NegativeControl();

 private:
  struct Endpoint {
    std::shared_ptr<const model::Provider> provider;
    std::size_t step = 0;     // in the order of control
    std::uint64_t round = 0;  // of the question under way; 0: none is
    bool awaited = true;
    std::optional<SteadyTime> due;
    probe::EndpointTrust trust;
    std::optional<bool> authenticates;
  };

  Endpoint* asked(const Question& question);

  std::map<std::string, Endpoint> endpoints_;
  std::uint64_t rounds_ = 0;
  std::shared_ptr<const Secret> bogus_key_;
};

}  // namespace keyherd::engine
