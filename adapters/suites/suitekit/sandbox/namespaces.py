"""Namespaces of one's own: no other user, process, network or file system than what `view` shows.

The process needs no privilege if the kernel allows namespaces to users. Source: namespaces(7), pivot_root(2).
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct

from . import system, view

_USER, _MOUNT, _PID, _NET = 0x10000000, 0x00020000, 0x20000000, 0x40000000
_IPC, _UTS, _CGROUP = 0x08000000, 0x04000000, 0x02000000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 1 << 18
_READ_ONLY, _NO_SUID, _NO_DEVICES = 0x1, 0x2, 0x4
_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR = 442
_HERE = -100
_BELOW_TOO = 0x8000
_OLD = "/.old"


def enter() -> None:
    """Move into new namespaces. The caller goes on as a child, and this process waits for it and ends as it does.

    Raises OSError if the kernel refuses any of it.
    """
    uid, gid = os.geteuid(), os.getegid()
    system.function("unshare", _USER | _MOUNT | _PID | _NET | _IPC | _UTS | _CGROUP)
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)
    child = os.fork()
    if child:
        _end_as(child)
    system.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)
    _see_only(view.shown())


def _end_as(child: int) -> None:
    """Wait for the child, and end as it did."""
    for handle in (0, 1):
        os.close(handle)  # The other side must see that the child is gone.
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _see_only(folders: list[str]) -> None:
    """Make a root that holds the folders and nothing else, read-only."""
    sources = {folder: os.path.realpath(folder) for folder in folders}
    masks = view.hidden(folders)
    base = "/tmp" if os.path.isdir("/tmp") else "/usr"  # noqa: S108 - a place to mount on: nothing is written there
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", base, "tmpfs", _NO_SUID | _NO_DEVICES, "size=1m,mode=755")
    os.chdir(base)
    os.mkdir(_OLD[1:])
    system.call(_PIVOT_ROOT[os.uname().machine], ctypes.c_char_p(b"."), ctypes.c_char_p(_OLD[1:].encode()))
    os.chdir("/")
    for folder, source in sources.items():
        os.makedirs(folder, exist_ok=True)
        _mount(f"{_OLD}{source}", folder, None, _BIND | _RECURSIVE)
    for mask in masks:
        _mount("tmpfs", mask, "tmpfs", _READ_ONLY | _NO_SUID | _NO_DEVICES, "size=4k,mode=755")
    system.function("umount2", ctypes.c_char_p(_OLD.encode()), _DETACH)
    os.rmdir(_OLD)
    attributes = struct.pack("=QQQQ", _READ_ONLY | _NO_SUID | _NO_DEVICES, 0, 0, 0)
    root, given = ctypes.c_char_p(b"/"), ctypes.c_char_p(attributes)
    system.call(_MOUNT_SETATTR, _HERE, root, _BELOW_TOO, given, len(attributes))


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [None if word is None else ctypes.c_char_p(word.encode()) for word in (source, target, kind, options)]
    system.function("mount", words[0], words[1], words[2], flags, words[3])
