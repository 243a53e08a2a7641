"""System calls that Python has no function for."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION = 0x20080522
_MAX_CAPABILITIES = 64


def call(number: int, *arguments: object) -> int:
    """A system call by its number; its result. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *words))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"system call {number}")
    return result


def function(name: str, *arguments: object) -> int:
    """A function of the C library; its result. Raises OSError, also if the function does not exist."""
    made = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if made is None:
        raise OSError(f"this system has no {name}")
    words = [ctypes.c_ulong(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = int(made(*words))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
    return result


def prctl(option: int, value: object = 0, more: object = 0) -> int:
    """Operations on the calling process. Raises OSError."""
    return function("prctl", option, value, more, 0, 0)


def drop_privileges() -> None:
    """Give up every capability, for ever: also root can then do no more than the owner of its files. Raises OSError."""
    for capability in range(_MAX_CAPABILITIES):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # The kernel knows no more of them, or there is nothing to drop.
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if number := _CAPSET.get(os.uname().machine):
        head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
        call(number, ctypes.byref(head), ctypes.byref((ctypes.c_uint32 * 6)()))
