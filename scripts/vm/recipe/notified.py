#!/usr/bin/python3
"""Owns org.freedesktop.Notifications in the lab user's session and appends every notification to ~/notifications.log as one JSON line."""
import json
import os
import time

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.Notifications"
LOG = os.path.expanduser("~/notifications.log")


class Notifications(dbus.service.Object):
    last = 0

    @dbus.service.method(NAME, in_signature="susssasa{sv}i", out_signature="u")
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):
        Notifications.last += 1
        row = {"at": time.time(), "app": app, "summary": summary, "body": body,
               "urgency": int(hints.get("urgency", 1)), "actions": [str(a) for a in actions]}
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(json.dumps(row, ensure_ascii=False) + "\n")
        return dbus.UInt32(Notifications.last)

    @dbus.service.method(NAME, in_signature="u")
    def CloseNotification(self, number):
        pass

    @dbus.service.method(NAME, out_signature="as")
    def GetCapabilities(self):
        return ["body", "actions", "persistence"]

    @dbus.service.method(NAME, out_signature="ssss")
    def GetServerInformation(self):
        return ("lab", "sekisho", "1", "1.2")


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
owned = dbus.service.BusName(NAME, bus)
served = Notifications(bus, "/org/freedesktop/Notifications")
GLib.MainLoop().run()
