"""Checks a TCP echo server: sizes around every segment and window boundary, half-close,
connections side by side, and many quick reconnects, none of which may be refused.

usage: tcp_echo.py HOST PORT RECONNECTS
"""

import socket
import sys
import threading
import time

SIZES = (1, 2, 3, 535, 536, 537, 1023, 1024, 1025, 1459, 1460, 1461, 2920, 4096, 65536, 200_001)
SECONDS = 30


def pattern(size, seed):
    return bytes((seed + i * 31 + (i >> 8)) & 0xff for i in range(size))


def connect(address):
    link = socket.create_connection(address, timeout=SECONDS)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def receive_exactly(link, count):
    data = bytearray()
    while len(data) < count:
        more = link.recv(count - len(data))
        if not more:
            raise ConnectionError(f"closed after {len(data)} of {count} bytes")
        data += more
    return bytes(data)


def exchange(link, data):
    """Sends and receives at once: an echo server with a small window stops reading when it
    cannot write."""
    sender = threading.Thread(target=link.sendall, args=(data,), daemon=True)
    sender.start()
    if receive_exactly(link, len(data)) != data:
        raise AssertionError(f"{len(data)} bytes came back changed")
    sender.join(SECONDS)


def wait_until_up(address):
    end = time.monotonic() + SECONDS
    while True:
        try:
            with connect(address) as link:
                exchange(link, b"up?")
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def sizes(address):
    with connect(address) as link:
        for size in SIZES:
            exchange(link, pattern(size, size))


def half_close(address):
    data = pattern(3000, 7)
    with connect(address) as link:
        sender = threading.Thread(
            target=lambda: (link.sendall(data), link.shutdown(socket.SHUT_WR)), daemon=True)
        sender.start()
        got = bytearray()
        while more := link.recv(4096):
            got += more
        sender.join(SECONDS)
    if bytes(got) != data:
        raise AssertionError(f"half-close: {len(got)} of {len(data)} bytes came back")


def side_by_side(address):
    with connect(address) as one, connect(address) as two:
        for i in range(20):
            exchange(one, pattern(700, i))
            exchange(two, pattern(900, 2 * i))
        # The next finds a place at once: if it had to wait for one, QEMU's own TCP, which loses what it
        # sent when a SYN-ACK comes again, would sometimes wait for ever.
        for link in (one, two):
            link.shutdown(socket.SHUT_WR)
        for link in (one, two):
            if link.recv(1):
                raise AssertionError("more came back than was sent")


def reconnects(address, count):
    failed = []
    begun = time.monotonic()
    for i in range(count):
        try:
            with connect(address) as link:
                exchange(link, pattern(16, i))
        except OSError as error:
            failed.append(f"{i}: {error}")
    if failed:
        raise AssertionError(f"{len(failed)} of {count} reconnects failed: {failed[:5]}")
    return count / (time.monotonic() - begun)


def main():
    address, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
    wait_until_up(address)
    sizes(address)
    half_close(address)
    side_by_side(address)
    rate = reconnects(address, count)
    print(f"tcp-echo at {address[0]}: {len(SIZES)} sizes up to {max(SIZES)} bytes, half-close, "
          f"two at once, {count} reconnects with 0 refusals ({rate:.0f}/s)")


main()
