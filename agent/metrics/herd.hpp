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

struct KeyRow {
  const model::KeyView* view = nullptr;
  std::string labels;  // key="…",provider="…"
  std::vector<ModelTotals> models;
};

struct QuotaRow {
  const model::QuotaStatus* status = nullptr;
  std::string labels;  // key="…",provider="…",quota="…"
};

struct ProviderRow {
  const model::ProviderView* view = nullptr;
  std::string label;     // provider="…"
  std::string endpoint;  // endpoint="…"
  std::int64_t unpriced = 0;
  std::int64_t folded = 0;
};

struct Herd {
  const model::Snapshot* snapshot = nullptr;
  std::vector<KeyRow> keys;
  std::vector<QuotaRow> quotas;  // of keys, then of limit groups
  std::vector<ProviderRow> providers;
};

// At most models_per_key models of a key keep their own name; the others are summed up as "other".
Herd make_herd(const model::Snapshot& snapshot, std::size_t models_per_key);

// Host, and port where it is given, of a base URL: "api.deepseek.com". Never its user or path.
std::string endpoint_of(std::string_view base_url);

}  // namespace keyherd::metrics
