#pragma once

// Sums under (a, b, c), made for one batch at a time: one probe of a flat table per line, no node,
// no allocation once it has grown to the size of a usual batch.
//
// The table is larger than the caches near the processor. So a line takes two steps, with other
// lines in between while the memory answers: `expect` when its key is known, `at` when it is
// summed.

#include <cstdint>
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
    const auto* cell = reinterpret_cast<const char*>(&cells_[slots_[at].index]);
    for (std::size_t line = 0; line < sizeof(Cell); line += 64)
      __builtin_prefetch(cell + line, 1);
  }

  // The sum under (a, b, c), and whether it is new. Valid until the next call.
  std::pair<Sum&, bool> at(std::uint64_t hash, std::uint32_t a, std::uint32_t b, std::int64_t c) {
    std::size_t at = hash & mask();
    for (; slots_[at].index != kEmpty; at = (at + 1) & mask()) {
      if (slots_[at].tag != tag_of(hash))
        continue;
      Cell& cell = cells_[slots_[at].index];
      if (cell.a == a && cell.b == b && cell.c == c)
        return {cell.sum, false};
    }
    slots_[at] = Slot{tag_of(hash), static_cast<std::uint32_t>(cells_.size())};
    cells_.push_back(Cell{a, b, c, Sum{}});
    if (cells_.size() * 2 > slots_.size())
      grow();
    return {cells_.back().sum, true};
  }
  std::pair<Sum&, bool> at(std::uint32_t a, std::uint32_t b, std::int64_t c) {
    return at(hash(a, b, c), a, b, c);
  }

  [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }

  void clear() {
    cells_.clear();
    slots_.assign(slots_.size(), Slot{});
  }

 private:
  static constexpr std::uint32_t kEmpty = 0xFFFF'FFFF;
  static constexpr std::size_t kFirstCapacity = 256;
  struct Slot {
    std::uint32_t tag = 0;  // of the hash: so that the cells of others are left alone
    std::uint32_t index = kEmpty;
  };

  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  static std::uint32_t tag_of(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash >> 32U);
  }
  void grow() {
    slots_.assign(slots_.size() * 2, Slot{});
    for (std::uint32_t i = 0; i < cells_.size(); ++i) {
      const std::uint64_t full = hash(cells_[i].a, cells_[i].b, cells_[i].c);
      std::size_t at = full & mask();
      while (slots_[at].index != kEmpty)
        at = (at + 1) & mask();
      slots_[at] = Slot{tag_of(full), i};
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half full
  std::vector<Cell> cells_;
};

}  // namespace keyherd::usage
