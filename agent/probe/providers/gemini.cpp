#include "probe/providers/types.hpp"
#include "probe/readers.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// ai.google.dev: a bad key is a 400, and the quota's id tells a day's quota from a minute's.
// Listing models works without money, so only a chat proves that a key can spend.
const ProviderType& gemini_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("gemini");
    type.auth_header = "x-goog-api-key";
    type.auth_prefix = "";
    type.shape = ChatShape::gemini;
    type.chat_model = "gemini-2.5-flash-lite";
    type.chat_price = usd_per_million(0.1, 0.01, 0.1, 0.4);
    type.rungs = {Rung{"GET", "/models?pageSize=1", false, read_model_list}, std::nullopt,
                  Rung{"POST", "/models/{model}:generateContent", false, read_gemini_content},
                  std::nullopt};
    type.ladder = {ProbeKind::models};
    type.rules = {
        {Verdict::disabled_key, {}, {"API_KEY_INVALID"}, {"api key expired"}},
        {Verdict::invalid_key, {}, {"API_KEY_INVALID", "ACCESS_TOKEN_TYPE_UNSUPPORTED"}, {}},
        {Verdict::invalid_key, {only(400)}, {}, {"api key not valid", "api key not found"}},
        {Verdict::region_denied, {only(400)}, {"FAILED_PRECONDITION"}, {}},
        {Verdict::disabled_key, {only(403)}, {}, {"reported as leaked"}},
        {Verdict::balance_exhausted, {}, {"payment_required"}, {}},
        {Verdict::balance_exhausted,
         {only(402), only(429)},
         {},
         {"prepayment credits are depleted"}},
        {Verdict::quota_exhausted, {only(429)}, {}, {"perday"}, Reset::midnight_pacific},
        {Verdict::rate_limited, {only(429)}, {}, {}},
    };
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
