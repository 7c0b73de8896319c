#include "engine/story.hpp"

namespace keyherd::engine {

Result<model::KeyStory> tell_story(store::Store& store, const std::string& key, WallTime at) {
  model::KeyStory story;
  story.key = key;
  story.at = at;
  KH_ASSIGN(story.changes, store.changes({key, at, kStoryLength}));
  KH_ASSIGN(story.evidence, store.evidence({key, at, kStoryLength}));
  if (story.changes.empty()) {
    story.why = story.evidence.empty() ? "nothing was known of it, or no more is kept"
                                       : "what was known did not suffice for a conclusion";
    return story;
  }
  // The newest change made the state.
  const model::StateChange& made = story.changes.front();
  story.state = made.to;
  story.verdict = made.verdict;
  story.since = made.at;
  story.why = made.why;
  return story;
}

}  // namespace keyherd::engine
