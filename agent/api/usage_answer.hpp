#pragma once

// GET /api/v1/usage: its parameters as a question, the history as an answer, a page at a time if
// the asker wishes.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/auth.hpp"
#include "api/control.hpp"
#include "api/usage_question.hpp"
#include "model/snapshot.hpp"

namespace keyherd::api {

struct UsageRequest {
  UsageQuestion question;
  std::size_t limit = 0;                          // lines a page; 0: all in one
  std::optional<std::vector<std::string>> after;  // the values of the last line of the page before
};

// ?by=key,model,day &from= &to= &timezone= &limit= &after=, and filters: &pool=a,b &label.team=c.
// A parameter that is not known is an error: an answer to another question would be believed.
Result<UsageRequest> parse_usage_request(const std::multimap<std::string, std::string>& query,
                                         const std::string& default_zone, WallTime now);

// Of the keys that the principal may see. not_found when the line that `after` names is gone.
Result<UsageAnswer> make_usage_answer(const UsageRequest& request, const model::Snapshot& snapshot,
                                      const Principal& who, const ReadUsage& read);

}  // namespace keyherd::api
