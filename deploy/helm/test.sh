#!/usr/bin/env bash
# Renders the chart and validates what comes out: against Kubernetes' schemas, of the oldest and of
# a new release; against those of prometheus-operator, where there is npm; its rules by promtool;
# and its files by `meridian start --check`, where there is a built binary. What the chart must
# refuse, it refuses.
set -euo pipefail
cd "$(dirname "$0")"

readonly releases=(1.30 1.37)

die() {
    printf 'helm: FAILED: %s\n' "$*" >&2
    exit 1
}
# What is not checked is told apart from the verdict, and loudly.
unchecked() { printf 'helm: NOT CHECKED: %s\n' "$*" >&2; }

tools=$(./tools)
helm=$(command -v helm || echo "$tools/bin/helm")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Helm tells of the rules' links each time.
helm() { "$helm" "$@" 2>"$work/said" || { cat "$work/said" >&2; return 1; }; }

render() { helm template shop meridian --namespace shop "$@"; }

helm lint --strict meridian >"$work/lint" || die "$(cat "$work/lint")"
count=0
for values in three-regions one-region; do
    arguments=()
    [ -f "meridian/ci/$values-values.yaml" ] && arguments=(--values "meridian/ci/$values-values.yaml")
    for release in "${releases[@]}"; do
        render "${arguments[@]}" --kube-version "$release" >"$work/$values.yaml" || die "$values does not render"
        validated=$("$tools/venv/bin/python" validate.py --release "$release" --others "$work/$values.others" \
            <"$work/$values.yaml") || die "$values is not valid for Kubernetes $release"
        count=$((count + validated))
    done
done

[ -s "$work/one-region.others" ] || die "no resource of prometheus-operator was rendered"
if [ -d "$tools/node_modules" ]; then
    node operator.mjs "$tools" "$work/one-region.others" || die "prometheus-operator would refuse this"
else
    unchecked "ServiceMonitor and PrometheusRule, because there is no npm"
fi
if command -v promtool >/dev/null; then
    "$tools/venv/bin/python" -c 'import json, sys
for line in open(sys.argv[1]):
    resource = json.loads(line)
    if resource["kind"] == "PrometheusRule":
        print(json.dumps(resource["spec"]))' "$work/one-region.others" >"$work/rules.yml"
    promtool check rules "$work/rules.yml" >/dev/null || die "the rules are not valid"
    grep -q 'https://book.example.net/runbooks/' "$work/rules.yml" || die "alerts do not lead to the book of the values"
else
    unchecked "the rules, because there is no promtool"
fi

# level WORDS EXPECTED ARGUMENTS: every region's topology says that level of formats.
level() {
    local words=$1 expected=$2
    shift 2
    local said
    said=$(render "$@" | sed -n 's/^ *format_level = //p' | sort -u) || die "does not render: $words"
    [ "$said" = "$expected" ] || die "$words: level $expected is expected, and it is ${said:-none}"
}
level "a new cluster begins at the level of this release" 2
level "formatLevel is followed" 1 --set formatLevel=1
level "formatLevel is followed by an upgrade" 1 --is-upgrade --set formatLevel=1
# over KIND NAME TEXT ARGUMENTS: renders where the API server has that, with a topology of that text.
over() {
    # shellcheck disable=SC2016 # it is the other shell's
    printf 'cluster = "shop"\n%s\n' "$3" | "$tools/venv/bin/python" apiserver.py "$1" "$2" \
        bash -c 'helm=$1; shift; "$helm" template shop meridian --namespace shop --dry-run=server \
            --disable-openapi-validation --kube-apiserver "$APISERVER" "$@"' _ "$helm" "${@:4}" 2>"$work/said"
}
# keeps LINE EXPECTED ARGUMENTS: the level where a release's topology has a line, installed and upgraded.
keeps() {
    local line=$1 expected=$2
    shift 2
    for way in "" --is-upgrade; do
        over ConfigMap shop-meridian-us-east "$line" ${way:+"$way"} "$@" |
            sed -n 's/^ *format_level = //p' | sort -u >"$work/level" || die "$(cat "$work/said")"
        [ "$(cat "$work/level")" = "$expected" ] ||
            die "${way:-install} where the topology says \"$line\": level $expected is expected: $(cat "$work/level" "$work/said")"
    done
}
keeps "format_level = 1" 1
keeps "" 1
keeps "format_level = 2" 2
keeps "format_level = 1" 2 --set formatLevel=2
if over PersistentVolumeClaim data-shop-meridian-us-east-1 "" >/dev/null; then
    die "not refused: an install over a volume whose level nothing tells"
