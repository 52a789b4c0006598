#!/bin/sh
# The OpenAI and Anthropic SDKs for Python against a running endpoint, streaming and not.
#
#   tests/scripts/sdk-clients.sh URL CA KEY MODEL
#
# as `quickstart` prints them: https://localhost:8443 target/quickstart/ca.pem sk-maas-… rehearsal
# Needs Python 3.9 or later and a package mirror that pip is configured for.
set -eu
[ $# -eq 4 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
cd "$(dirname "$0")/../.."
venv=$PWD/target/sdk-clients
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import openai, anthropic' 2>/dev/null ||
    "$venv/bin/pip" install -q openai anthropic
# What the documentation tells developers to set (docs/how-to/trust-ca.md).
SSL_CERT_FILE=$2 exec "$venv/bin/python" tests/scripts/sdk_clients.py "$1" "$3" "$4"
