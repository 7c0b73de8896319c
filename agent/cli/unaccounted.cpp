#include "cli/unaccounted.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/agent_client.hpp"
#include "cli/table.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

std::string listed(const json& names) {
  std::string text;
  for (const json& name : names)
    text += (text.empty() ? "" : ", ") + text_of(name);
  return text;
}

std::string drops_of(const json& wallet) {
  std::string text;
  for (const json& drop : wallet["balance_drops"])
    text += (text.empty() ? "" : ", ") + text_of(drop["amount"]) + " " + text_of(drop["currency"]);
  return text.empty() ? "0" : text;
}

bool is_unaccounted(const json& wallet) {
  return wallet["unaccounted_usd"].is_number() && wallet["unaccounted_usd"].get<double>() > 0;
}

void print_wallets(Context& context, const json& wallets) {
  if (wallets.empty()) {
    context.out << "No balance was seen to fall in this time.\n";
    return;
  }
  Table table({"WALLET", "PROVIDER", "FROM", "TO", "BALANCE FELL BY", "EXPLAINED USD",
               "UNACCOUNTED USD", "KEYS"});
  for (const json& wallet : wallets) {
    Cell unaccounted = Cell::number(text_of(wallet["unaccounted_usd"]));
    unaccounted.colour = is_unaccounted(wallet) ? Colour::red : Colour::none;
    table.add({text_of(wallet["owner"]), text_of(wallet["provider"]), text_of(wallet["from"]),
               text_of(wallet["to"]), Cell::number(drops_of(wallet)),
               Cell::number(text_of(wallet["explained_usd"])), std::move(unaccounted),
               listed(wallet["keys"])});
  }
  table.print(context);
}

}  // namespace

int show_unaccounted(Context& context, const std::string& from, const std::string& to) {
  return with_agent(context, [&](AgentClient& client) {
    std::string path = "/api/v1/usage/unaccounted";
    char separator = '?';
    for (const auto& [name, value] : {std::pair{"from", from}, std::pair{"to", to}}) {
      if (value.empty())
        continue;
      path += separator + std::string(name) + "=" + url_encode(value);
      separator = '&';
    }
    const auto wallets = client.get(path);
    if (!wallets)
      return report(context, wallets.error());
    if (context.json)
      context.out << dump_json(*wallets) << "\n";
    else
      print_wallets(context, *wallets);
    return std::any_of(wallets->begin(), wallets->end(), is_unaccounted) ? kBadNews : kFine;
  });
}

}  // namespace keyherd::cli
