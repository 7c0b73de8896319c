#include "probe/rules.hpp"

namespace keyherd::probe {

using model::Verdict;

const std::vector<Rule>& openai_code_rules() {
  static const std::vector<Rule> kRules{
      // The code before the type: type insufficient_quota comes with several codes.
      {Verdict::quota_exhausted,
       {},
       {"organization_spend_limit_exceeded", "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded"},
       {},
       Reset::next_month_utc},
      {Verdict::account_disabled, {}, {"account_deactivated", "billing_not_active"}, {}},
      {Verdict::balance_exhausted, {}, {"credit_balance_exhausted", "insufficient_quota"}, {}},
      {Verdict::region_denied, {}, {"unsupported_country_region_territory"}, {}},
      {Verdict::region_denied, {only(401), only(403)}, {}, {"ip not authorized"}},
      {Verdict::permission_denied,
       {only(401), only(403)},
       {},
       {"must be a member of an organization", "missing scopes", "insufficient permissions"}},
      {Verdict::model_missing, {}, {"model_not_found"}, {}},
      {Verdict::rate_limited, {}, {"rate_limit_exceeded", "slow_down"}, {}},
      {Verdict::overloaded, {}, {"server_is_overloaded"}, {}},
      {Verdict::invalid_key, {}, {"invalid_api_key"}, {}},
      // A reasoning model ran out of the probe's few tokens: it was allowed to run.
      {Verdict::ok, {only(400)}, {}, {"model output limit was reached"}},
  };
  return kRules;
}

const std::vector<Rule>& generic_rules() {
  static const std::vector<Rule> kRules{
      {Verdict::balance_exhausted,
       {{400, 499}, {0, 0}},
       {},
       {"insufficient balance", "insufficient credit", "insufficient quota", "insufficient funds",
        "credit balance", "余额不足", "欠费", "额度不足"}},
      {Verdict::network, {{300, 399}, only(407), only(511)}, {}, {}},
      {Verdict::invalid_key, {only(401)}, {}, {}},
      {Verdict::balance_exhausted, {only(402)}, {}, {}},
      {Verdict::permission_denied, {only(403)}, {}, {}},
      {Verdict::region_denied, {only(451)}, {}, {}},
      {Verdict::model_missing, {only(404)}, {}, {}},
      {Verdict::model_missing,
       {{400, 499}, {0, 0}},
       {},
       {"model*not found", "model*not exist", "no such model", "unknown model", "模型不存在"}},
      {Verdict::server_error, {only(408), only(409), only(504), only(524)}, {}, {}},
      {Verdict::rate_limited, {only(429)}, {}, {}},
      {Verdict::overloaded, {only(503), only(529)}, {}, {}},
      {Verdict::server_error, {kAnyServerError, {100, 299}, {0, 0}}, {}, {}},
      {Verdict::bad_request, {{400, 499}}, {}, {}},
  };
  return kRules;
}

std::vector<Rule> joined(std::vector<Rule> first, const std::vector<Rule>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace keyherd::probe
