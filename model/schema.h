/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schema of Weir's documents: one row a field. From these rows come what the parser accepts,
 * the limits it enforces, the defaults, its error messages, docs/configuration.md, and the way of a
 * value into the model and back (model/setting.h).
 *
 * Constant data; any thread may read it. Implemented in model/schema.c.
 */
#ifndef WEIR_MODEL_SCHEMA_H
#define WEIR_MODEL_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/model.h"

/*
 * X(id, path, type, unit, default, limits, marks, member, help). A row stands after its group's. An
 * empty default is "not given". Limits are "least..most", of the value, of a text's bytes or of a
 * list's length. Marks: R required, S takes effect at the next start only, E in effective documents
 * only, O not written where it is empty; D the nodes of one datacenter may have another value than all
 * others for a while, N so may a single node (weir/canary.h), but not what is marked S: nothing would be
 * tried. The member of the model is IN(struct, member), or ARRAY(struct, member, count) of a list; its
 * struct is that of the nearest list of groups above, else struct model. What is NOWHERE has no value of
 * its own there, or is read and written by rules of its own. Documents are written in the order of the
 * rows.
 */
#define SCHEMA_ROWS(X)                                                                             \
	X(SCHEMA, "schema", "integer", "", "", "1..1", "R", NOWHERE,                               \
	  "Version of the schema in which this document is written.")                              \
	X(CLUSTER, "cluster", "group", "", "", "", "R", NOWHERE,                                   \
	  "Settings that all sites and nodes share.")                                              \
	X(CLUSTER_NAME, "cluster.name", "name", "", "", "", "RS", IN(model, cluster),              \
	  "Name of the cluster; part of the paths of pinned BPF objects.")                         \
	X(CLUSTER_HASH_KEY_FILE, "cluster.hash_key_file", "path", "", "", "", "R",                 \
	  IN(model, hash_key_file),                                                                \
	  "File with the secret key of flow hashing: 32 hexadecimal digits, the same on all "      \
	  "nodes. The file lies next to the configuration; the key is never in the "               \
	  "configuration.")                                                                        \
	X(CLUSTER_HASH_KEY_ID, "cluster.hash_key_id", "name", "", "", "", "R",                     \
	  IN(model, hash_key_id),                                                                  \
	  "Name of the hash key. Nodes exchange this name, never the key.")                        \
	X(CLUSTER_MAX_SITES_OUT, "cluster.max_sites_out", "integer", "sites", "1", "1..63", "",    \
	  IN(model, max_sites_out),                                                                \
	  "How many sites may be out at a time, by drains, holds or failures, the one that an "    \
	  "operation moves included. An operation that would make it more waits for a person.")    \
	X(LIMITS, "limits", "group", "", "", "", "", NOWHERE, "Sizes of the forwarding tables.")   \
	X(LIMITS_SERVICES, "limits.services", "integer", "entries", "4096", "16..65536", "N",      \
	  IN(model, limits.services),                                                              \
	  "Maximum number of service entries: one for each address, port and protocol.")           \
	X(LIMITS_BACKENDS, "limits.backends", "integer", "backends", "16384", "16..32767", "N",    \
	  IN(model, limits.backends), "Maximum number of backends of one site.")                   \
	X(LIMITS_SLOTS, "limits.slots", "integer", "slots", "1048576", "4096..16777216", "N",      \
	  IN(model, limits.slots),                                                                 \
	  "Maximum number of slots of all pools of one site. A pool needs its old and its new "    \
	  "slots while its max_backends or agent changes.")                                        \
	X(LIMITS_EXCEPTIONS, "limits.exceptions", "integer", "flows", "65536", "1024..16777216",   \
	  "N", IN(model, limits.exceptions),                                                       \
	  "Maximum number of flows that are remembered during changes.")                           \
	X(SITES, "sites", "list of groups", "", "", "1..64", "R", ARRAY(model, sites, n_sites),    \
	  "The datacenters.")                                                                      \
	X(SITES_NAME, "sites[].name", "name", "", "", "", "R", IN(model_site, name),               \
	  "Name of the site.")                                                                     \
	X(SITES_WEIGHT, "sites[].weight", "integer", "", "100", "0..10000", "",                    \
	  IN(model_site, weight),                                                                  \
	  "Share of the traffic of DNS names, relative to the other sites.")                       \
	X(SITES_LABELS, "sites[].labels", "group", "", "", "", "O", NOWHERE,                       \
	  "Labels of the site.")                                                                   \
	X(SITES_LABELS_REGION, "sites[].labels.region", "name", "", "", "", "O",                   \
	  IN(model_site, region), "Region, for people and for later policies.")                    \
	X(SITES_CAPACITY, "sites[].capacity", "group", "", "", "", "O", NOWHERE,                   \
	  "Load that the site can carry. A drain begins and goes on only while the other "         \
	  "sites stay below 85 % of it. Load that is not known counts as no room. A site "         \
	  "without a capacity is not checked.")                                                    \
	X(SITES_CAPACITY_FLOWS, "sites[].capacity.new_flows", "rate", "", "", "1/s..1G/s", "O",    \
	  IN(model_site, capacity_flows),                                                          \
	  "New TCP flows per second from clients, over all services.")                             \
	X(SITES_CAPACITY_BITS, "sites[].capacity.bits", "bits", "", "", "1kbit..1000Tbit", "O",    \
	  IN(model_site, capacity_bits), "Bits per second.")                                       \
	X(NODES, "nodes", "list of groups", "", "", "1..256", "R", ARRAY(model, nodes, n_nodes),   \
	  "The hosts that run Weir.")                                                              \
	X(NODES_NAME, "nodes[].name", "name", "", "", "", "R", IN(model_node, name),               \
	  "Name of the node: the value of --node, or else the host name up to its first dot.")     \
	X(NODES_SITE, "nodes[].site", "reference to sites[]", "", "", "", "R",                     \
	  IN(model_node, site), "Site of the node.")                                               \
	X(NODES_DRIVER, "nodes[].driver", "enum auto|xdp|dpdk", "", "auto", "", "N",               \
	  IN(model_node, driver),                                                                  \
	  "Driver that moves packets. auto: the best one that the host can run; Weir then "        \
	  "says which one and why.")                                                               \
	X(NODES_PORTS, "nodes[].ports", "list of groups", "", "", "1..16", "RN",                   \
	  ARRAY(model_node, ports, n_ports),                                                       \
	  "Network interfaces on which packets for VIPs arrive.")                                  \
	X(NODES_PORTS_INTERFACE, "nodes[].ports[].interface", "interface", "", "", "1..15", "R",   \
	  IN(model_port, interface), "The kernel's name of the interface.")                        \
	X(NODES_PORTS_DEVICE, "nodes[].ports[].device", "text", "", "", "0..255", "ON",            \
	  IN(model_port, device),                                                                  \
	  "DPDK: device of the port: a PCI address, or a virtual device such as "                  \
	  "\"net_memif0,socket=/run/m.sock\". The kernel then sees the port as a TAP with the "    \
	  "interface's name. Not given: AF_PACKET on the interface. XDP ignores this setting.")    \
	X(NODES_PORTS_MACS, "nodes[].ports[].macs", "list of MAC addresses", "", "", "0..32", "N", \
	  ARRAY(model_port, macs, n_macs),                                                         \
	  "Further MAC addresses for which the port takes frames, such as the virtual one of "     \
	  "VRRP. The addresses of the interface, and of interfaces stacked on it (VLAN, "          \
	  "macvlan, bridge, bond), need not be listed. Frames for other MAC addresses are "        \
	  "left alone.")                                                                           \
	X(NODES_DPDK, "nodes[].dpdk", "group", "", "", "", "", NOWHERE,                            \
	  "CPUs and memory that DPDK may use.")                                                    \
	X(NODES_DPDK_CORES, "nodes[].dpdk.cores", "text", "", "", "0..159", "SO", NOWHERE,         \
	  "CPUs of the workers, such as \"2-5,8\", with one worker on each. Not given: one "       \
	  "worker, on the last CPU that the process may use.")                                     \
	X(NODES_DPDK_HUGEPAGES, "nodes[].dpdk.hugepages", "enum auto|yes|no", "", "auto", "", "S", \
	  IN(model_node, dpdk.hugepages),                                                          \
	  "Where packets lie. yes: in hugepages; no: in ordinary memory, for trials (not with "    \
	  "PCI devices); auto: in hugepages if enough are free, else in ordinary memory with a "   \
	  "warning. With yes and auto tables lie in hugepages, too, if more are free.")            \
	X(NODES_DPDK_MEMORY, "nodes[].dpdk.memory", "integer", "MiB", "256", "64..262144", "S",    \
	  IN(model_node, dpdk.memory_mb), "Memory for packets and queues, in MiB.")                \
	X(NODES_TUNNEL_SOURCE, "nodes[].tunnel_source", "list of prefixes", "", "", "1..2", "R",   \
	  NOWHERE,                                                                                 \
	  "Outer source addresses of encapsulated packets: one prefix for each address "           \
	  "family; flows are spread over it. Backends accept tunnels from these addresses "        \
	  "only.")                                                                                 \
	X(NODES_MTU, "nodes[].mtu", "integer", "bytes", "1500", "1280..9216", "N",                 \
	  IN(model_node, mtu),                                                                     \
	  "Largest IP packet, in bytes, that fits between this node and its backends, outer "      \
	  "headers included. With DPDK a larger value than at the start of weir-dataplane needs "  \
	  "weir restart dataplane; until then the note mtu-not-raised of weir status says so.")    \
	X(NODES_DNS_LISTEN, "nodes[].dns_listen", "list of addresses", "", "", "0..16", "",        \
	  ARRAY(model_node, dns_listen, n_dns_listen),                                             \
	  "Addresses on which weir-dns answers, at port 53.")                                      \
	X(NODES_API, "nodes[].api", "url", "", "", "0..255", "", IN(model_node, api),              \
	  "Address at which peers reach this node's management: https://ADDRESS:PORT.")            \
	X(NODES_CONTROLS, "nodes[].controls", "list of addresses", "", "", "0..8", "N",            \
	  ARRAY(model_node, controls, n_controls),                                                 \
	  "Control targets of health checks, such as the gateway. When these fail as well, a "     \
	  "failed check says nothing about its backend.")                                          \
	X(NODES_CLOCK, "nodes[].clock", "enum synchronised|trusted", "", "synchronised", "", "N",  \
	  IN(model_node, clock),                                                                   \
	  "What happens when the wall clock was not confirmed since the boot (no NTP). "           \
	  "synchronised: the ramps of drains on this node are held; trusted: they are not.")       \
	X(NODES_SAMPLES, "nodes[].samples", "enum kept|none", "", "kept", "", "N",                 \
	  IN(model_node, samples),                                                                 \
	  "Whether weir-mgmt keeps, in memory, how many new flows came from which prefixes in "    \
	  "the last 15 minutes, for weir what-if. none: it forgets them, and what-if knows no "    \
	  "flows at this node.")                                                                   \
	X(NODES_CAPACITY, "nodes[].capacity", "group", "", "", "", "O", NOWHERE,                   \
	  "Load that the node can carry. The drain of a node uses it to check whether the other "  \
	  "nodes have room.")                                                                      \
	X(NODES_CAPACITY_BITS, "nodes[].capacity.bits", "bits", "", "", "1kbit..1000Tbit", "O",    \
	  IN(model_node, capacity_bits),                                                           \
	  "Bits per second. Not given: the speed of the node's ports.")                            \
	X(NODES_ANNOUNCE, "nodes[].announce", "group", "", "", "", "", NOWHERE,                    \
	  "How weir-announce announces the node's VIPs to routers.")                               \
	X(NODES_ANNOUNCE_DAEMON, "nodes[].announce.daemon", "enum none|bird|frr", "", "none", "",  \
	  "N", IN(model_node, announce.daemon),                                                    \
	  "The host's routing daemon, which takes the addresses from the two routing tables. "     \
	  "none: Weir announces nothing.")                                                         \
	X(NODES_ANNOUNCE_TABLE, "nodes[].announce.table", "integer", "", "177", "1..252", "N",     \
	  IN(model_node, announce.table),                                                          \
	  "Number of the kernel's routing table for addresses that are announced as usual.")       \
	X(NODES_ANNOUNCE_GSHUT_TABLE, "nodes[].announce.gshut_table", "integer", "", "178",        \
	  "1..252", "N", IN(model_node, announce.gshut_table),                                     \
	  "Number of the kernel's routing table for addresses that are announced with the "        \
	  "community GRACEFUL_SHUTDOWN (RFC 8326).")                                               \
	X(NODES_ANNOUNCE_VIPS, "nodes[].announce.vips", "list of references to vips[]", "", "",    \
	  "0..1000", "", ARRAY(model_node, announce.vips, announce.n_vips),                        \
	  "VIPs that the node announces. Not given: all VIPs of its site.")                        \
	X(NODES_ANNOUNCE_DNS, "nodes[].announce.dns", "list of addresses", "", "", "0..16", "",    \
	  ARRAY(model_node, announce.dns, announce.n_dns),                                         \
	  "Addresses of dns_listen that the node announces. Not given: none.")                     \
	X(NODES_ANNOUNCE_SOCKET, "nodes[].announce.socket", "path", "", "", "1..107", "ON",        \
	  IN(model_node, announce.socket),                                                         \
	  "The daemon's control socket. Not given: the usual one, /run/bird/bird.ctl or "          \
	  "/run/frr/bgpd.vty.")                                                                    \
	X(CHECKS, "checks", "list of groups", "", "", "0..1000", "N",                              \
	  ARRAY(model, checks, n_checks), "How targets are probed.")                               \
	X(CHECKS_NAME, "checks[].name", "name", "", "", "", "R", IN(model_check, name),            \
	  "Name of the check.")                                                                    \
	X(CHECKS_TYPE, "checks[].type", "enum tcp|http|external", "", "", "", "RN",                \
	  IN(model_check, type),                                                                   \
	  "Protocol of the probes. external: no probes; programs say what is up and down "         \
	  "(PUT /v1/verdicts/POOL/BACKEND), and only rise, fall and damp_* apply.")                \
	X(CHECKS_PORT, "checks[].port", "integer", "", "0", "0..65535", "N",                       \
	  IN(model_check, port), "Port to probe. 0: the backend's port, or else the service's.")   \
	X(CHECKS_PATH, "checks[].path", "text", "", "/", "1..1024", "N", IN(model_check, path),    \
	  "HTTP: path of the request.")                                                            \
	X(CHECKS_HOST, "checks[].host", "text", "", "", "0..255", "N", IN(model_check, host),      \
	  "HTTP: the Host header. Not given: the target's address.")                               \
	X(CHECKS_EXPECT, "checks[].expect", "integer", "", "200", "100..599", "N",                 \
	  IN(model_check, expect), "HTTP: status of a good answer.")                               \
	X(CHECKS_VIA, "checks[].via", "enum direct|tunnel", "", "direct", "", "N",                 \
	  IN(model_check, via),                                                                    \
	  "direct: probe the backend's address; tunnel: probe the VIP through the "                \
	  "encapsulation, the way users' packets go.")                                             \
	X(CHECKS_INTERVAL, "checks[].interval", "duration", "ms", "1s", "10ms..10m", "N",          \
	  IN(model_check, interval_ms),                                                            \
	  "Time from one probe to the next while results agree with the verdict.")                 \
	X(CHECKS_FAST_INTERVAL, "checks[].fast_interval", "duration", "ms", "200ms", "10ms..10m",  \
	  "N", IN(model_check, fast_interval_ms),                                                  \
	  "The same while a result disagrees with the verdict.")                                   \
	X(CHECKS_TIMEOUT, "checks[].timeout", "duration", "ms", "500ms", "1ms..1m", "N",           \
	  IN(model_check, timeout_ms), "A probe that has no answer within this time has failed.")  \
	X(CHECKS_RISE, "checks[].rise", "integer", "", "2", "1..100", "N", IN(model_check, rise),  \
	  "Good results in a row that make a target up.")                                          \
	X(CHECKS_FALL, "checks[].fall", "integer", "", "3", "1..100", "N", IN(model_check, fall),  \
	  "Failed results in a row that make a target down.")                                      \
	X(CHECKS_DAMP_TURNS, "checks[].damp_turns", "integer", "", "5", "0..100", "N",             \
	  IN(model_check, damp_turns),                                                             \
	  "A backend that turns to down this often is held down, unless it is the last of its "    \
	  "pool. Each turn halves in damp_half_life. 0: never.")                                   \
	X(CHECKS_DAMP_HALF_LIFE, "checks[].damp_half_life", "duration", "ms", "1m", "1s..1h", "N", \
	  IN(model_check, damp_half_life_ms),                                                      \
	  "Time in which half of the turns is forgotten. The hold ends at half of damp_turns.")    \
	X(CHECKS_DAMP_MAX, "checks[].damp_max", "duration", "ms", "5m", "1s..1d", "N",             \
	  IN(model_check, damp_max_ms),                                                            \
	  "Longest time that a backend is held down after its last turn.")                         \
	X(POOLS, "pools", "list of groups", "", "", "0..1000", "D", ARRAY(model, pools, n_pools),  \
	  "Groups of backends with one check.")                                                    \
	X(POOLS_NAME, "pools[].name", "name", "", "", "", "R", IN(model_pool, name),               \
	  "Name of the pool.")                                                                     \
	X(POOLS_SITE, "pools[].site", "reference to sites[]", "", "", "", "R",                     \
	  IN(model_pool, site), "Site of its backends.")                                           \
	X(POOLS_CHECK, "pools[].check", "reference to checks[]", "", "", "", "OD",                 \
	  IN(model_pool, check), "Check of its backends. Not given: they always count as up.")     \
	X(POOLS_MODE, "pools[].mode", "enum ipip|gue|l2", "", "ipip", "", "D",                     \
	  IN(model_pool, mode),                                                                    \
	  "How packets reach the backends. ipip, gue: in a tunnel of IP in IP or GUE; l2: as "     \
	  "they are, to the MAC address of a backend on a link of the node. Packets always "       \
	  "keep their own destination address and port.")                                          \
	X(POOLS_AGENT, "pools[].agent", "boolean", "", "false", "", "O", IN(model_pool, agent),    \
	  "true: all its backends run the agent with --owners. Second chance then finds their "    \
	  "connections, and nothing is remembered for TCP. Needs mode gue and backends of one "    \
	  "address family. A change moves flows.")                                                 \
	X(POOLS_MAX_BACKENDS, "pools[].max_backends", "integer", "backends", "100", "1..10000",    \
	  "", IN(model_pool, max_backends),                                                        \
	  "Maximum number of backends that the pool will have. It fixes the number of the "        \
	  "pool's slots, so a change moves flows.")                                                \
	X(POOLS_MIN_HEALTHY, "pools[].min_healthy", "percent", "%", "50%", "0%..100%", "D",        \
	  IN(model_pool, min_healthy_percent),                                                     \
	  "Least share of the pool's weight that checks alone leave in service. Backends "         \
	  "beyond it stay in service although their checks fail.")                                 \
	X(POOLS_MAX_REMOVE, "pools[].max_remove", "percent", "%", "50%", "1%..100%", "D",          \
	  IN(model_pool, max_remove_percent),                                                      \
	  "Largest share of the pool's weight that checks alone take out of service within "       \
	  "10 s. One backend can always be taken out.")                                            \
	X(POOLS_SETTLE_TIME, "pools[].settle_time", "duration", "ms", "15m", "1s..1d", "D",        \
	  IN(model_pool, settle_ms),                                                               \
	  "Time for which flows stay with their earlier owners after a change.")                   \
	X(POOLS_IDLE_TIME, "pools[].idle_time", "duration", "ms", "5m", "1s..2h", "D",             \
	  IN(model_pool, idle_ms), "A flow that is silent for this time has ended.")               \
	X(POOLS_REGISTRATION, "pools[].registration", "group", "", "", "", "O", NOWHERE,           \
	  "Programs may register backends of the pool, outside versions.")                         \
	X(POOLS_REGISTRATION_PREFIXES, "pools[].registration.prefixes", "list of prefixes", "",    \
	  "", "1..16", "", ARRAY(model_pool, prefixes, n_prefixes),                                \
	  "Where their addresses may lie. With those of backends they count up to max_backends.")  \
	X(POOLS_REGISTRATION_ON_EXPIRY, "pools[].registration.on_expiry", "enum keep|drain", "",   \
	  "keep", "", "", IN(model_pool, on_expiry),                                               \
	  "What becomes of a registered backend whose ttl has ended without a renewal. keep: it "  \
	  "stays while its checks say up; drain: it is drained, for addresses that others get.")   \
	X(POOLS_BACKENDS, "pools[].backends", "list of groups", "", "", "0..10000", "D",           \
	  ARRAY(model_pool, backends, n_backends),                                                 \
	  "The real servers. One at least, where there is no registration.")                       \
	X(POOLS_BACKENDS_NAME, "pools[].backends[].name", "name", "", "", "", "R",                 \
	  IN(model_backend, name),                                                                 \
	  "Name of the backend, for people; its identity is its address and port.")                \
	X(POOLS_BACKENDS_ADDRESS, "pools[].backends[].address", "address", "", "", "", "RD",       \
	  IN(model_backend, address), "Address at which the tunnel ends.")                         \
	X(POOLS_BACKENDS_PORT, "pools[].backends[].port", "integer", "", "0", "0..65535", "D",     \
	  IN(model_backend, port),                                                                 \
	  "Port. 0: the service's port; no mode translates ports, so any other value must "        \
	  "equal it.")                                                                             \
	X(POOLS_BACKENDS_WEIGHT, "pools[].backends[].weight", "integer", "", "100", "0..65535",    \
	  "D", IN(model_backend, weight), "Share of new flows, relative to the other backends.")   \
	X(POOLS_BACKENDS_REGISTERED, "pools[].backends[].registered", "boolean", "", "false", "",  \
	  "EO", IN(model_backend, registered), "A program registered it: no version has it.")      \
	X(VIPS, "vips", "list of groups", "", "", "0..1000", "", ARRAY(model, vips, n_vips),       \
	  "Virtual addresses.")                                                                    \
	X(VIPS_NAME, "vips[].name", "name", "", "", "", "R", IN(model_vip, name),                  \
	  "Name of the VIP.")                                                                      \
	X(VIPS_SITE, "vips[].site", "reference to sites[]", "", "", "", "", NOWHERE,               \
	  "Site that serves it. Either site or sites is required.")                                \
	X(VIPS_SITES, "vips[].sites", "list of references to sites[]", "", "", "1..64", "O",       \
	  ARRAY(model_vip, sites, n_sites),                                                        \
	  "Sites that serve it, instead of site: each site announces the same addresses to "       \
	  "its routers, and each service at the VIP is at all of these sites. Such a service "     \
	  "has no vip_check, because a probe of the VIP reaches any of the sites.")                \
	X(VIPS_ADDRESSES, "vips[].addresses", "list of addresses", "", "", "1..16", "R",           \
	  ARRAY(model_vip, addresses, n_addresses), "Its addresses, of one or both families.")     \
	X(VIPS_ANNOUNCE_WHEN, "vips[].announce_when", "enum any|all", "", "any", "", "",           \
	  IN(model_vip, announce_when),                                                            \
	  "Services at the VIP that must have a backend for new flows while a node announces "     \
	  "the VIP: any one of them, or all.")                                                     \
	X(SERVICES, "services", "list of groups", "", "", "0..4096", "",                           \
	  ARRAY(model, services, n_services),                                                      \
	  "A protocol and port, at the VIPs of one or more sites.")                                \
	X(SERVICES_NAME, "services[].name", "name", "", "", "", "R", IN(model_service, name),      \
	  "Name of the service.")                                                                  \
	X(SERVICES_PROTOCOL, "services[].protocol", "enum tcp|udp", "", "", "", "R", NOWHERE,      \
	  "Protocol.")                                                                             \
	X(SERVICES_PORT, "services[].port", "integer", "", "", "1..65535", "R",                    \
	  IN(model_service, port), "Port.")                                                        \
	X(SERVICES_HASH, "services[].hash", "enum flow|source", "", "flow", "", "",                \
	  IN(model_service, hash),                                                                 \
	  "Fields that pick the backend. flow: addresses, ports and protocol; source: the "        \
	  "source address only.")                                                                  \
	X(SERVICES_VIP_CHECK, "services[].vip_check", "reference to checks[]", "", "", "", "O",    \
	  NOWHERE,                                                                                 \
	  "Check by which other sites probe the service at its VIPs. Not given, for TCP at "       \
	  "several sites: a TCP connect to each VIP (interval 1s, timeout 1s, fall 3), which "     \
	  "has a vote on a node once it has succeeded there; UDP has no default, and neither "     \
	  "has a service at a VIP of several sites, which can have no check. none: no "            \
	  "check, so a dead site stays in the answers until a person takes it out.")               \
	X(SERVICES_ON_ALL_DOWN, "services[].on_all_down", "enum last_good|fail_closed", "",        \
	  "last_good", "", "", IN(model_service, on_all_down),                                     \
	  "When no backend or site is up. last_good: continue as if they were up; "                \
	  "fail_closed: refuse.")                                                                  \
	X(SERVICES_UDP_IDLE, "services[].udp_idle", "duration", "ms", "30s", "1s..1h", "D",        \
	  IN(model_service, udp_idle_ms), "UDP: a flow that is silent for this time has ended.")   \
	X(SERVICES_UDP_POLICY, "services[].udp_policy", "enum keep|migrate|reset", "", "keep", "", \
	  "D", IN(model_service, udp_policy),                                                      \
	  "UDP: what happens to a flow whose slot moves. keep: it stays; migrate: it stays "       \
	  "until a drain ends; reset: it moves at once.")                                          \
	X(SERVICES_AT, "services[].at", "list of groups", "", "", "1..64", "R",                    \
	  ARRAY(model_service, at, n_at),                                                          \
	  "Sites that have the service, in the order of failover.")                                \
	X(SERVICES_AT_SITE, "services[].at[].site", "reference to sites[]", "", "", "", "R",       \
	  IN(model_at, site), "The site.")                                                         \
	X(SERVICES_AT_VIP, "services[].at[].vip", "reference to vips[]", "", "", "", "R",          \
	  IN(model_at, vip), "Its VIP there.")                                                     \
	X(SERVICES_AT_POOL, "services[].at[].pool", "reference to pools[]", "", "", "", "RD",      \
	  IN(model_at, pool), "Its pool there.")                                                   \
	X(SERVICES_AT_WEIGHT, "services[].at[].weight", "integer", "", "", "0..10000", "",         \
	  IN(model_at, weight), "Share of the names' traffic. Not given: the site's weight.")      \
	X(SERVICES_AT_BACKUP, "services[].at[].backup", "reference to pools[]", "", "", "", "OD",  \
	  IN(model_at, backup),                                                                    \
	  "Pool of another site whose backends take new flows of this VIP when the own "           \
	  "pool cannot: less than min_healthy of its weight is up by evidence, or this "           \
	  "site's drain is complete. It is not used while its site is drained or down, "           \
	  "or while it is itself on a backup.")                                                    \
	X(SERVICES_AT_BACKUP_MAX, "services[].at[].backup_max", "group", "", "", "", "OD",         \
	  NOWHERE,                                                                                 \
	  "Most load that this site sends to the backup. Required with backup. Services "          \
	  "with the same pool and backup add up theirs.")                                          \
	X(SERVICES_AT_BACKUP_MAX_FLOWS, "services[].at[].backup_max.new_flows", "rate", "", "",    \
	  "1/s..1G/s", "O", IN(model_at, backup_max_flows), "New flows per second.")               \
	X(SERVICES_AT_BACKUP_MAX_BITS, "services[].at[].backup_max.bits", "bits", "", "",          \
	  "1kbit..1000Tbit", "O", IN(model_at, backup_max_bits), "Bits per second.")               \
	X(SERVICES_AT_BACKUP_MTU, "services[].at[].backup_mtu", "integer", "bytes", "",            \
	  "1280..9216", "OD", IN(model_at, backup_mtu),                                            \
	  "Largest IP packet, in bytes, that fits between this site's nodes and the "              \
	  "backup's backends, outer headers included. Not given: the node's mtu.")                 \
	X(DNS, "dns", "group", "", "", "", "", NOWHERE, "What the DNS servers answer.")            \
	X(DNS_ZONES, "dns.zones", "list of groups", "", "", "0..10000", "",                        \
	  ARRAY(model, zones, n_zones), "Zones for which they are authoritative.")                 \
	X(DNS_ZONES_NAME, "dns.zones[].name", "domain", "", "", "", "R", IN(model_zone, name),     \
	  "Name of the zone.")                                                                     \
	X(DNS_ZONES_FILE, "dns.zones[].file", "path", "", "", "", "R", IN(model_zone, file),       \
	  "Zone file (RFC 1035, section 5), below the configuration's directory.")                 \
	X(DNS_ZONES_DIGEST, "dns.zones[].digest", "text", "", "", "0..64", "E",                    \
	  IN(model_zone, digest),                                                                  \
	  "SHA-256 of the zone file as it was applied; of a zone with $INCLUDE, of a list of its " \
	  "files' SHA-256.")                                                                       \
	X(DNS_THREADS, "dns.threads", "integer", "threads", "", "1..8", "ON",                      \
	  IN(model, dns_threads),                                                                  \
	  "Threads of weir-dns that answer, each with its own sockets. Not given: one for "        \
	  "each CPU that weir-dns may use and that DPDK's workers do not take, at most 8.")        \
	X(DNS_NAMES, "dns.names", "list of groups", "", "", "0..10000", "",                        \
	  ARRAY(model, dns_names, n_dns_names), "Names whose addresses follow health and intent.") \
	X(DNS_NAMES_NAME, "dns.names[].name", "domain", "", "", "", "R", IN(model_dns_name, name), \
	  "The name. It must lie in one of the zones.")                                            \
	X(DNS_NAMES_SERVICE, "dns.names[].service", "reference to services[]", "", "", "", "R",    \
	  IN(model_dns_name, service), "Service to which the name leads.")                         \
	X(DNS_NAMES_POLICY, "dns.names[].policy", "enum weighted|failover", "", "weighted", "",    \
	  "", IN(model_dns_name, policy),                                                          \
	  "weighted: spread clients over the sites by weight; failover: use the first site "       \
	  "that is well.")                                                                         \
	X(DNS_NAMES_TTL, "dns.names[].ttl", "group", "", "", "", "", NOWHERE,                      \
	  "TTLs of the answers.")                                                                  \
	X(DNS_NAMES_TTL_MIN, "dns.names[].ttl.min", "duration", "s", "5s", "1s..1d", "",           \
	  IN(model_dns_name, ttl_min_s), "TTL while something changes or is in doubt.")            \
	X(DNS_NAMES_TTL_MAX, "dns.names[].ttl.max", "duration", "s", "60s", "1s..1d", "",          \
	  IN(model_dns_name, ttl_max_s), "TTL while all is stable.")                               \
	X(GATES, "gates", "list of groups", "", "", "0..64", "O", ARRAY(model, gates, n_gates),    \
	  "Times in which the configuration is not changed, such as holidays, and changes that "   \
	  "other persons are to approve.")                                                         \
	X(GATES_NAME, "gates[].name", "name", "", "", "", "R", IN(model_gate, name),               \
	  "Name of the gate.")                                                                     \
	X(GATES_SCOPE, "gates[].scope", "text", "", "", "0..511", "O", IN(model_gate, scope),      \
	  "Objects that it is about, as a token's scope names them: "                              \
	  "\"pools:web-*,label:region=eu\". Not given: every change.")                             \
	X(GATES_RISKY, "gates[].risky", "boolean", "", "false", "", "", IN(model_gate, risky),     \
	  "Whether it is about risky changes alone.")                                              \
	X(GATES_APPROVALS, "gates[].approvals", "integer", "persons", "0", "0..3", "",             \
	  IN(model_gate, approvals),                                                               \
	  "How many other persons are to approve such a change before it is made. 0: it is "       \
	  "refused, and from and until are required.")                                             \
	X(GATES_FROM, "gates[].from", "time", "", "", "", "O", IN(model_gate, from_ms),            \
	  "When the gate begins to hold. Not given: at once.")                                     \
	X(GATES_UNTIL, "gates[].until", "time", "", "", "", "O", IN(model_gate, until_ms),         \
	  "When it holds no more. Not given: never.")                                              \
	X(EFFECTIVE, "effective", "group", "", "", "", "RE", NOWHERE,                              \
	  "Origin of an effective document.")                                                      \
	X(EFFECTIVE_VERSION, "effective.version", "number", "", "", "", "RE",                      \
	  IN(model, meta.version), "Number of the configuration's version.")                       \
	X(EFFECTIVE_DIGEST, "effective.digest", "text", "", "", "0..64", "RE",                     \
	  IN(model, meta.digest), "SHA-256 of the configuration as it was given.")                 \
	X(EFFECTIVE_HASH_KEY, "effective.hash_key", "text", "", "", "0..16", "EO",                 \
	  IN(model, meta.hash_key),                                                                \
	  "Fingerprint of the hash key with which this version was made. A key file with "         \
	  "another fingerprint is not used.")                                                      \
	X(EFFECTIVE_DOCUMENT, "effective.document", "number", "", "", "", "RE",                    \
	  IN(model, meta.document), "Counts the effective documents of this node.")                \
	X(EFFECTIVE_WRITTEN, "effective.written", "time", "", "", "", "RE",                        \
	  IN(model, meta.written_ms), "When it was written.")                                      \
	X(EFFECTIVE_NEWEST, "effective.newest", "number", "", "0", "", "EO",                       \
	  IN(model, meta.newest), "Highest number of a version, which may have ended.")            \
	X(EFFECTIVE_CONFIRM_BY, "effective.confirm_by", "time", "", "", "", "EO",                  \
	  IN(model, meta.confirm_by_ms), "The version ends then unless it is confirmed.")          \
	X(EFFECTIVE_BACK_VERSION, "effective.back_version", "number", "", "0", "", "EO",           \
	  IN(model, meta.back_version), "The version that is in force again then.")                \
	X(EFFECTIVE_BACK_DIGEST, "effective.back_digest", "text", "", "", "0..64", "EO",           \
	  IN(model, meta.back_digest), "SHA-256 of that configuration.")                           \
	X(EFFECTIVE_BACK_HASH_KEY, "effective.back_hash_key", "text", "", "", "0..16", "EO",       \
	  IN(model, meta.back_hash_key), "Fingerprint of the hash key of that version.")           \
	X(MEMBER_SETS, "member_sets", "list of groups", "", "", "0..65000", "E", NOWHERE,          \
	  "Members of the pools: past, present and future.")                                       \
	X(MEMBER_SETS_POOL, "member_sets[].pool", "reference to pools[]", "", "", "", "RE",        \
	  NOWHERE, "The pool.")                                                                    \
	X(MEMBER_SETS_FROM, "member_sets[].from", "time", "", "", "", "RE",                        \
	  IN(model_set, from_ms), "When it takes effect.")                                         \
	X(MEMBER_SETS_UNTIL, "member_sets[].until", "time", "", "", "", "RE",                      \
	  IN(model_set, until_ms), "When its claim on existing flows ends.")                       \
	X(MEMBER_SETS_MEMBERS, "member_sets[].members", "list of groups", "", "", "0..10000",      \
	  "RE", ARRAY(model_set, members, n_members), "The members.")                              \
	X(MEMBER_SETS_ADDRESS, "member_sets[].members[].address", "address", "", "", "", "RE",     \
	  IN(model_member, address), "Address of the backend.")                                    \
	X(MEMBER_SETS_PORT, "member_sets[].members[].port", "integer", "", "0", "0..65535", "E",   \
	  IN(model_member, port), "Port of the backend.")                                          \
	X(MEMBER_SETS_WEIGHT, "member_sets[].members[].weight", "integer", "", "100", "0..65535",  \
	  "E", IN(model_member, weight), "0: takes no new flows.")                                 \
	X(OVERRIDES, "overrides", "list of groups", "", "", "0..100000", "E",                      \
	  ARRAY(model, overrides, n_overrides),                                                    \
	  "Overrides of the configuration by people and operations.")                              \
	X(OVERRIDES_ID, "overrides[].id", "text", "", "", "1..31", "RE", IN(model_override, id),   \
	  "Identity of the override.")                                                             \
	X(OVERRIDES_KIND, "overrides[].kind", "enum drain|disable|force_up|hold|drill", "", "",    \
	  "", "RE", IN(model_override, kind), "Kind of the override.")                             \
	X(OVERRIDES_TARGET, "overrides[].target", "enum site|backend|node", "", "", "", "RE",      \
	  IN(model_override, target), "Kind of its target.")                                       \
	X(OVERRIDES_POOL, "overrides[].pool", "name", "", "", "", "EO", IN(model_override, pool),  \
	  "Pool of the backend, if the target is a backend.")                                      \
	X(OVERRIDES_NAME, "overrides[].name", "name", "", "", "", "RE", IN(model_override, name),  \
	  "Name of the site, backend or node.")                                                    \
	X(OVERRIDES_GENERATION, "overrides[].generation", "number", "", "", "", "RE",              \
	  IN(model_override, generation),                                                          \
	  "When it was last commanded: of two overrides with one id the higher one holds.")        \
	X(OVERRIDES_CREATED, "overrides[].created", "time", "", "", "", "RE",                      \
	  IN(model_override, created_ms), "When it was created.")                                  \
	X(OVERRIDES_FROM, "overrides[].from", "time", "", "", "", "RE",                            \
	  IN(model_override, from_ms), "When its ramp starts.")                                    \
	X(OVERRIDES_OVER, "overrides[].over", "duration", "", "0s", "0s..3650d", "E",              \
	  IN(model_override, over_ms), "Length of the ramp.")                                      \
	X(OVERRIDES_UNTIL, "overrides[].until", "time", "", "", "", "RE",                          \
	  IN(model_override, until_ms), "When the return ramp starts.")                            \
	X(OVERRIDES_FROM_PPM, "overrides[].from_ppm", "integer", "ppm", "0", "0..1000000", "E",    \
	  IN(model_override, from_ppm), "Level at the start of the ramp.")                         \
	X(OVERRIDES_ENDED, "overrides[].ended", "boolean", "", "false", "", "E",                   \
	  IN(model_override, ended),                                                               \
	  "The override has ended. It is kept so that merging cannot bring it back.")              \
	X(OVERRIDES_AUTHOR, "overrides[].author", "free text", "", "", "0..255", "E",              \
	  IN(model_override, author), "Person who gave the command.")                              \
	X(OVERRIDES_REASON, "overrides[].reason", "free text", "", "", "0..1024", "E",             \
	  IN(model_override, reason), "Reason that the person gave.")                              \
	X(OVERRIDES_NODE, "overrides[].node", "free text", "", "", "0..255", "E",                  \
	  IN(model_override, node), "Node that accepted the command.")                             \
	X(OVERRIDES_TO_PPM, "overrides[].to_ppm", "integer", "ppm", "1000000", "0..1000000", "E",  \
	  IN(model_override, to_ppm),                                                              \
	  "Level at the end of the ramp. Where it is given, the drain is a step of an operation.") \
	X(OVERRIDES_EPOCH, "overrides[].epoch", "number", "", "0", "", "EO",                       \
	  IN(model_override, epoch),                                                               \
	  "Of a step: which owner of its operation wrote it. Higher holds.")                       \
	X(OVERRIDES_STEP, "overrides[].step", "number", "", "0", "", "E",                          \
	  IN(model_override, step), "Of a step: its number within the epoch. Higher holds.")       \
	X(OVERRIDES_SERVICE, "overrides[].service", "name", "", "", "", "EO",                      \
	  IN(model_override, service),                                                             \
	  "Service that a step or drill concerns at the site. Without it, all services.")          \
	X(OVERRIDES_OPERATION, "overrides[].operation", "text", "", "", "0..31", "EO",             \
	  IN(model_override, operation), "Operation that wrote the step.")                         \
	X(OVERRIDES_LATE_FROM, "overrides[].late_from", "time", "", "", "", "EO",                  \
	  IN(model_override, late_from_ms),                                                        \
	  "From when on backup pools serve the clients that still arrive at the site.")            \
	X(OVERRIDES_OWN_VIPS, "overrides[].own_vips", "enum announced|shutdown|withdrawn", "",     \
	  "announced", "", "EO", IN(model_override, own_vips),                                     \
	  "How VIPs that this site alone has are announced.")                                      \
	X(OVERRIDES_SHARED_VIPS, "overrides[].shared_vips", "enum announced|shutdown|withdrawn",   \
	  "", "announced", "", "EO", IN(model_override, shared_vips),                              \
	  "How VIPs that other sites have, too, are announced.")                                   \
	X(OVERRIDES_CLIENTS, "overrides[].clients", "text", "", "", "1..49", "EO", NOWHERE,        \
	  "Prefix of the clients of a drill: their new flows go to the backup pools of the site.")

