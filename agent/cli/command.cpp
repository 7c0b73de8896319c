#include "cli/command.hpp"

namespace keyherd::cli {

const std::vector<Command>& command_table() {
  static const std::vector<Command> kTable{
      {"init", "write a first keyherd.toml from the API keys in the environment",
       "  keyherd init\n  keyherd init --output /etc/keyherd/keyherd.toml\n", define_init},
      {"check", "validate the configuration",
       "  keyherd check\n  keyherd check --config keyherd.toml --probe\n", define_check},
      {"run", "the agent, in the foreground", "  keyherd run --config /etc/keyherd/keyherd.toml\n",
       define_run},
      {"probe", "probe keys once, without an agent",
       "  keyherd probe\n  keyherd probe deepseek-prod-1 --json\n", define_probe},
      {"status", "what a running agent believes",
       "  keyherd status\n  keyherd status deepseek-prod-1\n  keyherd status --watch\n",
       define_status},
      {"explain", "why a key is in its state",
       "  keyherd explain deepseek-prod-1\n  keyherd explain deepseek-prod-1 --json\n",
       define_explain},
      {"pause", "take a key out of service by hand", "  keyherd pause deepseek-prod-1\n",
       define_pause},
      {"resume", "put a paused key back", "  keyherd resume deepseek-prod-1\n", define_resume},
      {"rotate", "switch a pool to another key",
       "  keyherd rotate prod\n  keyherd rotate prod --to deepseek-prod-2 --reason leak "
       "--dry-run\n",
       define_rotate},
      {"freeze", "stop all automation of a pool",
       "  keyherd freeze prod --for 2h --reason \"migration\"\n", define_freeze},
      {"unfreeze", "let automation go on", "  keyherd unfreeze prod\n", define_unfreeze},
      {"history", "the rotations of a pool with their steps",
       "  keyherd history\n  keyherd history prod --steps\n", define_history},
      {"timeline", "an incident as it went: probes, usage, rotations and decisions by time",
       "  keyherd timeline prod --from 2h\n  keyherd timeline deepseek-prod-1 --from "
       "2026-11-23T02:00:00Z --to 2026-11-23T03:00:00Z\n",
       define_timeline},
      {"audit", "what was decided and done, by whom; whether the log is whole",
       "  keyherd audit --pool prod --from 7d\n  keyherd audit --key deepseek-prod-1 --json\n"
       "  keyherd audit verify\n",
       define_audit},
      {"drill", "treat a key as revoked, and measure the failover",
       "  keyherd drill prod --key deepseek-prod-1\n"
       "  keyherd drill prod --key deepseek-prod-1 --for 10m --json\n",
       define_drill},
      {"import", "add or change keys in bulk",
       "  keyherd import keys.json --dry-run\n  keyherd import keys.csv\n"
       "  keyherd import export.json --passphrase file:passphrase.txt\n",
       define_import},
      {"export", "all keys, as import takes them",
       "  keyherd export > keys.json\n"
       "  keyherd export --with-secrets --output export.json\n",
       define_export},
      {"keyring", "the secrets that the agent keeps itself, sealed",
       "  keyherd keyring verify\n  keyherd keyring set deepseek-prod-1 < key.txt\n"
       "  keyherd keyring rekey --to file:/etc/keyherd/master-2027.key\n",
       define_keyring},
      {"schedule", "the next firings of schedules, or of one cron expression",
       "  keyherd schedule\n  keyherd schedule --cron \"30 2 * * *\" --timezone Europe/Berlin\n",
       define_schedule},
      {"usage", "accounting from the agent, or from a log file",
       "  keyherd usage --by key,day --from 7d\n  keyherd usage --by label.team,month --timezone "
       "Asia/Singapore --csv\n"
       "  keyherd usage --file usage.jsonl --by model --follow\n",
       define_usage},
      {"rules", "the Prometheus rules, and whether a running Prometheus has them",
       "  keyherd rules > /etc/prometheus/rules/keyherd.yml\n"
       "  keyherd rules --check --prometheus http://prometheus.example:9090\n",
       define_rules},
      {"call", "one request through a pool, with failover",
       "  keyherd call prod --data '{\"model\":\"deepseek-flash\",\"messages\":[{\"role\":\"user\","
       "\"content\":\"Hello\"}]}'\n"
       "  keyherd call prod --data @request.json --path /v1/embeddings --json\n",
       define_call},
      {"simulate", "strategies side by side, on a made-up load or on a usage log",
       "  keyherd simulate\n  keyherd simulate --keys 20 --requests 10000 --strategy "
       "quota_aware,priority\n"
       "  keyherd simulate --log usage.jsonl --quota 50000 --json\n",
       define_simulate},
      {"sandbox", "a fake provider with faults, for trials and tests",
       "  keyherd sandbox --scenario examples/demo-sandbox.json --port 9926\n", define_sandbox},
      {"healthcheck", "exit 0 if the agent of this configuration is ready",
       "  keyherd healthcheck\n", define_healthcheck},
      {"completion", "a completion script for a shell",
       "  source <(keyherd completion bash)\n"
       "  keyherd completion zsh > ~/.zfunc/_keyherd\n"
       "  keyherd completion fish > ~/.config/fish/completions/keyherd.fish\n",
       define_completion},
      {"man", "the manual pages",
       "  keyherd man usage | man -l -\n  keyherd man --directory /usr/local/share/man/man1\n",
       define_man},
      {"version", "version, commit and libraries", "  keyherd version --json\n", define_version},
  };
  return kTable;
}

}  // namespace keyherd::cli
