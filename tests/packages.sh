# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Installs what is missing on Debian 12 or Ubuntu 24.04. Sourced by
# examples/quickstart.sh and tests/run.sh.
# shellcheck disable=SC2034

# What a build needs.
build_packages=(cmake g++ gcc libhwloc-dev libsimdjson-dev make pkg-config)

# What the tests need beyond it. Neovim and nginx's Lua module may bring one
# or the other packaging of LuaJIT; "A|B" takes A, or B where A conflicts.
test_packages=(
  ccache curl hwloc libcriterion-dev liblua5.1-0-dev liblua5.4-dev
  libnginx-mod-http-lua lua-busted lua5.1 lua5.4 luarocks neovim ninja-build nginx-light
  python3-dev python3-jsonschema python3-venv valgrind "libluajit2-5.1-dev|libluajit-5.1-dev"
  "luajit2|luajit"
)

# is_installed PACKAGE
is_installed() {
  dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok'
}

# as_root COMMAND...: by sudo where we are not root.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# install_packages PACKAGE...: only what is missing; says what it installs.
install_packages() {
  local want choice missing=() choices=()
  for want in "$@"; do
    case $want in
      *"|"*)
        is_installed "${want%|*}" || is_installed "${want#*|}" ||
          choices+=("$want")
        ;;
      *) is_installed "$want" || missing+=("$want") ;;
    esac
  done
  [ ${#missing[@]} -eq 0 ] && [ ${#choices[@]} -eq 0 ] && return 0
  if ! command -v apt-get >/dev/null; then
    echo "missing, and this is no Debian or Ubuntu: ${missing[*]}" >&2
    return 1
  fi
  echo "installing: ${missing[*]} ${choices[*]}"
  as_root apt-get update -qq >/dev/null || true
  if [ ${#missing[@]} -gt 0 ]; then
    apt_install "${missing[@]}" || return 1
  fi
  for choice in "${choices[@]}"; do
    apt_install "${choice%|*}" 2>/dev/null || apt_install "${choice#*|}" ||
      return 1
  done
}
