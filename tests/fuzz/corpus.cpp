// fuzz_corpus TARGET DIRECTORY SECONDS INPUT: runs a target over a kept corpus, then over what
// chance makes of it for so long. Works with any compiler, and knows nothing of coverage: what digs
// deep is libFuzzer (scripts/fuzz). The input that is being tried is always in the file INPUT, so
// that whatever ends the program leaves it there.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "fuzz.hpp"

namespace {

using keyherd::fuzz::Target;

constexpr std::size_t kMostBytes = 65'536;

std::vector<std::string> read_all(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());  // the same seed, the same run
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

class Mutator {
 public:
  Mutator(const std::vector<std::string>& corpus, std::uint64_t seed)
      : corpus_(corpus), random_(seed) {}

  std::string make() {
    std::string text = any();
    for (std::size_t i = 1 + below(4); i-- > 0;)
      change(text);
    text.resize(std::min(text.size(), kMostBytes));
    return text;
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  const std::string& any() { return corpus_[below(corpus_.size())]; }

  void change(std::string& text) {
    static constexpr char kOdd[] = "\0\n\r\t \"'\\/{}[]:;,=#-+.0123456789eE\x7f\x80\xc3\xf4\xff";
    const std::size_t at = below(text.size() + 1);
    const std::size_t length = std::min(text.size() - at, 1 + below(1 + below(64)));
    switch (below(6)) {
      case 0:
        text.insert(at, 1, kOdd[below(sizeof kOdd)]);
        break;
      case 1:
        if (length > 0)
          text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(at, text.substr(at, length));
        break;
      case 4: {  // from another one
        const std::string& other = any();
        const std::size_t from = below(other.size() + 1);
        text.insert(at, other.substr(from, 1 + below(200)));
        break;
      }
      default:
        text.resize(at);
        break;
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_;
};

// A file as long as the longest input, shared with the kernel: what is in it outlives the program.
class Witness {
 public:
  explicit Witness(std::string path) : path_(std::move(path)) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file_ < 0 || ::ftruncate(file_, kMostBytes) != 0)
      throw std::runtime_error("cannot write " + path_);
    void* memory = ::mmap(nullptr, kMostBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (memory == MAP_FAILED)
      throw std::runtime_error("cannot map " + path_);
    memory_ = static_cast<char*>(memory);
  }
  // What has been tried to the end is no finding.
  ~Witness() {
    ::munmap(memory_, kMostBytes);
    ::close(file_);
    std::filesystem::remove(path_);
  }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  // Zeros follow it, to the end of the file.
  void remember(std::string_view input) {
    std::memset(memory_ + input.size(), 0, last_ > input.size() ? last_ - input.size() : 0);
    std::memcpy(memory_, input.data(), input.size());
    last_ = input.size();
  }

 private:
  std::string path_;
  int file_ = -1;
  char* memory_ = nullptr;
  std::size_t last_ = 0;
};

int run(const Target& target, const std::string& directory, double seconds,
        const std::string& path) {
  const std::vector<std::string> corpus = read_all(directory);
  if (corpus.empty()) {
    std::cerr << "fuzz_corpus: " << directory << " is empty\n";
    return 1;
  }
  Witness witness(path);
  const auto attempt = [&](const std::string& input) {
    witness.remember(input);
    // A copy that ends where the input ends: sanitizers see what is read beyond.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    target.run(bytes.data(), bytes.size());
  };
  for (const std::string& input : corpus)
    attempt(input);
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  const std::uint64_t seed = std::random_device{}();
  Mutator mutator(corpus, seed);
  std::size_t made = 0;
  for (; Clock::now() < end; ++made)
    attempt(mutator.make());
  std::cout << target.name << ": " << corpus.size() << " kept inputs, " << made
            << " made of them\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto target = std::find_if(
      keyherd::fuzz::kTargets.begin(), keyherd::fuzz::kTargets.end(),
      [&](const Target& one) { return !arguments.empty() && one.name == arguments[0]; });
  if (arguments.size() != 4 || target == keyherd::fuzz::kTargets.end()) {
    std::cerr << "usage: fuzz_corpus TARGET DIRECTORY SECONDS INPUT\n";
    return 2;
  }
  return run(*target, arguments[1], std::stod(arguments[2]), arguments[3]);
}
