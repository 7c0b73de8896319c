#!/bin/sh
# Keeps a Kubernetes Secret equal to what Keyherd published:
#   publish = [{ exec = ["/usr/local/lib/keyherd/kubernetes.sh", "NAMESPACE", "SECRET"] }]
# Pods mount the Secret as a directory and read keyherd.json from it, as consumers read the file.
# The document comes on stdin and goes to kubectl on stdin: an argument could be seen in the process
# list. Called twice for one rotation it applies the same object again, which changes nothing.
set -eu
namespace=$1
secret=$2
kubectl create secret generic "$secret" --namespace "$namespace" \
  --from-file=keyherd.json=/dev/stdin --dry-run=client --output=json |
  kubectl annotate --local --filename=- --output=json \
    "keyherd.io/rotation=$KEYHERD_ROTATION" "keyherd.io/generation=$KEYHERD_GENERATION" |
  kubectl apply --namespace "$namespace" --server-side --force-conflicts \
    --field-manager=keyherd --filename=- >&2
