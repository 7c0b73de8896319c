// https://learn.microsoft.com/rest/api/aiservices/accountmanagement/accounts/regenerate-key: two
// slots an account; making one anew ends the secret that it had. What a slot has can always be
// read, so an answer that was lost does no harm.

#include <fmt/format.h>

#include "rotation/issuers/types.hpp"

namespace keyherd::rotation {

namespace {

using nlohmann::json;

constexpr std::string_view kArmVersion = "?api-version=2024-10-01";

std::string arm_action(const IssuerApi& api, std::string_view name) {
  return api.issuer().owner + "/" + std::string(name) + std::string(kArmVersion);
}

}  // namespace

Result<Minted> regenerate_slot(const IssuerApi& api, const std::string& slot,
                               const Secret* replaced, bool maybe_done) {
  // Never to guess: the other slot may be the one in use.
  if (slot != "key1" && slot != "key2")
    return fail(ErrorCode::invalid,
                fmt::format("issuer {}: the slots of Azure are key1 and key2; \"{}\" is none",
                            api.issuer().id, slot));
  const std::string pointer = "/" + slot;
  if (maybe_done && replaced != nullptr) {
    const json nothing = json::object();
    KH_ASSIGN(json now, api.call("POST", arm_action(api, "listKeys"), &nothing));
    KH_ASSIGN(Secret present, api.take_secret(now, pointer));
    if (!(present == *replaced))
      return Minted{std::move(present), slot, std::nullopt};
  }
  const json body{{"keyName", slot == "key1" ? "Key1" : "Key2"}};
  KH_ASSIGN(json answer, api.call("POST", arm_action(api, "regenerateKey"), &body));
  KH_ASSIGN(Secret secret, api.take_secret(answer, pointer));
  return Minted{std::move(secret), slot, std::nullopt};
}

}  // namespace keyherd::rotation