#define SCHEMA_ID(id, ...) SCHEMA_##id,
enum schema_id { SCHEMA_ROWS(SCHEMA_ID) SCHEMA_COUNT };
#undef SCHEMA_ID
/** The parent of the rows at the top. */
#define SCHEMA_TOP SCHEMA_COUNT

/*
 * X(kind, type, expected): what a row's value is made of, how model_field.type says so, and how a
 * value looks, for an error message (an enum's words are said instead).
 */
#define SCHEMA_KINDS(X)                                                                            \
	X(GROUP, "group", "a group { ... }")                                                       \
	X(GROUPS, "list of groups", "a list of groups ( { ... }, ... )")                           \
	X(NAME, "name",                                                                            \
	  "a name of a-z, 0-9, '.', '_' and '-', at most 63 long, starting with a letter or "      \
	  "digit")                                                                                 \
	X(TEXT, "text", "a text without control characters")                                       \
	X(FREE_TEXT, "free text", "a text")                                                        \
	X(INTERFACE, "interface", "the name of a network interface")                               \
	X(PATH, "path", "the path of a file")                                                      \
	X(DOMAIN, "domain", "a domain name such as \"www.example.net\"")                           \
	X(URL, "url", "a URL such as \"https://192.0.2.1:8443\"")                                  \
	X(ADDRESS, "address", "an IPv4 or IPv6 address")                                           \
	X(ADDRESSES, "list of addresses", "a list of IPv4 and IPv6 addresses [ \"...\", ... ]")    \
	X(PREFIXES, "list of prefixes", "a list of prefixes [ \"192.0.2.0/24\", ... ]")            \
	X(MACS, "list of MAC addresses", "a list of MAC addresses [ \"02:00:00:00:00:01\", ... ]") \
	X(DURATION, "duration", "a duration such as \"500ms\", \"5s\", \"15m\"")                   \
	X(RATE, "rate", "a rate such as \"50k/s\"")                                                \
	X(BITS, "bits", "a bit rate such as \"40Gbit\"")                                           \
	X(PERCENT, "percent", "a percentage such as \"50%\"")                                      \
	X(INTEGER, "integer", "a whole number")                                                    \
	X(NUMBER, "number", "a number in quotes")                                                  \
	X(TIME, "time", "a time such as \"2026-01-31T12:00:00.000Z\", or \"never\"")               \
	X(BOOLEAN, "boolean", "true or false")                                                     \
	X(ENUM, "enum ", "")                                                                       \
	X(REFERENCE, "reference to ", "a name")                                                    \
	X(REFERENCES, "list of references to ", "a list of names [ \"...\", ... ]")

