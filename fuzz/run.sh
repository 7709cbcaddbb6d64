#!/usr/bin/env bash
# Fuzzes one target: fuzz/run.sh front|readers|stack_maps|races [seconds]. The first two need `cargo install cargo-fuzz`.
# The corpus starts from the repository's own programs or data files.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?usage: fuzz/run.sh front|readers|stack_maps|races [seconds]}
seconds=${2:-60}
if [ "$target" = stack_maps ]; then
  # Random programs run in four ways that must agree. Coverage says little about them, since the interesting paths
  # are in the code they are compiled to; so they come from seeds, new ones each time.
  MEDI_FUZZ_SECONDS=$seconds MEDI_FUZZ_FROM=$(date +%s%N) exec cargo test --release -p medi-codegen \
    --test compiled random_programs -- --nocapture
fi
if [ "$target" = races ]; then
  # Random programs whose tasks race, by seeds as well.
  MEDI_RACE_SECONDS=$seconds MEDI_RACE_FROM=$(date +%s%N) exec cargo test --release -p medi --test command \
    random_programs -- --nocapture
fi
corpus=fuzz/corpus/$target
mkdir -p "$corpus"
options=()
case $target in
  front)
    # medi-syntax and medi-check forbid unsafe code, so there is nothing for AddressSanitizer to find;
    # without it an execution takes a hundredth of the time. Overflow checks and assertions stay on.
    sanitizer=none
    options=(-dict=fuzz/medi.dict)
    for program in examples/*/*.medi crates/*/tests/*/*.medi bench/*/*.medi; do
      cp "$program" "$corpus/$(echo "$program" | tr / _)"
    done
    ;;
  readers)
    sanitizer=address
    # The first byte chooses the reader; see fuzz_targets/readers.rs.
    for file in $(find examples/data -type f -size -64k); do
      for choice in 0 1 2 3 4; do
        { printf "\\x0$choice"; cat "$file"; } > "$corpus/$choice-$(basename "$file")"
      done
    done
    ;;
  *)
    echo "fuzz/run.sh: there is no target \`$target\`; there are front, readers, stack_maps and races" >&2
    exit 2
    ;;
esac
# The stable toolchain accepts cargo-fuzz's nightly flags when it is told to bootstrap.
RUSTC_BOOTSTRAP=1 exec cargo fuzz run --sanitizer "$sanitizer" "$target" -- \
  -max_total_time="$seconds" -max_len=65536 -timeout=20 "${options[@]}"
