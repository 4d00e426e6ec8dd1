# Sourced by scripts/test and scripts/demo: finds what building and testing need, and installs what is missing.
# shellcheck shell=bash

say() { printf '\n==> %s\n' "$*" >&2; }

stop() {
    printf '\nerror: %s\n' "$*" >&2
    exit 1
}

# The folder with PostgreSQL's server programs; Debian keeps them out of PATH.
postgres_bin() {
    local folder
    for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -Vr); do
        if [[ -x $folder/initdb && -x $folder/pg_ctl && -x $folder/postgres ]]; then
            echo "$folder"
            return
        fi
    done
    folder=$(command -v initdb) || return 1
    folder=$(dirname "$(readlink -f "$folder")")
    [[ -x $folder/pg_ctl && -x $folder/postgres ]] && echo "$folder"
}

# Prints the Debian packages that are missing, of those named.
missing_packages() {
    local package
    for package in "$@"; do
        case $package in
            gcc) command -v cc >/dev/null && command -v gcc >/dev/null ;;
            libc6-dev) [[ -e /usr/include/stdio.h ]] ;;
            pkg-config) command -v pkg-config >/dev/null ;;
            libssl-dev) pkg-config --exists openssl 2>/dev/null ;;
            softhsm2) command -v softhsm2-util >/dev/null && [[ -e /usr/lib/softhsm/libsofthsm2.so ]] ;;
            postgresql) postgres_bin >/dev/null ;;
            nodejs) command -v node >/dev/null ;;
            *) command -v "$package" >/dev/null ;;
        esac || echo "$package"
    done
}

# Installs the packages that are missing, or says how to and ends.
need_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0
    local line="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    local -a as_root
    command -v apt-get >/dev/null ||
        stop "these Debian packages are missing, and there is no apt-get here; install what matches them: ${missing[*]}"
    if ((EUID == 0)); then
        as_root=(env)
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=(sudo env)
    else
        stop "missing: ${missing[*]}. Installing needs root. Run this, then try again:

    sudo sh -c '$line'"
    fi
    say "Installing ${missing[*]}"
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} == 0)) || stop "still missing after installation: ${missing[*]}"
}

# Rust itself is not installed for anybody: which toolchain is used is the reader's choice.
need_rust() {
    # rustup's default place, for shells that have not read its profile.
    command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || stop "cargo is missing. Install Rust 1.95 or later: https://rustup.rs"
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d' ' -f2)
    [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -n1) == "$wanted" ]] ||
        stop "Rust $wanted or later is needed; this is $found (try: rustup update stable)"
}

# Adds rustfmt and clippy to a toolchain that lacks them.
need_component() {
    cargo "$1" --version >/dev/null 2>&1 && return
    local component=$1
    [[ $component == fmt ]] && component=rustfmt
    command -v rustup >/dev/null || stop "cargo $1 is missing; install $component for your toolchain"
    say "Adding $component to the toolchain"
    rustup component add "$component"
}

# Fetches what the npm lock file in the folder $1 names, byte for byte, into the folder $2; what needs it is $3.
# Without network or a Node.js that runs it, says so; what needs it is then skipped.
fetch_from_npm() {
    local from=$1 folder=$2 node
    [[ -d $folder/node_modules ]] && cmp -s "$from/package-lock.json" "$folder/fetched" && return
    # In a shell of its own: without these packages only what needs them is missed.
    (need_packages nodejs npm) || true
    node=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
    if ((${node:-0} < 20)); then
        say "Skipping $3: it needs Node.js 20 or later, this is ${node:-none}"
        return
    fi
    mkdir -p "$folder"
    rm -f "$folder/fetched"
    cp "$from/package.json" "$from/package-lock.json" "$folder/"
    if (cd "$folder" && npm ci --ignore-scripts --omit=optional --no-audit --no-fund >npm.log 2>&1); then
        cp "$from/package-lock.json" "$folder/fetched"
    else
        rm -rf "$folder/node_modules"
        say "Skipping $3: npm could not fetch it ($(grep -m1 "npm error" "$folder/npm.log" || tail -n1 "$folder/npm.log"))"
    fi
}

BUILD_PACKAGES=(gcc libc6-dev make pkg-config libssl-dev)
# shellcheck disable=SC2034 # used by scripts/test
TEST_PACKAGES=(softhsm2 postgresql strace)
