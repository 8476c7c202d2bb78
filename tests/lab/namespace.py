"""Private network and mount namespaces for the test process: real ports without asking anyone, and no way out.

The namespace has only `lo`, so ports 25, 53 and 443 are free and nothing can leave the machine; /etc/resolv.conf
is covered by one that names the lab's resolver. It ends with the process, and nothing on the host changes.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

RESOLVER = "127.53.2.1"

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 1 << 18
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

_state = {"refused": "the test process never asked for private namespaces", "entered": ""}


def enter() -> None:
    """Move this thread, and all that it starts later, into the private network; remember why if it is refused."""
    if _state["entered"]:
        return
    if os.geteuid() != 0:
        _state["refused"] = "private namespaces need root"
        return
    try:
        _call("unshare", _CLONE_NEWNS | _CLONE_NEWNET)
        _call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
        _bring_up_loopback()
        _cover_resolv_conf()
    except OSError as refusal:
        _state["refused"] = f"private namespaces are refused here ({refusal})"
        return
    _state["refused"], _state["entered"] = "", "yes"


def refusal() -> str:
    """Say why there is no private network, or nothing when there is one."""
    return _state["refused"]


def add_address(address: str) -> None:
    """Put an address on `lo`: BIND listens only on addresses that an interface has."""
    subprocess.run(["ip", "address", "replace", f"{address}/32", "dev", "lo"], check=True)


def remove_address(address: str) -> None:
    """Take an address off `lo`: to BIND that server is gone, and clients are refused at once."""
    subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "lo"], check=True)


def residents() -> dict[int, str]:
    """Process id and command line of everything else that lives in our network namespace.

    Without Python's own helper for multiprocessing, which a test process has once it has started workers, and which ends with it.
    """
    ours = _network(os.getpid())
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    found = {pid: command_of(pid) for pid in pids if pid != os.getpid() and _network(pid) == ours}
    return {pid: command for pid, command in found.items() if command and "multiprocessing.resource_tracker" not in command}


def evict(grace: float = 5.0) -> dict[int, str]:
    """Wait for everything in our network to end, kill what does not, and return what had to be killed."""
    if not _state["entered"]:
        return {}
    deadline = time.monotonic() + grace
    while (left := residents()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return left


def resolv_conf(resolver: str) -> str:
    """Text of a resolv.conf for one validating resolver whose AD bit is to be believed."""
    return f"nameserver {resolver}\noptions edns0 trust-ad timeout:2 attempts:2\n"


def command_of(pid: int) -> str:
    """Return the command line of a process, empty when it is gone or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:  # it ended meanwhile
        return ""


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(link, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(link, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _cover_resolv_conf() -> None:
    with tempfile.NamedTemporaryFile("w") as cover:  # the mount keeps the file when its name is gone
        cover.write(resolv_conf(RESOLVER))
        cover.flush()
        Path(cover.name).chmod(0o644)
        _call("mount", cover.name.encode(), b"/etc/resolv.conf", None, _MS_BIND, None)


def _network(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:  # it ended meanwhile
        return 0
