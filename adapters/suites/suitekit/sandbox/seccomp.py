"""A filter of the kernel: what a computing Python interpreter needs is allowed, every other system call is refused.

A filtered process has no network, starts no process or thread, signals no other and writes no file. Source of the form:
Linux, Documentation/userspace-api/seccomp_filter.rst and include/uapi/linux/{seccomp,filter,audit}.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from . import system

_FILTER_MODE = 2
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000
_KILL = 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Where these stand in the kernel's `struct seccomp_data`; an argument has eight bytes."""
_X32 = 0x40000000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_READING = {"open", "openat"}
_X86_64 = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
    "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15,
    "ioctl": 16, "pread64": 17, "readv": 19, "writev": 20, "access": 21, "select": 23, "sched_yield": 24,
    "mremap": 25, "madvise": 28, "dup": 32, "nanosleep": 35, "getitimer": 36, "alarm": 37, "setitimer": 38,
    "getpid": 39, "exit": 60, "uname": 63, "fcntl": 72, "getcwd": 79, "readlink": 89, "gettimeofday": 96,
    "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102, "getgid": 104, "geteuid": 107,
    "getegid": 108, "getppid": 110, "sigaltstack": 131, "arch_prctl": 158, "gettid": 186, "time": 201, "futex": 202,
    "sched_getaffinity": 204, "getdents64": 217, "set_tid_address": 218, "restart_syscall": 219,
    "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "openat": 257,
    "newfstatat": 262, "readlinkat": 267, "faccessat": 269, "pselect6": 270, "ppoll": 271, "set_robust_list": 273,
    "prlimit64": 302, "getrandom": 318, "membarrier": 324, "statx": 332, "rseq": 334, "clone3": 435,
    "faccessat2": 439,
}  # fmt: skip
_AARCH64 = {
    "getcwd": 17, "dup": 23, "fcntl": 25, "ioctl": 29, "faccessat": 48, "openat": 56, "close": 57, "getdents64": 61,
    "lseek": 62, "read": 63, "write": 64, "readv": 65, "writev": 66, "pread64": 67, "pselect6": 72, "ppoll": 73,
    "readlinkat": 78, "newfstatat": 79, "fstat": 80, "exit": 93, "exit_group": 94, "set_tid_address": 96,
    "futex": 98, "set_robust_list": 99, "nanosleep": 101, "getitimer": 102, "setitimer": 103, "clock_gettime": 113,
    "clock_getres": 114, "clock_nanosleep": 115, "sched_getaffinity": 123, "sched_yield": 124,
    "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
    "times": 153, "uname": 160, "getrusage": 165, "gettimeofday": 169, "getpid": 172, "getppid": 173, "getuid": 174,
    "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178, "sysinfo": 179, "brk": 214, "munmap": 215,
    "mremap": 216, "mmap": 222, "mprotect": 226, "madvise": 233, "prlimit64": 261, "getrandom": 278,
    "membarrier": 283, "statx": 291, "rseq": 293, "clone3": 435, "faccessat2": 439,
}  # fmt: skip


_MACHINES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}
"""How the kernel names an architecture, and its system calls by number."""


def is_known() -> bool:
    """Whether there is a filter for this machine."""
    return os.uname().sysname == "Linux" and os.uname().machine in _MACHINES and struct.calcsize("P") == 8


def enter(*, can_read: bool) -> None:
    """Filter this process from now on; with `can_read`, files may be opened to read them. Raises OSError."""
    code = b"".join(_program(*_MACHINES[os.uname().machine], can_read=can_read))
    held = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    program = Program(len(code) // 8, ctypes.addressof(held))
    system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
    system.prctl(system.PR_SET_SECCOMP, _FILTER_MODE, ctypes.byref(program))


def _program(architecture: int, calls: dict[str, int], *, can_read: bool) -> list[bytes]:
    lines = [
        _line(_LOAD, _ARCHITECTURE),
        _line(_EQUAL, architecture, skip_unless=0, skip_if=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER),
        # A second numbering of the same calls on x86-64.
        _line(_AT_LEAST, _X32, skip_unless=1),
        _line(_RETURN, _KILL),
    ]
    for name, number in calls.items():
        answer = _answer(name, can_read=can_read)
        lines += [_line(_EQUAL, number, skip_unless=len(answer)), *answer]
    return [*lines, _refusal(errno.EPERM)]


def _answer(name: str, *, can_read: bool) -> list[bytes]:
    if name in _READING:
        if not can_read:
            return [_refusal(errno.EACCES)]
        flags = _ARGUMENTS + 8 * (1 if name == "open" else 2)
        return [
            _line(_LOAD, flags),
            _line(_ANY_BIT, _WRITING, skip_unless=1),
            _refusal(errno.EACCES),
            _line(_RETURN, _ALLOW),
        ]
    if name == "prlimit64":  # Of this process only: 0 as the process, in both halves of the argument.
        return [
            _line(_LOAD, _ARGUMENTS),
            _line(_EQUAL, 0, skip_if=1),
            _refusal(errno.EPERM),
            _line(_LOAD, _ARGUMENTS + 4),
            _line(_EQUAL, 0, skip_if=1),
            _refusal(errno.EPERM),
            _line(_RETURN, _ALLOW),
        ]
    if name == "ioctl":  # The process has no terminal, and Python does without the rest.
        return [_refusal(errno.ENOTTY)]
    if name == "clone3":  # The C library then asks by the older call, which is refused.
        return [_refusal(errno.ENOSYS)]
    return [_line(_RETURN, _ALLOW)]


def _refusal(error: int) -> bytes:
    return _line(_RETURN, _REFUSE | error)


def _line(operation: int, value: int, *, skip_if: int = 0, skip_unless: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, skip_if, skip_unless, value)
