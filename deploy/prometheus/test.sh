#!/usr/bin/env bash
# Checks rules, alerts and the queries of the dashboards by promtool, and lets worlds set the
# alerts off. Whether a node exports what they ask for is tested with a running one
# (tests/scenarios/observability.rs).
set -euo pipefail
cd "$(dirname "$0")"

promtool check config prometheus.yml >/dev/null
promtool check rules recording.yml alerts.yml >/dev/null
promtool test rules tests.yml >/dev/null

queries=$(mktemp --suffix=.yml)
trap 'rm -f "$queries"' EXIT
../grafana/expressions >"$queries"
promtool check rules "$queries" >/dev/null

echo "prometheus: $(grep -c 'alert: ' alerts.yml) alerts, $(grep -c 'record: ' recording.yml) recordings," \
    "$(grep -c '"expr"' "$queries") queries of dashboards, $(grep -c 'eval_time' tests.yml) worlds"
