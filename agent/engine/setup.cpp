#include "engine/setup.hpp"

#include <algorithm>

#include "config/secrets.hpp"
#include "engine/certificate.hpp"

namespace keyherd::engine {

namespace {

std::string_view kind_of(const model::SecretRef& reference) {
  return std::string_view(reference.text).substr(0, reference.text.find(':'));
}

class Builder {
 public:
  Builder(config::Config config, const SetupParts& parts, std::stop_token stop)
      : parts_(parts), stop_(std::move(stop)), setup_(std::make_shared<Setup>()) {
    setup_->config = std::move(config);
    setup_->installation_key = parts.installation_key;
  }

  Result<std::shared_ptr<const Setup>> build() {
    for (const model::Provider& provider : setup_->config.providers)
      setup_->providers[provider.id] = std::make_shared<const model::Provider>(provider);
    for (const model::Key& key : setup_->config.keys)
      setup_->secrets[key.id] = load_key(key);
    KH_TRY(load_access());
    KH_ASSIGN(setup_->certificate, load_certificate(setup_->config.tls, parts_.files));
    KH_TRY(load_pools());
    KH_TRY(load_notify());
    for (const model::Issuer& issuer : setup_->config.issuers)
      setup_->issuers[issuer.id] = std::make_shared<const model::Issuer>(issuer);
    setup_->usage = usage_context();
    return std::shared_ptr<const Setup>(setup_);
  }

 private:
  Result<Secret> resolve(const model::SecretRef& reference) {
    config::SecretSources sources{parts_.environment, parts_.files, std::chrono::seconds(10), {}};
    if (parts_.keyring != nullptr)
      sources.keyring = [this](const std::string& id) { return parts_.keyring->get(id); };
    auto secret = config::resolve_secret(reference, sources, stop_);
    if (secret)
      parts_.redactor.add(*secret);
    return secret;
  }

  KeySecret load_key(const model::Key& key) {
    auto secret = resolve(key.secret);
    Status shape = secret ? config::check_secret_value(*secret) : Status{};
    if (!secret || !shape) {
      ++setup_->secret_load_failures[std::string(kind_of(key.secret))];
      return KeySecret{nullptr, "", secret ? shape.error().message : secret.error().message};
    }
    std::string mark = fingerprint(*secret, parts_.installation_key);
    return KeySecret{std::make_shared<const Secret>(std::move(*secret)), std::move(mark), ""};
  }

  Status load_access() {
    auto access = std::make_shared<api::Access>();
    access->listen_address =
        parts_.listening_on.empty() ? setup_->config.agent.listen_address : parts_.listening_on;
    for (const config::WebToken& token : setup_->config.tokens) {
      auto secret = resolve(token.token);
      if (!secret)
        return fail(with_context(secret.error(), "web.tokens"));
      constexpr std::size_t kShortestToken = 16;
      if (secret->size() < kShortestToken)
        return fail(ErrorCode::invalid, "web.tokens: the token of " + token.token.text +
                                            " is shorter than 16 characters; make one with: "
                                            "openssl rand -hex 32");
      access->tokens.add(*secret, {token.role, token.pools, token.name});
    }
    for (const config::WebUser& user : setup_->config.users)
      access->users.add(user.password_hash, {user.role, user.pools, user.name});
    access->hosts = setup_->config.hosts;
    // The configuration's own check knows the new address; the old one stays until a restart.
    if (!config::is_loopback(access->listen_address) && !access->asks_who())
      return fail(ErrorCode::invalid,
                  "agent.listen: the agent still listens on " + access->listen_address +
                      ", where it needs [[web.tokens]] or [web.basic_auth_users.NAME]; restart it "
                      "to listen elsewhere");
    setup_->access = std::move(access);
    return {};
  }

