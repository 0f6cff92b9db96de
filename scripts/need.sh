# shellcheck shell=bash
# need PROGRAM:PACKAGE... installs the Debian packages of the programs that are missing. Sourced by the other scripts.
need() {
  local pair lost=()
  export PATH=$PATH:/usr/sbin:/sbin
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || lost+=("${pair##*:}")
  done
  install_packages "${lost[@]}"
}

# need_files PATH:PACKAGE... does the same for things that are not programs.
need_files() {
  local pair lost=()
  for pair in "$@"; do
    compgen -G "${pair%%:*}" >/dev/null || lost+=("${pair##*:}")
  done
  install_packages "${lost[@]}"
}

install_packages() {
  [ $# -eq 0 ] && return 0
  local root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo)
  echo "installing $* (apt)" >&2
  "${root[@]}" apt-get update -qq >&2
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
