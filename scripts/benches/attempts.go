//go:build linux

package main

// attempt is one way to run what nobody permitted. Each prints REACHED when it comes to anything. prepare is done by root,
// before anybody stands in the way; try by taro, or by root where as says so.
type attempt struct {
	name    string
	prepare string
	try     string
	as      string
}

// props are what the attempts use: /home/taro/evil is a program of our own, /home/taro/copy a renamed copy of a trusted one.
const props = `set -e
cd /home/taro
cp /root/guest evil; cp /usr/bin/echo copy; cp $(readlink -f /lib/x86_64-linux-gnu/libz.so.1) evil.so
cp evil /tmp/evil; cp evil /var/tmp/evil; cp evil /dev/shm/evil; cp evil /usr/local/bin/evil; mkdir -p own && cp evil own/evil
python3 - <<'P'
b = bytearray(open('/home/taro/evil', 'rb').read()); b[8:11] = b'AI\x02'; open('/home/taro/App.AppImage', 'wb').write(b)
import zipfile
z = zipfile.ZipFile('/home/taro/app', 'w'); z.writestr('__main__.py', 'print("REACHED")'); z.close()
P
printf '#!/bin/sh\necho REACHED\n' >script.sh; printf 'echo REACHED\n' >plain; cp script.sh /tmp/script.sh
printf 'print("REACHED")\n' >evil.py; printf 'print "REACHED\\n"; 1;\n' >Evil.pm; cp Evil.pm evil.pl
printf 'all:\n\t@echo REACHED\n' >Makefile; printf 'BEGIN { print "REACHED" }\n' >evil.awk
printf '#!/home/taro/evil reached\n' >own-interpreter
mkdir -p lib && cp evil.so lib/libz.so.1 && cp $(readlink -f /lib/x86_64-linux-gnu/libc.so.6) lib/libc.so.6
ln -sf evil ls; mkdir -p u w
chmod -R a+rx . ; chmod a+rx /tmp/evil /var/tmp/evil /dev/shm/evil /tmp/script.sh; chown -R taro: /home/taro /tmp/evil /var/tmp/evil /dev/shm/evil /tmp/script.sh
cp evil suid; chown root suid; chmod 4755 suid
sysctl -q fs.protected_hardlinks=0; ln -f evil hard; ln -f /usr/bin/echo trusted-link; sysctl -q fs.protected_hardlinks=1
for f in vfat exfat ext4; do truncate -s 16M /root/$f.img; mkfs.$f /root/$f.img >/dev/null 2>&1; mkdir -p /mnt/$f; done
chmod 755 /root/guest`

const loaderOf = "/lib64/ld-linux-x86-64.so.2"

// stick mounts a medium while somebody stands in the way already, as a stick is.
func stick(fs, options string) string {
	return "mount -o loop" + options + " /root/" + fs + ".img /mnt/" + fs + " && cp /home/taro/evil /mnt/" + fs + "/evil && chmod 755 /mnt/" + fs + "/evil 2>/dev/null; sleep 0.3; su taro -c '/mnt/" + fs + "/evil reached'; umount /mnt/" + fs
}

