#include <string>

#include "fuzz.hpp"
#include "probe/classifier.hpp"

using namespace keyherd;

// Three bytes say whose answer to what it is, the rest is its body.
void fuzz::provider_answer(const std::uint8_t* data, std::size_t size) {
  constexpr int kStatuses[] = {200, 400, 401, 402, 403, 404, 429, 500, 503};
  static const auto kTypes = probe::supported_types();
  if (size < 3)
    return;
  const probe::ProviderType& type = *probe::find_provider_type(kTypes[data[0] % kTypes.size()]);
  const auto kind = static_cast<model::ProbeKind>(data[1] % model::kProbeKindCount);
  if (!type.rung(kind))
    return;
  net::HttpResponse response;
  response.status = kStatuses[data[2] % std::size(kStatuses)];
  response.body = std::string(fuzz::text_of(data + 3, size - 3));
  const auto classified = probe::classify(type, kind, response, WallTime{});
  fuzz::must(classified.reading.message.size() < (1U << 20U));
}