fi
grep -q "data-shop-meridian-us-east-1 is a volume" "$work/said" || die "$(cat "$work/said")"
over PersistentVolumeClaim data-shop-meridian-us-east-1 "" --set formatLevel=1 >/dev/null || die "$(cat "$work/said")"

# With a certificate for clients everything that asks a node does so by HTTPS.
[ "$(grep -c 'scheme: HTTPS' "$work/one-region.yaml")" -eq 3 ] || die "probes do not follow clientTls.admin"
grep -q 'scheme: https' "$work/one-region.yaml" || die "Prometheus does not follow clientTls.admin"

# The files as a node reads them.
if binary=$(../compose/binary 2>/dev/null); then
    for values in three-regions one-region; do
        "$tools/venv/bin/python" - "$work/$values.yaml" "$work/$values" <<'PYTHON'
import pathlib, sys, yaml

for document in yaml.safe_load_all(open(sys.argv[1], encoding="utf-8")):
    if document and document["kind"] == "ConfigMap":
        folder = pathlib.Path(sys.argv[2]) / document["metadata"]["labels"]["meridian/region"]
        folder.mkdir(parents=True)
        for name, text in document["data"].items():
            (folder / name).write_text(text)
PYTHON
        "$binary" cert ca --cluster shop --out "$work/$values/authority" >/dev/null
        arguments=()
        if grep -qs '^\[client_tls\]' "$work/$values"/*/node-*.toml; then
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=shop \
                -addext subjectAltName=DNS:shop.example.net -keyout "$work/$values/tls.key" \
                -out "$work/$values/tls.crt" 2>/dev/null
            arguments=(--set "client_tls.cert=$work/$values/tls.crt" --set "client_tls.key=$work/$values/tls.key")
        fi
        for file in "$work/$values"/*/node-*.toml; do
            folder=$(dirname "$file") node=$(basename "$file" .toml)
            "$binary" cert node --ca "$work/$values/authority" --region "$(basename "$folder")" \
                --node "${node#node-}" --out "$folder" >/dev/null
            "$binary" start --check --config "$file" --set "cluster.topology=$folder/topology.toml" \
                --set "tls.ca=$work/$values/authority/ca.pem" --set "tls.cert=$folder/$node.pem" \
                --set "tls.key=$folder/$node.key" "${arguments[@]}" >"$work/checked" 2>&1 || die "$(basename "$file"): $(cat "$work/checked")"
        done
    done
else
    unchecked "the nodes' files, because there is no built meridian"
fi

# refuses WORDS ARGUMENTS: rendering fails and says so.
refuses() {
    local words=$1
    shift
    if "$helm" template shop meridian "$@" >/dev/null 2>"$work/said"; then die "not refused: $*"; fi
    grep -q -- "$words" "$work/said" || die "refused, without a word of \"$words\": $(cat "$work/said")"
}
region() { printf '{"id": "%s", "latitude": 1, "longitude": 2, "local": %s, "nodes": [%s]}' "$@"; }
refuses "additional properties" --set imge.tag=1
refuses "stands twice" --set-json "regions=[$(region a true '{"id": 1, "zone": "a"}'), $(region b true '{"id": 1, "zone": "a"}')]"
refuses "follow one another" --set-json "regions=[$(region a true '{"id": 1, "zone": "a"}, {"id": 3, "zone": "b"}')]"
refuses "peer" --set-json "regions=[$(region a false '{"id": 1, "zone": "a"}')]"
refuses "no region is run" --set-json \
    "regions=[$(region a false '{"id": 1, "zone": "a", "peer": "a:1", "api": "http://a", "admin": "http://a"}')]"
refuses "formatLevel" --set formatLevel=3
refuses "no ConfigMap of the release tells" --is-upgrade
refuses "run elsewhere" --values meridian/ci/one-region-values.yaml --set formatLevel=null
refuses "secret" --set clientTls.admin=true
refuses "propertyName" --set config.node.id=3
refuses "kubeVersion" --kube-version 1.29.0

echo "helm: $count resources valid for Kubernetes ${releases[*]}, 12 mistakes refused"
