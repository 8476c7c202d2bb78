#!/bin/sh
# Run everything this project checks itself with: lint, types, imports, tests, the lab.
#
#   tests/run.sh                        all of it
#   tests/run.sh tests/observe -k name  only pytest, with these arguments
#   tests/run.sh --require-lab ...      fail if the lab cannot run (same as TLSA_MANAGER_LAB=required)
#
# As root on Debian it installs the missing packages of tests/packages.txt, without letting a service start.
# Without root it runs what needs no lab. The virtual environment is .venv, or $TLSA_MANAGER_VENV.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=${TLSA_MANAGER_VENV:-$root/.venv}
policy=/usr/sbin/policy-rc.d

say() { printf 'tests/run.sh: %s\n' "$*" >&2; }
give_up() { say "error: $1"; say "hint: $2"; exit 1; }

is_installed() { [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing_packages() {
    sed 's/#.*//' "$root/tests/packages.txt" | while read -r package; do
        [ -z "$package" ] || is_installed "$package" || printf '%s ' "$package"
    done
    # Debian's Python comes without the means to make an environment; other builds bring their own.
    [ -x "$venv/bin/pip" ] || python3 -c 'import venv, ensurepip' 2>/dev/null || printf 'python3-venv '
}

# Keep the packages' servers from starting on this host, unless it already has a rule of its own.
forbid_services() {
    [ ! -e "$policy" ] || return 0
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

# --no-remove: another mail server on this host is not to be replaced by the lab's.
install_packages() (
    command -v apt-get >/dev/null || { say "no apt-get here: the lab's servers are not installed"; return 0; }
    wanted=$(missing_packages)
    [ -n "$wanted" ] || return 0
    [ "$(id -u)" = 0 ] || { say "not root, so not installed: $wanted"; return 0; }
    say "installing $wanted"
    forbid_services
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update </dev/null >&2 || say "apt-get update failed; trying with the lists that are there"
    # shellcheck disable=SC2086
    apt-get -q -y --no-remove --no-install-recommends install $wanted </dev/null >&2 ||
        say "apt-get could not install all of: $wanted"
)

make_environment() {
    if [ ! -x "$venv/bin/pip" ]; then
        python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
            give_up "no Python 3.11 or newer is on PATH as python3" "install it, or give an environment as TLSA_MANAGER_VENV"
        python3 -m venv "$venv" ||
            give_up "python3 cannot make a virtual environment" "on Debian: apt-get install python3-venv, or run this as root"
    fi
    installed=$venv/tlsa-manager.installed
    wanted="$root $(cksum <"$root/pyproject.toml")"
    [ "$(cat "$installed" 2>/dev/null)" = "$wanted" ] && return
    say "installing the project and its tools into $venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "${root}[dev,demo]" </dev/null ||
        give_up "pip could not install the project" "see its message above; it needs a package index"
    printf '%s\n' "$wanted" >"$installed"
}

# Debian lets one mail server be installed at a time: others are unpacked beside the lab's Postfix; nothing of the host runs them.
unpack() ( # PACKAGE DIRECTORY PROGRAM
    command -v apt-get >/dev/null || return 0
    [ ! -x "$venv/$2/usr/sbin/$3" ] || return 0
    say "unpacking $1 into $venv/$2"
    work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT && cd "$work" || return 0
    if apt-get -q download "$1" </dev/null >&2; then
        dpkg -x "$1"_*.deb "$venv/$2" && chmod u-s,g-s "$venv/$2"/usr/sbin/*
    else
        say "apt-get could not download $1"
    fi
)

failed=""
check() {
    say "$*"
    "$@" || failed="$failed${failed:+, }$*"
}

if [ "${1:-}" = --help ]; then
    sed -n '2,/^set/{s/^# \{0,1\}//;/^set/!p;}' "$0"
    exit 0
fi
if [ "${1:-}" = --require-lab ]; then
    shift
    TLSA_MANAGER_LAB=required
fi
export TLSA_MANAGER_LAB="${TLSA_MANAGER_LAB:-}"

cd "$root"
install_packages
make_environment
unpack exim4-daemon-light exim4 exim4
unpack opensmtpd opensmtpd smtpd
# The tools and `tlsa-manager` itself are found by the tests and by the hooks they run.
PATH=$venv/bin:$PATH
export PATH
if [ $# -eq 0 ]; then
    check ruff check .
    check ruff format --check .
    check mypy
    check lint-imports
fi
check pytest -n 5 --dist loadgroup --durations 12 "$@"
[ -z "$failed" ] || { say "failed: $failed"; exit 1; }