#define SCHEMA_KIND(kind, ...) KIND_##kind,
enum schema_kind { SCHEMA_KINDS(SCHEMA_KIND) KIND_COUNT };
#undef SCHEMA_KIND
extern const char *const schema_expected[]; /**< by kind */

/** Where a struct of the model has a setting. */
struct schema_member {
	size_t offset;
	size_t size;  /**< of the member, or of one element of a list; 0: nowhere */
	size_t count; /**< offset of a list's size_t */
};

/** What follows from a row, worked out once for all. */
struct schema_row {
	enum schema_kind kind;
	struct schema_member member;
	enum schema_id target; /**< of references: the list of what they name */
	const char *words;     /**< of enums: each with its NUL, one more at the end */
	const char *name;      /**< last part of the path, without "[]" */
	enum schema_id parent; /**< its group, or SCHEMA_TOP */
	uint32_t position;     /**< among its group's rows */
	uint32_t n_children;
	/** its first row, and the next one of its own group; SCHEMA_COUNT: there is none */
	enum schema_id first_child, next;
	enum schema_id first_named, next_named; /**< the same in the order of their names */
	bool limited;
	uint64_t least, most; /**< in the kind's base unit */
	bool effective;       /**< in effective documents only */
	bool sparse;          /**< not written where it is empty */
};

struct schema {
	struct schema_row rows[SCHEMA_COUNT + 1]; /**< the last one is the top group */
};

/** The worked-out rows; made at the first call (thread-safe). */
const struct schema *schema(void);
/** The @p i-th word of an enum's row; NULL: there is none. */
const char *schema_word(enum schema_id id, uint64_t i);
/** Find the row @p name of group @p parent. @return SCHEMA_COUNT when there is none */
enum schema_id schema_find(enum schema_id parent, const char *name);

#endif
