#include "usage/mapped_reader.hpp"

#include <cstring>
#include <string>

namespace keyherd::usage {

namespace {

namespace ondemand = simdjson::ondemand;

std::string_view without_space(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\t' || token.back() == '\r' ||
                            token.back() == '\n'))
    token.remove_suffix(1);
  return token;
}

// As written, up to its closing quote.
std::string_view member_name(ondemand::raw_json_string name) {
  const char* begin = name.raw();
  const char* end = begin;
  while (*end != '"')
    end += *end == '\\' ? 2 : 1;
  return {begin, static_cast<std::size_t>(end - begin)};
}

Token text_token(std::string_view text) {
  if (text.empty() || text == "-")
    return {};
  return {Token::Kind::text, text};
}

Token token_of(ondemand::value& value) {
  const std::string_view raw = without_space(value.raw_json_token());
  switch (raw.front()) {
    case '{':
    case '[':
      return {Token::Kind::nested, {}};
    case 'n':
      return {};
    case '"':
      break;
    default:
      return {Token::Kind::bare, raw};
  }
  if (std::memchr(raw.data(), '\\', raw.size()) == nullptr)
    return text_token(raw.substr(1, raw.size() - 2));
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS)
    return {Token::Kind::nested, {}};  // no value of ours
  return text_token(text);
}

}  // namespace

void MappedReader::start(const Mapping& mapping, const Accumulator& into) {
  mapping_ = &mapping;
  into_ = &into;
  tokens_.assign(mapping.is_outer.size(), Token{});
  records_.clear();
}

bool MappedReader::read_line(ondemand::object& object) {
  if (!mapping_->records.empty())
    return find_records(object, 0);
  if (!walk_object(object, mapping_->tree, PointerTree::kRoot))
    return false;
  finish_record();
  return true;
}

void MappedReader::finish_record() {
  records_.push_back(make_record(*mapping_, tokens_, *into_));
  for (std::size_t slot = 0; slot < tokens_.size(); ++slot) {
    if (!mapping_->is_outer[slot])
      tokens_[slot] = Token{};
  }
}

void MappedReader::settle(Accumulator& into, std::uint64_t offset) {
  if (records_.empty())
    ++into.counts().skipped;
  for (MappedRecord& each : records_) {
    switch (each.kind) {
      case MappedRecord::Kind::good: {
        KeyBuffer buffer;
        each.record.key = known_form(each.record.key, buffer);
        into.add(each.record, offset);
        break;
      }
      case MappedRecord::Kind::skipped:
        ++into.counts().skipped;
        break;
      case MappedRecord::Kind::rejected:
        into.reject(each.reason, each.field, offset);
        break;
    }
  }
  records_.clear();
}

bool MappedReader::walk_object(ondemand::object& object, const PointerTree& tree,
                               std::uint32_t node) {
  for (auto item : object) {
    if (item.error() != simdjson::SUCCESS)
      return false;
    ondemand::field& member = item.value_unsafe();
    if (!take(tree.find(node, member_name(member.key())), member.value(), tree))
      return false;
  }
  return true;
}

// False: not JSON.
bool MappedReader::take(const PointerTree::Entry* entry, ondemand::value& value,
                        const PointerTree& tree) {
  if (entry == nullptr)
    return true;
  if (entry->slot != PointerTree::kNoSlot)
    tokens_[entry->slot] = token_of(value);
  return entry->child == PointerTree::kRoot || walk(value, tree, entry->child);
}

bool MappedReader::walk(ondemand::value& value, const PointerTree& tree, std::uint32_t node) {
  ondemand::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS)
    return false;
  if (type == ondemand::json_type::array)
    return walk_array(value, tree, node);
  if (type != ondemand::json_type::object)
    return true;
  ondemand::object object;
  return value.get_object().get(object) == simdjson::SUCCESS && walk_object(object, tree, node);
}

bool MappedReader::walk_array(ondemand::value& value, const PointerTree& tree, std::uint32_t node) {
  ondemand::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS)
    return false;
  std::size_t index = 0;
  for (auto item : array) {
    if (item.error() != simdjson::SUCCESS)
      return false;
    ondemand::value& element = item.value_unsafe();
    if (mapping_->attribute_lists) {
      if (!take_attribute(element, tree, node))
        return false;
      continue;
    }
    if (!take(tree.find(node, std::to_string(index++)), element, tree))
      return false;
  }
  return true;
}

// {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "98"}}
bool MappedReader::take_attribute(ondemand::value& element, const PointerTree& tree,
                                  std::uint32_t node) {
  ondemand::object object;
  if (element.get_object().get(object) != simdjson::SUCCESS)
    return false;
  Token name;
  Token content;
  for (auto item : object) {
    if (item.error() != simdjson::SUCCESS)
      return false;
    ondemand::field& member = item.value_unsafe();
    const std::string_view what = member_name(member.key());
    if (what == "key")
      name = token_of(member.value());
    if (what != "value")
      continue;
    ondemand::object typed;
    if (member.value().get_object().get(typed) != simdjson::SUCCESS)
      return false;
    for (auto inner : typed) {
      if (inner.error() != simdjson::SUCCESS)
        return false;
      content = token_of(inner.value_unsafe().value());
    }
  }
  const PointerTree::Entry* entry = tree.find(node, name.text);
  if (entry != nullptr && entry->slot != PointerTree::kNoSlot)
    tokens_[entry->slot] = content;
  return true;
}

// `level`: of the name in mapping.records that this object may have.
bool MappedReader::find_records(ondemand::object& object, std::size_t level) {
  const auto& path = mapping_->records;
  if (level == path.size()) {
    if (!walk_object(object, mapping_->tree, PointerTree::kRoot))
      return false;
    finish_record();
    return true;
  }
  for (auto item : object) {
    if (item.error() != simdjson::SUCCESS)
      return false;
    ondemand::field& member = item.value_unsafe();
    const std::string_view name = member_name(member.key());
    if (name == path[level]) {
      if (!each_element(member.value(), level + 1))
        return false;
    } else if (level == 2 && !take(mapping_->outer.find(PointerTree::kRoot, name), member.value(),
                                   mapping_->outer)) {
      return false;
    }
  }
  return true;
}

bool MappedReader::each_element(ondemand::value& list, std::size_t level) {
  ondemand::array array;
  if (list.get_array().get(array) != simdjson::SUCCESS)
    return false;
  for (auto item : array) {
    if (item.error() != simdjson::SUCCESS)
      return false;
    if (level == 1)
      tokens_.assign(tokens_.size(), Token{});  // what stands around other records
    ondemand::object object;
    if (item.value_unsafe().get_object().get(object) != simdjson::SUCCESS ||
        !find_records(object, level + 1))
      return false;
  }
  return true;
}

}  // namespace keyherd::usage
