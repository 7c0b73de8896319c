#include "probe/providers/types.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::Verdict;

// learn.microsoft.com, the v1 API: base_url ends in /openai/v1 and a model is a deployment's name.
// Waits of an hour and more are quotas.
const ProviderType& azure_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("azure");
    type.auth_header = "api-key";
    type.auth_prefix = "";
    type.quota_after = std::chrono::minutes(59);
    type.rules = joined(
        {
            {Verdict::account_disabled, {only(403)}, {}, {"temporarily blocked"}},
            {Verdict::region_denied,
             {only(403)},
             {},
             {"virtual network", "vnet", "firewall", "public access is disabled"}},
            {Verdict::model_missing, {}, {"DeploymentNotFound"}, {}},
            {Verdict::overloaded, {only(429)}, {}, {"experiencing high demand"}},
            {Verdict::bad_request, {only(400)}, {"content_filter"}, {}},
        },
        openai_code_rules());
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
