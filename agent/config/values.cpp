#include "config/values.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "base/time_text.hpp"
#include "config/config.hpp"
#include "model/evidence.hpp"

namespace keyherd::config {

namespace {

constexpr int kMaxPort = 65535;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_graphic(char c) {
  return c > ' ' && c < '\x7f';
}

tl::unexpected<Error> wrong_value(std::string message) {
  return fail(ErrorCode::invalid, std::move(message));
}

struct HostPort {
  std::string host;  // without brackets
  std::string port;  // empty: none given
};

// "host", "host:port", "[v6]", "[v6]:port"; the port's value is not looked at.
Result<HostPort> split_host_port(std::string_view text) {
  HostPort result;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos)
      return wrong_value("the bracket of the IPv6 address is not closed");
    result.host = text.substr(1, close - 1);
    in6_addr address{};
    if (::inet_pton(AF_INET6, result.host.c_str(), &address) != 1)
      return wrong_value("what is in brackets is no IPv6 address");
    text.remove_prefix(close + 1);
    if (!text.empty() && !text.starts_with(':'))
      return wrong_value("after the bracket only a port can follow");
  } else {
    const auto colon = text.find(':');
    result.host = text.substr(0, colon);
    text.remove_prefix(result.host.size());
  }
  if (!text.empty())
    result.port = text.substr(1);
  const bool plain = std::all_of(result.host.begin(), result.host.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_' || c == ':';
  });
  if (!plain)
    return wrong_value("the host has characters that no host has");
  return result;
}

std::optional<int> parse_port(std::string_view text) {
  const auto port = text.size() <= 5 ? parse_int(text) : std::nullopt;
  if (!port || *port > kMaxPort)
    return std::nullopt;
  return static_cast<int>(*port);
}

Status check_authority(std::string_view authority, bool is_plain, bool allow_plain_http) {
  if (authority.find('@') != std::string_view::npos)
    return wrong_value(
        "a URL must not hold credentials: name the key as a secret reference instead");
  KH_ASSIGN(const HostPort parts, split_host_port(authority));
  if (parts.host.empty())
    return wrong_value("the URL has no host");
  const bool has_port = authority.ends_with(':') || !parts.port.empty();
  if (has_port && parse_port(parts.port).value_or(0) == 0)
    return wrong_value("the URL's port is not a number from 1 to 65535");
  if (is_plain && !allow_plain_http && !is_loopback(parts.host))
    return wrong_value(
        "http:// would send the secret over the network unencrypted: write https://, or set "
        "allow_plain_http = true");
  return {};
}

Status check_any_url(std::string_view url, bool allow_plain_http, bool allow_query) {
  const bool is_plain = url.starts_with("http://");
  if (!is_plain && !url.starts_with("https://"))
    return wrong_value("a URL begins with https:// (or http://)");
  if (!std::all_of(url.begin(), url.end(), is_graphic))
    return wrong_value("a URL has no spaces and only ASCII characters");
  if (url.find('#') != std::string_view::npos)
    return wrong_value("the URL must not have a fragment (#…)");
  if (!allow_query && url.find('?') != std::string_view::npos)
    return wrong_value("the URL must not have a query (?…)");
  url.remove_prefix(url.find("//") + 2);
  return check_authority(url.substr(0, url.find_first_of("/?")), is_plain, allow_plain_http);
}

}  // namespace

bool is_loopback(std::string_view host) {
  const std::string text(host);
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1)
    return (ntohl(v4.s_addr) >> 24U) == 127;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1)
    return IN6_IS_ADDR_LOOPBACK(&v6) != 0;
  return equals_ignore_case(host, "localhost");
}

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
  });
}

