#pragma once

// Which request ids were counted already, so that a line that a gateway writes twice counts once.
// Remembered are 64-bit hashes of (scope, id): of 2 million remembered ids one line in 10^13 is
// taken for a repetition by chance. Eight bytes an id, in a table that grows with what is in it;
// no allocation and no search of more than two cache lines per line.
//
// Ids are forgotten in bulk, by epochs: the oldest eighth when there are too many, and what is
// older than the window. One thread.

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "model/usage.hpp"

namespace keyherd::usage {

class SeenIds {
 public:
  struct Limits {
    std::size_t max_ids = 1'900'000;  // 16 MiB
    // An id is remembered for so long, and for an eighth longer at most, unless there are too many.
    std::chrono::nanoseconds keep = std::chrono::hours(24 * 7);
  };
  enum class Answer { fresh, repeated, conflicting };

  explicit SeenIds(Limits limits);

  // Never 0. `scope`: the hash of a source's name.
  static std::uint64_t hash_of(std::uint64_t scope, std::string_view id);
  // Asks the memory for what add() will look at.
  void expect(std::uint64_t hash) const;
  // Remembers the id, unless it is known: then whether it came with other numbers, of which
  // `numbers` is a hash.
  Answer add(std::uint64_t hash, std::uint32_t numbers);

  // Before a batch: begins a new epoch when it is time, and forgets old ones.
  void advance(WallTime now);
  // What add() remembered since the last call, as the store keeps it.
  model::SeenBlocks take_new();
  // What take_new() gave is not in the store, and will not be: it was never seen.
  void forget(const model::SeenBlocks& blocks);
  // Blocks of these epochs and later are still wanted.
  [[nodiscard]] std::int64_t oldest_epoch() const { return epochs_.front().number; }

  // What an earlier process remembered; once, before everything else.
  void restore(const std::vector<model::SeenBlock>& blocks);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t memory_bytes() const { return buckets_.size() * sizeof(Bucket); }

 private:
  static constexpr std::size_t kWays = 8;
  static constexpr std::size_t kPieceBytes = 60'000;  // of what is packed
  // One cache line; 0 is an empty place. See the .cpp for what a word holds.
  struct alignas(64) Bucket {
    std::uint64_t words[kWays];
  };
  // Empty at first. Random access over megabytes wants large pages, and no memory for what was
  // never touched.
  class Buckets {
   public:
    Buckets() = default;
    explicit Buckets(std::size_t count);
    Buckets(const Buckets& other);
    Buckets(Buckets&&) = default;
    Buckets& operator=(Buckets&&) = default;
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    Bucket& operator[](std::size_t index) { return first_.get()[index]; }
    const Bucket& operator[](std::size_t index) const { return first_.get()[index]; }
    Bucket* begin() { return first_.get(); }
    Bucket* end() { return first_.get() + count_; }
    // Those before `end` are not used any more.
    void give_back_before(std::size_t end);

   private:
    struct Unmap {
      std::size_t bytes;
      void operator()(Bucket* first) const;
    };
    std::unique_ptr<Bucket, Unmap> first_{nullptr, Unmap{0}};
    std::size_t count_ = 0;
  };
  struct Epoch {
    std::int64_t number = 1;
    WallTime began;
    WallTime last;
    std::size_t count = 0;
  };

  [[nodiscard]] std::size_t home(std::uint64_t hash) const { return hash >> (64U - bits_); }
  [[nodiscard]] std::size_t other(std::size_t bucket, std::uint64_t word) const;
  std::uint64_t* find(std::uint64_t hash);
  bool put(std::size_t bucket, std::uint64_t word);
  void place(std::uint64_t hash, std::uint64_t word);
  void insert(std::uint64_t hash, std::uint32_t numbers, Epoch& epoch);
  void grow();
  void drop(std::size_t epochs);
  void pack(std::uint64_t hash, std::uint32_t numbers);
  [[nodiscard]] std::size_t slots() const { return buckets_.size() * kWays; }

  const Limits limits_;
  unsigned bits_;  // of the number of buckets
  const unsigned most_bits_;
  Buckets buckets_;
  std::size_t size_ = 0;
  std::deque<Epoch> epochs_;        // oldest first, never empty
  std::vector<std::string> fresh_;  // packed, since take_new()
  WallTime now_;
  std::uint64_t random_ = 0x9e3779b97f4a7c15ULL;
};

}  // namespace keyherd::usage
