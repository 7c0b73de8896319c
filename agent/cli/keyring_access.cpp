#include "cli/keyring_access.hpp"

#include <optional>

#include "base/mutex.hpp"
#include "config/secrets.hpp"
#include "store/sqlite_store.hpp"

namespace keyherd::cli {

namespace {

class LazyKeyring {
 public:
  LazyKeyring(Context& context, config::Config config)
      : context_(context), config_(std::move(config)) {}

  Result<Secret> get(const std::string& id) KH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (!keyring_)
      keyring_ = open();
    if (!*keyring_)
      return fail((*keyring_).error());
    return (**keyring_)->get(id);
  }

 private:
  using Opened = Result<std::unique_ptr<store::Keyring>>;

  [[nodiscard]] Opened open() const {
    KH_ASSIGN(store::MasterKey master, master_key_of(context_, config_));
    KH_ASSIGN(auto store, store::open_sqlite_store({config_.agent.state, true}));
    KH_ASSIGN(store::State state, store->load());
    return std::make_unique<store::Keyring>(std::move(master), std::move(state.sealed));
  }

  Context& context_;
  const config::Config config_;
  Mutex mutex_;
  std::optional<Opened> keyring_ KH_GUARDED_BY(mutex_);
};

}  // namespace

Result<store::MasterKey> load_master_key(Context& context, const model::SecretRef& reference) {
  KH_ASSIGN(const Secret text,
            config::resolve_secret(
                reference, {context.environment, context.files, std::chrono::seconds(10), {}}));
  context.redactor.add(text);
  return store::MasterKey::parse(text);
}

Result<store::MasterKey> master_key_of(Context& context, const config::Config& config) {
  if (!config.agent.master_key) {
    return fail(ErrorCode::invalid,
                "there is no keyring without agent.master_key; write, for example, master_key = "
                "\"file:/etc/keyherd/master.key\" (made with: openssl rand -hex 32)");
  }
  return load_master_key(context, *config.agent.master_key);
}

std::function<Result<Secret>(const std::string&)> keyring_reader(Context& context,
                                                                 const config::Config& config) {
  return [keyring = std::make_shared<LazyKeyring>(context, config)](const std::string& id) {
    return keyring->get(id);
  };
}

}  // namespace keyherd::cli
