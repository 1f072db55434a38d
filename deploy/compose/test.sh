#!/usr/bin/env bash
# Brings three regions up in containers, cuts one apart, heals it, and ends with a verdict:
#
#   listings are read and written on both sides of the cut, and are the same everywhere after it;
#   bookings go on where a quorum is, and answer no-quorum where none is;
#   everything acknowledged is there after all nodes were started again;
#   with compose.tls.yml clients speak HTTPS, and nothing else.
#
# It needs root, dockerd, docker-compose (or the plugin), debootstrap, curl, openssl, iproute2 and a built
# binary. The engine is its own, in namespaces of its own: nothing of it is left behind. A base
# made by debootstrap stands in for the one that would be pulled.
set -euo pipefail
cd "$(dirname "$0")"

readonly base=debian:12-slim
# Ample time for what should take seconds.
readonly patience_s=90

say() { printf '▸ %s\n' "$*"; }
die() {
    printf 'compose: FAILED: %s\n' "$*" >&2
    exit 1
}

if [ -z "${MERIDIAN_TEST_WORK:-}" ]; then
    # Outside: what needs this machine's network and outlives the namespaces.
    binary=$(./binary) || exit 1
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    root=${MERIDIAN_BASE_ROOT:-$work/base}
    if [ ! -d "$root/usr" ]; then
        say "making a base by debootstrap, which stands in for $base"
        debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$work/debootstrap.log" 2>&1 ||
            die "debootstrap: $(tail -n 3 "$work/debootstrap.log")"
    fi
    # Inside: an engine with processes, mounts, network and rules of its own. They end with it.
    MERIDIAN=$binary MERIDIAN_TEST_WORK=$work MERIDIAN_BASE_ROOT=$root \
        unshare --net --mount --pid --fork --kill-child --mount-proc ./test.sh
    exit
fi
work=$MERIDIAN_TEST_WORK
ip link set lo up
ended() {
    local status=$?
    trap - EXIT
    if [ "$status" -ne 0 ]; then
        "${compose[@]}" ps || true
        "${compose[@]}" logs --tail 8 || true
    fi
    "${compose[@]}" down --volumes --timeout 30 >/dev/null 2>&1 || true
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    exit "$status"
}
trap ended EXIT

if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
export DOCKER_HOST=unix://$work/docker.sock MERIDIAN_IMAGE=meridian:test
# Apart from whatever else is composed on this machine.
export COMPOSE_PROJECT_NAME=meridian-test COMPOSE_FILE=compose.yml

# Waits until a command succeeds.
until_it_holds() {
    local what=$1 end=$((SECONDS + patience_s))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || die "not in $patience_s s: $what"
        sleep 0.3
    done
}

say "starting a Docker engine of its own"
dockerd --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" \
    --host "$DOCKER_HOST" --bridge none >"$work/dockerd.log" 2>&1 &
engine=$!
up_or_dead() { ! kill -0 "$engine" 2>/dev/null || docker info >/dev/null 2>&1; }
until_it_holds "a Docker engine" up_or_dead
kill -0 "$engine" 2>/dev/null || die "the engine has ended: $(tail -n 3 "$work/dockerd.log")"
tar -C "$MERIDIAN_BASE_ROOT" --exclude=./var/cache/apt --exclude=./var/lib/apt/lists -c . |
    docker import - "$base" >/dev/null

say "building the image from $MERIDIAN"
mkdir -p "$work/context/deploy"
cp -r ../docker "$work/context/deploy/"
strip -o "$work/context/meridian" "$MERIDIAN" 2>/dev/null || cp "$MERIDIAN" "$work/context/meridian"
docker build --quiet --network none --file ../docker/Dockerfile --target prebuilt --tag "$MERIDIAN_IMAGE" \
    "$work/context" >"$work/build.log" 2>&1 || die "$(tail -n 5 "$work/build.log")"
say "the image has $(docker image inspect --format '{{ .Size }}' "$MERIDIAN_IMAGE" | numfmt --to=iec)B," \
    "its base $(docker image inspect --format '{{ .Size }}' "$base" | numfmt --to=iec)B;" \
    "it runs as user $(docker image inspect --format '{{ .Config.User }}' "$MERIDIAN_IMAGE")"

say "bringing three regions up"
"${compose[@]}" up --detach >"$work/up.log" 2>&1 || die "$(tail -n 5 "$work/up.log")"
healthy() {
    local container
    container=$("${compose[@]}" ps -q "$1")
    [ "$(docker inspect --format '{{ .State.Health.Status }}' "$container")" = healthy ]
}
connected() {
    local told
    # Its exit status says how bad it is: an answer is what is printed.
    told=$("${compose[@]}" exec -T "$1" meridian status 2>/dev/null) || true
    [ -n "$told" ] && [ "$(grep -c ' connected ' <<<"$told")" -eq "$2" ]
}
all_up() {
    local region
    for region in us-east eu-west ap-southeast; do
        until_it_holds "$region is healthy" healthy "$region"
        until_it_holds "$region is connected to both others" connected "$region" 2
    done
}
all_up

