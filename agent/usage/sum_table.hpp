#pragma once

// Sums under (a, b, c), made for one batch at a time: one probe of a flat table per line, no node, no
// allocation once it has grown to the size of a usual batch.

#include <cstdint>
#include <utility>
#include <vector>

#include "usage/hash.hpp"

namespace keyherd::usage {

template <class Sum>
class SumTable {
 public:
  struct Cell {
    std::uint32_t a;
    std::uint32_t b;
    std::int64_t c;
    Sum sum;
  };

  SumTable() : slots_(kFirstCapacity, kEmpty) {}

  // The sum under (a, b, c), and whether it is new. Valid until the next call.
  std::pair<Sum&, bool> at(std::uint32_t a, std::uint32_t b, std::int64_t c) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = place(a, b, c) & mask;
    for (; slots_[at] != kEmpty; at = (at + 1) & mask) {
      Cell& cell = cells_[slots_[at]];
      if (cell.a == a && cell.b == b && cell.c == c)
        return {cell.sum, false};
    }
    slots_[at] = static_cast<std::uint32_t>(cells_.size());
    cells_.push_back(Cell{a, b, c, Sum{}});
    if (cells_.size() * 2 > slots_.size())
      grow();
    return {cells_.back().sum, true};
  }

  [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }

  void clear() {
    cells_.clear();
    slots_.assign(slots_.size(), kEmpty);
  }

 private:
  static constexpr std::uint32_t kEmpty = 0xFFFF'FFFF;
  static constexpr std::size_t kFirstCapacity = 256;

  static std::uint64_t place(std::uint32_t a, std::uint32_t b, std::int64_t c) {
    return mix64((static_cast<std::uint64_t>(a) << 32U | b) ^ 0xa0761d6478bd642fULL,
                 static_cast<std::uint64_t>(c) ^ 0xe7037ed1a0b428dbULL);
  }
  void grow() {
    slots_.assign(slots_.size() * 2, kEmpty);
    const std::size_t mask = slots_.size() - 1;
    for (std::uint32_t i = 0; i < cells_.size(); ++i) {
      std::size_t at = place(cells_[i].a, cells_[i].b, cells_[i].c) & mask;
      while (slots_[at] != kEmpty)
        at = (at + 1) & mask;
      slots_[at] = i;
    }
  }

  std::vector<std::uint32_t> slots_;  // indices of cells_; a power of two, at most half full
  std::vector<Cell> cells_;
};

}  // namespace keyherd::usage
