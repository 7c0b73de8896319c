#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/time_text.hpp"
#include "rotation/publishers/targets.hpp"

namespace keyherd::rotation {

namespace {

constexpr std::chrono::seconds kTimeout{10};
constexpr std::size_t kMaxAnswerBytes = 65'536;

std::string body_of(const Publication& publication) {
  return dump_json({{"pool", publication.pool},
                    {"key", publication.key},
                    {"generation", publication.generation},
                    {"rotation", publication.rotation},
                    {"published_at", format_rfc3339(publication.published_at)},
                    {"valid_until", format_rfc3339(publication.valid_until)}});
}

Result<std::string> signature(const model::SecretRef& ref, std::string_view body,
                              const PublishContext& context) {
  KH_ASSIGN(const Secret key, context.load_secret(ref));
  return "sha256=" + to_hex(hmac_sha256(key.reveal(), body));
}

bool may_pass(int status) {
  return status == 408 || status == 429 || status >= 500;
}

}  // namespace

Status publish_webhook(const model::PublishWebhook& webhook, const Publication& publication,
                       const PublishContext& context, std::stop_token stop) {
  const std::string name = model::describe(webhook);
  net::HttpRequest request;
  request.method = "POST";
  request.url = webhook.url;
  request.body = body_of(publication);
  request.headers = {{"X-Keyherd-Rotation", publication.rotation}};
  request.timeout = kTimeout;
  request.max_response_bytes = kMaxAnswerBytes;
  if (webhook.signing_secret) {
    auto signed_by = signature(*webhook.signing_secret, request.body, context);
    if (!signed_by)
      return fail(with_context(std::move(signed_by).error(), "signing for " + name));
    request.headers.emplace_back("X-Keyherd-Signature", std::move(*signed_by));
  }
  const auto answer = context.transport.send(request, std::move(stop));
  if (!answer)
    return fail(with_context(answer.error(), name));
  if (answer->status >= 200 && answer->status < 300)
    return {};
  return fail(may_pass(answer->status) ? ErrorCode::unavailable : ErrorCode::invalid,
              fmt::format("{} answered {}{}", name, answer->status,
                          quoted_output(context.redactor, answer->body)));
}

}  // namespace keyherd::rotation
