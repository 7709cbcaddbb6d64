#!/usr/bin/env bash
# Runs the tests of the crates that have unsafe code under AddressSanitizer: fuzz/sanitize.sh [cargo test's arguments].
set -euo pipefail
cd "$(dirname "$0")/.."
# The stable toolchain accepts the flag when it is told to bootstrap. Leaks are what the heap's own reports are about; and a
# stack that AddressSanitizer keeps elsewhere is not the one whose end the runtime looks for.
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR=target/sanitize
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0
target=$(rustc -vV | sed -n 's/^host: //p')
exec cargo test --target "$target" --lib --tests -p medi-heap -p medi-region -p medi-runtime -p medi-codegen "$@"
