#include "net/answer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "net/message_rules.hpp"

namespace keyherd::net {

namespace {

constexpr std::array<std::pair<int, std::string_view>, 34> kReasons{{
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
}};

std::string_view reason_of(int status) {
  const auto* found = std::find_if(kReasons.begin(), kReasons.end(),
                                   [status](const auto& entry) { return entry.first == status; });
  return found == kReasons.end() ? std::string_view("Status") : found->second;
}

bool is_framing(const std::string& name) {
  return equals_ignore_case(name, "content-length") || equals_ignore_case(name, "connection") ||
         equals_ignore_case(name, "transfer-encoding") || equals_ignore_case(name, "content-type");
}

}  // namespace

bool has_body(int status) {
  return status != 204 && status != 304;
}

std::string format_answer_head(const ServerResponse& response, Persistence persistence,
                               Framing framing) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += reason_of(response.status);
  head += "\r\n";
  const auto line = [&head](std::string_view name, std::string_view value) {
    head += name;
    head += ": ";
    head += without_controls(value);
    head += "\r\n";
  };
  if (has_body(response.status)) {
    line("Content-Type", response.content_type);
    if (framing == Framing::sized)
      line("Content-Length", std::to_string(response.body.size()));
    else if (framing == Framing::chunked)
      line("Transfer-Encoding", "chunked");
  }
  for (const auto& [name, value] : response.headers) {
    if (is_token(name) && !is_framing(name))
      line(name, value);
  }
  if (persistence != Persistence::keep_alive)
    line("Connection", persistence == Persistence::close ? "close" : "keep-alive");
  head += "\r\n";
  return head;
}

ServerResponse default_error(int status, std::string_view code, std::string_view message) {
  ServerResponse response;
  response.status = status;
  response.body = R"({"error":{"code":")";
  response.body += code;
  response.body += R"(","message":")";
  response.body += message;
  response.body += R"("}})";
  return response;
}

}  // namespace keyherd::net
