#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "config/sections.hpp"
#include "config/values.hpp"

namespace keyherd::config {

namespace {

// [{"id": "a", …}] as {"a": {…}}: one shape for the reader.
Table by_id(List items, ReadContext& context) {
  Table result;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Position position = items[i].position;
    auto* fields = std::get_if<Table>(&items[i].value);
    std::string id;
    if (fields != nullptr) {
      const auto member = std::find_if(fields->begin(), fields->end(),
                                       [](const Member& each) { return each.name == "id"; });
      if (member != fields->end() && std::holds_alternative<std::string>(member->node.value)) {
        id = std::get<std::string>(member->node.value);
        fields->erase(member);
      }
    }
    if (id.empty())
      context.report.error({context.file, position}, fmt::format("keys[{}]", i),
                           "expected a table with an \"id\"");
    else
      result.push_back({std::move(id), position, std::move(items[i])});
  }
  return result;
}

}  // namespace

void check_id(const std::string& id, const TableReader& reader) {
  if (!is_id(id))
    reader.error(fmt::format("is no id: {}", kIdRule));
  else if (reader.shown(id) != id)
    reader.error("this id looks like a secret, and ids are shown everywhere: choose another");
}

void read_document(const Node& document, ReadContext& context, const LoadOptions& options,
                   Spec& spec) {
  const TableReader root(document, SectionId::root, "", context);
  spec.listen = root.place();
  root.table("agent", SectionId::agent, [&](const TableReader& table) { read_agent(table, spec); });
  root.each_in_map(
      "providers", SectionId::provider,
      [&](const std::string& id, const TableReader& table) { read_provider(id, table, spec); });
  root.each_in_map("keys", SectionId::key, [&](const std::string& id, const TableReader& table) {
    read_key(id, table, spec);
  });
  root.each_in_map(
      "limit_groups", SectionId::limit_group,
      [&](const std::string& id, const TableReader& table) { read_limit_group(id, table, spec); });
  root.each_in_map(
      "quotas", SectionId::quota,
      [&](const std::string& id, const TableReader& table) { read_quota(id, table, spec); });
  root.each_in_map(
      "issuers", SectionId::issuer,
      [&](const std::string& id, const TableReader& table) { read_issuer(id, table, spec); });
  root.each_in_map("pools", SectionId::pool, [&](const std::string& id, const TableReader& table) {
    read_pool(id, table, spec);
  });
  root.each_in_map("usage_logs", SectionId::usage_log,
                   [&](const std::string& id, const TableReader& table) {
                     read_usage_log(id, table, options, spec);
                   });
  root.each_in_list("notify", SectionId::notify,
                    [&](const TableReader& table) { read_notify(table, spec); });
  root.table("web", SectionId::web, [&](const TableReader& table) { read_web(table, spec); });
  root.table("client", SectionId::client,
             [&](const TableReader& table) { read_client(table, spec); });
}

void read_keys_document(Node document, ReadContext& context, Spec& spec) {
  auto* members = std::get_if<Table>(&document.value);
  // An export's secrets: only an import opens them.
  if (members != nullptr)
    std::erase_if(*members, [](const Member& member) { return member.name == "sealed"; });
  if (members == nullptr || members->size() != 1 || members->front().name != "keys") {
    context.report.error({context.file, document.position}, "",
                         "a file of keys is {\"keys\": {\"ID\": {…}}} or {\"keys\": [{\"id\": "
                         "\"ID\", …}]}");
    return;
  }
  Node& keys = members->front().node;
  if (auto* items = std::get_if<List>(&keys.value))
    keys.value = by_id(std::move(*items), context);
  const TableReader root(document, SectionId::root, "", context);
  root.each_in_map("keys", SectionId::key, [&](const std::string& id, const TableReader& table) {
    read_key(id, table, spec);
  });
}

}  // namespace keyherd::config
