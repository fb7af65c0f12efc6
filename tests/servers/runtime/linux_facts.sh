#!/bin/sh
# Answers what a live Linux system is asked, with what every Linux has: a shell, /proc and coreutils.

holds() { # the links in /proc/PID/fd that lead to something like $1
    find /proc/[0-9]*/fd -lname "$1" 2>/dev/null
}

process() { # of such a link
    cut -d / -f 3
}

while IFS= read -r question; do
    rest=${question#* }
    status=/proc/$rest/status
    case ${question%% *} in
        listener)
            port=$(printf '%04X' "$rest")
            inode=$(awk -v port=":$port" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' /proc/net/tcp)
            holds "socket:\[$inode\]" | process ;;
        deleted)
            link=$(holds "$rest/* (deleted)")
            echo "$(echo "$link" | process) $(stat -L -c %s "$link")" ;;
        descriptors) find "/proc/$rest/fd" -mindepth 1 | wc -l ;;
        threads) awk '$1 == "Threads:" { print $2 }' "$status" ;;
        children) cat /proc/[0-9]*/status 2>/dev/null | grep -c "^PPid:[[:space:]]$rest\$" ;;
        nice) sed 's/.*) //' "/proc/$rest/stat" | cut -d ' ' -f 17 ;;
        cwd) readlink "/proc/$rest/cwd" ;;
        environment) tr '\0' '\n' <"/proc/${rest% *}/environ" | sed -n "s/^${rest#* }=//p" ;;
        zombie)
            for child in $(cat "/proc/$rest/task/$rest/children"); do
                grep -q '^State:[[:space:]]Z' "/proc/$child/status" && echo "$child"
            done ;;
        mode) stat -c %a "$rest" ;;
        largest) (cd "$rest" && du -s -- * | sort -n | tail -n 1 | cut -f 2) ;;
        lines) wc -l <"$rest" ;;
        ignores)
            mask=$(awk '$1 == "SigIgn:" { print $2 }' "$status") number=1
            mask=$((0x$mask))
            while [ $((mask & 1)) -eq 0 ]; do mask=$((mask >> 1)) number=$((number + 1)); done
            echo $number ;;
        peak-memory) awk '$1 == "VmHWM:" { print $2, $3 }' "$status" ;;
        interface)
            case $rest in
                127.*) echo lo ;;
                *) awk '$2 == "00000000" { print $1; exit }' /proc/net/route ;;
            esac ;;
    esac
done
