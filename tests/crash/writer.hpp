#pragma once

// A log writer as they are: lines in one or two writes, rotation by renaming.

#include <cstdint>
#include <random>
#include <string>
#include <thread>

namespace keyherd::test {

// A line of key k1 worth n input tokens; with an id when one is given.
std::string log_line(std::int64_t n, const std::string& request_id = "");
void append_to(const std::string& path, const std::string& text);
// usage.jsonl becomes usage.jsonl.1, that usage.jsonl.2, and so on.
void rotate(const std::string& directory);

class Writer {
 public:
  explicit Writer(std::string directory)
      : directory_(std::move(directory)),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}
  // Ends with a whole line.
  void stop() {
    thread_.request_stop();
    thread_.join();
  }
  // After stop().
  [[nodiscard]] std::int64_t lines() const { return lines_; }
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  [[nodiscard]] int rotations() const { return rotations_; }

 private:
  void run(const std::stop_token& stop);

  const std::string directory_;
  std::int64_t lines_ = 0;
  std::int64_t tokens_ = 0;
  int rotations_ = 0;
  std::jthread thread_;
};

}  // namespace keyherd::test
