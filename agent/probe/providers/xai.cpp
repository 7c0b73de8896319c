#include "probe/providers/types.hpp"
#include "probe/readers.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// docs.x.ai: a wrong key is a 400, empty credits are a 403 or 429 that says so, and GET /api-key
// shows the flags of the key and its team.
const ProviderType& xai_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("xai");
    type.rungs[3] = Rung{"GET", "/api-key", false, read_xai_key};
    type.ladder = {ProbeKind::auth};
    type.chat_model = "grok-4.3";
    type.chat_price = usd_per_million(1.25, 0.2, 1.25, 2.5);
    type.rules = joined(
        {
            {Verdict::invalid_key, {only(400), only(401)}, {}, {"incorrect api key provided"}},
            {Verdict::balance_exhausted,
             {only(403), only(429)},
             {},
             {"run out of credits", "need a grok subscription", "used all available credits"}},
            {Verdict::quota_exhausted, {only(429)}, {}, {"monthly spending limit"}},
        },
        openai_code_rules());
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
