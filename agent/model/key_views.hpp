#pragma once

// The views of all keys by id: a list in chunks that its copies share. A copy costs a pointer a
// chunk, and update() copies only the chunks that it changes: publishing after a change costs what
// changed, not the herd. One thread changes a list; copies are as safe as any value.

#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <string_view>
#include <vector>

namespace keyherd::model {

struct KeyView;

class KeyViews {
 public:
  using value_type = std::shared_ptr<const KeyView>;

  class const_iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = KeyViews::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    const_iterator() = default;
    reference operator*() const { return (*(*chunks_)[chunk_])[place_]; }
    pointer operator->() const { return &**this; }
    const_iterator& operator++() {
      if (++place_ == (*chunks_)[chunk_]->size()) {
        ++chunk_;
        place_ = 0;
      }
      return *this;
    }
    const_iterator operator++(int) {
      const const_iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const const_iterator&, const const_iterator&) = default;

   private:
    friend class KeyViews;
    const_iterator(const std::vector<std::shared_ptr<const std::vector<value_type>>>& chunks,
                   std::size_t chunk)
        : chunks_(&chunks), chunk_(chunk) {}
    const std::vector<std::shared_ptr<const std::vector<value_type>>>* chunks_ = nullptr;
    std::size_t chunk_ = 0;
    std::size_t place_ = 0;
  };

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const_iterator begin() const { return {chunks_, 0}; }
  [[nodiscard]] const_iterator end() const { return {chunks_, chunks_.size()}; }
  // Null when absent.
  [[nodiscard]] const KeyView* find(std::string_view id) const;

  // Replaces the views of the same ids, adds the others. Sorted by id, each id once.
  void update(const std::vector<value_type>& changed);
  void push_back(value_type view) { update({std::move(view)}); }
  void erase_if(const std::function<bool(const KeyView&)>& is_gone);
  void clear() { *this = KeyViews(); }

 private:
  using Chunk = std::vector<value_type>;  // never empty
  using Chunks = std::vector<std::shared_ptr<const Chunk>>;

  void append(Chunk views);

  Chunks chunks_;
  std::size_t size_ = 0;
};

}  // namespace keyherd::model
