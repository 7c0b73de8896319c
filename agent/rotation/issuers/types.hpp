#pragma once

// The types of issuer, one file each. Inside this folder only.

#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "rotation/issuers/issuer.hpp"

namespace keyherd::rotation {

// A conversation with one issuer's API.
class IssuerApi {
 public:
  IssuerApi(const model::Issuer& issuer, const IssueContext& context, std::stop_token stop)
      : issuer_(issuer), context_(context), stop_(std::move(stop)) {}

  [[nodiscard]] const model::Issuer& issuer() const { return issuer_; }
  [[nodiscard]] const IssueContext& context() const { return context_; }
  [[nodiscard]] std::stop_token stop() const { return stop_; }

  // Headers of every request besides the admin secret's, and where that goes.
  void set_header(std::string name, std::string value) {
    headers_.emplace_back(std::move(name), std::move(value));
  }
  void set_secret_header(std::string name, std::string prefix) {
    secret_header_ = std::move(name);
    secret_prefix_ = std::move(prefix);
  }

  // The JSON of a 2xx answer ({} when it is empty). Errors: not_found (404), denied (401, 403),
  // unavailable (408, 429, 5xx, no connection), timeout, invalid (anything else). A body is only
  // quoted when the answer was a refusal, and redacted.
  Result<nlohmann::json> call(const std::string& method, const std::string& path,
                              const nlohmann::json* body = nullptr) const;

  // Takes the text at the pointer out of the answer; known to the redactor from then on, and not
  // left behind in the answer. Error corrupt: there is none.
  Result<Secret> take_secret(nlohmann::json& answer, const std::string& pointer) const;

  // issuer.request with further members put over it.
  [[nodiscard]] nlohmann::json request_with(const nlohmann::json& members) const;

 private:
  const model::Issuer& issuer_;
  const IssueContext& context_;
  std::stop_token stop_;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::string secret_header_ = "Authorization";
  std::string secret_prefix_ = "Bearer ";
};

// One that exists at the provider under a name. With its secret where the provider still shows it.
struct Found {
  std::string remote_id;
  std::optional<Secret> secret;
};

inline constexpr int kListPage = 100;

// What an API that makes and deletes keys can do; azure and anthropic are apart.
struct IssuerCalls {
  Result<Minted> (*create)(const IssuerApi& api, const MintRequest& request);
  Result<std::vector<Found>> (*find)(const IssuerApi& api, const std::string& name);
  Status (*remove)(const IssuerApi& api, const std::string& remote_id);
};

IssuerCalls openrouter_calls();
IssuerCalls litellm_calls();
IssuerCalls openai_calls();
IssuerCalls xai_calls();
IssuerCalls newapi_calls();
IssuerCalls command_calls();

// Azure: the slot's new secret; done already when it differs from `replaced`.
Result<Minted> regenerate_slot(const IssuerApi& api, const std::string& slot,
                               const Secret* replaced, bool maybe_done);
// Anthropic: status "inactive".
Status deactivate(const IssuerApi& api, const std::string& remote_id);

// The text at a JSON pointer, "" when there is none.
std::string text_at(const nlohmann::json& value, const std::string& pointer);

}  // namespace keyherd::rotation
