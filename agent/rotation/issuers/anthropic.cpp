// https://docs.anthropic.com/en/api/admin-api: keys are made in the Console only; the API sets them
// inactive, which a person can undo.

#include "rotation/issuers/types.hpp"

namespace keyherd::rotation {

Status deactivate(const IssuerApi& api, const std::string& remote_id) {
  const nlohmann::json body{{"status", "inactive"}};
  const auto answer = api.call("POST", "/v1/organizations/api_keys/" + remote_id, &body);
  if (!answer)
    return fail(answer.error());
  if (const std::string status = text_at(*answer, "/status"); status == "active") {
    return fail(ErrorCode::unavailable,
                "issuer " + api.issuer().id + ": " + remote_id + " is still active");
  }
  return {};
}

}  // namespace keyherd::rotation
