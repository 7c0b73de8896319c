#include "net/compress.hpp"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "base/text.hpp"

namespace keyherd::net {

namespace {

constexpr int kLevel = 1;
constexpr int kGzipWindow = 15 + 16;  // the largest window, with gzip's header
constexpr int kMemoryLevel = 8;
// Output that is worth a piece of its own.
constexpr std::size_t kPieceBytes = 64 * 1024;

class GzipStream final : public BodyStream {
 public:
  explicit GzipStream(std::shared_ptr<BodyStream> plain) : plain_(std::move(plain)) {
    if (deflateInit2(&deflate_, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::runtime_error("deflateInit2 failed");
  }
  ~GzipStream() override { deflateEnd(&deflate_); }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  bool next(std::string& piece) override {
    const std::size_t before = piece.size();
    bool more = true;
    while (more && piece.size() - before < kPieceBytes) {
      text_.clear();
      more = plain_->next(text_);
      compress(piece, more ? Z_NO_FLUSH : Z_FINISH);
    }
    return more;
  }

 private:
  void compress(std::string& out, int flush) {
    deflate_.next_in = reinterpret_cast<Bytef*>(text_.data());
    deflate_.avail_in = static_cast<uInt>(text_.size());
    do {
      const std::size_t used = out.size();
      out.resize(used + kPieceBytes);
      deflate_.next_out = reinterpret_cast<Bytef*>(out.data() + used);
      deflate_.avail_out = kPieceBytes;
      if (::deflate(&deflate_, flush) == Z_STREAM_ERROR)
        throw std::runtime_error("deflate failed");
      out.resize(out.size() - deflate_.avail_out);
    } while (deflate_.avail_out == 0);
  }

  const std::shared_ptr<BodyStream> plain_;
  z_stream deflate_{};
  std::string text_;
};

// The weight of one element of Accept-Encoding; 1 when it names none.
double weight_of(std::string_view parameters) {
  for (std::string_view parameter : split(parameters, ';')) {
    parameter = trim(parameter);
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q="))
      continue;
    double weight = 0;
    std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), weight);
    return weight;
  }
  return 1;
}

}  // namespace

bool accepts_gzip(const ServerRequest& request) {
  bool any = false;
  for (const std::string_view element : split(request.header("accept-encoding"), ',')) {
    const std::size_t semicolon = std::min(element.find(';'), element.size());
    const std::string_view coding = trim(element.substr(0, semicolon));
    const bool wanted = weight_of(element.substr(semicolon)) > 0;
    if (equals_ignore_case(coding, "gzip") || equals_ignore_case(coding, "x-gzip"))
      return wanted;
    if (coding == "*")
      any = wanted;
  }
  return any;
}

std::shared_ptr<BodyStream> gzip(std::shared_ptr<BodyStream> plain) {
  return std::make_shared<GzipStream>(std::move(plain));
}

}  // namespace keyherd::net
