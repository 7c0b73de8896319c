#pragma once

// What the store's history tells of a key.

#include <string>

#include "store/store.hpp"

namespace keyherd::engine {

// At most this many changes and pieces of evidence are told.
inline constexpr std::size_t kStoryLength = 20;

// Errors: those of the store.
Result<model::KeyStory> tell_story(store::Store& store, const std::string& key, WallTime at);

}  // namespace keyherd::engine
