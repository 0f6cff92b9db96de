#!/usr/bin/python3
"""Prints the card readers that pcscd can really use, one a line."""
import ctypes

pcsc = ctypes.CDLL("libpcsclite.so.1")
context = ctypes.c_long()
if pcsc.SCardEstablishContext(ctypes.c_ulong(2), None, None, ctypes.byref(context)) != 0:
    raise SystemExit("cannot reach pcscd")
size = ctypes.c_ulong(4096)
names = ctypes.create_string_buffer(4096)
if pcsc.SCardListReaders(context, None, names, ctypes.byref(size)) == 0:
    for name in names.raw[:size.value].split(b"\0"):
        if name:
            print(name.decode(errors="replace"))