var attempts = []attempt{
	{name: "a program dropped in the home folder", try: "~/evil reached"},
	{name: "in /tmp", try: "/tmp/evil reached"},
	{name: "in /var/tmp", try: "/var/tmp/evil reached"},
	{name: "in /dev/shm", try: "/dev/shm/evil reached"},
	{name: "by root in /usr/local/bin, from no package", try: "/usr/local/bin/evil reached", as: "root"},
	{name: "a renamed copy of a trusted program", try: "~/copy REACHED"},
	{name: "an AppImage", try: "~/App.AppImage reached"},
	{name: "a link with a trusted name", try: "~/ls reached"},
	{name: "a hard link to the dropped program", try: "~/hard reached"},
	{name: "setuid root, in the home folder", try: "~/suid reached"},
	{name: "through an open file, /proc/self/fd", try: "exec 7<~/evil; /proc/self/fd/7 reached"},
	{name: "deleted and still open", try: "cp ~/evil ~/gone; chmod +x ~/gone; exec 7<~/gone; rm ~/gone; /proc/self/fd/7 reached"},
	{name: "a program in memory (memfd)", try: `python3 -c 'import os; f = os.memfd_create("m"); os.write(f, open("/home/taro/own/evil", "rb").read()); os.execve(f, ["m", "reached"], {})'`},
	{name: "ld.so with a copy of a trusted program", try: loaderOf + " ~/copy REACHED"},
	{name: "ld.so with --preload", try: loaderOf + " --preload ~/evil.so /usr/bin/cat /proc/self/maps | grep -q /home/taro/evil.so && echo REACHED"},
	{name: "ld.so with --library-path", try: loaderOf + " --library-path ~/lib /usr/bin/cat /proc/self/maps | grep -q /home/taro/lib && echo REACHED"},
	{name: "a library by LD_PRELOAD", try: "LD_PRELOAD=$HOME/evil.so cat /proc/self/maps | grep -q /home/taro/evil.so && echo REACHED"},
	{name: "a library by LD_LIBRARY_PATH", try: "LD_LIBRARY_PATH=$HOME/lib cat /proc/self/maps | grep -q /home/taro/lib && echo REACHED"},
	{name: "a library by dlopen from python", try: `python3 -c 'import ctypes; ctypes.CDLL("/home/taro/evil.so"); print("REACHED")'`},
	{name: "a script, run by itself", try: "~/script.sh"},
	{name: "a script whose interpreter is the dropped program", try: "~/own-interpreter"},
	{name: "sh with a script", try: "sh ~/script.sh"},
	{name: "sh with a script in /tmp", try: "sh /tmp/script.sh"},
	{name: "bash with text of no telling name", try: "bash --norc ~/plain"},
	{name: "text without #!, run by itself", try: "~/plain"},
	{name: "sh with a script as its input, sh <script.sh", try: "sh <~/script.sh"},
	{name: "source of a script in a shell", try: "bash -c '. ~/script.sh'"},
	{name: "python with a script", try: "python3 ~/evil.py"},
	{name: "python with a module from PYTHONPATH", try: "PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$HOME python3 -c 'import evil'"},
	{name: "python -m in the folder", try: "cd && PYTHONDONTWRITEBYTECODE=1 python3 -m evil"},
	{name: "python with a zip of no telling name", try: "python3 ~/app"},
	{name: "python that reads a script by itself", try: `python3 -c 'exec(open("/home/taro/evil.py").read())'`},
	{name: "perl with a script", try: "perl ~/evil.pl"},
	{name: "perl with a module", try: "perl -I$HOME -MEvil -e 1"},
	{name: "awk -f", try: "awk -f ~/evil.awk"},
	{name: "make with a Makefile", try: "cd && make -s"},
	{name: "a copy of an interpreter, with a script", prepare: "cp -f $(readlink -f /usr/bin/python3) /home/taro/py; chown taro /home/taro/py", try: "~/py ~/evil.py"},
	{name: "env, nohup and xargs", try: "env ~/evil reached; nohup ~/evil reached; echo reached | xargs ~/evil"},
	{name: "tar --checkpoint-action=exec", try: "cd && tar -cf /dev/null --checkpoint=1 '--checkpoint-action=exec=/home/taro/evil reached' evil"},
	{name: "the user's own systemd", try: "XDG_RUNTIME_DIR=/run/user/1000 systemd-run --user --quiet --pipe --wait ~/evil reached"},
	{name: "bind mount over a trusted program, own namespace", try: `unshare -Urm sh -c 'mount --bind ~taro/evil /usr/bin/yes; yes reached | head -n 3'`},
	{name: "a tmpfs of one's own namespace", try: `unshare -Urm sh -c 'mount -t tmpfs t /mnt && cp ~taro/evil /mnt/evil && /mnt/evil reached'`},
	{name: "an overlay over /usr/bin, own namespace", try: `unshare -Urm sh -c 'cp ~taro/evil ~taro/u/yes; mount -t overlay -o lowerdir=/usr/bin,upperdir=/home/taro/u,workdir=/home/taro/w,userxattr o /usr/bin && yes reached | head -n 3'`},
	{name: "a vfat stick", as: "root", try: stick("vfat", ",umask=000")},
	{name: "an exfat stick", as: "root", try: stick("exfat", ",umask=000")},
	{name: "an ext4 stick", as: "root", try: stick("ext4", "")},
	{name: "a tmpfs that is mounted later", as: "root", try: "mkdir -p /mnt/t && mount -t tmpfs t /mnt/t && cp ~taro/evil /mnt/t && sleep 0.3; su taro -c '/mnt/t/evil reached'; umount /mnt/t"},
	{name: "a bind mount of the home folder", as: "root", try: "mkdir -p /mnt/b && mount --bind /home/taro /mnt/b; su taro -c '/mnt/b/evil reached'; umount /mnt/b"},
	{name: "text through a pipe into a shell", try: "cat ~/plain | sh"},
	{name: "a program in the command line, python -c", try: `python3 -c 'print("REACHED")'`},
	{name: "text of no telling name, read by a shell itself", try: "bash -c '. ~/plain'"},
}
