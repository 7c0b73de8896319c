#pragma once

// Single values of the configuration: text in, value or a message for a person out. Pure.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "model/error_rule.hpp"
#include "model/quota.hpp"

namespace keyherd::config {

// Letters, digits, '.', '_' and '-', 1 to 64 of them: fit for labels, URLs and file names alike.
bool is_id(std::string_view text);
inline constexpr std::string_view kIdRule = "letters, digits, '.', '_' and '-', at most 64";

struct ListenAddress {
  std::string address;
  int port = 0;
};
// "127.0.0.1:9925", "localhost:0", "[::1]:9925".
Result<ListenAddress> parse_listen(std::string_view text);

struct Window {
  model::WindowKind kind = model::WindowKind::day;
  std::chrono::nanoseconds rolling{0};
};
// "day", …, "rolling 24h".
Result<Window> parse_window(std::string_view text);

// Where windows of this kind begin: "00:00", "mon", "mon 09:00", "day 15", "day 15 09:00".
struct ResetsAt {
  int day = 1;  // of the week (1 Monday) or of the month
  std::chrono::minutes time{0};
};
Result<ResetsAt> parse_resets_at(std::string_view text, model::WindowKind window);
// "09:00", a whole quarter of an hour; "24:00" is the end of the day.
std::optional<std::chrono::minutes> parse_quarter(std::string_view text);

// An http or https URL with a host, without credentials, query or fragment; http only to this
// machine unless plain http is allowed. The message never quotes the URL, which may hold a
// password.
Status check_url(std::string_view url, bool allow_plain_http);
// The same, with a query allowed: webhooks carry one.
Status check_webhook_url(std::string_view url, bool allow_plain_http);

// "0640" → 0640. Owner may read and write, group may read or write, others nothing.
Result<unsigned> parse_mode(std::string_view text);

// "" or "/a/b" with ~0 and ~1 as escapes (RFC 6901); the empty pointer is refused: it is no field.
Status check_json_pointer(std::string_view text);

// Extra request headers: a token as name, printable ASCII as value, and no name that carries
// credentials.
Status check_header(std::string_view name, std::string_view value);
// A header that may carry the key.
Status check_auth_header(std::string_view name);
// A probe's path after base_url, by the probe's name.
Status check_probe_path(std::string_view probe, std::string_view path);
// "429" or "500-599".
Result<model::StatusRange> parse_status_range(std::string_view text);
Status check_label(std::string_view name, std::string_view value);

}  // namespace keyherd::config
