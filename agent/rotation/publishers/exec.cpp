#include <fmt/format.h>
#include <string.h>

#include "base/subprocess.hpp"
#include "base/text.hpp"
#include "rotation/publishers/targets.hpp"

namespace keyherd::rotation {

namespace {

constexpr int kTryAgain = 75;  // EX_TEMPFAIL of sysexits.h
constexpr std::size_t kQuotedBytes = 200;

SubprocessRequest request_for(const model::PublishExec& exec, const Publication& publication,
                              const Secret& document) {
  SubprocessRequest request;
  request.argv = exec.argv;
  request.input = std::string(document.reveal());
  request.environment = {{"KEYHERD_POOL", publication.pool},
                         {"KEYHERD_KEY", publication.key},
                         {"KEYHERD_GENERATION", std::to_string(publication.generation)},
                         {"KEYHERD_ROTATION", publication.rotation}};
  request.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(exec.timeout);
  return request;
}

Status judge(const std::string& name, const SubprocessResult& result, const Redactor& redactor) {
  if (result.exit_code == 0)
    return {};
  const std::string& output =
      trim(result.error_output).empty() ? result.output : result.error_output;
  const std::string said = quoted_output(redactor, output);
  if (result.exit_code == kTryAgain)
    return fail(ErrorCode::unavailable, name + " asked to be run again later (exit 75)" + said);
  return fail(ErrorCode::invalid,
              fmt::format("{} ended with exit code {}{}", name, result.exit_code, said));
}

}  // namespace

std::string quoted_output(const Redactor& redactor, std::string_view output) {
  // Redacted whole before it is cut: half a secret is not recognised.
  const std::string safe = redactor.redact(trim(output));
  return safe.empty() ? "" : " (it said: " + printable(safe, kQuotedBytes) + ")";
}

Status publish_exec(const model::PublishExec& exec, const Publication& publication,
                    const PublishContext& context, std::stop_token stop) {
  const std::string name =
      "hook " + (exec.argv.empty() ? std::string("(none)") : exec.argv.front());
  if (exec.argv.empty() || exec.argv.front().empty() || exec.argv.front().front() != '/')
    return fail(ErrorCode::invalid, name + " is not an absolute path; write it in full");
  // It is given the secret: whoever may write it would be, too.
  constexpr unsigned kOthersMayWrite = 0002;
  if (const auto file = context.files.stat(exec.argv.front());
      file && (file->mode & kOthersMayWrite) != 0)
    return fail(ErrorCode::denied, fmt::format("{} may be written by everybody; run: chmod o-w {}",
                                               name, exec.argv.front()));
  KH_ASSIGN(const Secret document, published_document(publication));
  SubprocessRequest request = request_for(exec, publication, document);
  const Result<SubprocessResult> result = run_subprocess(request, std::move(stop));
  explicit_bzero(request.input.data(), request.input.size());
  if (!result)
    return fail(with_context(result.error(), name));
  return judge(name, *result, context.redactor);
}

}  // namespace keyherd::rotation
