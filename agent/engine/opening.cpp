#include "engine/opening.hpp"

#include <spdlog/logger.h>

#include "base/random.hpp"
#include "engine/audit_trail.hpp"
#include "store/memory_store.hpp"
#include "store/sqlite_store.hpp"

namespace keyherd::engine {

namespace {

constexpr std::string_view kInstallationKey = "installation_key";

// Whoever may write the directory may put another file in the state's place.
Status check_directory(const std::string& state, const FileSystem& files) {
  constexpr unsigned kOthersMayWrite = 0002;
  constexpr unsigned kSticky = 01000;
  const std::string directory = directory_of(state);
  const auto stat = files.stat(directory);
  if (stat && (stat->mode & kOthersMayWrite) != 0 && (stat->mode & kSticky) == 0)
    return fail(ErrorCode::denied, "agent.state: everybody may write the directory " + directory +
                                       "; run: chmod o-w " + directory);
  return {};
}

Result<std::unique_ptr<store::Store>> open_store(const config::AgentSettings& agent,
                                                 const FileSystem& files) {
  if (agent.state == ":memory:")
    return store::make_memory_store();
  KH_TRY(check_directory(agent.state, files));
  return store::open_sqlite_store({agent.state, false});
}

Result<std::string> installation_key(store::Store& store, const store::State& state) {
  if (const auto known = state.settings.find(std::string(kInstallationKey));
      known != state.settings.end())
    return known->second;
  store::Batch batch;
  const std::string key = to_hex(random_bytes(32));
  batch.settings[std::string(kInstallationKey)] = key;
  KH_TRY(store.commit(batch));
  return key;
}

Result<store::State> load_state(const config::AgentSettings& agent, const FileSystem& files,
                                std::unique_ptr<store::Store>& store) {
  KH_ASSIGN(store, open_store(agent, files));
  auto state = store->load();
  if (!state)
    return fail(with_context(state.error(), "loading " + agent.state));
  return state;
}

}  // namespace

Result<OpenState> open_state(const config::AgentSettings& agent, const StateParts& parts) {
  OpenState opened;
  auto state = load_state(agent, parts.files, opened.store);
  if (!state && state.error().code == ErrorCode::corrupt && parts.replace_corrupt) {
    opened.store.reset();
    KH_ASSIGN(const std::string aside,
              store::set_aside_sqlite_file(agent.state, parts.clock.now().wall));
    parts.log.error("{}; it is kept as {}: all totals and beliefs begin anew",
                    state.error().message, aside);
    state = load_state(agent, parts.files, opened.store);
  }
  if (!state)
    return fail(state.error());
  opened.state = std::move(*state);
  KH_ASSIGN(opened.installation_key, installation_key(*opened.store, opened.state));
  return opened;
}

OpenAudit open_audit(const config::AgentSettings& agent, const store::State& state,
                     const FileSystem& files, spdlog::logger& log) {
  OpenAudit audit;
  if (agent.audit.empty())
    return audit;
  const audit::Head head = audit_head(state);
  audit.journal = audit::make_file_journal(
      {agent.audit, static_cast<std::uint64_t>(agent.audit_max_bytes), head}, files);
  auto checked = audit.journal->append({});
  if (!checked)
    log.error("{}; its entries wait in the state, nothing else is held up",
              checked.error().message);
  audit.checked = checked ? std::move(*checked) : audit::Appended{head, {}};
  return audit;
}

}  // namespace keyherd::engine
