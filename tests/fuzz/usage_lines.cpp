#include <string>

#include "fuzz.hpp"
#include "usage/presets.hpp"
#include "usage/record_parser.hpp"

using namespace keyherd;

// The first byte chooses the format, the rest are lines: each is a record, skipped or rejected.
void fuzz::usage_lines(const std::uint8_t* data, std::size_t size) {
  static const auto kFormats = [] {
    std::vector<usage::Format> formats{usage::Format::native()};
    for (const auto& preset : usage::presets()) {
      model::UsageLog log;
      log.format = preset.name;
      if (auto format = usage::Format::of(log))
        formats.push_back(std::move(*format));
    }
    return formats;
  }();
  if (size == 0)
    return;
  std::string block(fuzz::text_of(data + 1, size - 1));
  block += '\n';
  const std::size_t length = block.size();
  block.append(usage::RecordParser::kPadding, '\0');
  usage::Names names(usage::UnknownKeys::reject);
  usage::Accumulator into(names);
  usage::RecordParser parser;
  parser.parse(std::string_view(block).substr(0, length), 0, kFormats[data[0] % kFormats.size()],
               65'536, into);
  model::Tally tally;
  into.take(tally);
  fuzz::must(tally.counts.records >= 0);
}
