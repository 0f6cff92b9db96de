# shellcheck shell=bash
# Windows packages. Sourced by scripts/package, whose variables it uses: version, work, dist, SOURCE_DATE_EPOCH.
windows=installer/windows

# msi_version is what Windows Installer can compare: three numbers up to 255.255.65535. Builds between two releases
# have their release's numbers and replace each other; before the first tag the third number counts the commits.
msi_version() {
  local numbers=${version%%[~+]*} a b c
  [[ $version =~ ^0\.0\+([0-9]+)\.g ]] && numbers=0.0.${BASH_REMATCH[1]}
  IFS=. read -r a b c _ <<<"$numbers.0.0"
  if ! [[ $a$b$c =~ ^[0-9]+$ ]] || [ "$a" -gt 255 ] || [ "$b" -gt 255 ] || [ "$c" -gt 65535 ]; then
    echo "package: an MSI cannot carry version $version: three numbers up to 255.255.65535, as 1.2.3" >&2
    return 1
  fi
  echo "$a.$b.$c"
}

# guid makes an id of what it is given: the same content has the same id in every build.
guid() {
  local h
  h=$(sha256sum | tr a-f A-F)
  echo "${h:0:8}-${h:8:4}-5${h:13:3}-8${h:17:3}-${h:20:12}"
}

# signing says whether there is something to sign with, and complains about half of it.
signing() {
  [ -n "${SEKISHO_SIGN_CERT:-}${SEKISHO_SIGN_KEY:-}${SEKISHO_SIGN_PKCS12:-}" ] || return 1
  local what
  for what in "${SEKISHO_SIGN_PKCS12:-}" "${SEKISHO_SIGN_CERT:-}" "${SEKISHO_SIGN_KEY:-}" "${SEKISHO_SIGN_PASSWORD_FILE:-}"; do
    [ -z "$what" ] || [ -r "$what" ] || { echo "package: cannot sign: cannot read $what" >&2 && exit 1; }
  done
  [ -n "${SEKISHO_SIGN_PKCS12:-}" ] || [ -n "${SEKISHO_SIGN_CERT:-}" ] && [ -n "${SEKISHO_SIGN_KEY:-}${SEKISHO_SIGN_PKCS12:-}" ] ||
    { echo "package: cannot sign: SEKISHO_SIGN_CERT and SEKISHO_SIGN_KEY belong together (or give SEKISHO_SIGN_PKCS12)" >&2 && exit 1; }
}

# sign FILE puts a signature into it where there is something to sign with.
sign() {
  signing || return 0
  local with=(-pkcs12 "${SEKISHO_SIGN_PKCS12:-}") stamp=()
  [ -n "${SEKISHO_SIGN_PKCS12:-}" ] || with=(-certs "$SEKISHO_SIGN_CERT" -key "$SEKISHO_SIGN_KEY")
  [ -z "${SEKISHO_SIGN_PASSWORD_FILE:-}" ] || with+=(-readpass "$SEKISHO_SIGN_PASSWORD_FILE")
  [ -z "${SEKISHO_SIGN_STAMP_URL:-}" ] || stamp=(-ts "$SEKISHO_SIGN_STAMP_URL")
  osslsigncode sign "${with[@]}" "${stamp[@]}" -h sha256 -n "Sekisho" -time "$SOURCE_DATE_EPOCH" -in "$1" -out "$1.signed" >"$work/sign.log" 2>&1 ||
    { cat "$work/sign.log" >&2 && echo "package: cannot sign ${1##*/}" >&2 && return 1; }
  mv "$1.signed" "$1"
}

# then_is runs a program of msitools on the day of the commit, in Japanese Windows' code page: both get into the file.
then_is() { WINDOWS_LANGUAGE=ja_JP faketime -f "$(date -u -d "@$SOURCE_DATE_EPOCH" '+%Y-%m-%d %H:%M:%S')" "$@"; }

make_msi() { # ARCH
  local root=$work/msi-$1 platform=x64 id number out=$dist/sekisho-agent_${version}_windows_$1.msi line
  number=$(msi_version)
  mkdir -p "$root"
  put 0644 "$work/agent-windows-$1.exe" "$root/sekisho-agent.exe"
  { notices "agent-windows-$1.exe" sekisho-agent && echo; } | sed 's/$/\r/' >"$root/NOTICES.txt"
  sbom "agent-windows-$1.exe" sekisho-agent "$root/sbom.cdx.json"
  cp $windows/agent.wxs "$root/"
  same_time "$root"
  id=$(cat "$root"/* $windows/agent.sql <(echo "$version $1") | guid)
  # wixl knows no arm64; the tables are the same, the platform stands in the summary only.
  (cd "$root" && then_is wixl -a x64 -D "Version=$number" -D "FullVersion=$version" -D "ProductCode=$id" -o "$work/$1.msi" agent.wxs)
  [ "$1" = amd64 ] || platform=Arm64
  printf '\r\n\r\n932\t_ForceCodepage\r\n' >"$work/codepage.idt"
  then_is msibuild "$work/$1.msi" -i "$work/codepage.idt"
  while IFS= read -r line; do
    case $line in '' | --*) continue ;; esac
    then_is msibuild "$work/$1.msi" -q "${line//@VERSION@/$number}" >"$work/msi.log" 2>&1 || { cat "$work/msi.log" >&2 && echo "package: cannot do: $line" >&2 && return 1; }
  done <$windows/agent.sql
  then_is msibuild "$work/$1.msi" -s "Sekisho 端末エージェント" Sekisho "$platform;1041" "{$id}"
  sign "$work/$1.msi"
  mv "$work/$1.msi" "$out"
}

# make_zip is the bare program, for a roll-out of one's own: `sekisho-agent.exe install` makes it a service.
make_zip() { # NAME PROGRAM ARCH
  local root=$work/zip-$1-$3
  mkdir -p "$root/$1-$version"
  put 0755 "$work/$2" "$root/$1-$version/$1.exe"
  put 0644 docs/packages.md "$root/$1-$version/packages.md"
  put 0644 CHANGELOG.md "$root/$1-$version/CHANGELOG.md"
  notices "$2" "$1" >"$root/$1-$version/NOTICES.txt"
  sbom "$2" "$1" "$root/$1-$version/sbom.cdx.json"
  same_time "$root"
  (cd "$root" && find "$1-$version" -type f | sort | zip -X -q -9 -@ "$dist/${1}_${version}_windows_$3.zip")
}
