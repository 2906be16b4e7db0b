#!/bin/sh
# Installs what a make target needs, or says how: prints the one apt line that is missing, runs it
# when root, or through sudo with YES=1, and stops with status 1 otherwise.
#
#     scripts/deps.sh build|run|test ...
set -eu

# The compiler runtime's package carries clang's version in its name.
clang_version() {
    case $(sed -n 's/^VERSION_ID="\{0,1\}\([0-9]*\).*/\1/p' /etc/os-release) in
    12) echo 14 ;;
    13) echo 19 ;;
    *) apt-cache show clang | sed -n 's/^Version: 1:\([0-9]*\)\..*/\1/p' | head -n 1 ;;
    esac
}

packages_of() {
    case $1 in
    build) echo build-essential meson ninja-build pkg-config libfyaml-dev libjansson-dev \
        libsqlite3-dev libssl-dev ;;
    run) echo python3 python3-redis patchelf ca-certificates debian-archive-keyring ;;
    test) echo libcmocka-dev clang "libclang-rt-$(clang_version)-dev" clang-format openssl ;;
    *) echo "usage: scripts/deps.sh build|run|test ..." >&2 && exit 2 ;;
    esac
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

has_candidates() {
    for package in "$@"; do
        apt-cache policy "$package" | grep -q 'Candidate: [^(]' || return 1
    done
}

if ! command -v dpkg-query >/dev/null; then
    echo "this is not Debian: install by hand what scripts/deps.sh lists" >&2
    exit 1
fi

missing=
for group in "$@"; do
    packages=$(packages_of "$group")
    for package in $packages; do
        is_installed "$package" || missing="$missing $package"
    done
done
if [ -z "$missing" ]; then
    exit 0
fi

become=
if [ "$(id -u)" != 0 ]; then
    become=sudo
fi
line="${become:+sudo }apt-get install -y --no-install-recommends$missing"
echo "missing packages:"
echo "    $line"
if [ -n "$become" ] && [ "${YES:-}" != 1 ]; then
    echo "run this line, or call make again with YES=1" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
# Lists that do not know a package, or name files that are gone, are out of date.
# shellcheck disable=SC2086
{
    has_candidates $missing || $become apt-get -q update
    $become env DEBIAN_FRONTEND=noninteractive \
        apt-get -q install -y --no-install-recommends $missing ||
        { $become apt-get -q update && $become env DEBIAN_FRONTEND=noninteractive \
            apt-get -q install -y --no-install-recommends $missing; }
}
