#pragma once

// Typed reading of one table by its row in the schema. Whatever is wrong goes to the report; a
// value is returned when it was written and is right, so that `.value_or(default)` completes it.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/node.hpp"
#include "config/report.hpp"
#include "config/schema.hpp"
#include "config/spec.hpp"
#include "model/money.hpp"
#include "model/secret_ref.hpp"

namespace keyherd::config {

// What reading one file needs to know and to leave; outlives its readers.
struct ReadContext {
  std::size_t file = 0;
  std::string directory;  // where relative paths begin
  Report& report;
  std::vector<Reference>& references;
};

class TableReader {
 public:
  // Reports unknown and repeated names, and missing ones that are required. `node` outlives the
  // reader; if it is no table this is reported, and the reader is empty.
  TableReader(const Node& node, SectionId id, std::string path, ReadContext& context);

  [[nodiscard]] bool is_table() const { return table_ != nullptr; }
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> path(std::string_view name) const;  // resolved
  [[nodiscard]] std::optional<bool> boolean(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
  [[nodiscard]] std::optional<double> ratio(std::string_view name) const;
  [[nodiscard]] std::optional<std::vector<double>> ratios(std::string_view name) const;
  [[nodiscard]] std::optional<model::NanoUsd> usd(std::string_view name) const;
  [[nodiscard]] std::optional<std::chrono::nanoseconds> duration(std::string_view name) const;
  [[nodiscard]] std::optional<WallTime> time(std::string_view name) const;
  [[nodiscard]] std::optional<model::SecretRef> secret(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> id(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> timezone(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> choice(std::string_view name) const;
  // Without repetitions in these three: a text given twice is reported.
  [[nodiscard]] std::optional<std::vector<std::string>> texts(std::string_view name) const;
  [[nodiscard]] std::optional<std::vector<std::string>> choices(std::string_view name) const;
  // Lists of arguments, where repetition is right.
  [[nodiscard]] std::optional<std::vector<std::string>> arguments(std::string_view name) const;
  using PairCheck = Status (*)(std::string_view name, std::string_view value);
  [[nodiscard]] std::map<std::string, std::string> text_map(std::string_view name,
                                                            PairCheck check) const;

  [[nodiscard]] std::map<std::string, std::int64_t> integer_map(std::string_view name) const;

  // Ids of another section: existence is checked when everything has been read.
  [[nodiscard]] std::optional<std::string> reference(std::string_view name, Target target) const;
  [[nodiscard]] std::optional<std::vector<std::string>> references(std::string_view name,
                                                                   Target target) const;

  [[nodiscard]] std::map<std::string, std::string> reference_map(std::string_view name,
                                                                 Target target) const;

  // A choice as its enum.
  template <class Enum>
  [[nodiscard]] std::optional<Enum> choice(std::string_view name,
                                           std::optional<Enum> (*parse)(std::string_view)) const {
    const auto word = choice(name);
    return word ? parse(*word) : std::nullopt;
  }

  // The sub-tables: read(TableReader) for the one, read(id, TableReader) for each in a map,
  // read(TableReader) for each in a list.
  template <class Read>
  void table(std::string_view name, SectionId id, Read read) const {
    if (const Node* node = find(name))
      read(TableReader(*node, id, path_of(name), context_));
  }
  template <class Read>
  void each_in_map(std::string_view name, SectionId id, Read read) const {
    const Table* members = members_of(name);
    if (members == nullptr)
      return;
    for (const Member& member : *members)
      read(member.name,
           TableReader(member.node, id, path_of(name) + "." + context_.report.shown(member.name),
                       context_));
  }
  template <class Read>
  void each_in_list(std::string_view name, SectionId id, Read read) const {
    const List* items = items_of(name);
    if (items == nullptr)
      return;
    for (std::size_t i = 0; i < items->size(); ++i)
      read(TableReader((*items)[i], id, path_of(name) + "[" + std::to_string(i) + "]", context_));
  }

  // A name of the file, masked if it looks like a provider's key.
  [[nodiscard]] std::string shown(std::string_view name) const {
    return context_.report.shown(name);
  }

  // What only the caller can see to be wrong: at a field's value (or at the table, when it is not
  // written), or at the table.
  void error(std::string_view name, std::string_view message) const;
  void error(std::string_view message) const;
  void warning(std::string_view name, std::string_view message) const;
  [[nodiscard]] const Node* find(std::string_view name) const;
  // A path that stands inside another value, resolved.
  [[nodiscard]] std::string resolve(std::string_view path) const;
  [[nodiscard]] Place place() const { return place_at(node_); }
  [[nodiscard]] Place place_of(std::string_view name) const;
  [[nodiscard]] std::string path_of(std::string_view name) const;

 private:
  struct Item {
    std::string text;
    const Node* node;
    std::size_t index;
  };

  [[nodiscard]] Place place_at(const Node& node) const { return {context_.file, node.position}; }
  [[nodiscard]] const Field& row(std::string_view name) const;
  [[nodiscard]] std::optional<double> number(std::string_view name, const Node& node) const;
  [[nodiscard]] std::optional<std::vector<Item>> text_items(std::string_view name) const;
  [[nodiscard]] const Table* members_of(std::string_view name) const;
  [[nodiscard]] const List* items_of(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> text_at(const Node& node, const std::string& path,
                                                   Type type) const;
  void wrong_type(const Node& node, std::string_view path, Type type) const;
  void out_of_range(std::string_view name) const;
  void refer(const Node& node, const std::string& path, const std::string& id, Target target) const;
  void check_names() const;
  [[nodiscard]] std::string unknown_name(std::string_view name) const;
  void check_required() const;

  const Node& node_;
  const Table* table_ = nullptr;
  const Section& section_;
  std::string path_;
  ReadContext& context_;
};

}  // namespace keyherd::config