  Status load_pools() {
    for (const model::Pool& pool : setup_->config.pools) {
      if (!pool.schedule.empty()) {
        KH_ASSIGN(cron::Schedule schedule, cron::Schedule::parse(pool.schedule, pool.timezone));
        setup_->schedules.emplace(pool.id, std::move(schedule));
      }
      for (const model::FreezeWindow& window : pool.freeze) {
        KH_ASSIGN(cron::Schedule start, cron::Schedule::parse(window.start, pool.timezone));
        setup_->freezes[pool.id].push_back({std::move(start), window.lasts});
      }
      for (const model::PublishTarget& target : pool.publish) {
        const auto* hook = std::get_if<model::PublishWebhook>(&target);
        if (hook == nullptr || !hook->signing_secret)
          continue;
        auto secret = resolve(*hook->signing_secret);
        if (!secret)
          return fail(with_context(secret.error(), "pools." + pool.id + ".publish"));
        setup_->signing_secrets[hook->signing_secret->text] =
            std::make_shared<const Secret>(std::move(*secret));
      }
    }
    return {};
  }

  Status load_notify() {
    for (const model::NotifyTarget& target : setup_->config.notify) {
      auto& token = setup_->notify_tokens.emplace_back();
      if (!target.token)
        continue;
      auto secret = resolve(*target.token);
      if (!secret)
        return fail(with_context(secret.error(), "notify"));
      token = std::make_shared<const Secret>(std::move(*secret));
    }
    return {};
  }

  bool counts_minutes(const std::vector<std::string>& quota_ids) const {
    return std::any_of(quota_ids.begin(), quota_ids.end(), [&](const std::string& id) {
      const auto& quotas = setup_->config.quotas;
      const auto quota = std::find_if(quotas.begin(), quotas.end(),
                                      [&](const model::Quota& q) { return q.id == id; });
      return quota != quotas.end() && (quota->window == model::WindowKind::minute ||
                                       quota->window == model::WindowKind::rolling);
    });
  }

  // Whether a quota of the key, or of its group, is kept by the minute.
  bool wants_minutes(const model::Key& key) const {
    const auto& groups = setup_->config.limit_groups;
    return counts_minutes(key.quotas) ||
           std::any_of(groups.begin(), groups.end(), [&](const model::LimitGroup& group) {
             return group.id == key.limit_group && counts_minutes(group.quotas);
           });
  }

  std::shared_ptr<const model::UsageContext> usage_context() const {
    auto context = std::make_shared<model::UsageContext>();
    context->kept = setup_->config.agent.keep_usage;
    for (const model::Key& key : setup_->config.keys) {
      const model::UsageContext::KeyEntry entry{key.id, key.provider, wants_minutes(key)};
      context->keys[key.id] = entry;
      if (const auto& secret = setup_->secrets.at(key.id).secret)
        context->keys["sha256:" + log_alias(*secret)] = entry;
    }
    for (const model::Provider& provider : setup_->config.providers)
      context->prices[provider.id] = provider.prices;
    return context;
  }

  const SetupParts& parts_;
  std::stop_token stop_;
  std::shared_ptr<Setup> setup_;
};

}  // namespace

std::vector<quota::Wallet> wallets_of(const config::Config& config) {
  std::map<std::string, std::map<std::string, model::NanoUsd>> rates;
  for (const model::Provider& provider : config.providers)
    if (provider.billed_in)
      rates[provider.id][provider.billed_in->currency] = provider.billed_in->rate;
  std::map<std::pair<std::string, std::string>, quota::Wallet> wallets;
  for (const model::Key& key : config.keys) {
    const std::string owner = key.limit_group.empty() ? key.id : "group:" + key.limit_group;
    quota::Wallet& wallet = wallets[{owner, key.provider}];
    wallet.owner = owner;
    wallet.provider = key.provider;
    wallet.keys.push_back(key.id);
    wallet.rates = rates[key.provider];
  }
  std::vector<quota::Wallet> list;
  for (auto& [id, wallet] : wallets)
    list.push_back(std::move(wallet));
  return list;
}

Result<std::shared_ptr<const Setup>> make_setup(config::Config config, const SetupParts& parts,
                                                std::stop_token stop) {
  return Builder(std::move(config), parts, std::move(stop)).build();
}

}  // namespace keyherd::engine
