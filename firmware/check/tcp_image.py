"""Boots an image that answers ping and echoes TCP on port 7, and checks it.

usage: tcp_image.py user ELF NM STACK_LIMIT    through QEMU's own network, no rights needed
       tcp_image.py dhcp ELF NM STACK_LIMIT    the same, the address coming from QEMU's DHCP server
       tcp_image.py tap ELF NM STACK_LIMIT     the kernel of this machine as the peer: needs
                                               root; makes a namespace of its own and removes it

The image's address is 10.0.2.15/24 (its default), or what the DHCP server gives it: that serves a
network which no image and no emulator has as its default.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys

from board import Board, symbols

ADDRESS, PEER, PORT = "10.0.2.15", "10.0.2.2/24", 7
LEASED, LEASED_NETWORK = "10.85.3.77", "10.85.3.0/24"
HERE = os.path.dirname(os.path.abspath(__file__))


def run(*command, seconds=120):
    """Runs a command to its end and returns what it prints; its failure ends the check."""
    result = subprocess.run(command, timeout=seconds, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: status {result.returncode}\n{result.stdout}")
    return result.stdout


def tcp_check(prefix, host, port, reconnects):
    script = os.path.join(HERE, "tcp_echo.py")
    print(run(*prefix, sys.executable, script, host, str(port), str(reconnects), seconds=180),
          end="")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def namespace():
    """A network namespace with a TAP device `tap0` that has the peer's address."""
    name = f"netloom-fw-{os.getpid()}"
    run("ip", "netns", "add", name)
    try:
        inside = ["ip", "netns", "exec", name]
        run(*inside, "ip", "tuntap", "add", "tap0", "mode", "tap")
        run(*inside, "ip", "address", "add", PEER, "dev", "tap0")
        run(*inside, "ip", "link", "set", "tap0", "up")
        yield inside
    finally:
        run("ip", "netns", "delete", name)


def ping(inside, *options):
    """Pings the image; every request must be answered."""
    report = run(*inside, "ping", "-q", "-W", "5", *options, ADDRESS)
    summary = re.search(r"(\d+) packets transmitted, (\d+) received", report)
    if not summary or summary[1] != summary[2]:
        sys.exit(f"ping {' '.join(options)}: replies are missing\n{report}")
    print(f"ping {' '.join(options)}: {summary[2]} of {summary[1]} answered")


def over_tap(inside):
    tcp_check(inside, ADDRESS, PORT, 1)  # waits until the image is up
    ping(inside, "-c", "3")
    # 496 bytes with the headers: the most that the image's memory for packets that wait to be
    # sent holds, one piece of it being kept for ARP.
    ping(inside, "-c", "3", "-s", "468")
    ping(inside, "-c", "3", "-s", "1400")
    ping(inside, "-c", "3", "-s", "1472")
    ping(inside, "-f", "-c", "1000")
    tcp_check(inside, ADDRESS, PORT, 500)


def main():
    mode, elf, nm, limit = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    with contextlib.ExitStack() as stack:
        if mode == "tap":
            inside = stack.enter_context(namespace())
            nic = ["-nic", "tap,ifname=tap0,script=no,downscript=no,model=lan9118"]
            board = stack.enter_context(Board(elf, nic, prefix=inside))
            over_tap(inside)
        else:
            port = free_port()
            address, network = ADDRESS, ""
            if mode == "dhcp":
                address, network = LEASED, f"net={LEASED_NETWORK},dhcpstart={LEASED},"
            forward = f"hostfwd=tcp:127.0.0.1:{port}-{address}:{PORT}"
            nic = ["-nic", f"user,model=lan9118,{network}{forward}"]
            board = stack.enter_context(Board(elf, nic))
            tcp_check([], "127.0.0.1", port, 100)
        peak = board.stack_peak(symbols(nm, elf))
    print(f"{os.path.basename(elf)} ({mode}): stack peak {peak} bytes")
    if peak > limit:
        sys.exit(f"the stack's limit is {limit} bytes")


main()
