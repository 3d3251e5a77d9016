#!/usr/bin/env python3
"""A bad cable between the kernel and netloom, in one network namespace: frames between the interface
NEAR (a TAP device made here, which the kernel gets its addresses on) and FAR (the kernel's end of
netloom's TAP device, without addresses) are lost, displaced, duplicated and damaged.

    impair.py NEAR FAR SEED

5 % of the frames are lost, 5 % displaced by 1 to 10 places, 1 % duplicated, and one random bit is
flipped in 0.1 %. Prints `ready`, and runs until it is ended.
"""
import fcntl
import os
import random
import select
import socket
import struct
import sys
import time

near, far, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
dice = random.Random(seed)
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", near.encode(), IFF_TAP | IFF_NO_PI))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((far, 0))
wire.setblocking(False)
# Promiscuous: what netloom sends to the kernel's other interface is not for FAR's own address.
index = socket.if_nametoindex(far)
wire.setsockopt(263, 1, struct.pack("iHH8s", index, 1, 0, b""))


class Path:
    """One direction."""

    def __init__(self, send):
        self.send = send
        self.held = []  # [frames still to pass, latest time, frame]

    def pass_on(self, frame):
        self.send(frame)
        for entry in self.held:
            entry[0] -= 1
        self.release(0)

    def release(self, now):
        due = [e for e in self.held if e[0] <= 0 or (now and e[1] <= now)]
        self.held = [e for e in self.held if e not in due]
        for entry in due:
            self.send(entry[2])

    def frame(self, frame, now):
        if dice.random() < 0.05:
            return
        if dice.random() < 0.001:
            bit = dice.randrange(len(frame) * 8)
            frame = bytearray(frame)
            frame[bit // 8] ^= 1 << bit % 8
            frame = bytes(frame)
        if dice.random() < 0.05:
            self.held.append([dice.randint(1, 10), now + 0.05, frame])
            return
        self.pass_on(frame)
        if dice.random() < 0.01:
            self.pass_on(frame)


def to_kernel(frame):
    try:
        os.write(tap, frame)
    except OSError:
        pass


def to_netloom(frame):
    try:
        wire.send(frame)
    except OSError:
        pass


inward, outward = Path(to_netloom), Path(to_kernel)
print("ready", flush=True)
while True:
    waiting = inward.held or outward.held
    ready, _, _ = select.select([tap, wire], [], [], 0.01 if waiting else None)
    now = time.monotonic()
    for source in ready:
        for _ in range(64):
            try:
                if source is tap:
                    inward.frame(os.read(tap, 65536), now)
                else:
                    frame, address = wire.recvfrom(65536)
                    if address[2] != 4:  # PACKET_OUTGOING: our own
                        outward.frame(frame, now)
            except BlockingIOError:
                break
    inward.release(now)
    outward.release(now)
