#!/usr/bin/env bash
# Prints the instructions of verifying one token, as counted by valgrind: in each way, and of tokens that are made to
# cost much, with the ratio to an ordinary one of their length. Two runs verify 50 and 150 times: what they do
# not differ in, the set-up, cancels out. Valgrind knows no SHA instructions, so digests count for more than they take.
#
# usage: benches/tokens.sh
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "needs valgrind (apt-get install valgrind)" >&2; exit 1; }

program=$(cargo bench --no-run --features jwt --bench tokens --message-format=json |
  sed -n 's/.*"name":"tokens".*"executable":"\([^"]*\)".*/\1/p')

count() { # subject, way, times
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>&1 |
    sed -n 's/.*Collected : *\([0-9]*\).*/\1/p'
}

each() { # subject, way
  echo $((($(count "$@" 150) - $(count "$@" 50)) / 100))
}

printf '%-18s %-14s %12s\n' token way instructions
for way in primitive this jsonwebtoken; do
  printf '%-18s %-14s %12d\n' HS256 "$way" "$(each HS256 "$way")"
done

printf '\n%-18s %-14s %12s %12s\n' token way instructions 'to ordinary'
ordinary=
for name in $("$program" names); do
  instructions=$(each "$name" this)
  ordinary=${ordinary:-$instructions}
  printf '%-18s %-14s %12d %12s\n' "$name" this "$instructions" \
    "$(awk "BEGIN { printf \"%.2f\", $instructions / $ordinary }")"
done
