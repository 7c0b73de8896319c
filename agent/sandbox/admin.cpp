#include "sandbox/admin.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/secret.hpp"

namespace keyherd::sandbox {

using nlohmann::json;

namespace {
constexpr std::array<std::string_view, 4> kFaultNames{"none", "refuse", "deny", "lose"};
}  // namespace

std::string_view to_string(AdminFault fault) {
  return kFaultNames[static_cast<std::size_t>(fault)];
}

std::optional<AdminFault> admin_fault_from_string(std::string_view name) {
  const auto found = std::find(kFaultNames.begin(), kFaultNames.end(), name);
  if (found == kFaultNames.end())
    return std::nullopt;
  return static_cast<AdminFault>(found - kFaultNames.begin());
}

Admin::Admin(World& world, const std::vector<SandboxFace>& faces) : world_(world) {
  MutexLock lock(mutex_);
  for (const SandboxFace& face : faces)
    offices_[face.name].secret = face.admin_secret;
}

bool Admin::admits(const std::string& face, std::string_view token) const {
  MutexLock lock(mutex_);
  const auto office = offices_.find(face);
  return office != offices_.end() && !office->second.secret.empty() &&
         office->second.secret == token;
}

Result<IssuedKey> Admin::issue(const std::string& face, Office& office, const std::string& name,
                               World::Offset now) {
  IssuedKey made;
  made.number = ++made_;
  const std::string mark = to_hex(sha256(face + "/" + std::to_string(made.number)));
  made.name = name;
  made.key = "issued-" + std::to_string(made.number);
  made.secret = "sk-sandbox-issued-" + mark.substr(0, 24);
  // OpenRouter and LiteLLM name a key by the SHA-256 of its secret.
  made.remote_id = to_hex(sha256(made.secret));
  SandboxKey key;
  key.id = made.key;
  key.face = face;
  key.secret = made.secret;
  key.balance = office.plan.broke ? 0 : 10;
  if (office.plan.settles_after > World::Offset(0)) {
    key.life = {{now, LifeEventKind::revoke, {}, 0},
                {now + office.plan.settles_after, LifeEventKind::restore, {}, 0}};
  }
  KH_TRY(world_.add_key(std::move(key)));
  office.issued.push_back(made);
  ++office.counts.made;
  return made;
}

Status Admin::withdraw(Office& office, std::string_view remote_id, World::Offset now) {
  const auto found = std::find_if(office.issued.begin(), office.issued.end(),
                                  [&](const IssuedKey& one) { return one.remote_id == remote_id; });
  if (found == office.issued.end())
    return fail(ErrorCode::not_found, "no such key");
  KH_TRY(world_.set_key_state(found->key, "revoked", std::nullopt, now));
  office.issued.erase(found);
  ++office.counts.ended;
  return {};
}

Result<IssuedKey> Admin::make(const std::string& face, const std::string& name, World::Offset now) {
  MutexLock lock(mutex_);
  return issue(face, offices_[face], name, now);
}

std::vector<IssuedKey> Admin::list(const std::string& face) const {
  MutexLock lock(mutex_);
  return offices_.at(face).issued;
}

Status Admin::end(const std::string& face, std::string_view remote_id, World::Offset now) {
  MutexLock lock(mutex_);
  return withdraw(offices_[face], remote_id, now);
}

Result<std::pair<std::string, std::string>> Admin::slots(const std::string& face,
                                                         const std::string& renew,
                                                         World::Offset now) {
  MutexLock lock(mutex_);
  Office& office = offices_[face];
  const auto fill = [&](std::string& slot, const std::string& name) -> Status {
    if (!slot.empty() && renew != name)
      return {};
    if (!slot.empty())
      KH_TRY(withdraw(office, slot, now));
    KH_ASSIGN(const IssuedKey made, issue(face, office, name, now));
    slot = made.remote_id;
    return {};
  };
  KH_TRY(fill(office.slot1, "key1"));
  KH_TRY(fill(office.slot2, "key2"));
  const auto secret_of = [&](const std::string& remote_id) {
    return std::find_if(office.issued.begin(), office.issued.end(),
                        [&](const IssuedKey& one) { return one.remote_id == remote_id; })
        ->secret;
  };
  return std::pair(secret_of(office.slot1), secret_of(office.slot2));
}

Status Admin::set_active(const std::string& key, bool active, World::Offset now) {
  KH_TRY(world_.set_key_state(key, active ? "ok" : "disabled", std::nullopt, now));
  const std::string face = world_.face_of(key);
  MutexLock lock(mutex_);
  if (!active)
    ++offices_[face].counts.ended;
  return {};
}

void Admin::set_plan(const std::string& face, const AdminPlan& plan) {
  MutexLock lock(mutex_);
  offices_[face].plan = plan;
}

AdminFault Admin::take_fault(const std::string& face, bool makes) {
  MutexLock lock(mutex_);
  AdminPlan& plan = offices_[face].plan;
  if (plan.times <= 0 || plan.at_making != makes)
    return AdminFault::none;
  --plan.times;
  return plan.fault;
}

AdminCounts Admin::counts(const std::string& face) const {
  MutexLock lock(mutex_);
  const auto office = offices_.find(face);
  if (office == offices_.end())
    return {};
  AdminCounts counts = office->second.counts;
  for (const IssuedKey& one : office->second.issued)
    counts.live.push_back(one.name);
  return counts;
}

json Admin::describe() const {
  json offices = json::object();
  MutexLock lock(mutex_);
  for (const auto& [face, office] : offices_) {
    json live = json::array();
    for (const IssuedKey& one : office.issued)
      live.push_back(one.name);
    offices[face] = {
        {"made", office.counts.made}, {"ended", office.counts.ended}, {"live", std::move(live)}};
  }
  return offices;
}

}  // namespace keyherd::sandbox
