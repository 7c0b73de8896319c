#include "model/naming.hpp"

namespace keyherd::model {

std::string endpoint_of(std::string_view base_url) {
  if (const auto scheme = base_url.find("://"); scheme != std::string_view::npos)
    base_url.remove_prefix(scheme + 3);
  base_url = base_url.substr(0, base_url.find_first_of("/?#"));
  if (const auto user = base_url.rfind('@'); user != std::string_view::npos)
    base_url.remove_prefix(user + 1);
  return std::string(base_url);
}

std::map<std::string, std::string, std::less<>> providers_of_groups(const Snapshot& snapshot) {
  std::map<std::string, std::string, std::less<>> found;
  for (const auto& view : snapshot.keys) {
    const auto [entry, is_new] =
        found.try_emplace("group:" + view->key.limit_group, view->key.provider);
    if (!is_new && entry->second != view->key.provider)
      entry->second.clear();
  }
  return found;
}

}  // namespace keyherd::model
