#include "writer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

namespace keyherd::test {

namespace {

namespace fs = std::filesystem;
constexpr int kLinesAFile = 2'000;

void write_to(int fd, std::string_view bytes) {
  if (::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error("the log cannot be written");
}

int open_log(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0)
    throw std::runtime_error("the log cannot be opened");
  return fd;
}

}  // namespace

std::string log_line(std::int64_t n, const std::string& request_id) {
  std::string line =
      R"({"ts":"2026-05-01T00:00:00Z","key":"k1","model":"m","input_tokens":)" + std::to_string(n);
  if (!request_id.empty())
    line += R"(,"request_id":")" + request_id + '"';
  return line + "}\n";
}

void append_to(const std::string& path, const std::string& text) {
  const int fd = open_log(path);
  write_to(fd, text);
  ::close(fd);
}

void rotate(const std::string& directory) {
  const std::string path = directory + "/usage.jsonl";
  int last = 1;
  while (fs::exists(path + "." + std::to_string(last)))
    ++last;
  for (; last > 1; --last)
    fs::rename(path + "." + std::to_string(last - 1), path + "." + std::to_string(last));
  fs::rename(path, path + ".1");
}

void Writer::run(const std::stop_token& stop) {
  std::mt19937 random(7);
  const std::string path = directory_ + "/usage.jsonl";
  int fd = open_log(path);
  while (!stop.stop_requested()) {
    const std::string line = log_line(++lines_);
    tokens_ += lines_;
    const std::size_t cut = random() % 20 == 0 ? 1 + random() % (line.size() - 1) : line.size();
    write_to(fd, std::string_view(line).substr(0, cut));
    if (cut < line.size())
      ::poll(nullptr, 0, 2);
    write_to(fd, std::string_view(line).substr(cut));
    if (lines_ % 20 == 0)
      ::poll(nullptr, 0, 1);
    if (lines_ % kLinesAFile == 0) {
      ::close(fd);
      rotate(directory_);
      fd = open_log(path);
      ++rotations_;
    }
  }
  ::close(fd);
}

}  // namespace keyherd::test
