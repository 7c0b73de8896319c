#include <fmt/format.h>
#include <string.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "rotation/issuers/types.hpp"

namespace keyherd::rotation {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxAnswer = 4U << 20U;
constexpr std::size_t kQuotedOfAnswer = 200;

ErrorCode code_of_status(int status) {
  if (status == 404)
    return ErrorCode::not_found;
  if (status == 401 || status == 403)
    return ErrorCode::denied;
  if (status == 408 || status == 429 || status >= 500)
    return ErrorCode::unavailable;
  return ErrorCode::invalid;
}

}  // namespace

std::string text_at(const json& value, const std::string& pointer) {
  const json::json_pointer at(pointer);
  if (!value.contains(at))
    return {};
  const json& found = value.at(at);
  if (found.is_string())
    return found.get<std::string>();
  return found.is_number_integer() ? std::to_string(found.get<std::int64_t>()) : std::string();
}

Result<json> IssuerApi::call(const std::string& method, const std::string& path,
                             const json* body) const {
  const std::string name =
      fmt::format("issuer {}: {} {}", issuer_.id, method, path.substr(0, path.find('?')));
  if (context_.admin == nullptr)
    return fail(ErrorCode::denied, name + ": its admin_secret is not loaded");
  net::HttpRequest request;
  request.method = method;
  request.url = issuer_.base_url + path;
  request.headers = headers_;
  if (body != nullptr)
    request.body = dump_json(*body);
  request.secret = context_.admin;
  request.secret_header = secret_header_;
  request.secret_prefix = secret_prefix_;
  request.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(issuer_.timeout);
  request.max_response_bytes = kMaxAnswer;
  auto answer = context_.transport.send(request, stop_);
  if (!answer)
    return fail(with_context(std::move(answer).error(), name));
  if (answer->status < 200 || answer->status > 299) {
    const std::string said =
        printable(context_.redactor.redact(trim(answer->body)), kQuotedOfAnswer);
    return fail(code_of_status(answer->status),
                fmt::format("{} answered {}{}", name, answer->status,
                            said.empty() ? "" : " (it said: " + said + ")"));
  }
  if (trim(answer->body).empty())
    return json::object();
  auto parsed = parse_json(answer->body);
  explicit_bzero(answer->body.data(), answer->body.size());  // it may hold a new secret
  if (!parsed)
    return fail(ErrorCode::corrupt, name + ": the answer is " + parsed.error().message);
  return parsed;
}

Result<Secret> IssuerApi::take_secret(json& answer, const std::string& pointer) const {
  const json::json_pointer at(pointer);
  if (!answer.contains(at) || !answer.at(at).is_string() ||
      answer.at(at).get_ref<const std::string&>().empty()) {
    return fail(ErrorCode::corrupt, "issuer " + issuer_.id + ": the answer has no " + pointer);
  }
  std::string& text = answer.at(at).get_ref<std::string&>();
  Secret secret{std::string(text)};
  explicit_bzero(text.data(), text.size());
  text.clear();
  context_.redactor.add(secret);
  return secret;
}

json IssuerApi::request_with(const json& members) const {
  json body = json::object();
  if (auto more =
          issuer_.request.empty() ? Result<json>(json::object()) : parse_json(issuer_.request);
      more && more->is_object())
    body = std::move(*more);
  body.update(members);
  return body;
}

}  // namespace keyherd::rotation
