#pragma once

// The answer to a scrape: made while it is sent, compressed for whoever asks for it.

#include <memory>

#include "metrics/exposition.hpp"
#include "net/server.hpp"

namespace keyherd::api {

net::ServerResponse scrape_answer(const net::ServerRequest& request,
                                  std::unique_ptr<metrics::Scrape> scrape);

}  // namespace keyherd::api
