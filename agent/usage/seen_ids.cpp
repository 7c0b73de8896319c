#include "usage/seen_ids.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "usage/hash.hpp"

namespace keyherd::usage {

namespace {

// A word: the low 50 bits of the hash, whether it stands in its other bucket, its epoch's tag
// (never 0), and nine bits of its numbers. The bits of the hash above those 50 are the number of
// its home bucket, or begin it: so the whole hash is known from word and place.
constexpr unsigned kRestBits = 50;
constexpr std::uint64_t kRest = (1ULL << kRestBits) - 1;
constexpr std::uint64_t kAway = 1ULL << kRestBits;
constexpr unsigned kTagShift = kRestBits + 1;
constexpr std::uint64_t kTags = 15;
constexpr unsigned kNumbersShift = kTagShift + 4;
constexpr std::uint32_t kNumbers = 0x1FF;

constexpr unsigned kLeastBits = 64 - kRestBits;
constexpr std::int64_t kParts = 8;      // of the limits, an epoch each
constexpr std::size_t kMaxEpochs = 12;  // fewer than tags
constexpr int kMaxMoves = 500;
constexpr std::size_t kPacked = sizeof(std::uint64_t) + sizeof(std::uint16_t);

constexpr std::uint64_t tag_of(std::int64_t epoch) {
  return 1 + static_cast<std::uint64_t>(epoch) % kTags;
}
constexpr std::uint64_t tag_in(std::uint64_t word) {
  return word >> kTagShift & 0xF;
}

template <class Take>
void unpack(const std::string& ids, Take take) {
  for (std::size_t at = 0; at + kPacked <= ids.size(); at += kPacked) {
    std::uint64_t hash = 0;
    std::uint16_t numbers = 0;
    std::memcpy(&hash, ids.data() + at, sizeof hash);
    std::memcpy(&numbers, ids.data() + at + sizeof hash, sizeof numbers);
    take(hash, numbers);
  }
}

// The other of the two buckets in which a word may stand, of a power of two.
std::size_t away_from(std::size_t bucket, std::uint64_t word, std::size_t buckets) {
  const std::uint64_t apart = mix64(word & kRest, 0xa0761d6478bd642fULL) | 1U;
  return bucket ^ (apart & (buckets - 1));
}

// How full the table may be: two choices of eight places hold more.
bool is_full(std::size_t ids, std::size_t places) {
  return ids > places / 100 * 92;
}

// Of the number of buckets: each growth moves what was remembered, so there are few.
constexpr unsigned kGrowthBits = 2;

unsigned bits_for(std::size_t ids, std::size_t ways) {
  unsigned bits = kLeastBits;
  while (is_full(ids, ways << bits))
    ++bits;
  return bits;
}

}  // namespace

SeenIds::SeenIds(Limits limits)
    : limits_(limits), bits_(kLeastBits), most_bits_(bits_for(limits.max_ids, kWays)), epochs_(1) {}

SeenIds::Buckets::Buckets(std::size_t count)
    : first_(nullptr, Unmap{count * sizeof(Bucket)}), count_(count) {
  void* memory = ::mmap(nullptr, count * sizeof(Bucket), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw std::bad_alloc();
  // A wish: without it everything works, slower.
  static_cast<void>(::madvise(memory, count * sizeof(Bucket), MADV_HUGEPAGE));
  first_.reset(static_cast<Bucket*>(memory));  // which is zero: all places are empty
}

SeenIds::Buckets::Buckets(const Buckets& other) {
  if (other.empty())
    return;
  *this = Buckets(other.size());
  std::copy_n(other.first_.get(), count_, first_.get());
}

void SeenIds::Buckets::Unmap::operator()(Bucket* first) const {
  ::munmap(first, bytes);
}

void SeenIds::Buckets::give_back_before(std::size_t end) {
  static_cast<void>(::madvise(first_.get(), end * sizeof(Bucket), MADV_DONTNEED));
}

std::uint64_t SeenIds::hash_of(std::uint64_t scope, std::string_view id) {
  const std::uint64_t hash = mix64(hash64(id) ^ scope, 0x9fb21c651e98df25ULL);
  return hash == 0 ? 1 : hash;
}

std::size_t SeenIds::other(std::size_t bucket, std::uint64_t word) const {
  return away_from(bucket, word, buckets_.size());
}

void SeenIds::expect(std::uint64_t hash) const {
  if (buckets_.empty())
    return;
  __builtin_prefetch(&buckets_[home(hash)], 1);
  __builtin_prefetch(&buckets_[other(home(hash), hash)], 1);
}

std::uint64_t* SeenIds::find(std::uint64_t hash) {
  if (buckets_.empty())
    return nullptr;
  const std::size_t first = home(hash);
  Bucket& near = buckets_[first];
  Bucket& away = buckets_[other(first, hash)];
  const std::uint64_t wanted = hash & kRest;
  // Nearly always it is nowhere: looking at all places without a branch is faster.
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < kWays; ++i) {
    any |= static_cast<std::uint64_t>((near.words[i] & (kRest | kAway)) == wanted);
    any |= static_cast<std::uint64_t>((away.words[i] & (kRest | kAway)) == (wanted | kAway));
  }
  if (any == 0)
    return nullptr;
  for (std::uint64_t& word : near.words) {
    if ((word & (kRest | kAway)) == wanted && word != 0)
      return &word;
  }
  for (std::uint64_t& word : away.words) {
    if ((word & (kRest | kAway)) == (wanted | kAway))
      return &word;
  }
  return nullptr;
}

SeenIds::Answer SeenIds::add(std::uint64_t hash, std::uint32_t numbers) {
  if (const std::uint64_t* word = find(hash))
    return *word >> kNumbersShift == (numbers & kNumbers) ? Answer::repeated : Answer::conflicting;
  insert(hash, numbers, epochs_.back());
  epochs_.back().last = now_;
  pack(hash, numbers);
  return Answer::fresh;
}

void SeenIds::pack(std::uint64_t hash, std::uint32_t numbers) {
  if (fresh_.empty() || fresh_.back().size() + kPacked > kPieceBytes)
    fresh_.emplace_back();
  const auto low = static_cast<std::uint16_t>(numbers);
  char bytes[kPacked];
  std::memcpy(bytes, &hash, sizeof hash);
  std::memcpy(bytes + sizeof hash, &low, sizeof low);
  fresh_.back().append(bytes, kPacked);
}

bool SeenIds::put(std::size_t bucket, std::uint64_t word) {
  Bucket& into = buckets_[bucket];
  // How full a bucket is nobody can foretell: no branch for each place.
  unsigned empty = 0;
  for (std::size_t i = 0; i < kWays; ++i)
    empty |= static_cast<unsigned>(into.words[i] == 0) << i;
  if (empty == 0)
    return false;
  into.words[std::countr_zero(empty)] = word;
  return true;
}

// Into the first of its two buckets that has room. Where both are full, one of the words moves to
// its other bucket, and so on. After very many moves, which only a table far beyond its limit
// needs, the word in hand is forgotten.
void SeenIds::place(std::uint64_t hash, std::uint64_t word) {
  std::size_t bucket = home(hash);
  if (put(bucket, word))
    return;
  bucket = other(bucket, word);
  word ^= kAway;
  for (int moves = 0; moves < kMaxMoves; ++moves) {
    if (put(bucket, word))
      return;
    random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
    std::swap(word, buckets_[bucket].words[random_ >> 61U]);
    bucket = other(bucket, word);
    word ^= kAway;
  }
  --size_;
}

void SeenIds::insert(std::uint64_t hash, std::uint32_t numbers, Epoch& epoch) {
  if (buckets_.empty())
    buckets_ = Buckets(std::size_t{1} << bits_);
  if (is_full(size_, slots()) && bits_ < most_bits_)
    grow();
  place(hash, (hash & kRest) | tag_of(epoch.number) << kTagShift |
                  static_cast<std::uint64_t>(numbers & kNumbers) << kNumbersShift);
  ++size_;
  ++epoch.count;
}

// What was moved is given back on the way, so that both tables are never whole at once.
void SeenIds::grow() {
  const unsigned old_bits = std::exchange(bits_, std::min(bits_ + kGrowthBits, most_bits_));
  Buckets old = std::exchange(buckets_, Buckets(std::size_t{1} << bits_));
  constexpr std::size_t kPiece = (std::size_t{2} << 20U) / sizeof(Bucket);  // a large page
  for (std::size_t bucket = 0; bucket < old.size(); ++bucket) {
    if (bucket % kPiece == 0)
      old.give_back_before(bucket);
    for (const std::uint64_t word : old[bucket].words) {
      if (word == 0)
        continue;
      const std::size_t first = (word & kAway) != 0 ? away_from(bucket, word, old.size()) : bucket;
      const std::uint64_t above = static_cast<std::uint64_t>(first) >> (old_bits - kLeastBits);
      place(above << kRestBits | (word & kRest), word & ~kAway);
    }
  }
}

void SeenIds::advance(WallTime now) {
  now_ = now = std::max(now, now_);  // a clock that steps back makes nothing older
  Epoch& current = epochs_.back();
  if (current.count == 0)
    current.began = now;
  if (current.count < limits_.max_ids / kParts && now - current.began < limits_.keep / kParts)
    return;
  epochs_.push_back(Epoch{current.number + 1, now, now, 0});
  std::size_t gone = 0;
  std::size_t left = size_;
  while (gone + 1 < epochs_.size()) {
    const bool is_old = epochs_[gone].last + limits_.keep <= now;
    // Room for the epoch that begins.
    const bool too_many = left + limits_.max_ids / kParts > limits_.max_ids;
    if (!is_old && !too_many && epochs_.size() - gone <= kMaxEpochs)
      break;
    left -= std::min(left, epochs_[gone++].count);
  }
  drop(gone);
}

void SeenIds::drop(std::size_t epochs) {
  if (epochs == 0)
    return;
  std::uint64_t dropped = 0;  // a bit a tag
  for (std::size_t i = 0; i < epochs; ++i)
    dropped |= 1ULL << tag_of(epochs_[i].number);
  epochs_.erase(epochs_.begin(), epochs_.begin() + static_cast<std::ptrdiff_t>(epochs));
  for (Bucket& bucket : buckets_) {
    for (std::uint64_t& word : bucket.words) {
      if (word != 0 && (dropped >> tag_in(word) & 1U) != 0) {
        word = 0;
        --size_;
      }
    }
  }
}

model::SeenBlocks SeenIds::take_new() {
  const Epoch& current = epochs_.back();
  model::SeenBlocks blocks;
  for (std::string& ids : fresh_)
    blocks.push_back(std::make_shared<const model::SeenBlock>(
        model::SeenBlock{current.number, current.began, current.last, std::move(ids)}));
  fresh_.clear();
  return blocks;
}

void SeenIds::forget(const model::SeenBlocks& blocks) {
  for (const auto& block : blocks) {
    unpack(block->ids, [&](std::uint64_t hash, std::uint16_t) {
      std::uint64_t* word = find(hash);
      if (word == nullptr || tag_in(*word) != tag_of(block->epoch))
        return;
      *word = 0;
      --size_;
      for (Epoch& epoch : epochs_)
        epoch.count -= epoch.number == block->epoch ? 1 : 0;
    });
  }
}

void SeenIds::restore(const std::vector<model::SeenBlock>& blocks) {
  for (const model::SeenBlock& block : blocks) {
    if (block.epoch < epochs_.back().number)
      continue;  // never written so
    if (block.epoch > epochs_.back().number) {
      if (epochs_.back().count == 0)
        epochs_.clear();
      epochs_.push_back(Epoch{block.epoch, block.began, block.last, 0});
      if (epochs_.size() > kMaxEpochs)
        drop(1);
    }
    epochs_.back().began = block.began;
    epochs_.back().last = std::max(epochs_.back().last, block.last);
    now_ = std::max(now_, block.last);
    unpack(block.ids, [&](std::uint64_t hash, std::uint16_t numbers) {
      insert(hash, numbers, epochs_.back());
    });
  }
}

}  // namespace keyherd::usage
