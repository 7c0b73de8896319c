#include "metrics/herd.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "metrics/text_writer.hpp"
#include "model/naming.hpp"

namespace keyherd::metrics {

namespace {

constexpr std::string_view kOtherModel = "other";

// The models that keep their own label. The choice for a key with too many depends on the price
// table alone: a later model never takes a label from an earlier one, so no counter falls.
class NamedModels {
 public:
  NamedModels(const model::Provider* provider, std::size_t at_most) : at_most_(at_most) {
    if (provider == nullptr)
      return;
    for (const bool listed : {false, true})  // the provider's own first
      for (const auto& [name, price] : provider->prices)
        if (price.listed == listed && priced_.size() < at_most)
          priced_.insert(name);
  }

  [[nodiscard]] bool named(const std::string& name, std::size_t models_of_key) const {
    return models_of_key <= at_most_ || priced_.contains(name);
  }

 private:
  std::size_t at_most_;
  std::set<std::string, std::less<>> priced_;
};

// Names that are equal once they are labels are summed: two series of one name would spoil the
// scrape.
std::vector<ModelTotals> fold_models(const model::KeyView& view, const NamedModels& names) {
  std::vector<ModelTotals> totals;
  for (const auto& [name, counts] : view.usage_by_model) {
    const bool named = names.named(name, view.usage_by_model.size());
    std::string text = label("model", named ? std::string_view(name) : kOtherModel);
    const auto same = std::find_if(totals.begin(), totals.end(),
                                   [&](const ModelTotals& row) { return row.label == text; });
    if (same == totals.end())
      totals.push_back({std::move(text), counts});
    else
      same->counts.add(counts);
  }
  std::sort(totals.begin(), totals.end(),
            [](const ModelTotals& a, const ModelTotals& b) { return a.label < b.label; });
  return totals;
}

std::string key_labels(std::string_view key, std::string_view provider) {
  return label("key", key) + "," + label("provider", provider);
}

void add_quotas(std::vector<QuotaRow>& rows, const std::vector<model::QuotaStatus>& quotas,
                const std::string& labels) {
  for (const model::QuotaStatus& status : quotas)
    rows.push_back({&status, labels + "," + label("quota", status.quota)});
}

std::vector<QuotaRow> make_quotas(const model::Snapshot& snapshot,
                                  const std::vector<KeyRow>& keys) {
  std::vector<QuotaRow> rows;
  for (const KeyRow& key : keys)
    add_quotas(rows, key.view->quotas, key.labels);
  if (snapshot.group_quotas.empty())
    return rows;
  const auto providers = model::providers_of_groups(snapshot);
  for (const model::QuotaStatus& status : snapshot.group_quotas) {
    const auto provider = providers.find(status.owner);
    rows.push_back(
        {&status, key_labels(status.owner,
                             provider == providers.end() ? std::string_view() : provider->second) +
                      "," + label("quota", status.quota)});
  }
  return rows;
}

void add_usage(ProviderRow& provider, const KeyRow& key) {
  const std::string other = label("model", kOtherModel);
  for (const ModelTotals& model : key.models) {
    provider.unpriced = model::saturating_add(provider.unpriced, model.counts.unpriced);
    if (model.label == other)
      provider.folded = model::saturating_add(provider.folded, model.counts.requests);
  }
}

// Providers state lists; a name that comes twice would spoil the scrape, so the first one counts.
template <class Fact>
std::vector<Labelled<Fact>> labelled(const std::vector<Fact>& facts, std::string_view name,
                                     std::string Fact::*value) {
  std::vector<Labelled<Fact>> rows;
  rows.reserve(facts.size());
  for (const Fact& fact : facts)
    rows.push_back({label(name, fact.*value), &fact});
  const auto before = [](const auto& a, const auto& b) { return a.label < b.label; };
  std::stable_sort(rows.begin(), rows.end(), before);
  const auto same = [](const auto& a, const auto& b) { return a.label == b.label; };
  rows.erase(std::unique(rows.begin(), rows.end(), same), rows.end());
  return rows;
}

KeyRow make_key(const model::KeyView& view, const NamedModels& names) {
  KeyRow row;
  row.view = &view;
  row.labels = key_labels(view.key.id, view.key.provider);
  row.models = fold_models(view, names);
  row.rate_limits = labelled(view.rate_limits, "resource", &model::RateLimit::resource);
  row.balances = labelled(view.balances, "currency", &model::Balance::currency);
  return row;
}

}  // namespace

Herd make_herd(const model::Snapshot& snapshot, std::size_t models_per_key) {
  Herd herd;
  herd.snapshot = &snapshot;
  std::map<std::string_view, std::size_t> provider_index;
  std::vector<NamedModels> names;
  herd.providers.reserve(snapshot.providers.size());  // keys point into it
  for (const auto& view : snapshot.providers) {
    provider_index.emplace(view->provider.id, herd.providers.size());
    names.emplace_back(&view->provider, models_per_key);
    herd.providers.push_back({view.get(), label("provider", view->provider.id),
                              label("endpoint", model::endpoint_of(view->provider.base_url)),
                              label("model", view->provider.probe.model), 0, 0});
  }
  const NamedModels unknown(nullptr, models_per_key);
  herd.keys.reserve(snapshot.keys.size());
  for (const auto& view : snapshot.keys) {
    const auto found = provider_index.find(view->key.provider);
    const bool known = found != provider_index.end();
    KeyRow& row = herd.keys.emplace_back(make_key(*view, known ? names[found->second] : unknown));
    if (!known)
      continue;
    row.provider = &herd.providers[found->second];
    add_usage(herd.providers[found->second], row);
  }
  for (const model::WalletDrain& drain : snapshot.drains)
    if (drain.unaccounted)
      herd.unaccounted.push_back({key_labels(drain.owner, drain.provider), *drain.unaccounted});
  herd.quotas = make_quotas(snapshot, herd.keys);
  for (const auto& view : snapshot.pools)
    herd.pools.push_back(
        {view.get(), label("pool", view->pool.id),
         view->pool.schedule.empty() ? std::string() : label("schedule", view->pool.id)});
  for (const auto& view : snapshot.sources)
    herd.sources.push_back({view.get(), label("source", view->log.id)});
  return herd;
}

}  // namespace keyherd::metrics