url() {
    case $1 in
    us-east) echo http://127.0.0.1:7400 ;;
    eu-west) echo http://127.0.0.1:7410 ;;
    ap-southeast) echo http://127.0.0.1:7420 ;;
    esac
}
# ask REGION METHOD PATH [BODY]: the body to $body, the status to $status.
ask() {
    local region=$1 method=$2 path=$3 arguments=()
    if [ $# -gt 3 ]; then
        arguments=(--header 'Content-Type: application/json' --data "$4")
        [ "$method" = PATCH ] && arguments[1]='Content-Type: application/merge-patch+json'
    fi
    status=$(curl --silent --show-error --max-time 20 --output "$work/body" --write-out '%{http_code}' \
        --request "$method" --header "Idempotency-Key: $RANDOM$RANDOM$RANDOM$RANDOM$RANDOM" \
        "${arguments[@]}" "$(url "$region")$path") || status=000
    body=$(cat "$work/body" 2>/dev/null || true)
}
answers() {
    local wanted=$1
    shift
    ask "$@"
    [ "$status" = "$wanted" ]
}
says() { [[ $body == *"$1"* ]]; }
reads() {
    ask "$1" GET "/v1/listings/$listing"
    [ "$status" = 200 ] && says "$2"
}
stay() { date -u -d "+$1 days" +%F; }
# book REGION DAYS: books one night so many days from now.
book() {
    ask "$1" POST /v1/bookings "{\"listing_id\": \"$listing\", \"check_in\": \"$(stay "$2")\",
        \"check_out\": \"$(stay $(($2 + 1)))\", \"guests\": 2, \"payment_method\": \"card_ok\"}"
}
booked() {
    book "$1" "$2"
    [ "$status" = "$3" ]
}

say "a listing of us-east is read and booked from everywhere"
answers 201 us-east POST /v1/listings '{"title": "Loft", "location": {"lat": 38.9, "lon": -77.0},
    "capacity": 4, "nightly_price": {"amount": 12900, "currency": "USD"}, "home_region": "us-east"}' ||
    die "creating a listing: $status $body"
listing=$(sed -n 's/.*"id":"\(lst_[^"]*\)".*/\1/p' "$work/body")
for region in us-east eu-west ap-southeast; do
    until_it_holds "$listing in $region" reads "$region" Loft
done
until_it_holds "a booking from eu-west" booked eu-west 30 201

say "cutting eu-west off"
./wan cut eu-west
until_it_holds "eu-west has lost both links" connected eu-west 0
until_it_holds "us-east has lost one" connected us-east 1

reads us-east Loft || die "a read in us-east: $status $body"
reads eu-west Loft || die "a read in eu-west: $status $body"
answers 200 us-east PATCH "/v1/listings/$listing" '{"title": "Loft by the river"}' || die "a write in us-east: $status $body"
answers 200 eu-west PATCH "/v1/listings/$listing" '{"house_rules": "No shoes."}' || die "a write in eu-west: $status $body"
echo "  listings: read and written in us-east and in eu-west"
booked us-east 31 201 || until_it_holds "a booking where the quorum is" booked us-east 31 201
echo "  bookings: sold in us-east, where two of three regions are"
# Until the cut is noticed the honest answer is outcome-unknown, so that another night is asked for.
refused() {
    book eu-west 32
    [ "$status" = 503 ] && says no-quorum
}
until_it_holds "no-quorum where no quorum is" refused
echo "  bookings: 503 no-quorum in eu-west"
reads eu-west 'by the river' && die "the cut is none: eu-west has seen what us-east wrote"

say "healing"
./wan heal eu-west
all_up
for region in us-east eu-west ap-southeast; do
    until_it_holds "both writes in $region" reads "$region" 'by the river'
    until_it_holds "both writes in $region" reads "$region" 'No shoes.'
done
tag() { curl --silent --head "$(url "$1")/v1/listings/$listing" | tr -d '\r' | sed -n 's/^etag: //Ip'; }
same_tags() { [ -n "$(tag us-east)" ] && [ "$(tag us-east)" = "$(tag eu-west)" ] && [ "$(tag us-east)" = "$(tag ap-southeast)" ]; }
until_it_holds "the same document in all regions" same_tags
echo "  listings: both writes in all regions, ETag $(tag eu-west) everywhere"
until_it_holds "the night that was sold meanwhile is taken in eu-west" booked eu-west 31 409
until_it_holds "a free night is sold from eu-west" booked eu-west 33 201
echo "  bookings: the night sold meanwhile answers 409 in eu-west, another is sold"

say "starting all nodes again"
"${compose[@]}" restart --timeout 30 us-east eu-west ap-southeast >"$work/restart.log" 2>&1 || die "$(tail -n 5 "$work/restart.log")"
all_up
for region in us-east eu-west ap-southeast; do
    until_it_holds "the listing in $region" reads "$region" 'by the river'
done
for night in 30 31 33; do
    until_it_holds "night $night is still sold" booked ap-southeast "$night" 409
done
echo "  everything acknowledged is there"

say "HTTPS for clients (compose.tls.yml)"
mkdir "$work/client-tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=shop \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$work/client-tls/tls.key" -out "$work/client-tls/tls.crt" 2>/dev/null
chown -R 10001:10001 "$work/client-tls"
# The folder of a temporary name is for its owner alone, and the nodes are another user.
chmod 0711 "$work"
export COMPOSE_FILE=compose.yml:compose.tls.yml CLIENT_TLS=$work/client-tls
"${compose[@]}" up --detach >"$work/tls.log" 2>&1 || die "$(tail -n 5 "$work/tls.log")"
all_up
by_https() {
    [ "$(curl --silent --cacert "$work/client-tls/tls.crt" --output /dev/null --write-out '%{http_code}' \
        "https://${1#http://}/v1/listings/$listing")" = 200 ]
}
for region in us-east eu-west ap-southeast; do
    until_it_holds "the listing in $region by HTTPS" by_https "$(url "$region")"
    curl --silent --output /dev/null "$(url "$region")/v1/listings/$listing" && die "$region still speaks HTTP to clients"
done
echo "  the listing is read by HTTPS, and by nothing else, from all regions"

echo "compose: PASSED: up, cut, healed, started again and by HTTPS in $SECONDS s"
