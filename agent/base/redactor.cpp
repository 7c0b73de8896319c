#include "base/redactor.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/json.hpp"
#include "base/text.hpp"

namespace keyherd {

namespace {

constexpr std::string_view kMask = "[redacted]";
constexpr std::size_t kShortest = 8;

bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '/' || c == '+' || c == '=' || c == '*';
}

// Prefixes of providers' keys, and how many characters must follow before it looks like one.
struct KeyShape {
  std::string_view prefix;
  std::size_t least;
};
constexpr std::array<KeyShape, 7> kShapes{{{"sk-", 6},
                                           {"AIza", 10},
                                           {"AQ.", 16},
                                           {"gsk_", 8},
                                           {"xai-", 8},
                                           {"Bearer ", 8},
                                           {"bearer ", 8}}};

// The end of something key-like that begins at `at`, or `at` itself.
std::size_t end_of_shape(std::string_view text, std::size_t at) {
  if (at > 0 && is_token_character(text[at - 1]) && text[at - 1] != '=' && text[at - 1] != '/' &&
      text[at - 1] != '.')
    return at;  // inside a longer word: "task-list"
  for (const KeyShape& shape : kShapes) {
    if (text.substr(at, shape.prefix.size()) != shape.prefix)
      continue;
    std::size_t end = at + shape.prefix.size();
    while (end < text.size() && is_token_character(text[end]))
      ++end;
    if (end - at >= shape.prefix.size() + shape.least)
      return end;
  }
  return at;
}

std::string base64_url(std::string text) {
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

// The part of base64(prefix + secret + anything) that depends on the secret alone.
std::string base64_core(std::string_view secret, std::size_t alignment) {
  const std::string encoded = base64(std::string(alignment, '\0') + std::string(secret));
  const std::size_t first = (alignment * 8 + 5) / 6;
  const std::size_t last = (alignment + secret.size()) * 8 / 6;
  return encoded.substr(first, last - first);
}

std::vector<std::string> forms_of(std::string_view secret) {
  std::vector<std::string> forms{std::string(secret), to_hex(secret), url_encode(secret)};
  const std::string quoted = dump_json(nlohmann::json(std::string(secret)));
  forms.push_back(quoted.substr(1, quoted.size() - 2));
  for (std::size_t alignment = 0; alignment < 3; ++alignment) {
    forms.push_back(base64_core(secret, alignment));
    forms.push_back(base64_url(forms.back()));
  }
  std::sort(forms.begin(), forms.end());
  forms.erase(std::unique(forms.begin(), forms.end()), forms.end());
  return forms;
}

std::uint64_t head_of(std::string_view text) {
  std::uint64_t head = 0;
  std::memcpy(&head, text.data(), kShortest);
  return head;
}

std::size_t hash_of(std::string_view text) {
  return std::hash<std::string_view>{}(text);
}

}  // namespace

// By the first eight bytes the lengths that forms beginning so have, and the hashes of whole forms:
// a position costs a look-up or two however many keys there are and however alike they begin
// ("sk-proj-"), and the texts need not be kept.
struct Redactor::Forms {
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> lengths;  // longest first
  std::unordered_set<std::size_t> known;

  [[nodiscard]] std::size_t longest_at(std::string_view text) const;
};

Redactor::Redactor() : forms_(std::make_unique<Forms>()) {}
Redactor::~Redactor() = default;

void Redactor::add(const Secret& secret) {
  if (secret.size() < kShortest)
    return;
  MutexLock lock(mutex_);
  for (std::string& form : forms_of(secret.reveal())) {
    if (form.size() < kShortest)
      continue;
    auto& lengths = forms_->lengths[head_of(form)];
    if (std::find(lengths.begin(), lengths.end(), form.size()) == lengths.end()) {
      lengths.push_back(form.size());
      std::sort(lengths.begin(), lengths.end(), std::greater<>());
    }
    forms_->known.insert(hash_of(form));
  }
}

// How long the form is that begins the text; 0: none does.
std::size_t Redactor::Forms::longest_at(std::string_view text) const {
  if (text.size() < kShortest)
    return 0;
  const auto found = lengths.find(head_of(text));
  if (found == lengths.end())
    return 0;
  for (const std::size_t length : found->second) {
    if (length <= text.size() && known.contains(hash_of(text.substr(0, length))))
      return length;
  }
  return 0;
}

std::string Redactor::redact(std::string_view text) const {
  MutexLock lock(mutex_);
  std::string result;
  result.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t longest =
        std::max(forms_->longest_at(text.substr(at)), end_of_shape(text, at) - at);
    if (longest > 0) {
      result += kMask;
      at += longest;
    } else {
      result += text[at++];
    }
  }
  return result;
}

}  // namespace keyherd
