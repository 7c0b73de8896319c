#pragma once

namespace keyherd {

// Gives back to the system what the allocator keeps after a large piece of work, such as reading a
// configuration: the process would stay as large as it was at its largest. Takes some milliseconds
// a 100 MB. Any thread.
void release_free_memory();

// From here on a large piece of memory goes back to the system when it is freed: what a batch of
// the logs takes is not kept until the next one. Once, at the start.
void return_large_pieces();

}  // namespace keyherd
