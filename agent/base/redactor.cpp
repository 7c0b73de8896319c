#include "base/redactor.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>

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

}  // namespace

// Indexed by the first eight bytes, so that a line costs one look-up a position however many keys
// there are; the longest match wins.
struct Redactor::Forms {
  std::unordered_multimap<std::string, std::string> by_head;
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
    const std::string head = form.substr(0, kShortest);
    const auto [first, last] = forms_->by_head.equal_range(head);
    if (std::none_of(first, last, [&](const auto& known) { return known.second == form; }))
      forms_->by_head.emplace(head, std::move(form));
  }
}

std::string Redactor::redact(std::string_view text) const {
  MutexLock lock(mutex_);
  std::string result;
  result.reserve(text.size());
  std::string head;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t longest = 0;
    if (at + kShortest <= text.size()) {
      head.assign(text.substr(at, kShortest));
      const auto [first, last] = forms_->by_head.equal_range(head);
      for (auto known = first; known != last; ++known) {
        if (text.substr(at).starts_with(known->second))
          longest = std::max(longest, known->second.size());
      }
    }
    longest = std::max(longest, end_of_shape(text, at) - at);
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
