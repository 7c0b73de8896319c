#pragma once

// Snapshots and journal rows as JSON: the shapes that scripts rely on. Pure functions.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/auth.hpp"
#include "api/control.hpp"
#include "model/snapshot.hpp"

namespace keyherd::api {

// {"keys":[…],"pools":[…],"providers":[…],"sources":[…],"agent":{…}}, as the principal may see it.
nlohmann::json status_json(const model::Snapshot& snapshot, const Principal& principal);
// Its parts, for who wants only them.
nlohmann::json keys_json(const model::Snapshot& snapshot, const Principal& principal);
nlohmann::json pools_json(const model::Snapshot& snapshot, const Principal& principal);
nlohmann::json key_json(const model::KeyView& view);
// What is or was believed of a key, and what had led to it, newest first.
nlohmann::json story_json(const model::KeyStory& story);
// The same of now: with all that is known of the key, and its provider's incident.
nlohmann::json explain_json(const model::Snapshot& snapshot, const model::KeyView& view,
                            const model::KeyStory& story);
nlohmann::json pool_json(const model::PoolView& view);
// A drill with its times, and its grade once it is over.
nlohmann::json drill_json(const model::Drill& drill);
nlohmann::json evidence_json(const model::Evidence& evidence);
nlohmann::json health_json(const model::KeyHealth& health);
nlohmann::json rotation_json(const model::Rotation& rotation);
// The only views with a secret: the published decision, as a published file has it, and a key for
// one request.
nlohmann::json active_json(const ActiveKey& active);
nlohmann::json handed_out_json(const std::string& pool, const HandedOut& out);
nlohmann::json firing_json(const Firing& firing);

// [{"owner","provider","keys","from","to","balance_drops","explained_usd","unaccounted_usd",…}]
nlohmann::json drains_json(const std::vector<model::WalletDrain>& drains);
// {"added":[…],"changed":[{"key","fields"}],"unchanged":N,"secrets":N,"dry_run"}
nlohmann::json import_json(const ImportReport& report);
nlohmann::json delivery_json(const DeliveryReport& report);

// {"error":{"code","message"}}
nlohmann::json error_json(std::string_view code, std::string_view message);

// Whether the principal's pools have the key.
bool may_see_key(const model::Snapshot& snapshot, const Principal& principal, std::string_view key);

// Those of wallets of which the principal may see every key.
std::vector<model::WalletDrain> visible_drains(const model::Snapshot& snapshot,
                                               const Principal& principal,
                                               std::vector<model::WalletDrain> drains);

}  // namespace keyherd::api
