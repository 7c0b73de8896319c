#pragma once

// What the targets share. A target takes any bytes; a property that does not hold ends the program,
// which is a finding.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace keyherd::fuzz {

void config(const std::uint8_t* data, std::size_t size);
void cron(const std::uint8_t* data, std::size_t size);
void http_request(const std::uint8_t* data, std::size_t size);
void keys_csv(const std::uint8_t* data, std::size_t size);
void keys_json(const std::uint8_t* data, std::size_t size);
void label(const std::uint8_t* data, std::size_t size);
void provider_answer(const std::uint8_t* data, std::size_t size);
void redactor(const std::uint8_t* data, std::size_t size);
void usage_lines(const std::uint8_t* data, std::size_t size);

struct Target {
  std::string_view name;
  void (*run)(const std::uint8_t* data, std::size_t size);
};
inline constexpr std::array kTargets{Target{"config", config},
                                     Target{"cron", cron},
                                     Target{"http_request", http_request},
                                     Target{"keys_csv", keys_csv},
                                     Target{"keys_json", keys_json},
                                     Target{"label", label},
                                     Target{"provider_answer", provider_answer},
                                     Target{"redactor", redactor},
                                     Target{"usage_lines", usage_lines}};

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void must(bool holds) {
  if (!holds)
    std::abort();
}

}  // namespace keyherd::fuzz
