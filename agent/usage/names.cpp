#include "usage/names.hpp"

#include <algorithm>
#include <cstring>

#include "usage/hash.hpp"
#include "usage/quotes.hpp"

namespace keyherd::usage {

namespace {

constexpr std::size_t kMaxModelName = 128;

// Names are short: a call costs more than comparing them.
bool same_text(const char* a, const char* b, std::size_t length) {
  const auto word = [](const char* at) {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  if (length < sizeof(std::uint64_t))
    return std::equal(a, a + length, b);
  const std::size_t last = length - sizeof(std::uint64_t);
  for (std::size_t at = 0; at < last; at += sizeof(std::uint64_t)) {
    if (word(a + at) != word(b + at))
      return false;
  }
  return word(a + last) == word(b + last);
}

std::uint32_t tag_of(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash >> 32U);
}

// A label shows the name: valid UTF-8 it is (the parser checked), control characters it must not
// hold.
bool fits_a_label(std::string_view name) {
  return !name.empty() && name.size() <= kMaxModelName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte >= 0x20 && byte != 0x7F;
         });
}

}  // namespace

bool NameTable::holds(const Slot& slot, std::uint32_t tag, std::string_view name) const {
  if (slot.tag != tag || slot.length != name.size())
    return false;
  const std::size_t inside = std::min(name.size(), Slot::kText);
  return same_text(slot.text.data(), name.data(), inside) &&
         (inside == name.size() || names_[slot.index] == name);
}

std::uint32_t NameTable::find(std::string_view name) const {
  const std::uint64_t hash = hash64(name);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.index == kNone || holds(slot, tag_of(hash), name))
      return slot.index;
  }
}

std::uint32_t NameTable::insert(std::string_view name) {
  if (const std::uint32_t known = find(name); known != kNone)
    return known;
  if ((names_.size() + 1) * 2 > slots_.size())
    grow();
  const std::uint64_t hash = hash64(name);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].index != kNone)
    at = (at + 1) & mask;
  Slot& slot = slots_[at];
  slot.tag = tag_of(hash);
  slot.length = static_cast<std::uint32_t>(name.size());
  slot.index = size();
  name.copy(slot.text.data(), Slot::kText);
  names_.emplace_back(name);
  return slot.index;
}

void NameTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.index == kNone)
      continue;
    std::size_t at = hash64(names_[slot.index]) & mask;
    while (slots_[at].index != kNone)
      at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

void Names::set_context(std::shared_ptr<const model::UsageContext> context) {
  context_ = std::move(context);
  log_names_ = NameTable();
  key_of_name_.clear();
  keys_.clear();
  providers_.assign(1, nullptr);
  NameTable ids;
  NameTable providers;
  providers.insert("");  // kNoProvider
  for (const auto& [log_name, entry] : context_->keys)
    add_key(log_name, entry, ids, providers);
  prices_.assign(providers_.size(), {});
  quotes_.fill(Quote{});
  for (std::uint32_t model = 0; model < models_.size(); ++model)
    price_model(model);
}

void Names::add_key(const std::string& log_name, const model::UsageContext::KeyEntry& entry,
                    NameTable& ids, NameTable& providers) {
  const std::uint32_t key = ids.insert(entry.id);
  if (key == keys_.size()) {
    const std::uint32_t provider = providers.insert(entry.provider);
    if (provider == providers_.size()) {
      const auto prices = context_->prices.find(entry.provider);
      providers_.push_back(prices == context_->prices.end() ? nullptr : &prices->second);
    }
    keys_.push_back(KeyInfo{entry.id, provider, entry.per_minute});
  }
  log_names_.insert(log_name);
  key_of_name_.push_back(key);
}

std::uint32_t Names::key(std::string_view log_name) {
  std::uint32_t name = log_names_.find(log_name);
  if (name == NameTable::kNone) {
    if (unknown_ == UnknownKeys::reject)
      return NameTable::kNone;
    name = log_names_.insert(log_name);
    key_of_name_.push_back(static_cast<std::uint32_t>(keys_.size()));
    keys_.push_back(KeyInfo{std::string(log_name), kNoProvider, false});
  }
  return key_of_name_[name];
}

std::uint32_t Names::model(std::string_view name) {
  if (const std::uint32_t known = models_.find(name); known != NameTable::kNone)
    return known;
  if (!fits_a_label(name))
    return kOtherModel;
  const bool priced = is_priced(std::string(name));
  if (!priced && context_ && unpriced_models_ >= context_->max_models)
    return kOtherModel;
  unpriced_models_ += priced ? 0 : 1;
  return admit(name);
}

std::uint32_t Names::admit(std::string_view model) {
  const std::uint32_t index = models_.insert(model);
  price_model(index);
  return index;
}

bool Names::is_priced(const std::string& model) const {
  return std::any_of(providers_.begin(), providers_.end(), [&](const auto* prices) {
    return prices != nullptr && prices->contains(model);
  });
}

void Names::price_model(std::uint32_t model) {
  for (std::size_t provider = 0; provider < prices_.size(); ++provider) {
    auto& of_model = prices_[provider];
    of_model.resize(std::max<std::size_t>(of_model.size(), model + 1U));
    if (model == kOtherModel || providers_[provider] == nullptr)
      continue;
    if (const auto* list = find_price(*providers_[provider], models_.name(model)))
      of_model[model] = Listed{list, list->fixed()};
  }
}

const model::Price* Names::price(std::uint32_t key, std::uint32_t model, std::int64_t bucket) {
  const std::uint32_t provider = keys_[key].provider;
  if (provider >= prices_.size())
    return nullptr;
  const Listed& listed = prices_[provider][model];
  if (listed.fixed != nullptr || listed.list == nullptr)
    return listed.fixed;
  const auto place = (static_cast<std::size_t>(bucket) * 31U + model * 7U + provider) % kQuotes;
  Quote& quote = quotes_[place];
  if (quote.of != listed.list || quote.bucket != bucket)
    quote = Quote{listed.list, bucket, price_at(*listed.list, model::bucket_start(bucket))};
  return quote.price;
}

}  // namespace keyherd::usage
