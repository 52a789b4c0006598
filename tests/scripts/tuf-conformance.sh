#!/bin/sh
# The tuf-conformance suite of theupdateframework against our TUF workflow (maas-bundle/src/tuf).
#
#   tests/scripts/tuf-conformance.sh [SUITE]
#
# SUITE is a checkout of the suite; fetched into target/tuf-conformance when left out. Needs git, uv and
# faketime. What may fail stands in tuf-conformance.xfails: all of it is delegations, which a bundle does
# not have and our workflow does not follow (docs/decisions/0001-own-tuf-verifier.md). The last three
# lines of it search for a target through a delegated role as well, one in a repository of tuf-on-ci.
# A case that is listed there and passes fails the run (the suite's xfails are strict).
set -eu
cd "$(dirname "$0")/../.."
commit=eec841c
work=$PWD/target/tuf-conformance
suite=${1:-$work/suite}
mkdir -p "$work"
if [ ! -d "$suite" ]; then
    git clone --quiet https://github.com/theupdateframework/tuf-conformance "$suite"
    git -C "$suite" checkout --quiet "$commit"
fi
[ -x "$work/venv/bin/pytest" ] || {
    uv venv --quiet "$work/venv"
    uv pip install --quiet --python "$work/venv/bin/python" "$suite"
}
cargo build --quiet -p maas-tests --example tuf_client
cp target/debug/examples/tuf_client "$work/tuf_client"
cp tests/scripts/tuf-conformance.xfails "$work/tuf_client.xfails"
"$work/venv/bin/python" -m pytest -q "$suite/tuf_conformance" --entrypoint "$work/tuf_client"
