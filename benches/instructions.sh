#!/usr/bin/env bash
# Prints the instructions per request of each case, and the ratio to the bare
# route, as counted by valgrind. Two runs serve 10 and 60 batches of 64 requests:
# what they do not differ in, the set-up and the making of requests, cancels out.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "needs valgrind (apt-get install valgrind)" >&2; exit 1; }

program=$(cargo bench --no-run --bench instructions --message-format=json |
  sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p')
usage=$("$program")

listed() { # a word of the usage text
  sed -n "s/^$1: //p" <<<"$usage"
}

count() { # case, body bytes, batches
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>&1 |
    sed -n 's/.*Collected : *\([0-9]*\).*/\1/p'
}

printf '%-8s %-26s %12s %8s\n' body case instructions 'to bare'
for body in $(listed bodies); do
  bare=
  for case in $(listed cases); do
    few=$(count "$case" "$body" 10)
    many=$(count "$case" "$body" 60)
    each=$(((many - few) / (50 * 64)))
    bare=${bare:-$each}
    printf '%-8s %-26s %12d %8s\n' "$((body >> 10))KiB" "$case" "$each" \
      "$(awk "BEGIN { printf \"%.2f\", $each / $bare }")"
  done
done
