#include "net/http_head.hpp"

#include "base/text.hpp"
#include "net/message_rules.hpp"

namespace keyherd::net {

namespace {

constexpr std::size_t kMaxTarget = 8192;
constexpr std::size_t kMaxHeaders = 100;
constexpr std::size_t kMaxLengthDigits = 18;

using Checked = OrRefusal<void>;

tl::unexpected<Refusal> bad(std::string_view message) {
  return refuse(400, "bad_request", message);
}

// The next line without its CRLF. The caller has made sure that every line ends so.
std::string_view take_line(std::string_view& text) {
  const auto end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return line;
}

Checked read_request_line(std::string_view line, RequestHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return bad("the request line must be: method, target, version");
  const std::string_view version = line.substr(last + 1);
  head.method = std::string(line.substr(0, first));
  head.target = std::string(line.substr(first + 1, last - first - 1));
  if (!is_token(head.method))
    return bad("the method is not a word");
  if (version.substr(0, 5) != "HTTP/")
    return bad("the request line must end with the HTTP version");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return refuse(505, "version_not_supported", "only HTTP/1.1 and HTTP/1.0 are spoken here");
  head.is_http_1_0 = version == "HTTP/1.0";
  if (head.target.size() > kMaxTarget)
    return refuse(414, "uri_too_long", "the request target exceeds 8192 bytes");
  if (!is_visible_ascii(head.target) || head.target.substr(0, 1) != "/" ||
      head.target.find('#') != std::string::npos)
    return bad("the request target must be a path, starting with /, percent-encoded");
  return {};
}

Checked read_header(std::string_view line, RequestHead& head) {
  const auto colon = line.find(':');
  // No name, a folded line (starts with a space) and a space before the colon all end here.
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return bad("a header line is malformed");
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_field_value(value))
    return bad("a header value has control characters");
  if (head.headers.size() >= kMaxHeaders)
    return refuse(431, "headers_too_large", "more than 100 headers");
  head.headers.emplace(to_lower(line.substr(0, colon)), std::string(value));
  return {};
}

// The value of a header that may come once at most; nothing when it is absent.
OrRefusal<std::optional<std::string_view>> single(const RequestHead& head, const char* name) {
  const auto [first, last] = head.headers.equal_range(name);
  if (first == last)
    return std::nullopt;
  if (std::next(first) != last)
    return bad("a header that may come once came twice (Host, Content-Length, Transfer-Encoding)");
  return std::optional<std::string_view>(first->second);
}

Checked read_framing(RequestHead& head) {
  const auto length = single(head, "content-length");
  const auto encoding = single(head, "transfer-encoding");
  if (!length || !encoding)
    return tl::unexpected<Refusal>(!length ? length.error() : encoding.error());
  if (*length && *encoding)
    return bad("Content-Length and Transfer-Encoding exclude each other");
  if (*encoding) {
    if (head.is_http_1_0)
      return bad("HTTP/1.0 knows no Transfer-Encoding");
    if (!equals_ignore_case(**encoding, "chunked"))
      return refuse(501, "not_implemented", "the only Transfer-Encoding here is chunked");
    head.chunked = true;
  }
  if (*length) {
    const auto value = (*length)->size() > kMaxLengthDigits ? std::nullopt : parse_int(**length);
    if (!value)
      return bad("Content-Length must be one number");
    head.content_length = static_cast<std::uint64_t>(*value);
  }
  return {};
}

Checked read_connection(RequestHead& head) {
  const auto host = single(head, "host");
  if (!host)
    return tl::unexpected<Refusal>(host.error());
  if (!*host && !head.is_http_1_0)
    return bad("HTTP/1.1 requires a Host header");
  bool close = false;
  bool keep = false;
  const auto [first, last] = head.headers.equal_range("connection");
  for (auto entry = first; entry != last; ++entry) {
    close = close || has_option(entry->second, "close");
    keep = keep || has_option(entry->second, "keep-alive");
  }
  head.keep_alive = !close && (keep || !head.is_http_1_0);
  if (const auto expect = head.headers.find("expect"); expect != head.headers.end()) {
    if (!equals_ignore_case(expect->second, "100-continue"))
      return refuse(417, "expectation_failed", "the only expectation met here is 100-continue");
    head.expects_continue = !head.is_http_1_0;
  }
  return {};
}

}  // namespace

OrRefusal<RequestHead> parse_head(std::string_view text) {
  RequestHead head;
  Checked checked = read_request_line(take_line(text), head);
  while (checked && !text.empty())
    checked = read_header(take_line(text), head);
  if (checked)
    checked = read_framing(head);
  if (checked)
    checked = read_connection(head);
  if (!checked)
    return tl::unexpected<Refusal>(checked.error());
  return head;
}

}  // namespace keyherd::net
