#!/bin/bash
# What each service costs on a Cortex-M3, without a heap: prints a table, in bytes, and fails if one
# is above its ceiling, a little above what it weighs today. `services/src` is what is measured.
set -euo pipefail
cd "$(dirname "$0")"
. ./toolchain.sh

# The ceiling for code, and what is measured.
services=(
    "dhcp-client|18100|\`dhcp::Client\`"
    "dhcp-server|15400|\`dhcp::Server\`, a \`MemoryStore<32>\`, 4 clients that ask at once"
    "dns|18560|\`dns::Resolver<1, 64, 256, 512>\`"
    "ntp-client|9300|\`ntp::Client\`"
    "ntp-server|4960|\`ntp::Server<8>\`"
    "http-server|23800|\`http::Server<1>\` with a router; 2304 bytes of buffers"
    "http-client|16800|\`http::Client\` with redirections; 1792 bytes of buffers"
)

# Builds the program with these features: its text, bytes of its services' statics, of the stack's.
weigh() {
    local text own=0 net=0 bytes place symbol
    small services --features "$1"
    read -r text _ <<<"$("$size" "$(small_elf services)" | tail -n 1)"
    while read -r _ bytes place symbol; do
        case $place$symbol in
            [bBdD]services::NET) net=$((16#$bytes)) ;;
            [bBdD]services::*::*) own=$((own + 16#$bytes)) ;;
        esac
    done < <(symbols "$(small_elf services)")
    echo "$text $own $net"
}

choose_toolchain >&2
read -r base_text _ base_net <<<"$(weigh '')"
failed=0
printf '%s\n' '| service | code | its memory | its sockets | what |' '|---|---|---|---|---|'
all=
for service in "${services[@]}"; do
    IFS='|' read -r feature ceiling what <<<"$service"
    all+=$feature,
    read -r text own net <<<"$(weigh "$feature")"
    code=$((text - base_text))
    printf '| %s | %d | %d | %d | %s |\n' "$feature" "$code" "$own" $((net - base_net)) "$what"
    if ((code > ceiling)); then
        echo "FAIL: $feature: code $code > $ceiling" >&2
        failed=1
    fi
done
read -r text own net <<<"$(weigh "$all")"
printf '| all of them | %d | %d | %d | |\n' $((text - base_text)) "$own" $((net - base_net))
printf '\nBeside the program without services: text %d, storage %d.\n' "$base_text" "$base_net"
exit "$failed"
