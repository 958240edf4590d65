# shellcheck shell=bash
# Hosts on this machine: network namespaces on a bridge, each with a hostname and an address of its
# own. Processes of different hosts reach each other by TCP alone, as on a cluster; the filesystem
# is shared, as a cluster's is. To be sourced; needs root. Sets HOSTS (addresses) and AGENT (what
# mpirun calls in place of ssh).
#
#   start_hosts 3 FOLDER     makes them, or returns 1 with the reason in HOSTS_REASON
#   on_host 1 COMMAND...     runs a command there (hosts count from 1)
#   cut_host 2               takes its network away, as a dead node or switch does
#   kill_host 2              kills all that runs there
#   stop_hosts               removes everything
HOSTS=()
HOSTS_TAG=
HOSTS_REASON=
export HOSTS_REASON

host_name() { echo "$HOSTS_TAG-$1"; }

start_hosts() {
  local count=$1 folder=$2 i name
  HOSTS_REASON="needs root"
  [[ $(id -u) == 0 ]] || return 1
  HOSTS_REASON="needs ip (iproute2), nsenter and unshare (util-linux)"
  command -v ip > /dev/null && command -v nsenter > /dev/null && command -v unshare > /dev/null || return 1
  HOSTS_TAG=straq$$
  HOSTS_REASON="the kernel gives no network namespaces here"
  ip netns add "$(host_name 1)" 2> /dev/null && ip netns del "$(host_name 1)" || return 1
  HOSTS_REASON="the kernel gives no bridge here"
  # The bridge lies in a namespace of its own: nothing of the machine's network is touched.
  ip netns add "$HOSTS_TAG" || return 1
  ip -n "$HOSTS_TAG" link add bridge type bridge 2> /dev/null || return 1
  ip -n "$HOSTS_TAG" link set bridge up
  for ((i = 1; i <= count; i++)); do
    name=$(host_name "$i")
    ip netns add "$name"
    ip -n "$HOSTS_TAG" link add "port$i" type veth peer name eth0 netns "$name"
    ip -n "$HOSTS_TAG" link set "port$i" master bridge up
    ip -n "$name" addr add "10.77.0.$i/24" dev eth0
    ip -n "$name" link set eth0 up
    ip -n "$name" link set lo up
    HOSTS+=("10.77.0.$i")
  done
  AGENT=$folder/agent
  cat > "$AGENT" << AGENT_END
#!/bin/sh
# HOST COMMAND...: as ssh would, for hosts that are namespaces.
host=\$1; shift
exec ip netns exec "$HOSTS_TAG-\${host##*.}" unshare --uts sh -c "hostname host\${host##*.}; \$*"
AGENT_END
  chmod +x "$AGENT"
}

on_host() { # the command's own words stay as they are
  local host=$1
  shift
  # shellcheck disable=SC2016  # for the inner shell
  ip netns exec "$(host_name "$host")" unshare --uts sh -c 'hostname "host$0"; exec "$@"' "$host" "$@"
}

cut_host() { ip -n "$HOSTS_TAG" link set "port$1" down; }
kill_host() { ip netns pids "$(host_name "$1")" | xargs -r kill -9; }

stop_hosts() {
  local i
  [[ -n $HOSTS_TAG ]] || return 0
  for ((i = 1; i <= ${#HOSTS[@]}; i++)); do
    kill_host "$i" 2> /dev/null || true
    ip netns del "$(host_name "$i")" 2> /dev/null || true
  done
  ip netns del "$HOSTS_TAG" 2> /dev/null || true
}
