#include <catch2/catch.hpp>

#include "base/random.hpp"
#include "follower.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::test;

namespace {

// A writer that does what writers and rotators do, and a reader that looks, is refused and is
// killed at any point in between.
class Story {
 public:
  Story(std::uint64_t seed, const std::string& pattern, usage::TailerOptions options)
      : random_(seed),
        follows_copies_(pattern != kPath),
        follower_(files_, {log(pattern)}, options) {}

  void run(int steps) {
    write();  // what was rotated away before anything was ever recorded is not looked for
    finish_line();
    follower_.drain();
    for (int i = 0; i < steps; ++i)
      step();
    finish_line();
    follower_.drain();
    follower_.wait(std::chrono::seconds(200));
  }
  [[nodiscard]] std::int64_t written() const { return written_; }
  [[nodiscard]] const Follower& follower() const { return follower_; }

 private:
  static model::UsageLog log(const std::string& pattern) {
    model::UsageLog log = log_at(pattern);
    log.max_line_bytes = 1'000;
    return log;
  }
  bool chance(int one_in) { return random_.next() % static_cast<unsigned>(one_in) == 0; }

  void step() {
    files_.set_time(follower_.clock.now().wall);
    if (chance(2))
      write();
    if (chance(3))
      look();
    if (chance(12))
      rotate();
    if (chance(25))
      copy_and_truncate();
    if (chance(20))
      follower_.restart();
  }
  // Torn at any byte: the rest comes at the next write.
  void write() {
    finish_line();
    const int count = 1 + static_cast<int>(random_.next() % 30);
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += chance(40) ? "{\"torn\":\n" : "";
      text += line(++number_);
      written_ += number_;
    }
    const std::size_t cut = chance(2) ? text.size() : random_.next() % text.size();
    files_.append(kPath, text.substr(0, cut));
    rest_ = text.substr(cut);
  }
  void finish_line() {
    files_.append(kPath, rest_);
    rest_.clear();
  }
  void look() {
    follower_.clock.advance(std::chrono::seconds(1 + random_.next() % 30));
    for (const auto& tally : follower_.tailer->poll(follower_.clock.now())) {
      if (chance(4) && tally.batch != 0)
        follower_.tailer->rejected(tally.source, tally.batch);
      else if (!chance(8) || tally.batch == 0)
        follower_.commit(tally);
      else
        follower_.restart();
    }
  }
  void shift() {
    for (int i = 9; i >= 1; --i) {
      if (files_.exists(kPath + "." + std::to_string(i)))
        files_.rename(kPath + "." + std::to_string(i), kPath + "." + std::to_string(i + 1));
    }
  }
  void rotate() {
    finish_line();
    shift();
    if (files_.exists(kPath))
      files_.rename(kPath, kPath + ".1");
    files_.append(kPath, "");
  }
  // Lossless only because nothing is written between the two steps, and, where the copy is found by
  // its content alone, because what was written first had been read.
  void copy_and_truncate() {
    finish_line();
    if (files_.exists(kPath) && !follows_copies_) {
      write();
      finish_line();
      follower_.drain();
      write();
      finish_line();
    }
    if (!files_.exists(kPath))
      return;
    shift();
    files_.create(kPath + ".1", files_.content(kPath));
    if (chance(2))
      look();
    files_.truncate(kPath, 0);
    // Two truncations between two looks leave a generation that nothing tells apart from an old
    // file.
    follower_.drain();
  }

  const std::string kPath = "/var/log/a.log";
  SeededRandom random_;
  const bool follows_copies_;
  MemoryFileSystem files_;
  Follower follower_;
  std::string rest_;
  int number_ = 0;
  std::int64_t written_ = 0;
};

}  // namespace

TEST_CASE("whatever writers, rotators and kills do, every line counts exactly once") {
  for (const std::string pattern : {"/var/log/a.log*", "/var/log/a.log"}) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      CAPTURE(pattern, seed);
      usage::TailerOptions options;
      options.chunk_bytes = 1'024;
      options.batch_bytes = 4'096;
      Story story(seed, pattern, options);
      story.run(150);
      CHECK(story.follower().tokens() == story.written());
    }
  }
}
