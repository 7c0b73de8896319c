#!/bin/sh
# Uses the key that Keyherd published, and follows it: consumer.sh /run/keyherd/prod.json
# Needs jq. The secret goes to curl on stdin: an argument could be seen in the process list.
set -eu
file=$1
generation=
while :; do
  if published=$(jq -e . "$file"); then
    latest=$(printf '%s' "$published" | jq -r .generation)
    if [ "$latest" != "$generation" ]; then
      generation=$latest
      echo "generation $generation: $(printf '%s' "$published" | jq -r .key)"
      # printf '%s' "$published" | jq -r '"header = \"Authorization: Bearer \(.secret)\""' |
      #   curl --config - https://api.example.com/v1/models
    fi
  fi
  sleep 1
done
