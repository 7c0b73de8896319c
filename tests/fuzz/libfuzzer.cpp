// libFuzzer's entry to one target: KEYHERD_FUZZ_TARGET.

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  keyherd::fuzz::KEYHERD_FUZZ_TARGET(data, size);
  return 0;
}
