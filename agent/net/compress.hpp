#pragma once

// Answers compressed for clients that ask for it. Level 1: for the text of a scrape a higher one
// costs more than twice the time for a few percent.

#include <memory>

#include "net/server.hpp"

namespace keyherd::net {

// Whether Accept-Encoding names gzip, or everything, and does not refuse it with q=0.
bool accepts_gzip(const ServerRequest& request);

// The same body as one gzip member, compressed a piece at a time. To be sent with
// `Content-Encoding: gzip`.
std::shared_ptr<BodyStream> gzip(std::shared_ptr<BodyStream> plain);

}  // namespace keyherd::net
