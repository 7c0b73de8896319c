#pragma once

// A program as a child process, ended with its object.

#include <string>
#include <vector>

namespace keyherd::test {

class Child {
 public:
  // argv[0] is searched in PATH. Its stdout can be read by read_byte().
  explicit Child(const std::vector<std::string>& argv);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Waits for the next byte of its stdout; false at its end, or after ten seconds.
  bool read_byte();
  void kill();
  // The status of waitpid.
  int wait();

 private:
  int pid_ = -1;
  int out_ = -1;
};

}  // namespace keyherd::test
