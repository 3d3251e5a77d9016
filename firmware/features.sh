#!/bin/bash
# What each part of the stack that can be left out costs on a Cortex-M3: prints a table of the text of
# `tcp-echo` without it (the image as it is), with it alone, and with all of them, in bytes. A feature
# that brings others is weighed beside them.
set -euo pipefail
cd "$(dirname "$0")"
. ./toolchain.sh

features=(
    "out-of-order|keeping what arrives out of order"
    "fast-retransmit|fast retransmit and fast recovery, a record of each segment in flight"
    "sack|selective acknowledgments, and the two above"
    "rack|RACK-TLP, proportional rate reduction, F-RTO, and SACK"
    "cubic|CUBIC and HyStart++"
    "timestamps|timestamps, PAWS"
    "window-scale|window scaling"
    "keepalive|keep-alives"
    "user-timeout|a user timeout of a connection's own"
    "linger|closing within a time"
    "delayed-ack|delayed acknowledgments"
    "slow-start-after-idle|the restart window"
    "half-closed-timeout|an end to half-closed connections"
    "active-open|connections opened from this side"
    "syn-cookies|SYN cookies"
    "nud|neighbours watched while they are used"
    "routes|metrics of routes, rules for the source address"
    "reuseport|listeners that share a port"
    "vlan|frames with VLAN tags"
    "icmp-errors|ICMP errors, path MTU discovery"
    "offload|checksums and segments left to devices that do them"
    "hold|packets that wait to be sent: what UDP, IPv6 and ICMP errors bring with them"
    "tunables|tunables that are set, by their names too"
    "events|events: what happened to which socket"
    "counters|counters"
)

# The text and the static memory of the image with these features of netloom-stack.
weigh() {
    local with=() feature text data bss
    for feature in "$@"; do with+=(--features "netloom-stack/$feature"); done
    small tcp-echo "${with[@]}"
    read -r text data bss _ <<<"$("$size" "$(small_elf tcp-echo)" | tail -n 1)"
    echo "$text $((data + bss))"
}

# More than the 12 KiB that the image itself is held to: some of what is weighed needs it.
export NETLOOM_RAM_KIB=64
choose_toolchain >&2
read -r base_text base_ram <<<"$(weigh)"
printf '%s\n' '| feature | text with it | more | memory, more | what |' '|---|---|---|---|---|'
printf '| none | %d | | | |\n' "$base_text"
all=()
for entry in "${features[@]}"; do
    IFS='|' read -r feature what <<<"$entry"
    all+=("$feature")
    read -r text ram <<<"$(weigh "$feature")"
    printf '| %s | %d | %d | %d | %s |\n' \
        "$feature" "$text" $((text - base_text)) $((ram - base_ram)) "$what"
done
read -r text ram <<<"$(weigh "${all[@]}")"
printf '| all of these | %d | %d | %d | |\n' "$text" $((text - base_text)) $((ram - base_ram))
