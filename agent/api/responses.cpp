#include "api/responses.hpp"

#include <nlohmann/json.hpp>

#include "api/views.hpp"
#include "base/json.hpp"

namespace keyherd::api {

using net::ServerResponse;
using nlohmann::json;

ServerResponse respond(int status, const json& body) {
  ServerResponse response;
  response.status = status;
  response.body = dump_json(body) + "\n";
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

ServerResponse respond_error(int status, std::string_view code, std::string_view message) {
  return respond(status, error_json(code, message));
}

namespace {

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return 400;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::conflict:
      return 409;
    case ErrorCode::denied:
      return 403;
    case ErrorCode::too_large:
      return 413;
    case ErrorCode::timeout:
      return 504;
    case ErrorCode::unavailable:
    case ErrorCode::cancelled:
    case ErrorCode::no_space:
      return 503;
    case ErrorCode::corrupt:
    case ErrorCode::internal:
      return 500;
  }
  return 500;
}

}  // namespace

ServerResponse respond_error(const Error& error) {
  return respond_error(status_of(error.code), to_string(error.code), error.message);
}

ServerResponse respond_try_later(std::string_view why) {
  ServerResponse response = respond_error(429, "unavailable", why);
  response.headers.emplace_back("Retry-After", "5");
  return response;
}

}  // namespace keyherd::api
