#pragma once

// Lists over HTTP: which items (filters), how many at once (limit, and a cursor to go on with), and
// whether they are still as the client has them (ETag).

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "api/auth.hpp"
#include "base/result.hpp"
#include "model/pool.hpp"
#include "model/snapshot.hpp"
#include "net/server.hpp"

namespace keyherd::api {

using Query = std::multimap<std::string, std::string>;

struct Listed {
  nlohmann::json items = nlohmann::json::array();
  std::string next;  // the cursor of the page that follows; empty: this was the last
};

// ?state=dead,exhausted&provider=&pool=&label=team=search&q=text&limit=&cursor=; of a parameter
// that may come again all must fit. Sorted by id. Error: invalid, naming what is possible.
Result<Listed> list_keys(const model::Snapshot& snapshot, const Principal& who, const Query& query);
// ?key=&q=&limit=&cursor=, sorted by id.
Result<Listed> list_pools(const model::Snapshot& snapshot, const Principal& who,
                          const Query& query);
// ?pool=&state=&limit=&cursor=, newest first. `rows` in that order.
Result<Listed> list_rotations(const std::vector<model::Rotation>& rows, const Principal& who,
                              const Query& query);

// The items as an array; a Link header names the next page.
net::ServerResponse respond_list(const net::ServerRequest& request, const Result<Listed>& listed);
// 200 with an ETag, or 304 when that is what If-None-Match names.
net::ServerResponse respond_tagged(const net::ServerRequest& request, const nlohmann::json& body);
// The same of any answer.
net::ServerResponse tagged(const net::ServerRequest& request, net::ServerResponse response);

}  // namespace keyherd::api
