#include "config/price_lists.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/sections.hpp"
#include "config/toml_text.hpp"

namespace keyherd::config {

// Made from prices.toml by cmake/Embed.cmake.
extern const char kPricesBytes[];
extern const unsigned long kPricesSize;

namespace {

constexpr std::size_t kMaxPriceFile = 16U << 20U;

using Prices = std::map<std::string, model::ModelPrice>;
using PriceLists = std::map<std::string, Prices>;

PriceLists read_lists(std::string_view text, std::size_t file, Report& report) {
  PriceLists lists;
  std::vector<Reference> references;
  ReadContext context{file, "", report, references};
  const auto document = parse_toml(text, file, report);
  if (!document)
    return lists;
  const TableReader root(*document, SectionId::price_lists, "", context);
  root.each_in_map("lists", SectionId::price_list,
                   [&](const std::string& name, const TableReader& table) {
                     Prices& prices = lists[name];
                     table.each_in_map("models", SectionId::price,
                                       [&](const std::string& model, const TableReader& price) {
                                         prices[model] = read_price(price, model::kNanosPerUsd);
                                         prices[model].listed = true;
                                       });
                   });
  return lists;
}

PriceLists load_lists(const FileSystem& files, Report& report, const Spec& spec) {
  const std::string& path = spec.config.agent.price_file;
  if (path.empty())
    return read_lists(shipped_prices(), report.add_file("prices.toml (shipped)"), report);
  const auto text = files.read(path, kMaxPriceFile);
  if (!text) {
    report.error(spec.price_file, "agent.price_file", text.error().message);
    return {};
  }
  return read_lists(*text, report.add_file(path), report);
}

}  // namespace

std::string_view shipped_prices() {
  return {kPricesBytes, kPricesSize};
}

void apply_price_lists(const FileSystem& files, Report& report, Spec& spec) {
  if (spec.config.providers.empty() && spec.config.agent.price_file.empty())
    return;
  const PriceLists lists = load_lists(files, report, spec);
  for (std::size_t i = 0; i < spec.config.providers.size(); ++i) {
    model::Provider& provider = spec.config.providers[i];
    const ListChoice& choice = spec.list_choices[i];
    for (const std::string& name :
         choice.names ? *choice.names : std::vector<std::string>{provider.type}) {
      const auto list = lists.find(name);
      if (list != lists.end())
        provider.prices.insert(list->second.begin(), list->second.end());
      else if (choice.names)
        report.error(choice.place, "providers." + report.shown(provider.id) + ".list_prices",
                     fmt::format("there is no price list {}", in_quotes(name)));
    }
  }
}

}  // namespace keyherd::config
