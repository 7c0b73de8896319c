#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "model/snapshot.hpp"

using namespace keyherd::model;

namespace {

std::shared_ptr<const KeyView> view_of(const std::string& id, int priority = 0) {
  auto view = std::make_shared<KeyView>();
  view->key.id = id;
  view->key.priority = priority;
  return view;
}

std::string name(int number) {
  return "key-" + std::to_string(100'000 + number);
}

KeyViews herd(int keys) {
  std::vector<KeyViews::value_type> views;
  for (int i = 0; i < keys; ++i)
    views.push_back(view_of(name(i)));
  KeyViews list;
  list.update(views);
  return list;
}

}  // namespace

TEST_CASE("a list of views is sorted, found by id, and changes in place of its id") {
  KeyViews list;
  CHECK(list.empty());
  CHECK(list.begin() == list.end());
  CHECK(list.find("a") == nullptr);
  std::mt19937 random(7);
  std::map<std::string, int> model;
  for (int round = 0; round < 300; ++round) {
    std::map<std::string, int> changed;
    for (auto i = random() % 20; i > 0; --i)
      changed[name(static_cast<int>(random() % 2'000))] = round;
    std::vector<KeyViews::value_type> views;
    for (const auto& [id, priority] : changed) {
      views.push_back(view_of(id, priority));
      model[id] = priority;
    }
    list.update(views);
    if (round % 50 == 49) {
      list.erase_if([](const KeyView& view) { return view.key.priority % 3 == 0; });
      std::erase_if(model, [](const auto& entry) { return entry.second % 3 == 0; });
    }
    REQUIRE(list.size() == model.size());
    auto expected = model.begin();
    for (const auto& view : list) {
      REQUIRE(view->key.id == expected->first);
      REQUIRE(view->key.priority == expected->second);
      ++expected;
    }
    REQUIRE(expected == model.end());
  }
  for (int i = 0; i < 2'000; ++i) {
    const KeyView* found = list.find(name(i));
    REQUIRE((found != nullptr) == model.contains(name(i)));
  }
  CHECK(list.find("zzz") == nullptr);
  CHECK(list.find("") == nullptr);
}

TEST_CASE("a copy keeps what it was when the list goes on") {
  KeyViews list = herd(1'000);
  const KeyViews copy = list;
  list.update({view_of(name(500), 9)});
  list.erase_if([](const KeyView& view) { return view.key.id == name(3); });
  CHECK(copy.size() == 1'000);
  CHECK(copy.find(name(500))->key.priority == 0);
  CHECK(copy.find(name(3)) != nullptr);
  CHECK(list.size() == 999);
  CHECK(list.find(name(500))->key.priority == 9);
}

// What publishing costs: references counted up, by chunk and not by key.
TEST_CASE("a change of one key touches its neighbours and not the herd") {
  KeyViews list = herd(50'000);
  const KeyViews copy = list;
  list.update({view_of(name(25'000), 1)});
  int copied = 0;
  for (const auto& view : list)
    copied += view.use_count() > 1 ? 1 : 0;
  CHECK(copied >= 1);
  CHECK(copied <= 256);
}
