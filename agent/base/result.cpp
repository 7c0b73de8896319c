#include "base/result.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace keyherd {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::denied:
      return "denied";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::no_space:
      return "no_space";
    case ErrorCode::internal:
      return "internal";
  }
  std::abort();
}

Error with_context(Error error, std::string_view context) {
  error.message.insert(0, std::string(context) + ": ");
  return error;
}

namespace {
ErrorCode code_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::not_found;
    case EEXIST:
    case EADDRINUSE:
      return ErrorCode::conflict;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
      return ErrorCode::denied;
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::no_space;
    case ETIMEDOUT:
      return ErrorCode::timeout;
    case EINVAL:
    case EISDIR:
    case ENAMETOOLONG:
      return ErrorCode::invalid;
    case EFBIG:
      return ErrorCode::too_large;
    default:
      return ErrorCode::unavailable;
  }
}
}  // namespace

Error errno_error(int error_number, std::string_view doing) {
  return Error{code_of_errno(error_number),
               std::string(doing) + ": " + std::generic_category().message(error_number)};
}

}  // namespace keyherd
