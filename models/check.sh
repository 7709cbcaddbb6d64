#!/usr/bin/env bash
# Checks the model of the collector's protocol: that it holds on small bounds, and that each planted bug is found.
# `models/check.sh long` takes larger bounds. Needs Spin (installed from the system's packages where that is possible) and a C compiler.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v spin > /dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    { apt-get update && apt-get install --yes spin; } > /dev/null 2>&1 || true
  fi
  if ! command -v spin > /dev/null; then
    echo "NOT CHECKED: there is no Spin here (https://spinroot.com), and it could not be installed"
    exit 0
  fi
fi

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# check holds|fails OPERATIONS_0 OPERATIONS_1 [PLANT]
check() {
  local expected=$1 flags=("-DOPERATIONS_0=$2" "-DOPERATIONS_1=$3") what="$2 and $3 operations"
  if [ $# = 4 ]; then
    flags+=("-DPLANT_$4")
    what="$4, $what"
  fi
  local started=$SECONDS
  (
    cd "$build"
    cp "$OLDPWD/collector.pml" .
    spin -a "${flags[@]}" collector.pml > spin.txt || { cat spin.txt; exit 1; }
    cc -O2 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=512 -DMEMLIM=8000 -o pan pan.c
    ./pan -m100000 > pan.txt
  )
  local states errors found
  states=$(awk '/states, stored/ { print $1 }' "$build/pan.txt")
  errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$build/pan.txt")
  found=holds
  [ "$errors" = 0 ] || found=fails
  # A search that ran out of memory or depth proves nothing.
  if grep -q "out of memory\|max search depth too small\|exceeds" "$build/pan.txt"; then found=unfinished; fi
  printf '%-10s %s: %s states in %d s\n' "$found" "$what" "$states" $((SECONDS - started))
  if [ "$found" != "$expected" ]; then
    echo "expected: $expected"
    exit 1
  fi
}

check holds 4 1
check holds 2 2
check fails 4 1 NO_SHADE_FIRST
check fails 4 1 NO_SHADE
check fails 2 2 ONE_HANDSHAKE
check fails 2 2 EARLY_COLOUR
check fails 2 2 NO_ROUND
check fails 2 2 NO_SNAPSHOT
check fails 2 3 TRANSITION_FORGOTTEN
if [ "${1:-}" = long ]; then
  check holds 3 3
  check holds 5 2
fi
