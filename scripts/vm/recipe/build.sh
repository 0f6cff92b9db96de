#!/bin/bash
# Builds the lab's root file system: build.sh RECIPE_DIR OUT_DIR SSH_PUBLIC_KEY
# Runs as root. Leaves vmlinuz, initrd and disk.raw in OUT_DIR.
set -euo pipefail
recipe=$1 out=$2 key=$3
root=$out/root
# Without a mirror of one's own mmdebstrap takes Debian's, with updates and security.
sources=()
[ -z "${SEKISHO_LAB_MIRROR:-}" ] || sources=("deb $SEKISHO_LAB_MIRROR bookworm main" "deb $SEKISHO_LAB_MIRROR bookworm-updates main")
[ -z "${SEKISHO_LAB_SECURITY_MIRROR:-}" ] || sources+=("deb $SEKISHO_LAB_SECURITY_MIRROR bookworm-security main")

mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
  --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --include="$(paste -sd, "$recipe/packages")" \
  --customize-hook="bash '$recipe/customize.sh' \"\$1\" '$recipe' '$key'" \
  bookworm "$root" "${sources[@]}"

cp "$root"/boot/vmlinuz-* "$out/vmlinuz"
cp "$root"/boot/initrd.img-* "$out/initrd"
chmod 0644 "$out/vmlinuz" "$out/initrd"
# With a journal on ext4 a power cut in the lab ends as it does on a real terminal.
truncate -s 4G "$out/disk.raw"
mke2fs -q -t ext4 -m 0 -E lazy_itable_init=0 -d "$root" "$out/disk.raw"
rm -rf "$root"
