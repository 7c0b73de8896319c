#include "cli/context.hpp"

#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"

namespace keyherd::cli {

namespace {
int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::unavailable:
    case ErrorCode::timeout:
      return kUnreachable;
    case ErrorCode::conflict:
    case ErrorCode::cancelled:
      return kBadNews;
    case ErrorCode::invalid:
    case ErrorCode::not_found:
    case ErrorCode::denied:
    case ErrorCode::too_large:
    case ErrorCode::corrupt:
    case ErrorCode::no_space:
    case ErrorCode::internal:
      return kWrongUsage;
  }
  return kWrongUsage;
}
}  // namespace

int report(Context& context, const Error& error) {
  return report(context, error, exit_code_of(error.code));
}

int report(Context& context, const Error& error, int exit_code) {
  const std::string message = context.redactor.redact(error.message);
  if (context.json)
    context.out << dump_json({{"error", {{"code", to_string(error.code)}, {"message", message}}}})
                << "\n";
  else
    context.err << "keyherd: " << message << "\n";
  return exit_code;
}

}  // namespace keyherd::cli
