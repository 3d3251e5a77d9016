"""The emulated board: starts QEMU, talks to its monitor, measures the stack, ends it."""

import json
import os
import socket
import struct
import subprocess
import tempfile
import time


def eventually(what, attempt, seconds=20.0):
    """Repeats `attempt` until it returns something other than None."""
    end = time.monotonic() + seconds
    while True:
        result = attempt()
        if result is not None:
            return result
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: nothing in {seconds:g} s")
        time.sleep(0.02)


class Board:
    """One run of an image. `nic` are QEMU's arguments for the network."""

    def __init__(self, elf, nic, prefix=()):
        self.folder = tempfile.TemporaryDirectory(prefix="netloom-fw-")
        monitor = os.path.join(self.folder.name, "qmp")
        self.qemu = subprocess.Popen(
            [*prefix, "qemu-system-arm", "-M", "mps2-an385", "-display", "none",
             "-serial", "none", "-monitor", "none",
             "-qmp", f"unix:{monitor},server=on,wait=off", *nic, "-kernel", elf],
            stdin=subprocess.DEVNULL)
        try:
            self.monitor = eventually("QEMU's monitor", lambda: self._connect(monitor))
            self.lines = self.monitor.makefile("r")
            self.lines.readline()  # the greeting
            self.command("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def _connect(self, path):
        if self.qemu.poll() is not None:
            raise RuntimeError(f"QEMU ended with status {self.qemu.returncode}")
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(path)
        except OSError:
            link.close()
            return None
        link.settimeout(20)
        return link

    def command(self, name, /, **arguments):
        request = {"execute": name, "arguments": arguments}
        self.monitor.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = json.loads(self.lines.readline())
            if "error" in answer:
                raise RuntimeError(f"{name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def stack_peak(self, symbols):
        """Bytes of stack ever used: from the deepest word that is no longer zero."""
        low, high = symbols["__euninit"], symbols["_stack_start"]
        path = os.path.join(self.folder.name, "ram")
        self.command("pmemsave", val=low, size=high - low, filename=path)
        with open(path, "rb") as dump:
            ram = dump.read()
        untouched = len(ram) - len(ram.lstrip(b"\0"))
        return len(ram) - untouched // 4 * 4

    def close(self):
        self.qemu.kill()
        self.qemu.wait()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def symbols(nm, elf):
    """The ELF file's symbols: name -> address."""
    listing = subprocess.run([nm, elf], check=True, capture_output=True, text=True).stdout
    rows = (line.split() for line in listing.splitlines())
    return {row[2]: int(row[0], 16) for row in rows if len(row) == 3}


class Wire:
    """The other end of the board's cable, frame by frame (QEMU's `stream` back end)."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="netloom-fw-")
        path = os.path.join(self.folder.name, "wire")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.listener.settimeout(20)
        self.nic = ["-netdev", f"stream,id=n0,server=off,addr.type=unix,addr.path={path}",
                    "-net", "nic,model=lan9118,netdev=n0,macaddr=52:54:00:12:34:56"]
        self.address = bytes.fromhex("525400123456")
        self.socket = None

    def plug(self):
        self.socket, _ = self.listener.accept()

    def send(self, frame):
        self.socket.sendall(struct.pack(">I", len(frame)) + frame)

    def receive(self, seconds=20.0):
        """The next frame; None if none begins to arrive in time."""
        self.socket.settimeout(seconds)
        try:
            head = self.socket.recv(1)
        except TimeoutError:
            return None
        self.socket.settimeout(20)
        head += self._exactly(3)
        return self._exactly(struct.unpack(">I", head)[0])

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("QEMU closed the wire")
            data += more
        return data

    def close(self):
        if self.socket:
            self.socket.close()
        self.listener.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
