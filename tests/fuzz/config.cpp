#include "config/load.hpp"
#include "fuzz.hpp"
#include "support/memory_files.hpp"
#include "usage/format.hpp"
#include "usage/presets.hpp"

using namespace keyherd;

void fuzz::config(const std::uint8_t* data, std::size_t size) {
  static const test::MemoryFileSystem kFiles;
  const auto loaded = config::parse_config(fuzz::text_of(data, size), "/etc/keyherd/keyherd.toml",
                                           kFiles, {usage::format_names(), usage::check_format});
  fuzz::must(loaded.config.has_value() == loaded.errors.empty());
}
