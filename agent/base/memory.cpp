#include "base/memory.hpp"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace keyherd {

void release_free_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

void return_large_pieces() {
#ifdef __GLIBC__
  constexpr int kLarge = 256 * 1024;  // bytes; set, so that the allocator does not raise it
  ::mallopt(M_MMAP_THRESHOLD, kLarge);
#endif
}

}  // namespace keyherd
