"""Boots `frame-echo` and checks driver and board: every frame length, the address filter,
oversized frames, full FIFOs, a cable pulled and put back, sleep and wake-up.

usage: frame_echo.py ELF NM STACK_LIMIT
"""

import sys
import time

from board import Board, Wire, symbols

PEER = bytes.fromhex("020000000001")
BROADCAST = b"\xff" * 6
DATA, MARKER = b"\x88\xb5", b"\x88\xb6"  # EtherTypes for experiments


def frame(destination, length, seed, kind=DATA):
    body = bytes((seed + 7 * i) & 0xff for i in range(length - 14))
    return destination + PEER + kind + body


def turned(sent, own):
    return PEER + own + sent[12:]


def expect(wire, sent, what):
    got = wire.receive()
    if got != turned(sent, wire.address):
        raise AssertionError(f"{what}: sent {len(sent)} bytes, got "
                             f"{'nothing' if got is None else (len(got), got[:20].hex())}")


def settle(wire, what):
    """Waits until all that was sent is echoed or lost, and returns the echoes. Frames stay in
    order, so the echo of a marker is the last; a marker may be lost itself, and is repeated."""
    echoes = []
    for attempt in range(100):
        marker = frame(wire.address, 61 + attempt, 0, MARKER)
        wire.send(marker)
        while (got := wire.receive(0.2)) is not None:
            if got == turned(marker, wire.address):
                return echoes
            if got[12:14] != MARKER:
                echoes.append(got)
    raise TimeoutError(f"{what}: no marker comes back")


def silence(wire, what):
    """Nothing came back for what was sent."""
    if echoes := settle(wire, what):
        raise AssertionError(f"{what}: {len(echoes)} frames came back")


def check(board, wire):
    settle(wire, "boot")  # until the chip is started it receives nothing
    for length in range(60, 1521):  # 1520 bytes and the FCS fill the memory
        sent = frame(wire.address, length, length)
        wire.send(sent)
        expect(wire, sent, "every length")

    wire.send(frame(bytes.fromhex("525400ffffff"), 100, 2))
    silence(wire, "a frame to another station")
    wire.send(frame(bytes.fromhex("01005e000001"), 100, 3))
    silence(wire, "a multicast frame nobody asked for")
    sent = frame(BROADCAST, 100, 4)
    wire.send(sent)
    expect(wire, sent, "broadcast")

    for length in (1521, 1522, 1600, 1800, 2000):
        wire.send(frame(wire.address, length, 5))
        silence(wire, f"a frame of {length} bytes, longer than the driver's memory")

    # More than the receive FIFO holds: whatever comes back is whole and in order, and the
    # driver is in step afterwards.
    burst = [frame(wire.address, 60 + 13 * i % 1400, i) for i in range(200)]
    for sent in burst:
        wire.send(sent)
    answers = settle(wire, "a burst")
    wanted = iter(turned(sent, wire.address) for sent in burst)
    if not answers or not all(answer in wanted for answer in answers):
        raise AssertionError("a burst came back damaged or out of order")

    for _ in range(3):
        board.command("set_link", name="n0", up=False)
        board.command("set_link", name="n0", up=True)
        silence(wire, "the cable pulled and put back")

    time.sleep(1.2)  # asleep through more than a thousand ticks
    count, begun = 2000, time.monotonic()
    for i in range(count):
        sent = frame(wire.address, 60, i)
        wire.send(sent)
        expect(wire, sent, "one at a time")
    rate = count / (time.monotonic() - begun)
    return len(answers), rate


def main():
    elf, nm, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with Wire() as wire, Board(elf, wire.nic) as board:
        wire.plug()
        held, rate = check(board, wire)
        peak = board.stack_peak(symbols(nm, elf))
    print(f"frame-echo: boots; lengths 60 to 1520 echoed; {held} of a burst of 200; "
          f"{rate:.0f} echoes/s; stack peak {peak} bytes")
    if peak > limit:
        sys.exit(f"frame-echo: the stack's limit is {limit} bytes")


main()
