#pragma once

// A format as data, in two shapes: FormatText as one writes it (a row of the presets' table, or a
// configuration's own mapping), and Mapping made ready for reading.
//
// A source says where a value stands:
//   "/a/b"          a JSON Pointer (RFC 6901; names may hold dots and colons)
//   "/a | /b"       the first that is there; null, "" and "-" count as absent
//   "/a + /b"       a sum: /a must be there, what is added need not
//   "/a - /b"       a difference: both must be there and it must be positive, or it does not apply
//   "^/a"           of formats with many records a line: outside the record, see
//   FormatText::records
// For a key the first that names a configured key is taken; for a status the first that is a number
// or a known word.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "usage/format.hpp"

namespace keyherd::usage {

// Which lines are requests at all. Words are compared without regard to case; "*x" is any word that
// ends in x, so "*" is any word.
struct FilterText {
  enum class Rule {
    only,        // the value is one of the words
    if_present,  // the same, or there is no value
    except       // the value is none of the words
  };
  Rule rule = Rule::only;
  std::string source;
  std::vector<std::string> words;
};

struct FormatText {
  struct Place {
    std::string source;
    std::string unit{};  // empty: the canonical one
  };
  struct StatusWord {
    std::string word;  // as in a filter; whole words go before patterns
    int status = 0;
  };
  std::map<Field, Place> fields{};
  std::vector<StatusWord> status_words{};
  std::vector<FilterText> filters{};
  // Where the records of a line stand ("/list/*/records/*"); empty: a line is one record. Pointers
  // are relative to the record, with "^" to the element of the outermost list.
  std::string records{};
  // Lists of {"key", "value": {"…Value"}} are read as objects (OTLP).
  bool attribute_lists = false;
  // What the log calls keys: its name, the key's id.
  std::map<std::string, std::string, std::less<>> key_names{};
};

// A tree of names, walked along with a document.
class PointerTree {
 public:
  static constexpr std::uint32_t kRoot = 0;
  static constexpr std::uint16_t kNoSlot = 0xFFFF;
  struct Entry {
    std::string name;  // an element of an array is named by its index
    std::uint16_t slot = kNoSlot;
    std::uint32_t child = kRoot;  // node below it; kRoot: nothing below it is wanted
  };

  // nullptr: not wanted.
  [[nodiscard]] const Entry* find(std::uint32_t node, std::string_view name) const;
  void add(const std::vector<std::string>& path, std::uint16_t slot);

 private:
  Entry& entry(std::uint32_t node, const std::string& name);
  std::vector<std::vector<Entry>> nodes_ = std::vector<std::vector<Entry>>(1);
};

struct Operand {
  std::uint16_t slot = 0;
  bool minus = false;
};
using Alternative = std::vector<Operand>;  // a sum
using ValueSource = std::vector<Alternative>;

struct Mapping {
  struct Rule {
    ValueSource source;
    // Of times and durations: nanoseconds in one unit (0: times are text). Of money: units in one
    // USD.
    std::int64_t scale = 1;
    bool assume_utc = false;  // of times: a missing zone is UTC
  };
  struct Word {
    std::string text;  // lower case
    bool is_suffix = false;
    int status = 0;
  };
  struct Filter {
    FilterText::Rule rule = FilterText::Rule::only;
    ValueSource source;
    std::vector<Word> words;
  };

  PointerTree tree;            // of a record
  PointerTree outer;           // around it
  std::vector<bool> is_outer;  // by slot
  std::array<Rule, kFieldCount> rules;
  std::vector<Word> status_words;
  std::vector<Filter> filters;
  std::vector<std::string> records;
  bool attribute_lists = false;
  std::map<std::string, std::string, std::less<>> key_names;

  [[nodiscard]] const Rule& rule(Field field) const {
    return rules[static_cast<std::size_t>(field)];
  }
};

// Errors: invalid, with the field that is wrong. ts and key are required.
Result<Mapping> make_mapping(const FormatText& text);

// The units that a field may have, the canonical one first; empty: it has none.
std::vector<std::string_view> units_of(Field field);

// Whether the word, in lower case or not, is meant by the pattern.
bool is_word(std::string_view word, const Mapping::Word& pattern);

}  // namespace keyherd::usage
