#include "fuzz.hpp"
#include "net/request_reader.hpp"

using namespace keyherd;
using Progress = net::RequestReader::Progress;

// The first byte says how the rest is cut into pieces: the cuts must not change what is understood.
void fuzz::http_request(const std::uint8_t* data, std::size_t size) {
  static const net::RouteTable kRoutes(
      {{"GET", "/api/v1/keys/{id}", 0, {}}, {"POST", "/api/v1/usage", 4'096, {}}});
  if (size == 0)
    return;
  const std::size_t step = 1 + data[0] % 64U;
  auto bytes = fuzz::text_of(data + 1, size - 1);
  net::RequestReader reader(kRoutes, 4'096);
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
    reader.append(bytes.substr(0, step));
    Progress progress = reader.advance();
    while (progress == Progress::complete || progress == Progress::expects_continue) {
      fuzz::must(reader.route() != nullptr);
      fuzz::must(reader.request().body.size() <= reader.route()->max_body_bytes);
      if (progress == Progress::complete)
        reader.next();
      progress = reader.advance();
    }
    if (progress == Progress::refused && !reader.can_continue())
      return;
    if (progress == Progress::refused)
      reader.next();
  }
}
