#pragma once

// Names become small numbers once, so that a line costs hash look-ups and no allocation. Also where
// a name is attributed: which key a log means, which models are told apart, what a token costs.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/usage.hpp"

namespace keyherd::usage {

// Strings to indices 0, 1, 2, …; never forgets.
class NameTable {
 public:
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;

  NameTable() : slots_(kFirstCapacity) {}
  NameTable(NameTable&&) = default;
  NameTable& operator=(NameTable&&) = default;
  [[nodiscard]] std::uint32_t find(std::string_view name) const;
  // The index of the name, new or not.
  std::uint32_t insert(std::string_view name);
  [[nodiscard]] const std::string& name(std::uint32_t index) const { return names_[index]; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(names_.size()); }

 private:
  static constexpr std::size_t kFirstCapacity = 64;
  // What tells a short name apart stands in the table itself.
  struct Slot {
    static constexpr std::size_t kText = 20;
    std::uint32_t tag = 0;  // of the hash
    std::uint32_t length = 0;
    std::uint32_t index = kNone;
    std::array<char, kText> text{};  // its beginning
  };
  [[nodiscard]] bool holds(const Slot& slot, std::uint32_t tag, std::string_view name) const;
  void grow();
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
  std::vector<std::string> names_;
};

enum class UnknownKeys { reject, accept };

class Names {
 public:
  explicit Names(UnknownKeys unknown) : unknown_(unknown) { admit(kOther); }

  // Keys and prices change; models keep their numbers.
  void set_context(std::shared_ptr<const model::UsageContext> context);

  // By any name that a log may use; kNone: unknown.
  std::uint32_t key(std::string_view log_name);
  [[nodiscard]] bool knows_key(std::string_view log_name) const {
    return log_names_.find(log_name) != NameTable::kNone;
  }
  [[nodiscard]] const std::string& key_id(std::uint32_t key) const { return keys_[key].id; }
  [[nodiscard]] bool per_minute(std::uint32_t key) const { return keys_[key].per_minute; }
  // Whether anything of the key's provider has a price.
  [[nodiscard]] bool has_prices(std::uint32_t key) const {
    const auto* prices = providers_[keys_[key].provider];
    return prices != nullptr && !prices->empty();
  }
  // How long history is kept; zero: for ever.
  [[nodiscard]] std::chrono::nanoseconds kept() const {
    return context_ ? context_->kept : std::chrono::nanoseconds(0);
  }
  [[nodiscard]] std::size_t key_count() const { return keys_.size(); }

  // Beyond the cap, and for names unfit for a label, the number of "other".
  static constexpr std::string_view kOther = "other";
  static constexpr std::uint32_t kOtherModel = 0;
  std::uint32_t model(std::string_view name);
  [[nodiscard]] std::size_t model_count() const { return models_.size(); }
  [[nodiscard]] const std::string& model_name(std::uint32_t model) const {
    return models_.name(model);
  }

  // What held in this quarter of an hour; nullptr: unknown. Of the exact model name, else of the
  // name without its date ("-2026-05-01", "-20260501"): providers put one behind the name that they
  // publish prices for. Valid until the next set_context.
  const model::Price* price(std::uint32_t key, std::uint32_t model, std::int64_t bucket);

 private:
  static constexpr std::uint32_t kNoProvider = 0;
  struct KeyInfo {
    std::string id;
    std::uint32_t provider = kNoProvider;
    bool per_minute = false;
  };
  std::uint32_t admit(std::string_view model);
  void add_key(const std::string& log_name, const model::UsageContext::KeyEntry& entry,
               NameTable& ids, NameTable& providers);
  void price_model(std::uint32_t model);
  // A price that changes over time is looked up once a bucket, not once a line: time zones are
  // slow.
  struct Quote {
    const model::ModelPrice* of = nullptr;
    std::int64_t bucket = 0;
    const model::Price* price = nullptr;
  };
  static constexpr std::size_t kQuotes = 256;
  [[nodiscard]] bool is_priced(const std::string& model) const;

  const UnknownKeys unknown_;
  std::shared_ptr<const model::UsageContext> context_;
  NameTable log_names_;
  std::vector<std::uint32_t> key_of_name_;
  std::vector<KeyInfo> keys_;
  NameTable models_;
  std::uint32_t unpriced_models_ = 0;  // admitted under the cap
  std::vector<const std::map<std::string, model::ModelPrice>*> providers_{nullptr};
  struct Listed {
    const model::ModelPrice* list = nullptr;
    const model::Price* fixed = nullptr;  // of a list whose price never changes
  };
  std::vector<std::vector<Listed>> prices_;  // by provider, then model
  std::array<Quote, kQuotes> quotes_{};
};

}  // namespace keyherd::usage