Result<ListenAddress> parse_listen(std::string_view text) {
  constexpr std::string_view kShape =
      "an address to listen on is host:port, such as "
      "\"127.0.0.1:9925\" or \"[::1]:9925\"";
  auto parts = split_host_port(text);
  if (!parts)
    return wrong_value(fmt::format("{}; {}", parts.error().message, kShape));
  const auto port = parse_port(parts->port);
  if (parts->host.empty() || !port)
    return wrong_value(std::string(kShape));
  return ListenAddress{parts->host, *port};
}

Result<Window> parse_window(std::string_view text) {
  constexpr std::array kCalendar{model::WindowKind::minute, model::WindowKind::hour,
                                 model::WindowKind::day,    model::WindowKind::week,
                                 model::WindowKind::month,  model::WindowKind::total};
  for (const model::WindowKind kind : kCalendar) {
    if (text == model::to_string(kind))
      return Window{kind, std::chrono::nanoseconds(0)};
  }
  constexpr std::string_view kRolling = "rolling ";
  if (!text.starts_with(kRolling))
    return wrong_value(
        fmt::format("\"{}\" is no window; known: minute, hour, day, week, month, total, "
                    "\"rolling 24h\"",
                    printable(text, 40)));
  KH_ASSIGN(const auto length, parse_duration(trim(text.substr(kRolling.size()))));
  if (length < std::chrono::minutes(1) || length > std::chrono::hours(24 * 366) ||
      length % std::chrono::minutes(1) != std::chrono::nanoseconds(0))
    return wrong_value("a rolling window is whole minutes long, from 1m to 366d");
  return Window{model::WindowKind::rolling, length};
}

std::optional<std::chrono::minutes> parse_quarter(std::string_view text) {
  constexpr std::int64_t kQuarter = 15;
  constexpr std::int64_t kMinutesADay = 24 * 60;
  if (text.size() != 5 || text[2] != ':')
    return std::nullopt;
  const auto hours = parse_int(text.substr(0, 2));
  const auto minutes = parse_int(text.substr(3));
  if (!hours || !minutes || *hours < 0 || *minutes < 0 || *minutes > 59)
    return std::nullopt;
  const std::int64_t minute = *hours * 60 + *minutes;
  if (minute > kMinutesADay || minute % kQuarter != 0)
    return std::nullopt;
  return std::chrono::minutes(minute);
}

Result<ResetsAt> parse_resets_at(std::string_view text, model::WindowKind window) {
  constexpr std::array<std::string_view, 7> kWeek{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  constexpr int kLastDay = 31;
  const bool week = window == model::WindowKind::week;
  const bool month = window == model::WindowKind::month;
  if (!week && !month && window != model::WindowKind::day)
    return wrong_value("is for the windows day, week and month");
  const tl::unexpected<Error> wrong =
      week    ? wrong_value("a week begins on a weekday, such as \"mon\" or \"mon 09:00\"")
      : month ? wrong_value("a month begins on a day, such as \"day 15\" or \"day 15 09:00\"")
              : wrong_value("a day begins at a quarter of an hour, such as \"09:00\"");
  std::vector<std::string_view> words = split(text, ' ');
  ResetsAt result;
  if (const auto time = parse_quarter(words.back())) {
    if (*time >= std::chrono::hours(24))
      return wrong;
    result.time = *time;
    words.pop_back();
  }
  if (week && words.size() == 1) {
    const auto* const day = std::find(kWeek.begin(), kWeek.end(), words[0]);
    if (day == kWeek.end())
      return wrong;
    result.day = static_cast<int>(day - kWeek.begin()) + 1;
  } else if (month && words.size() == 2 && words[0] == "day") {
    const auto day = parse_int(words[1]);
    if (!day || *day < 1 || *day > kLastDay)
      return wrong;
    result.day = static_cast<int>(*day);
  } else if (!words.empty()) {
    return wrong;
  }
  return result;
}

Status check_url(std::string_view url, bool allow_plain_http) {
  return check_any_url(url, allow_plain_http, false);
}

Status check_webhook_url(std::string_view url, bool allow_plain_http) {
  return check_any_url(url, allow_plain_http, true);
}

Result<unsigned> parse_mode(std::string_view text) {
  constexpr unsigned kOwnerMust = 0600;
  constexpr unsigned kAllowed = 0660;
  const bool octal =
      text.size() == 4 && text.front() == '0' &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '7'; });
  unsigned mode = 0;
  for (const char c : text)
    mode = mode * 8 + static_cast<unsigned>(c - '0');
  if (!octal || (mode & kOwnerMust) != kOwnerMust || (mode & ~kAllowed) != 0)
    return wrong_value("the mode of a file with a secret is \"0600\", \"0640\" or \"0660\"");
  return mode;
}

