#!/bin/sh
# Keeps a secret of Vault's (or OpenBao's) KV version 2 engine equal to what Keyherd published:
#   publish = [{ exec = ["/usr/local/lib/keyherd/vault.sh", "MOUNT", "PATH"] }]
# VAULT_ADDR and a token are read from a file of the agent's own: hooks get nothing of its
# environment. The document comes on stdin and goes to vault on stdin.
# Called twice for one generation it writes no second version.
set -eu
mount=$1
path=$2
settings=${3:-/etc/keyherd/vault.env}
set -a
. "$settings"
set +a
stored=$(vault kv get -mount="$mount" -field=generation "$path" 2>/dev/null || true)
[ "$stored" != "$KEYHERD_GENERATION" ] || exit 0
exec vault kv put -mount="$mount" "$path" - >&2
