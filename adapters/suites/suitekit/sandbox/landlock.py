"""Landlock: a process gives up the file system, but for what it may read. It needs no right to do so.

Source: Linux, Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator

from . import system, view

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files each version of the interface knows."""
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6


def enter() -> None:
    """Only what `view` shows can be read from now on, and no file can be written. Raises OSError."""
    version = system.call(_CREATE, None, 0, _VERSION)
    files = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    network = 0b11 if version >= _NETWORK_SINCE else 0
    scopes = 0b11 if version >= _SCOPES_SINCE else 0
    size = 24 if version >= _SCOPES_SINCE else 16 if version >= _NETWORK_SINCE else 8
    attributes = struct.pack("=QQQ", files, network, scopes)[:size]
    rules = system.call(_CREATE, ctypes.c_char_p(attributes), size, 0)
    try:
        folders = view.shown()
        for folder in folders:
            for path in _visible(folder, view.hidden(folders)):
                _allow(rules, path)
        system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
        system.call(_RESTRICT, rules, 0)
    finally:
        os.close(rules)


def _visible(path: str, hidden: list[str]) -> Iterator[str]:
    """The path, or the parts of it that are left if something below it is hidden: rights reach down."""
    if path in hidden:
        return
    if not any(other.startswith(f"{path}/") for other in hidden):
        yield path
        return
    for name in os.listdir(path):
        yield from _visible(f"{path}/{name}", hidden)


def _allow(rules: int, path: str) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # A link to nothing, say: what cannot be opened needs no right.
    try:
        rights = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        rule = ctypes.c_char_p(struct.pack("=Qi", rights, handle))
        system.call(_ADD, rules, _PATH_BENEATH, rule, 0)
    finally:
        os.close(handle)
