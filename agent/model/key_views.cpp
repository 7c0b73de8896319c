#include "model/key_views.hpp"

#include <algorithm>

#include "model/snapshot.hpp"

namespace keyherd::model {

namespace {

// With 50,000 keys a copy costs about 400 pointers and a changed key's chunk 128 more.
constexpr std::size_t kChunk = 128;

struct ById {
  bool operator()(const KeyViews::value_type& view, std::string_view id) const {
    return view->key.id < id;
  }
  bool operator()(const KeyViews::value_type& a, const KeyViews::value_type& b) const {
    return a->key.id < b->key.id;
  }
};

}  // namespace

const KeyView* KeyViews::find(std::string_view id) const {
  const auto after = std::upper_bound(
      chunks_.begin(), chunks_.end(), id,
      [](std::string_view wanted, const auto& chunk) { return wanted < chunk->front()->key.id; });
  if (after == chunks_.begin())
    return nullptr;
  const Chunk& chunk = **std::prev(after);
  const auto found = std::lower_bound(chunk.begin(), chunk.end(), id, ById());
  return found != chunk.end() && (*found)->key.id == id ? found->get() : nullptr;
}

// As one chunk, or as several where it has grown too large for one.
void KeyViews::append(Chunk views) {
  size_ += views.size();
  if (views.size() <= 2 * kChunk) {
    if (!views.empty())
      chunks_.push_back(std::make_shared<const Chunk>(std::move(views)));
    return;
  }
  for (std::size_t from = 0; from < views.size(); from += kChunk) {
    const auto first = views.begin() + static_cast<std::ptrdiff_t>(from);
    const auto count = static_cast<std::ptrdiff_t>(std::min(kChunk, views.size() - from));
    chunks_.push_back(std::make_shared<const Chunk>(first, first + count));
  }
}

void KeyViews::update(const std::vector<value_type>& changed) {
  Chunks before = std::exchange(chunks_, {});
  size_ = 0;
  chunks_.reserve(before.size());
  auto next = changed.begin();
  for (std::size_t i = 0; i < before.size(); ++i) {
    // What comes before the next chunk's first id belongs to this one.
    const auto last =
        i + 1 == before.size()
            ? changed.end()
            : std::lower_bound(next, changed.end(), before[i + 1]->front()->key.id, ById());
    if (next == last) {
      size_ += before[i]->size();
      chunks_.push_back(std::move(before[i]));
      continue;
    }
    Chunk merged;
    merged.reserve(before[i]->size() + static_cast<std::size_t>(last - next));
    // Of equal ids the first list's is taken.
    std::set_union(next, last, before[i]->begin(), before[i]->end(), std::back_inserter(merged),
                   ById());
    append(std::move(merged));
    next = last;
  }
  append(Chunk(next, changed.end()));
}

void KeyViews::erase_if(const std::function<bool(const KeyView&)>& is_gone) {
  Chunk kept;
  for (const value_type& view : *this) {
    if (!is_gone(*view))
      kept.push_back(view);
  }
  clear();
  append(std::move(kept));
}

}  // namespace keyherd::model
