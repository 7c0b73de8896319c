#pragma once

// Walks a line's JSON along a Mapping. For record_parser.cpp alone: it brings simdjson along.

#include <simdjson.h>

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "usage/mapped_record.hpp"

namespace keyherd::usage {

class MappedReader {
 public:
  // Reads the records of one line; nothing is counted before settle(). False: not JSON. The line
  // stays as it is until then.
  template <class Document>
  bool read(Document& document, const Mapping& mapping, const Accumulator& into) {
    start(mapping, into);
    simdjson::ondemand::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS)
      return false;
    return read_line(object);
  }

  // Counts what the last read() found, as of the line at `offset`.
  void settle(Accumulator& into, std::uint64_t offset);

 private:
  void start(const Mapping& mapping, const Accumulator& into);
  bool read_line(simdjson::ondemand::object& object);
  void finish_record();
  bool walk_object(simdjson::ondemand::object& object, const PointerTree& tree, std::uint32_t node);
  bool walk(simdjson::ondemand::value& value, const PointerTree& tree, std::uint32_t node);
  bool walk_array(simdjson::ondemand::value& value, const PointerTree& tree, std::uint32_t node);
  bool take(const PointerTree::Entry* entry, simdjson::ondemand::value& value,
            const PointerTree& tree);
  bool take_attribute(simdjson::ondemand::value& element, const PointerTree& tree,
                      std::uint32_t node);
  bool find_records(simdjson::ondemand::object& object, std::size_t level);
  bool each_element(simdjson::ondemand::value& list, std::size_t level);

  const Mapping* mapping_ = nullptr;
  const Accumulator* into_ = nullptr;
  std::vector<Token> tokens_;  // by slot
  std::vector<MappedRecord> records_;
};

}  // namespace keyherd::usage
