#!/usr/bin/env python3
"""Records kernel.pcap: real traffic between two Linux network namespaces, and a few frames no
plain host sends (tags, redirects, rare options). Then what `tcpdump -n -t -S` says of it:
kernel.txt, and with the link layer (-e) kernel-link.txt, some lines with their numbers.

Needs root, iproute2, nftables, iputils-ping and tcpdump; touches only namespaces of its own.
Run it to renew the fixtures: `python3 record.py`."""

import array, ctypes, fcntl, os, signal, socket, struct, subprocess, sys, threading, time

A, B = "wire-rec-a", "wire-rec-b"
HERE = os.path.dirname(os.path.abspath(__file__))


def sh(text, check=True):
    return subprocess.run(text, shell=True, check=check, capture_output=True, text=True)


def inside(ns):
    """Moves this thread into a namespace."""
    fd = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)


def no_offloads(name):
    """Checksums made by the kernel, frames of wire size."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for command in (0x17, 0x1F, 0x24, 0x2C):  # tx checksum, TSO, GSO, GRO
        value = array.array("B", struct.pack("II", command, 0))
        request = struct.pack("16sP", name.encode(), value.buffer_info()[0])
        try:
            fcntl.ioctl(s, 0x8946, request)
        except OSError:
            pass


def setup():
    teardown()
    for ns in (A, B):
        sh(f"ip netns add {ns}")
        sh(f"ip netns exec {ns} sysctl -qw net.ipv4.tcp_ecn=1 net.ipv4.tcp_fastopen=3"
           " net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=0"
           " net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0", check=False)
    sh(f"ip -n {A} link add v0 address 02:00:00:00:00:01 type veth"
       f" peer name v0 netns {B} address 02:00:00:00:00:02")
    sh(f"ip -n {B} link add v1 type veth peer name v2")
    for ns, host in ((A, 1), (B, 2)):
        sh(f"ip -n {ns} addr add 10.0.0.{host}/24 dev v0")
        sh(f"ip -n {ns} link set lo up")
        sh(f"ip netns exec {ns} python3 {__file__} offloads")
    sh(f"ip -n {B} link set v1 mtu 1280 up && ip -n {B} link set v2 up")
    sh(f"ip -n {B} addr add 10.1.0.1/24 dev v1")
    sh(f"ip -n {B} route add unreachable 192.0.2.0/24")


def teardown():
    for ns in (A, B):
        sh(f"ip netns del {ns}", check=False)


def listener(family, port, take):
    """A server in B: takes bytes, answers, closes."""
    ready = threading.Event()

    def run():
        inside(B)
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_TCP, 23, 5)  # TCP_FASTOPEN
        s.bind(("", port))
        s.listen()
        ready.set()
        for _ in range(take):
            c, _ = s.accept()
            got = 0
            while True:
                data = c.recv(65536)
                if not data:
                    break
                got += len(data)
            c.sendall(b"%d bytes, thank you\n" % got)
            c.close()
        s.close()

    t = threading.Thread(target=run, daemon=True)
    t.start()
    ready.wait()
    return t


def talk(family, address, port, data, fastopen=False, mss=None):
    s = socket.socket(family, socket.SOCK_STREAM)
    if mss:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    if fastopen:
        s.sendto(data, socket.MSG_FASTOPEN, (address, port))
    else:
        s.connect((address, port))
        s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    while s.recv(4096):
        pass
    s.close()


def traffic():
    inside(A)
    time.sleep(2.5)  # duplicate address detection, MLD, router solicitation
    sh("ping -c 2 -i 0.2 -s 20 10.0.0.2")
    sh("ping -c 1 -p 00ff -s 1500 10.0.0.2")
    sh("ping -c 2 -i 0.2 -s 20 fd00::2")
    sh("ping -c 1 -s 1500 fd00::2")
    sh("ping -c 1 -t 1 -W 1 10.1.0.9", check=False)  # time exceeded
    sh("ping -c 1 -W 1 192.0.2.1", check=False)  # host unreachable
    sh("ping -c 1 -W 1 -M do -s 1400 10.1.0.9", check=False)  # fragmentation needed
    # TCP, plain and with losses, so that SACK blocks come back.
    t = listener(socket.AF_INET, 40001, 4)
    talk(socket.AF_INET, "10.0.0.2", 40001, b"hello, world")
    sh(f"ip netns exec {B} nft 'add table ip lossy;"
       " add chain ip lossy in { type filter hook input priority 0; };"
       " add rule ip lossy in ip length > 500 numgen inc mod 3 1 drop'")
    talk(socket.AF_INET, "10.0.0.2", 40001, bytes(range(256)) * 16, mss=536)
    sh(f"ip netns exec {B} nft delete table ip lossy")
    talk(socket.AF_INET, "10.0.0.2", 40001, b"cookie, please", fastopen=True)
    talk(socket.AF_INET, "10.0.0.2", 40001, b"data on the SYN", fastopen=True)
    t.join()
    t = listener(socket.AF_INET6, 40002, 1)
    talk(socket.AF_INET6, "fd00::2", 40002, b"hello over IPv6")
    t.join()
    for family, address in ((socket.AF_INET, "10.0.0.2"), (socket.AF_INET6, "fd00::2")):
        try:
            socket.socket(family, socket.SOCK_STREAM).connect((address, 40009))
        except ConnectionRefusedError:
            pass
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.sendto(b"nobody there", (address, 40009))
        s.sendto(b"", (address, 40010))
        time.sleep(0.1)
    # Urgent data, and an abortive close.
    t = listener(socket.AF_INET, 40003, 1)
    s = socket.create_connection(("10.0.0.2", 40003))
    s.send(b"!", socket.MSG_OOB)
    s.shutdown(socket.SHUT_WR)
    t.join()
    s.close()
    by_hand()
    time.sleep(0.3)


def by_hand():
    """What needs a switch, a router or an odd peer: sent through packet and raw sockets."""
    mac_a, mac_b = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
    p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    p.bind(("v0", 0))

    def checksum(data):
        data += b"\0" * (len(data) % 2)
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        return ~total & 0xFFFF

    def ipv4(protocol, payload, ttl=64, options=b""):
        ihl = 5 + len(options) // 4
        h = struct.pack("!BBHHHBBH", 0x40 + ihl, 0, ihl * 4 + len(payload), 7, 0x4000, ttl,
                        protocol, 0) + socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2")
        h += options
        return h[:10] + struct.pack("!H", checksum(h)) + h[12:] + payload

    def transport(protocol, at, message):
        pseudo = socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2")
        pseudo += struct.pack("!HH", protocol, len(message))
        c = checksum(pseudo + message)
        return message[:at] + struct.pack("!H", c) + message[at + 2:]

    def udp(data):
        return transport(17, 6, struct.pack("!HHHH", 5001, 5002, 8 + len(data), 0) + data)

    def tcp(flags, options, data=b"", urgent=0):
        offset = 5 + len(options) // 4
        return transport(6, 16, struct.pack("!HHIIHHHH", 5003, 5004, 1000, 2000,
                                            offset << 12 | flags, 512, 0, urgent) + options + data)

    tag = lambda vid, pcp: struct.pack("!HH", 0x8100, pcp << 13 | vid)
    plain = mac_b + mac_a + struct.pack("!H", 0x0800)
    p.send(mac_b + mac_a + tag(5, 3) + struct.pack("!H", 0x0800) + ipv4(17, udp(b"tagged")))
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac_a + socket.inet_aton("10.0.0.1")
    arp += bytes(6) + socket.inet_aton("10.0.0.77")
    p.send(b"\xff" * 6 + mac_a + tag(6, 0) + struct.pack("!H", 0x0806) + arp)
    p.send(mac_b + mac_a + struct.pack("!HH", 0x88A8, 9) + tag(7, 0)
           + struct.pack("!H", 0x0800) + ipv4(17, udp(b"twice tagged")))
    # A probe, an announcement, a short frame's padding.
    probe = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac_a + bytes(4) + bytes(6)
    p.send(b"\xff" * 6 + mac_a + struct.pack("!H", 0x0806) + probe
           + socket.inet_aton("10.0.0.1") + bytes(18))
    p.send(plain + ipv4(17, udp(b"padded")) + bytes(12))
    # IPv4 with a router alert; TCP options: user timeout, one nobody knows, end of list.
    p.send(plain + ipv4(17, udp(b"alert"), options=bytes([148, 4, 0, 0])))
    p.send(plain + ipv4(6, tcp(0x018, bytes([28, 4, 0x80, 5]), b"user timeout")))
    p.send(plain + ipv4(6, tcp(0x0C2, bytes([2, 4, 5, 0xB4, 1, 3, 3, 14]))))
    p.send(plain + ipv4(6, tcp(0x010, bytes([253, 8, 1, 2, 3, 4, 5, 6]))))
    p.send(plain + ipv4(6, tcp(0x010, bytes([1, 0, 0, 0]))))
    p.send(plain + ipv4(6, tcp(0x010, bytes([2, 0, 1, 1]))))
    p.send(plain + ipv4(6, tcp(0x000, b"")))
    # ICMP: redirect, parameter problem, source quench, protocol unreachable.
    quoted = ipv4(17, udp(b"quoted"))
    for head in (struct.pack("!BBHI", 5, 1, 0, 0x0A0000FE), struct.pack("!BBHI", 12, 0, 0, 20 << 24),
                 struct.pack("!BBHI", 4, 0, 0, 0), struct.pack("!BBHI", 3, 2, 0, 0),
                 struct.pack("!BBHI", 3, 1, 0, 0), struct.pack("!BBHI", 3, 13, 0, 0),
                 struct.pack("!BBHI", 11, 1, 0, 0)):
        message = head + quoted
        p.send(plain + ipv4(1, message[:2] + struct.pack("!H", checksum(message)) + message[4:]))
    # From a raw ICMPv6 socket (the kernel makes headers and checksum): advertisement, redirect,
    # packet too big, time exceeded, parameter problems.
    r = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
    r.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
    r.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    scope = socket.if_nametoindex("v0")
    v6 = lambda text: socket.inet_pton(socket.AF_INET6, text)
    ra = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0xC8, 1800, 30000, 1000)
    ra += bytes([1, 1]) + mac_a + struct.pack("!BBHI", 5, 1, 0, 1500)
    ra += struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 14400, 0) + v6("2001:db8:1::")
    ra += struct.pack("!BBHI", 25, 5, 0, 1200) + v6("2001:db8::53") + v6("fe80::53")
    ra += struct.pack("!BBHI", 31, 3, 0, 1200) + b"\7example\3net\0" + bytes(3)
    ra += struct.pack("!BB", 200, 1) + bytes(6)
    link = lambda text: (text, 0, 0, scope)
    r.sendto(ra, link("ff02::1"))
    original = struct.pack("!IHBB", 6 << 28, 20, 17, 64) + v6("fd00::2") + v6("2001:db8:9::9")
    original += struct.pack("!HHHH", 5001, 5002, 20, 0x1234) + b"quoted in v6"
    redirect = struct.pack("!BBHI", 137, 0, 0, 0) + v6("fe80::aa") + v6("2001:db8:9::9")
    redirect += bytes([2, 1]) + mac_a
    redirect += struct.pack("!BBHI", 4, (8 + len(original) + 7) // 8, 0, 0) + original
    redirect += bytes(-len(redirect) % 8)
    r.sendto(redirect, link("fe80::ff:fe00:2"))
    for head in (struct.pack("!BBHI", 2, 0, 0, 1280), struct.pack("!BBHI", 3, 0, 0, 0),
                 struct.pack("!BBHI", 3, 1, 0, 0), struct.pack("!BBHI", 4, 1, 0, 6),
                 struct.pack("!BBHI", 4, 0, 0, 4), struct.pack("!BBHI", 4, 2, 0, 42),
                 struct.pack("!BBHI", 1, 0, 0, 0), struct.pack("!BBHI", 1, 1, 0, 0),
                 struct.pack("!BBHI", 1, 3, 0, 0)):
        r.sendto(head + original, ("fd00::2", 0, 0, 0))
    na = struct.pack("!BBHI", 136, 0, 0, 0xE0000000) + v6("fd00::1") + bytes([2, 1]) + mac_a
    r.sendto(na, ("fd00::2", 0, 0, 0))
    r.sendto(struct.pack("!BBHI", 133, 0, 0, 0) + bytes([1, 1]) + mac_a, link("ff02::2"))
    # Destination options (PadN) before UDP, by the kernel.
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, 59, bytes([0, 0, 1, 4, 0, 0, 0, 0]))  # IPV6_DSTOPTS
    s.sendto(b"after options", ("fd00::2", 40010))
    s.setsockopt(socket.IPPROTO_IPV6, 67, 0x20)  # IPV6_TCLASS
    s.sendto(b"with a class", ("fd00::2", 40010))


def main():
    if sys.argv[1:] == ["offloads"]:
        return no_offloads("v0")
    pcap = f"{HERE}/kernel.pcap"
    setup()
    dump = subprocess.Popen(
        ["ip", "netns", "exec", B, "tcpdump", "-Z", "root", "-U", "-s", "0", "-i", "v0", "-w", pcap],
        stderr=subprocess.PIPE, text=True)
    try:
        for ns, host in ((A, 1), (B, 2)):
            sh(f"ip -n {ns} link set v0 up")
        dump.stderr.readline()
        sh(f"ip -n {A} link set v0 down; ip -n {A} link set v0 up")
        sh(f"ip -n {A} route replace 10.1.0.0/24 via 10.0.0.2")
        sh(f"ip -n {A} route replace 192.0.2.0/24 via 10.0.0.2")
        for ns, host in ((A, 1), (B, 2)):
            sh(f"ip -n {ns} addr add fd00::{host}/64 dev v0")
        traffic()
    finally:
        time.sleep(0.5)
        dump.send_signal(signal.SIGINT)
        dump.wait()
        teardown()
    dump = ["tcpdump", "-n", "-t", "-S", "-r", pcap]
    lines = subprocess.run(dump, capture_output=True, text=True).stdout
    with open(f"{HERE}/kernel.txt", "w") as f:
        f.write(lines)
    # With the link layer, what it adds is the same for most: some of each kind are enough.
    lines = subprocess.run([*dump, "-e"], capture_output=True, text=True).stdout.splitlines()
    with open(f"{HERE}/kernel-link.txt", "w") as f:
        for number, line in enumerate(lines, 1):
            if number % 12 == 0 or "vlan" in line or "ARP" in line:
                f.write(f"{number}\t{line}\n")


if __name__ == "__main__":
    main()
