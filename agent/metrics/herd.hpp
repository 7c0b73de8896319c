#pragma once

// A Snapshot prepared for writing: what several families need of a key or a provider, above all the
// finished label list, is made once. Borrows from the Snapshot. One thread at a time.

#include <cstddef>
#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace keyherd::metrics {

struct ModelTotals {
  std::string label;  // model="…"
  model::UsageCounts counts;
};

struct ProviderRow {
  const model::ProviderView* view = nullptr;
  std::string label;     // provider="…"
  std::string endpoint;  // endpoint="…"
  std::string model;     // model="…" that probes ask for
  std::int64_t unpriced = 0;
  std::int64_t folded = 0;
};

// One fact of a list that a provider states, under its label: resource="…", currency="…".
template <class Fact>
struct Labelled {
  std::string label;
  const Fact* fact = nullptr;
};

struct KeyRow {
  const model::KeyView* view = nullptr;
  const ProviderRow* provider = nullptr;  // none when the configuration lost it
  std::string labels;                     // key="…",provider="…"
  std::vector<ModelTotals> models;
  std::vector<Labelled<model::RateLimit>> rate_limits;  // by resource, each once
  std::vector<Labelled<model::Balance>> balances;       // by currency, each once
};

struct QuotaRow {
  const model::QuotaStatus* status = nullptr;
  std::string labels;  // key="…",provider="…",quota="…"
};

struct PoolRow {
  const model::PoolView* view = nullptr;
  std::string label;     // pool="…"
  std::string schedule;  // schedule="…"; empty without a schedule
};

struct SourceRow {
  const model::SourceView* view = nullptr;
  std::string label;  // source="…"
};

struct SpendRow {
  std::string labels;  // key="…",provider="…"
  model::NanoUsd spend = 0;
};

// Rows point at one another: not to be copied.
struct Herd {
  Herd() = default;
  Herd(Herd&&) = default;
  Herd& operator=(Herd&&) = default;

  const model::Snapshot* snapshot = nullptr;
  std::vector<ProviderRow> providers;
  std::vector<KeyRow> keys;
  std::vector<QuotaRow> quotas;  // of keys, then of limit groups
  std::vector<PoolRow> pools;
  std::vector<SourceRow> sources;
  std::vector<SpendRow> unaccounted;  // by wallet, where it can be said
};

// At most models_per_key models of a key keep their own name; the others are summed up as "other".
Herd make_herd(const model::Snapshot& snapshot, std::size_t models_per_key);

}  // namespace keyherd::metrics
