#pragma once

namespace keyherd {

// Gives back to the system what the allocator keeps after a large piece of work, such as reading a
// configuration: the process would stay as large as it was at its largest. Takes some milliseconds
// a 100 MB. Any thread.
void release_free_memory();

}  // namespace keyherd
