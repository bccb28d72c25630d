# SPDX-License-Identifier: BSD-2-Clause
"""What must hold of units, users and directories; check_packaging.py compares the files with it.

A setting of a unit that is not here is an offence, too: whoever adds one says here what it must be.
"""
from __future__ import annotations

# unit -> section.setting -> its values, in order
UNITS: dict[str, dict[str, tuple[str, ...]]] = {
    "packaging/weir.service": {
        "Unit.After": ("network.target bird.service frr.service",),  # at a halt routes are withdrawn before the daemons end
        # one of them is enough: not configured yet means that there is nothing to run
        "Unit.ConditionPathExists": ("|/etc/weir/weir.conf", "|/var/lib/weir/effective.conf"),
        "Unit.StartLimitIntervalSec": ("0",),
        "Service.ExecStart": ("/usr/sbin/weir run",),
        "Service.ExecReload": ("/bin/kill -HUP $MAINPID",),
        "Service.ExecStop": ("/usr/sbin/weir run --stop",),
        "Service.TimeoutStopSec": ("75s",),
        "Service.Type": ("notify",),
        "Service.NotifyAccess": ("main",),
        "Service.WatchdogSec": ("30s",),
        "Service.KillMode": ("process",),  # the supervisor's death ends no other process
        # the OOM killer ends one process, and the others go on: systemd's default stops the unit, systemd-oomd all of it
        "Service.OOMPolicy": ("continue",),
        "Service.ManagedOOMPreference": ("omit",),
        "Service.Restart": ("always",),
        "Service.RestartSec": ("100ms",),
        "Service.LimitMEMLOCK": ("infinity",),
        "Service.LimitNOFILE": ("262144",),
        "Service.ProtectHome": ("yes",),
        "Service.PrivateTmp": ("yes",),
        # CAP_KILL: the supervisor ends processes of other users; CAP_SYS_PTRACE: it takes DNS sockets over
        "Service.CapabilityBoundingSet": ("CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_CHOWN CAP_KILL CAP_SYS_PTRACE CAP_NET_BIND_SERVICE "
                                          "CAP_NET_ADMIN CAP_NET_RAW CAP_BPF CAP_PERFMON",),
        "Service.NoNewPrivileges": ("yes",),
        "Service.RestrictSUIDSGID": ("yes",),
        "Service.UMask": ("0027",),
        "Service.ProtectSystem": ("full",),
        "Service.SystemCallArchitectures": ("native",),
        "Service.SystemCallFilter": ("@system-service", "bpf perf_event_open", "adjtimex clock_adjtime", "seccomp", "pidfd_getfd ptrace"),
        "Service.SystemCallErrorNumber": ("EPERM",),  # a refused call must not end what forwards
        "Service.RestrictAddressFamilies": ("AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_XDP",),
        "Service.RestrictNamespaces": ("yes",),
        "Service.RestrictRealtime": ("yes",),
        "Service.LockPersonality": ("yes",),
        "Service.MemoryDenyWriteExecute": ("yes",),
        "Service.ProtectKernelModules": ("yes",),
        "Service.ProtectKernelLogs": ("yes",),
        "Service.ProtectControlGroups": ("yes",),
        "Service.ProtectHostname": ("yes",),
        "Service.PrivateMounts": ("yes",),
        "Service.ProtectProc": ("invisible",),
        "Service.DevicePolicy": ("closed",),
        "Service.DeviceAllow": ("/dev/vfio/vfio rw", "char-vfio rw", "char-uio rw", "char-infiniband_verbs rw", "/dev/net/tun rw"),
        "Service.KeyringMode": ("private",),
        "Install.WantedBy": ("multi-user.target",),
    },
    "packaging/weir-store.service": {
        "Unit.ConditionPathExists": ("/etc/weir/store.conf",),
        "Service.Type": ("oneshot",),
        "Service.ExecStart": ("-/usr/sbin/weir store check", "/usr/sbin/weir store backup"),  # a warning keeps nobody from a backup
        "Service.UMask": ("0077",),
        "Service.NoNewPrivileges": ("yes",),
        "Service.PrivateTmp": ("yes",),
        "Service.ProtectHome": ("yes",),
        "Service.ProtectSystem": ("strict",),
        "Service.ReadWritePaths": ("/var/lib/weir -/var/backups",),
    },
    "packaging/weir-store.timer": {
        "Timer.OnCalendar": ("daily",),
        "Timer.RandomizedDelaySec": ("1h",),
        "Timer.Persistent": ("true",),
        "Install.WantedBy": ("timers.target",),
    },
    "packaging/weir-agent@.service": {
        "Unit.Wants": ("network-pre.target sys-subsystem-net-devices-%i.device",),
        "Unit.After": ("sys-subsystem-net-devices-%i.device",),
        "Unit.Before": ("network-online.target",),
        "Unit.ConditionPathExists": ("/etc/weir-agent/%I.conf",),
        "Service.Type": ("oneshot",),
        "Service.RemainAfterExit": ("yes",),  # a stop detaches
        "Service.EnvironmentFile": ("/etc/weir-agent/%I.conf",),
        "Service.ExecStart": ("/usr/sbin/weir-agent attach %I $OPTIONS",),
        "Service.ExecReload": ("/usr/sbin/weir-agent attach %I $OPTIONS",),
        "Service.ExecStop": ("/usr/sbin/weir-agent detach %I",),
        "Service.CapabilityBoundingSet": ("CAP_NET_ADMIN CAP_BPF CAP_PERFMON CAP_SYS_ADMIN CAP_DAC_OVERRIDE",),
        "Service.NoNewPrivileges": ("yes",),
        "Service.ProtectHome": ("yes",),
        "Service.ProtectSystem": ("full",),
        "Install.WantedBy": ("multi-user.target",),
    },
    "packaging/weir-register@.service": {
        "Unit.Wants": ("network-online.target",),
        "Unit.After": ("network-online.target",),
        "Unit.ConditionPathExists": ("/etc/weir-register/%I.conf",),
        "Service.Type": ("notify",),
        "Service.EnvironmentFile": ("/etc/weir-register/%I.conf",),
        "Service.ExecStart": ("/usr/sbin/weir-register %I $OPTIONS",),
        "Service.Restart": ("always",),
        "Service.RestartSec": ("5s",),
        "Service.TimeoutStartSec": ("infinity",),  # it waits for an API that is not there yet
        "Service.TimeoutStopSec": ("21min",),  # longer than the default of --wait
        "Service.SuccessExitStatus": ("5",),
        "Service.CapabilityBoundingSet": ("",),
        "Service.NoNewPrivileges": ("yes",),
        "Service.PrivateTmp": ("yes",),
        "Service.ProtectHome": ("yes",),
        "Service.ProtectSystem": ("strict",),
        "Install.WantedBy": ("multi-user.target",),
    },
    "packaging/frr/weir-vrf.service": {
        "Unit.DefaultDependencies": ("no",),
        "Unit.After": ("systemd-modules-load.service",),
        "Unit.Before": ("network-pre.target frr.service",),  # FRR must find the VRFs
        "Unit.Wants": ("network-pre.target",),
        "Service.Type": ("oneshot",),
        "Service.RemainAfterExit": ("yes",),
        "Service.ExecStart": ("/bin/sh -ec 'for v in weir:177 weir-gshut:178; do ip link show $${v%%:*} >/dev/null 2>&1 || "
                              "ip link add $${v%%:*} type vrf table $${v##*:}; ip link set $${v%%:*} up; done'",),
        "Install.WantedBy": ("multi-user.target frr.service",),
    },
}

