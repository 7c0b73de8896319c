#pragma once

// The keys and what is believed of them: records, health, provider incidents. Every change of
// belief goes into the next commit, into the log, and into what touched() reports. Owned by the
// loop.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "engine/commit_pipeline.hpp"
#include "engine/key_record.hpp"
#include "engine/setup.hpp"
#include "health/tracker.hpp"

namespace keyherd::engine {

struct ProviderRecord {
  std::shared_ptr<const model::Provider> provider;
  std::array<model::HistogramView, model::kProbeKindCount> durations;
  std::optional<health::Incident> incident;
};

health::KeyFacts facts_of(const model::Key& key, const Setup& setup);

class Herd {
 public:
  Herd(CommitPipeline& pipeline, spdlog::logger& log) : pipeline_(pipeline), log_(log) {}

  void configure(const Setup& setup, Instant now);
  // Called once, after the first configure.
  void restore(const store::State& state, Instant now);
  // The key has another secret from now on, whatever its reference resolved to when the setup was
  // made; null: none, and `why` says so to people.
  void adopt(const std::string& key, std::shared_ptr<const Secret> secret, const std::string& why,
             Instant now);

  // What the keyring's entry is from now on, the next configure() says.
  void forget_adopted(const std::string& entry) {
    std::erase_if(adopted_, [&](const auto& one) {
      const KeyRecord* record = find(one.first);
      return record != nullptr && record->key.secret.name == entry;
    });
  }

  void observe(const model::Evidence& evidence, Instant now);
  // Hears of all evidence of configured keys, after it was observed.
  void set_witness(std::function<void(const model::Evidence&, Instant)> witness) {
    witness_ = std::move(witness);
  }
  // What is still being summed of the key goes into the next commit.
  void store_evidence(const std::string& key);
  void pause(const std::string& key, const std::string& actor, Instant now);
  void resume(const std::string& key, const std::string& actor, Instant now);
  void quota_reset(const std::string& key, Instant now);
  void tick(Instant now);
  // An endpoint was shown a made-up key.
  void control_answered(const std::string& provider, model::ProbeKind kind, bool accepts);

  // Null for a key that is not configured.
  KeyRecord* find(const std::string& key);
  [[nodiscard]] const KeyRecord* find(const std::string& key) const;
  [[nodiscard]] const std::map<std::string, KeyRecord>& records() const { return records_; }
  [[nodiscard]] const std::map<std::string, ProviderRecord>& providers() const {
    return providers_;
  }
  [[nodiscard]] const health::Tracker& tracker() const { return tracker_; }

  void touch(const std::string& key) { touched_.keys.insert(key); }

  // What changed since the last call.
  struct Touched {
    std::set<std::string> keys;
    std::set<std::string> providers;
    std::set<std::string> probe_soon;
    std::vector<model::BalanceDrop> drops;
  };
  Touched take_touched() { return std::exchange(touched_, {}); }

 private:
  void apply(const health::Change& change);
  void keep_evidence(KeyRecord& record, const model::Evidence& evidence, Instant now);
  void note_shared_account(const health::SharedAccount& pair);
  void forget_shared_accounts();
  void check_secret(KeyRecord& record, const store::State& state, Instant now);
  void observe_balances(KeyRecord& record, const model::Evidence& evidence);
  void observe_duration(const model::Evidence& evidence, const std::string& provider);

  CommitPipeline& pipeline_;
  spdlog::logger& log_;
  health::Tracker tracker_;
  std::map<std::string, KeyRecord> records_;
  std::map<std::string, ProviderRecord> providers_;
  std::string installation_key_;
  std::map<std::string, KeySecret> adopted_;  // since the start; they win over a reload's
  Touched touched_;
  std::function<void(const model::Evidence&, Instant)> witness_ = [](const auto&, Instant) {};
};

}  // namespace keyherd::engine