Status check_json_pointer(std::string_view text) {
  if (!text.starts_with('/'))
    return wrong_value("a JSON Pointer begins with '/', such as \"/usage/input_tokens\"");
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '~' && (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1')))
      return wrong_value("in a JSON Pointer '~' is written ~0, and '/' inside a name ~1");
  }
  return {};
}

namespace {

bool is_header_name(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || is_digit(c) || kMarks.find(c) != std::string_view::npos;
  });
}

bool is_set_by_transport(std::string_view name) {
  constexpr std::array<std::string_view, 6> kTransport{
      "host",        "content-length", "connection", "transfer-encoding", "content-encoding",
      "content-type"};
  return std::find(kTransport.begin(), kTransport.end(), to_lower(name)) != kTransport.end();
}

}  // namespace

Status check_header(std::string_view name, std::string_view value) {
  constexpr std::array<std::string_view, 8> kCredentials{
      "authorization", "proxy-authorization", "x-api-key",   "api-key", "x-goog-api-key",
      "cookie",        "x-litellm-key",       "x-auth-token"};
  if (!is_header_name(name))
    return wrong_value("this is no header name");
  if (std::find(kCredentials.begin(), kCredentials.end(), to_lower(name)) != kCredentials.end())
    return wrong_value("this header carries credentials: the key's secret goes there by itself");
  if (is_set_by_transport(name))
    return wrong_value("this header is set by the transport");
  if (!std::all_of(value.begin(), value.end(), [](char c) { return c == ' ' || is_graphic(c); }))
    return wrong_value("a header's value is printable ASCII");
  return {};
}

Status check_auth_header(std::string_view name) {
  if (!is_header_name(name))
    return wrong_value("this is no header name");
  if (is_set_by_transport(name))
    return wrong_value("this header is set by the transport");
  return {};
}

Status check_probe_path(std::string_view probe, std::string_view path) {
  if (!model::probe_kind_from_string(probe))
    return wrong_value("this is no probe; known: models, balance, chat, auth");
  if (!path.starts_with('/') || path.find('#') != std::string_view::npos ||
      !std::all_of(path.begin(), path.end(), is_graphic))
    return wrong_value("a path begins with \"/\" and has no spaces, such as \"/v2/models\"");
  return {};
}

Result<model::StatusRange> parse_status_range(std::string_view text) {
  constexpr int kHighest = 599;
  const std::size_t dash = text.find('-');
  const auto from = parse_int(text.substr(0, dash));
  const auto to = dash == std::string_view::npos ? from : parse_int(text.substr(dash + 1));
  if (!from || !to || *from < 0 || *to > kHighest || *from > *to)
    return wrong_value("is no HTTP status; write it like \"429\" or \"500-599\"");
  return model::StatusRange{static_cast<int>(*from), static_cast<int>(*to)};
}

Status check_label(std::string_view name, std::string_view value) {
  constexpr std::size_t kMaxName = 64;
  constexpr std::size_t kMaxValue = 256;
  const bool word = !name.empty() && name.size() <= kMaxName && !is_digit(name.front()) &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
  if (!word)
    return wrong_value("a label's name is letters, digits and '_', not beginning with a digit");
  if (value.size() > kMaxValue)
    return wrong_value("a label's value is at most 256 bytes long");
  return {};
}

}  // namespace keyherd::config