# Lines that are words alone, without comments; quoted descriptions of users are left out.
LINES: dict[str, tuple[str, ...]] = {
    "packaging/weir.sysusers": (
        "g weir -",
        *(f"u weir-{p} - /var/lib/weir" for p in ("dataplane", "health", "dns", "mgmt", "announce")),
        *(f"m weir-{p} weir" for p in ("dataplane", "health", "dns", "mgmt", "announce")),
    ),
    "packaging/weir.tmpfiles": (
        "d /run/weir 1775 root weir -",  # sticky: each process replaces only its own files
        "d /var/lib/weir 1775 root weir -",
        "d /etc/weir 0750 root weir -",
        "d /var/lib/weir/store 0700 weir-mgmt weir -",
        "d /var/lib/weir/blobs 0700 weir-mgmt weir -",
        "d /var/lib/weir/audit 0700 weir-mgmt weir -",
        "d /var/lib/weir/config 0750 weir-mgmt weir -",
        "z /sys/fs/bpf 0710 root weir -",
        "d /sys/fs/bpf/weir 0700 weir-dataplane weir -",
        "z /etc/weir/hash*.key 0440 weir-dataplane weir-mgmt -",
        "z /etc/weir/tls.key 0400 weir-mgmt weir -",
        "z /etc/weir/peer.token 0400 weir-mgmt weir -",
        "z /etc/weir/tokens 0400 weir-mgmt weir -",
        "z /etc/weir/store.key 0400 weir-mgmt weir -",
        "z /etc/weir/store.password 0400 weir-mgmt weir -",
        "z /etc/weir/store.join 0600 root root -",
    ),
    "packaging/weir.sysctl": ("net.ipv6.conf.all.ndisc_notify = 1", "net.ipv4.conf.all.arp_notify = 1"),
    "packaging/debian/rules": (
        "export DEB_BUILD_MAINT_OPTIONS = hardening=+all",
        "%:",
        "dh $@ --buildsystem=meson --with installsysusers",
        "override_dh_auto_configure:",
        "dh_auto_configure -- -Dwerror=false -Dtests=false -Ddpdk=enabled -Dunit_dir=/lib/systemd/system",
        "override_dh_auto_test:",
        "override_dh_compress:",
        "dh_compress -X.md",
        "override_dh_installsystemd:",
        # an upgrade stops nothing: a DPDK process goes on forwarding
        "dh_installsystemd --package=weir --no-stop-on-upgrade weir.service",
        "dh_installsystemd --package=weir weir-store.timer",
    ),
}

