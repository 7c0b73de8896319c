#include "api/scrape_answer.hpp"

#include "net/compress.hpp"

namespace keyherd::api {

namespace {

class ScrapeBody final : public net::BodyStream {
 public:
  explicit ScrapeBody(std::unique_ptr<metrics::Scrape> scrape) : scrape_(std::move(scrape)) {}
  bool next(std::string& piece) override { return scrape_->next(piece); }

 private:
  const std::unique_ptr<metrics::Scrape> scrape_;
};

}  // namespace

net::ServerResponse scrape_answer(const net::ServerRequest& request,
                                  std::unique_ptr<metrics::Scrape> scrape) {
  net::ServerResponse response;
  response.content_type = std::string(metrics::kContentType);
  response.stream = std::make_shared<ScrapeBody>(std::move(scrape));
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (net::accepts_gzip(request)) {
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.stream = net::gzip(std::move(response.stream));
  }
  return response;
}

}  // namespace keyherd::api
