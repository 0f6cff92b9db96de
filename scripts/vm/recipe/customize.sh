#!/bin/bash
# Turns a bare Debian tree into a terminal of the lab: customize.sh ROOT RECIPE_DIR SSH_PUBLIC_KEY
set -euo pipefail
root=$1 recipe=$2 key=$3

echo terminal >"$root/etc/hostname"
printf '127.0.0.1 localhost terminal\n10.0.2.2 console\n' >"$root/etc/hosts"
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
echo '/dev/vda / ext4 rw,relatime 0 0' >"$root/etc/fstab"

# A fixed address: no DHCP, so the network answers as soon as the cable is in.
mkdir -p "$root/etc/systemd/network"
printf '[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' \
  >"$root/etc/systemd/network/10-lab.network"

install -d -m 0700 "$root/root/.ssh"
install -m 0600 "$key" "$root/root/.ssh/authorized_keys"
cat >"$root/etc/ssh/sshd_config.d/lab.conf" <<EOF
PermitRootLogin prohibit-password
UseDNS no
MaxSessions 100
MaxStartups 100
EOF

# taro is the person at the terminal: a user session that lasts, with a bus and someone who takes notifications.
chroot "$root" useradd --create-home --uid 1000 --shell /bin/bash taro
install -d "$root/var/lib/systemd/linger"
touch "$root/var/lib/systemd/linger/taro"
install -D -m 0755 "$recipe/notified.py" "$root/usr/local/lib/lab/notified.py"
install -D -m 0755 "$recipe/readers.py" "$root/usr/local/bin/lab-readers"
install -D -m 0644 "$recipe/lab-notified.service" "$root/etc/systemd/user/lab-notified.service"
install -d "$root/etc/systemd/user/default.target.wants"
ln -sf ../lab-notified.service "$root/etc/systemd/user/default.target.wants/lab-notified.service"

# The journal outlives a power cut, so that a test can read what happened before it.
install -d "$root/var/log/journal" "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=persistent\nSyncIntervalSec=1s\nSystemMaxUse=64M\n' >"$root/etc/systemd/journald.conf.d/lab.conf"

# The modules that matter here, as Debian's own choice ("most") has them too: with all of them an emulated
# processor works for minutes at every update-initramfs. Sticks are bound early, as on a real terminal.
sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
printf '%s\n' virtio_pci virtio_blk ext4 xhci_pci ehci_pci usb_storage uas sd_mod sr_mod usbhid hid_generic nvme mmc_block sdhci_pci \
  >>"$root/etc/initramfs-tools/modules"
chroot "$root" update-initramfs -u -k all

chroot "$root" systemctl enable systemd-networkd.service ssh.service >/dev/null 2>&1
# What the checks look at is there and sleeps: a test starts it. ClamAV's own updater would only wait for a network.
chroot "$root" systemctl disable clamav-daemon.service clamav-daemon.socket clamav-clamonacc.service clamav-freshclam.service \
  nftables.service logrotate.timer >/dev/null 2>&1
# The peers of the benchmarks are installed, never running unless a benchmark starts them.
for unit in usbguard.service usbguard-dbus.service fapolicyd.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer systemd-networkd-wait-online.service systemd-timesyncd.service getty@tty1.service serial-getty@ttyS0.service; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/lib/apt/lists/*