# Of routing daemons' configurations, what Weir rests on; a site adds its sessions.
BLOCKS: dict[str, tuple[str, ...]] = {
    "packaging/bird/bird.conf": (
        "template kernel weir_kernel { learn; persist; scan time 10; netlink rx buffer 8388608; }",
        *(f"filter weir_own{v} {{ if krt_source != 177 || net.len != {bits} then reject; accept; }}" for v, bits in ((4, 32), (6, 128))),
        *(f"protocol kernel weir_{gshut}kernel{v} from weir_kernel {{ kernel table {table}; "
          f"ipv{v} {{ table weir{at}{v}; import filter weir_own{v}; export none; }}; }}"
          for gshut, at, table in (("", "", 177), ("gshut_", "_gshut", 178)) for v in (4, 6)),
        "filter weir_normal { preference = 250; bgp_origin = ORIGIN_IGP; bgp_med = 0; accept; }",
        "filter weir_graceful_shutdown { preference = 240; bgp_origin = ORIGIN_IGP; bgp_med = 0; bgp_community.add((65535, 0)); accept; }",
        *(f"protocol pipe weir_{gshut}pipe{v} {{ table master{v}; peer table weir{at}{v}; import filter weir_{how}; export none; }}"
          for gshut, at, how in (("", "", "normal"), ("gshut_", "_gshut", "graceful_shutdown")) for v in (4, 6)),
    ),
    "packaging/frr/frr.conf": (
        "route-map WEIR-IMPORT permit 10 match source-vrf weir set metric 0 set origin igp set weight 32768 exit",
        "route-map WEIR-IMPORT permit 20 match source-vrf weir-gshut set community graceful-shutdown set metric 0 set origin igp set weight 16384 exit",
        "route-map WEIR-NOT-HERE deny 10 match source-vrf weir exit",
        "route-map WEIR-NOT-HERE deny 20 match source-vrf weir-gshut exit",
        *(f"route-map WEIR-{name} permit {n} match {v} address prefix-list WEIR-{what} exit"
          for name, what in (("OWN", "HOSTS"), ("TO-ROUTERS", "HOSTS"), ("FROM-ROUTERS", "DEFAULT")) for n, v in ((10, "ip"), (20, "ipv6"))),
        "bgp graceful-restart-disable",
    ),
}
