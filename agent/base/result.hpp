#pragma once

// What can fail in normal operation (network, files, input, store) returns Result<T>: a value, or
// an Error whose code says what a caller can do about it and whose message reads "doing X on Y:
// cause". Exceptions are for broken invariants and third-party edges, and are converted there.

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace keyherd {

enum class ErrorCode {
  invalid,      // the input or the configuration is wrong; a person must change it
  not_found,    // it does not exist
  conflict,     // it exists already, or something else is in progress
  denied,       // not permitted (file mode, missing role)
  unavailable,  // a peer or a device is not there now; trying again may help
  timeout,      // a deadline passed
  cancelled,    // we stopped it ourselves
  too_large,    // beyond a documented cap
  corrupt,      // the data cannot be what was written
  no_space,     // the disk, or a bounded queue, is full
  internal,     // a bug, or a third-party library behaving in a way it does not document
};

std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

// tl::expected 1.0.0 is not [[nodiscard]]; this is.
template <class T>
struct [[nodiscard]] Result : tl::expected<T, Error> {
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// "context: cause", keeping the code.
Error with_context(Error error, std::string_view context);

// Maps errno to an Error: the one place where errno becomes a code.
Error errno_error(int error_number, std::string_view doing);

}  // namespace keyherd

// KH_TRY(status_expression); returns the error from the calling function.
#define KH_TRY(expression)                                  \
  do {                                                      \
    if (auto kh_status = (expression); !kh_status)          \
      return ::keyherd::fail(std::move(kh_status).error()); \
  } while (false)

// KH_ASSIGN(auto x, result_expression); declares x or returns the error from the calling function.
#define KH_ASSIGN(declaration, expression) \
  KH_ASSIGN_AS(declaration, expression, KH_CONCAT(kh_result_, __LINE__))
#define KH_ASSIGN_AS(declaration, expression, name)  \
  auto name = (expression);                          \
  if (!name)                                         \
    return ::keyherd::fail(std::move(name).error()); \
  declaration = std::move(*name)
#define KH_CONCAT(a, b) KH_CONCAT_INNER(a, b)
#define KH_CONCAT_INNER(a, b) a##b
