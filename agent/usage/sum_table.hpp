#pragma once

// Sums under (a, b, c), made for one batch at a time: one probe of a flat table per line, no node,
// no allocation for a small batch. A sum stays where it was made. What a large batch takes is given
// back with it: while it is stored, nothing of its size is needed here.
//
// The table is larger than the caches near the processor. So a line takes two steps, with other
// lines in between while the memory answers: `expect` when its key is known, `at` when it is
// summed.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "usage/hash.hpp"

namespace keyherd::usage {

template <class Sum>
class SumTable {
 public:
  struct alignas(64) Cell {
    std::uint32_t a;
    std::uint32_t b;
    std::int64_t c;
    Sum sum;
  };

  SumTable() : slots_(kFirstCapacity) {}

  static std::uint64_t hash(std::uint32_t a, std::uint32_t b, std::int64_t c) {
    return mix64((static_cast<std::uint64_t>(a) << 32U | b) ^ 0xa0761d6478bd642fULL,
                 static_cast<std::uint64_t>(c) ^ 0xe7037ed1a0b428dbULL);
  }

  // Asks the memory for the slot; then, some lines later, for the cell that it names.
  void expect_slot(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask()]); }
  void expect_cell(std::uint64_t hash) const {
    std::size_t at = hash & mask();
    while (slots_[at].index != kEmpty && slots_[at].tag != tag_of(hash))
      at = (at + 1) & mask();
    if (slots_[at].index == kEmpty)
      return;
    const auto* cell = reinterpret_cast<const char*>(&(*this)[slots_[at].index]);
    for (std::size_t line = 0; line < sizeof(Cell); line += 64)
      __builtin_prefetch(cell + line, 1);
  }

  // The sum under (a, b, c), and whether it is new. Valid until clear().
  std::pair<Sum&, bool> at(std::uint64_t hash, std::uint32_t a, std::uint32_t b, std::int64_t c) {
    std::size_t at = hash & mask();
    for (; slots_[at].index != kEmpty; at = (at + 1) & mask()) {
      if (slots_[at].tag != tag_of(hash))
        continue;
      Cell& cell = cell_at(slots_[at].index);
      if (cell.a == a && cell.b == b && cell.c == c)
        return {cell.sum, false};
    }
    slots_[at] = Slot{tag_of(hash), static_cast<std::uint32_t>(size_)};
    if (size_ == kFirstCells + blocks_.size() * kBlockCells)
      blocks_.push_back(std::make_unique<Cell[]>(kBlockCells));
    Cell& added = cell_at(size_++);
    added = Cell{a, b, c, Sum{}};
    if (size_ * 2 > slots_.size())
      grow();
    return {added.sum, true};
  }
  std::pair<Sum&, bool> at(std::uint32_t a, std::uint32_t b, std::int64_t c) {
    return at(hash(a, b, c), a, b, c);
  }

  // In the order in which they were made.
  [[nodiscard]] std::size_t size() const { return size_; }
  const Cell& operator[](std::size_t index) const { return cell_at(index); }

  // The next batch is expected to be like this one.
  void clear() {
    slots_.assign(std::clamp(std::bit_ceil(size_ * 2), kFirstCapacity, slots_.size()), Slot{});
    blocks_.clear();
    size_ = 0;
  }

 private:
  static constexpr std::uint32_t kEmpty = 0xFFFF'FFFF;
  static constexpr std::size_t kFirstCapacity = 256;
  static constexpr std::size_t kFirstCells = 128;
  static constexpr std::size_t kBlockCells = 2'048;  // large: see return_large_pieces()
  struct Slot {
    std::uint32_t tag = 0;  // of the hash: so that the cells of others are left alone
    std::uint32_t index = kEmpty;
  };

  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  static std::uint32_t tag_of(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash >> 32U);
  }
  [[nodiscard]] Cell& cell_at(std::size_t index) const {
    if (index < kFirstCells)
      return first_[index];
    return blocks_[(index - kFirstCells) / kBlockCells][(index - kFirstCells) % kBlockCells];
  }
  void grow() {
    slots_.assign(slots_.size() * 2, Slot{});
    for (std::uint32_t i = 0; i < size_; ++i) {
      const Cell& cell = (*this)[i];
      const std::uint64_t full = hash(cell.a, cell.b, cell.c);
      std::size_t at = full & mask();
      while (slots_[at].index != kEmpty)
        at = (at + 1) & mask();
      slots_[at] = Slot{tag_of(full), i};
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half full
  std::unique_ptr<Cell[]> first_ = std::make_unique<Cell[]>(kFirstCells);
  std::vector<std::unique_ptr<Cell[]>> blocks_;  // of the others; none moves
  std::size_t size_ = 0;                         // cells in use
};

}  // namespace keyherd::usage
