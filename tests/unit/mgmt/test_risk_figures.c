/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Figures of risks, exactly: what differs in a field or two, and all sentences that follow. Each limit is met, and missed
 * by the smallest step. (test_risk.c has the same rules from documents.)
 */
#include "risk_world.h"
#include "tests/unit/suite.h"

static void of_the_cluster(void **state)
{
	static const struct figure list[] = {
		{ "", { { 0 } } },
		{ "cluster: its name changes from shop to store (cluster-renamed 100 %)\n",
		  { TEXT(m.cluster, "shop", "store") } },
		{ "cluster: all flows are hashed by another key (k2, was k1) (flows-rehashed 100 %)\n",
		  { TEXT(m.hash_key_id, "k1", "k2") } },
		{ "cluster: all flows are hashed by another key (k1, was k1) (flows-rehashed 100 %)\n",
		  { NUMBER(m.hash_key[0], 1, 9) } },
		{ "cluster: all flows are hashed by another key (k1, was k1) (flows-rehashed 100 %)\n",
		  { NUMBER(m.hash_key[1], 2, 9) } },
		/* a key that is not the version's says nothing of the flows */
		{ "", { NUMBER(m.hash_key[1], 2, 9), NUMBER(m.key_state, MODEL_KEY_KEPT, 0) } },
		{ "", { NUMBER(m.hash_key[1], 2, 9), NUMBER(m.key_state, 0, MODEL_KEY_NONE) } },
		{ "limits.services: 500, was 1000 (tables-smaller 50 %)\n",
		  { NUMBER(m.limits.services, KEEP, 500) } },
		{ "", { NUMBER(m.limits.services, KEEP, 501) } },
		{ "limits.backends: 1000, was 2000 (tables-smaller 50 %)\n",
		  { NUMBER(m.limits.backends, KEEP, 1000) } },
		{ "limits.slots: 300, was 3000 (tables-smaller 90 %)\n",
		  { NUMBER(m.limits.slots, KEEP, 300) } },
		{ "limits.exceptions: 1000, was 4000 (tables-smaller 75 %)\n",
		  { NUMBER(m.limits.exceptions, KEEP, 1000) } },
		{ "", { NUMBER(m.limits.exceptions, KEEP, 40000) } },
		{ "site fra: capacity.bits is raised (capacity-guard 2 times)\n",
		  { NUMBER(sites[1].capacity_bits, KEEP, 2000) } },
		{ "", { NUMBER(sites[1].capacity_bits, KEEP, 1999) } },
		{ "", { NUMBER(sites[1].capacity_bits, KEEP, 10) } },
		{ "site par: capacity.bits is removed (capacity-guard 1000000 times)\n",
		  { NUMBER(sites[2].capacity_bits, KEEP, 0) } },
		{ "", { NUMBER(sites[2].capacity_bits, 0, 5) } },
		{ "site fra: capacity.new_flows is raised (capacity-guard 2 times)\n",
		  { NUMBER(sites[1].capacity_flows, 700, 1400) } },
		{ "", { NUMBER(sites[1].capacity_flows, 700, 1399) } },
		{ "site par: capacity.new_flows is removed (capacity-guard 1000000 times)\n",
		  { NUMBER(sites[2].capacity_flows, 700, 0) } },
		{ "", { NUMBER(sites[2].capacity_flows, 0, 5) } },
		{ "site par: removed (site-gone 100 %)\n", { NUMBER(m.n_sites, 3, 2) } },
		{ "", { NUMBER(m.n_sites, 2, 3) } },
		{ "zone two: removed (zones-gone 50 %)\n", { NUMBER(m.n_zones, 2, 1) } },
		{ "", { NUMBER(m.n_zones, 1, 2) } },
		{ "zone one: its old and new file cannot be compared (zone-unread 100 %)\n",
		  { TEXT(zones[0].digest, "d", "e") } },
		{ "zone two: its old and new file cannot be compared (zone-unread 100 %)\n",
		  { TEXT(zones[1].digest, "", "") } },
	};

	(void)state;
	check_figures(list, COUNT(list));
}

static void of_nodes(void **state)
{
	static const struct figure list[] = {
		{ "node n2: removed (node-gone 50 %)\n", { NUMBER(m.n_nodes, 2, 1) } },
		{ "", { NUMBER(m.n_nodes, 1, 2) } },
		{ "node n1: site is fra, was ams (node-moved 100 %)\n",
		  { POINTS(nodes[0].site, sites[1]) } },
		{ "node n1: driver changes (driver-changed 100 %)\n",
		  { NUMBER(nodes[0].driver, MODEL_DRIVER_AUTO, MODEL_DRIVER_XDP) } },
		{ "node n2: mtu is 1400, was 1500 (mtu-changed 93.3 %)\n",
		  { NUMBER(nodes[1].mtu, KEEP, 1400) } },
		{ "node n1: an unsynchronised clock is trusted (clock-guard 100 %)\n",
		  { NUMBER(nodes[0].clock, MODEL_CLOCK_SYNCHRONISED, MODEL_CLOCK_TRUSTED) } },
		{ "", { NUMBER(nodes[0].clock, MODEL_CLOCK_TRUSTED, MODEL_CLOCK_SYNCHRONISED) } },
		{ "", { NUMBER(nodes[0].clock, MODEL_CLOCK_TRUSTED, MODEL_CLOCK_TRUSTED) } },
		{ "node n1: its DPDK settings change (next-start 100 %)\n",
		  { NUMBER(nodes[0].dpdk.cores[1], KEEP, 6) } },
		{ "node n1: its DPDK settings change (next-start 100 %)\n",
		  { NUMBER(nodes[0].dpdk.n_cores, KEEP, 1) } },
		{ "node n1: its DPDK settings change (next-start 100 %)\n",
		  { NUMBER(nodes[0].dpdk.memory_mb, KEEP, 513) } },
		{ "node n1: its DPDK settings change (next-start 100 %)\n",
		  { NUMBER(nodes[0].dpdk.hugepages, KEEP, MODEL_HUGEPAGES_NO) } },
		{ "node n1: port eth1 is removed (ports-gone 50 %)\n",
		  { TEXT(ports[0].interface, "eth1", "eth9") } },
		{ "node n1: port eth1, eth2 is removed (ports-gone 100 %)\n",
		  { TEXT(ports[0].interface, "eth1", "eth8"),
		    TEXT(ports[1].interface, "eth2", "eth9") } },
		{ "", { NUMBER(nodes[0].n_ports, 1, 2) } },
		{ "", { NUMBER(nodes[0].n_ports, 0, 2) } },
		{ "node n1: the device of port eth2 is \"net_x0\", was \"\" (port-device 50 %)\n",
		  { TEXT(ports[1].device, "", "net_x0") } },
		{ "node n2: the device of port eth1 is \"\", was \"net_x0\" (port-device 100 %)\n",
		  { TEXT(ports[2].device, "net_x0", "") } },
		{ "node n1: port eth1 no longer accepts frames for 1 of its MAC addresses (port-device 50 %)\n",
		  { NUMBER(ports[0].n_macs, 2, 1) } },
		{ "node n1: port eth1 no longer accepts frames for 2 of its MAC addresses (port-device 50 %)\n",
		  { NUMBER(macs[0].bytes[0], 0, 2), NUMBER(macs[1].bytes[5], KEEP, 3) } },
		{ "", { NUMBER(macs[0].bytes[5], 1, 2), NUMBER(macs[1].bytes[5], 2, 1) } },
		{ "node n1: 2 of 4 addresses of dns_listen are removed (listeners-gone 50 %)\n",
		  { NUMBER(nodes[0].n_dns_listen, 4, 2) } },
		{ "node n1: 1 of 4 addresses of dns_listen are removed (listeners-gone 25 %)\n",
		  { NUMBER(listen[3].bytes[15], KEEP, 99) } },
		{ "", { NUMBER(nodes[0].n_dns_listen, 0, 4) } },
		{ "node n1: its control targets change (2, were 1) (controls-changed 100 %)\n",
		  { NUMBER(nodes[0].n_controls, 1, 2) } },
		{ "node n1: its control targets change (1, were 2) (controls-changed 100 %)\n",
		  { NUMBER(nodes[0].n_controls, 2, 1) } },
		{ "node n1: api is \"https://b\", was \"https://a\" (api-moved 100 %)\n",
		  { TEXT(nodes[0].api, "https://a", "https://b") } },
		{ "node n1: api is \"\", was \"https://a\" (api-moved 100 %)\n",
		  { TEXT(nodes[0].api, "https://a", "") } },
		{ "", { TEXT(nodes[0].api, "", "https://a") } },
		{ "node n1: tunnel_source changes (tunnel-source 100 %)\n",
		  { NUMBER(nodes[0].tunnel_source4.addr.bytes[14], 0, 1) } },
		{ "node n1: tunnel_source changes (tunnel-source 100 %)\n",
		  { NUMBER(nodes[0].tunnel_source6.addr.bytes[14], 0, 1) } },
		{ "node n1: tunnel_source changes (tunnel-source 100 %)\n",
		  { NUMBER(nodes[0].tunnel_source6.bits, 64, 0) } },
		{ "", { NUMBER(nodes[0].tunnel_source4.bits, 0, 24) } },
	};

	(void)state;
	check_figures(list, COUNT(list));
}

static void of_pools(void **state)
{
	static const struct figure list[] = {
		{ "pool a: max_backends 10, was 10, makes 4096 slots of 1024 (flows-rehashed 75 %)\n",
		  { NUMBER(pools[0].n_slots, KEEP, 4096) } },
		{ "pool b: max_backends 5, was 20, makes 1024 slots of 2048 (flows-rehashed 50 %)\n",
		  { NUMBER(pools[1].n_slots, 2048, 1024), NUMBER(pools[1].max_backends, 20, 5) } },
		{ "", { NUMBER(pools[1].max_backends, 20, 5) } },
		{ "pool a: agent is true: its slots follow other lists of owners (flows-rehashed 100 %)\n",
		  { NUMBER(pools[0].agent, 0, 1) } },
		{ "pool a: agent is false: its slots follow other lists of owners (flows-rehashed 100 %)\n",
		  { NUMBER(pools[0].agent, 1, 0) } },
		{ "pool a: mode is gue, was ipip (encapsulation-changed 100 %)\n",
		  { NUMBER(pools[0].mode, MODEL_MODE_IPIP, MODEL_MODE_GUE) } },
		{ "pool b: mode is ipip, was l2 (encapsulation-changed 100 %)\n",
		  { NUMBER(pools[1].mode, MODEL_MODE_L2, MODEL_MODE_IPIP) } },
		{ "pool a: idle_time is 500 ms, was 1000 ms (flow-memory 50 %)\n",
		  { NUMBER(pools[0].idle_ms, KEEP, 500) } },
		{ "", { NUMBER(pools[0].idle_ms, KEEP, 501) } },
		{ "pool a: settle_time is 1000 ms, was 3000 ms (flow-memory 66.7 %)\n",
		  { NUMBER(pools[0].settle_ms, KEEP, 1000) } },
		{ "", { NUMBER(pools[0].settle_ms, KEEP, 1501) } },
		{ "pool a: min_healthy is 35 %, was 50 % (guard-lowered 15 %)\n",
		  { NUMBER(pools[0].min_healthy_percent, 50, 35) } },
		{ "", { NUMBER(pools[0].min_healthy_percent, 50, 36) } },
		{ "pool a: min_healthy is 0 %, was 10 % (guard-lowered 15 %)\n",
		  { NUMBER(pools[0].min_healthy_percent, 10, 0) } },
		{ "pool a: min_healthy is 0 %, was 40 % (guard-lowered 40 %)\n",
		  { NUMBER(pools[0].min_healthy_percent, 40, 0) } },
		{ "pool a: min_healthy is 75 %, was 50 % (removal-blocked 50 %)\n",
		  { NUMBER(pools[0].min_healthy_percent, 50, 75) } },
		{ "", { NUMBER(pools[0].min_healthy_percent, 50, 74) } },
		{ "", { NUMBER(pools[0].min_healthy_percent, 100, 100) } },
		{ "pool b: max_remove is 65 % in 10 s, was 50 % (guard-lowered 15 %)\n",
		  { NUMBER(pools[1].max_remove_percent, 50, 65) } },
		{ "", { NUMBER(pools[1].max_remove_percent, 50, 64) } },
		{ "pool a: max_remove is 10 % in 10 s, was 40 % (removal-slowed 4 times)\n",
		  { NUMBER(pools[0].max_remove_percent, 40, 10) } },
		{ "", { NUMBER(pools[0].max_remove_percent, 40, 11) } },
		{ "pool a: its check is removed (check-removed 100 %)\n",
		  { NUMBER(pools[0].check, KEEP, 0) } },
		{ "", { POINTS(pools[1].check, checks[0]) } },
	};

	(void)state;
	check_figures(list, COUNT(list));
}

#define GATHERS "pool a: a member's share of the slots grows (load-gathers 2 times)\n"
#define NEW_IN_B                                                                                   \
	"pool b: new members get slots, and the pool has no check (unchecked-members 50 %)\n"

static void of_members(void **state)
{
	static const struct figure list[] = {
		{ "pool a: members with 50 % of the weight lose their slots (4 members, were 4) (members-leave 50 %)\n" GATHERS,
		  { NUMBER(backends[0].weight, KEEP, 0), NUMBER(backends[3].weight, KEEP, 0) } },
		{ "pool a: members with 50 % of the weight lose their slots (2 members, were 4) (members-leave 50 %)\n",
		  { NUMBER(pools[0].n_backends, 4, 2) } },
		{ "", { NUMBER(pools[0].n_backends, 4, 3) } },
		{ "", { NUMBER(backends[3].id, KEEP, 99) } }, /* a checked one is no risk */
		{ "pool b: members with 50 % of the weight lose their slots (2 members, were 2) (members-leave 50 %)\n" NEW_IN_B,
		  { NUMBER(backends[4].id, KEEP, 99) } },
		{ NEW_IN_B, { NUMBER(backends[5].weight, 0, 100) } },
		{ GATHERS, { NUMBER(backends[2].weight, KEEP, 300) } },
		{ "", { NUMBER(backends[2].weight, KEEP, 299) } },
		/* a new one, or one that had none, has nothing to gather */
		{ "", { NUMBER(backends[3].weight, 0, 300) } },
		/* a member that warms up has no more than others */
		{ "", { NUMBER(backends[2].weight, 10, 100) } },
		{ "pool a: members with 100 % of the weight lose their slots (0 members, were 4) (members-leave 100 %)\n",
		  { NUMBER(pools[0].n_backends, 4, 0) } },
		{ "", { NUMBER(pools[0].n_backends, 0, 4) } },
	};

	(void)state;
	check_figures(list, COUNT(list));
}

#define TARGET(what) "pool a: the " what " of its check changes (check-target 100 %)\n"
#define ASKS(vip, port)                                                                            \
	"pool a: its check asks for " vip " port " port ", too (service web) (check-target 100 %)\n"
#define STRICT "pool a: damping holds a target down after one or two changes (damping 100 %)\n"

static void of_checks(void **state)
{
	static const struct figure list[] = {
		{ TARGET("type"), { NUMBER(checks[0].type, KEEP, MODEL_CHECK_TCP) } },
		/* other times than those of probes are no harm of their own */
		{ TARGET("type"),
		  { NUMBER(checks[0].type, KEEP, MODEL_CHECK_EXTERNAL),
		    NUMBER(checks[0].timeout_ms, KEEP, 100),
		    NUMBER(checks[0].detect_worst_ms, KEEP, 9000) } },
		{ "pool a: a dead target is detected within 9000 ms, was 2000 ms (check-slower 4.5 times)\n",
		  { NUMBER(checks[0].type, MODEL_CHECK_EXTERNAL, MODEL_CHECK_EXTERNAL),
		    NUMBER(checks[0].detect_worst_ms, KEEP, 9000) } },
		{ "", /* it asks for no VIP */
		  { NUMBER(checks[0].type, MODEL_CHECK_EXTERNAL, MODEL_CHECK_EXTERNAL),
		    NUMBER(checks[0].via, MODEL_VIA_TUNNEL, MODEL_VIA_TUNNEL),
		    NUMBER(checks[0].port, 0, 0), NUMBER(m.n_services, 1, 2),
		    NUMBER(m.n_dns_names, 1, 1) } },
		{ TARGET("port"), { NUMBER(checks[0].port, KEEP, 81) } },
		{ TARGET("via"), { NUMBER(checks[0].via, KEEP, MODEL_VIA_TUNNEL) } },
		/* one more service leads to the backends, by the tunnel, or as before */
		{ ASKS("::a", "80"),
		  { NUMBER(checks[0].via, MODEL_VIA_TUNNEL, MODEL_VIA_TUNNEL),
		    NUMBER(checks[0].port, 0, 0), NUMBER(m.n_services, 1, 2),
		    NUMBER(m.n_dns_names, 1, 1) } },
		{ "", /* at the check's own port that was so before */
		  { NUMBER(checks[0].via, MODEL_VIA_TUNNEL, MODEL_VIA_TUNNEL),
		    NUMBER(m.n_services, 1, 2), NUMBER(m.n_dns_names, 1, 1) } },
		{ "",
		  { NUMBER(checks[0].port, 0, 0), NUMBER(m.n_services, 1, 2),
		    NUMBER(m.n_dns_names, 1, 1) } },
		{ TARGET("path"), { TEXT(checks[0].path, "/h", "/") } },
		{ TARGET("host"), { TEXT(checks[0].host, NULL, "y") } },
		{ "", { TEXT(checks[0].host, NULL, "") } },
		{ TARGET("expect"), { NUMBER(checks[0].expect, KEEP, 204) } },
		{ "", /* TCP asks for none of these */
		  { NUMBER(checks[0].type, MODEL_CHECK_TCP, MODEL_CHECK_TCP),
		    TEXT(checks[0].path, "/h", "/"), TEXT(checks[0].host, "x", "y"),
		    NUMBER(checks[0].expect, KEEP, 204) } },
		{ "pool a: a dead target is detected within 6000 ms, was 2000 ms (check-slower 3 times)\n",
		  { NUMBER(checks[0].detect_worst_ms, KEEP, 6000) } },
		{ "", { NUMBER(checks[0].detect_worst_ms, KEEP, 5999) } },
		{ "", { NUMBER(checks[0].detect_worst_ms, 300, 1000) } },
		{ "pool a: a dead target is detected within 1001 ms, was 250 ms (check-slower 4 times)\n",
		  { NUMBER(checks[0].detect_worst_ms, 250, 1001) } },
		{ "pool a: a target is down after 3 failures of 200 ms, was 3 of 600 ms (check-hasty 3 times)\n",
		  { NUMBER(checks[0].timeout_ms, 600, 200) } },
		{ "", { NUMBER(checks[0].timeout_ms, 600, 201) } },
		{ "pool a: a target is down after 2 failures of 500 ms, was 6 of 500 ms (check-hasty 3 times)\n",
		  { NUMBER(checks[0].fall, 6, 2) } },
		{ "pool a: a target is down after 1 failures of 1500 ms, was 2 of 500 ms (check-hasty 3 times)\n",
		  { NUMBER(checks[0].fall, 2, 1), NUMBER(checks[0].timeout_ms, 500, 1500) } },
		{ "", { NUMBER(checks[0].fall, 1, 1) } },
		{ "pool a: a target is down after 6 failures of 100 ms, was 3 of 400 ms (check-hasty 4 times)\n",
		  { NUMBER(checks[0].fall, 3, 6), NUMBER(checks[0].timeout_ms, 400, 100) } },
		{ "pool a: a recovered target is up after 10000 ms, was 2000 ms (check-return 5 times)\n",
		  { NUMBER(checks[0].rise, KEEP, 10) } },
		{ "", { NUMBER(checks[0].rise, KEEP, 9) } },
		{ "", { NUMBER(checks[0].rise, 1, 5) } },
		{ "pool a: a recovered target is up after 10002 ms, was 2000 ms (check-return 5 times)\n",
		  { NUMBER(checks[0].interval_ms, KEEP, 5001) } },
		{ "pool a: probed every 50 ms, was 250 ms (check-rate 5 times)\n",
		  { NUMBER(checks[0].interval_ms, 250, 50) } },
		{ "", { NUMBER(checks[0].interval_ms, 249, 50) } },
		{ "", { NUMBER(checks[0].interval_ms, 900, 100) } },
		{ "pool a: probed every 40 ms while in doubt, was 200 ms (check-rate 5 times)\n",
		  { NUMBER(checks[0].fast_interval_ms, 200, 40) } },
		{ "", { NUMBER(checks[0].fast_interval_ms, 199, 40) } },
		{ "", { NUMBER(checks[0].fast_interval_ms, 900, 100) } },
		{ "pool a: damping is turned off (damping 100 %)\n",
		  { NUMBER(checks[0].damp_turns, KEEP, 0) } },
		{ "", { NUMBER(checks[0].damp_turns, KEEP, 3) } },
		{ STRICT, { NUMBER(checks[0].damp_turns, 3, 2) } },
		{ STRICT, { NUMBER(checks[0].damp_turns, 2, 1) } },
		{ STRICT, { NUMBER(checks[0].damp_turns, 0, 2) } },
		{ "", { NUMBER(checks[0].damp_turns, 0, 3) } },
		{ "", { NUMBER(checks[0].damp_turns, 1, 2) } },
		{ "", { NUMBER(checks[0].damp_turns, 2, 2) } },
		{ "pool a: damping is much longer (damping 100 %)\n",
		  { NUMBER(checks[0].damp_max_ms, KEEP, 300000) } },
		{ "", { NUMBER(checks[0].damp_max_ms, KEEP, 299999) } },
		{ "", { NUMBER(checks[0].damp_max_ms, 10000, 60000) } },
		{ "",
		  { NUMBER(checks[0].damp_max_ms, KEEP, 300000),
		    NUMBER(checks[0].damp_turns, 0, 0) } },
		{ "service web at its VIPs: the port of its check changes (check-target 100 %)\n",
		  { NUMBER(checks[1].port, KEEP, 81) } },
		{ "", { NUMBER(m.n_services, 1, 2), NUMBER(m.n_dns_names, 1, 1) } },
	};

	(void)state;
	check_figures(list, COUNT(list));
}

#define GONE(n, of, percent)                                                                       \
	"service web: " n " of its " of                                                            \
	" addresses and ports are not served any more (entries-gone " percent " %)\n"

static void of_services(void **state)
{
	static const struct figure list[] = {
		{ "service web: hash is source, was flow (flows-rehashed 100 %)\n",
		  { NUMBER(services[1].hash, MODEL_HASH_FLOW, MODEL_HASH_SOURCE) } },
		{ "service quic: hash is flow, was source (flows-rehashed 100 %)\n",
		  { NUMBER(services[0].hash, MODEL_HASH_SOURCE, MODEL_HASH_FLOW) } },
		{ "service web: on_all_down is fail_closed (on-all-down 100 %)\n",
		  { NUMBER(services[1].on_all_down, KEEP, MODEL_ALL_DOWN_FAIL_CLOSED) } },
		{ "service web: on_all_down is last_good (on-all-down 100 %)\n",
		  { NUMBER(services[1].on_all_down, MODEL_ALL_DOWN_FAIL_CLOSED, 0) } },
		{ "service quic: udp_policy keeps fewer flows (udp-policy 100 %)\n",
		  { NUMBER(services[0].udp_policy, MODEL_UDP_MIGRATE, MODEL_UDP_RESET) } },
		{ "", { NUMBER(services[0].udp_policy, MODEL_UDP_RESET, MODEL_UDP_MIGRATE) } },
		{ "service quic: udp_idle is 500 ms, was 1000 ms (flow-memory 50 %)\n",
		  { NUMBER(services[0].udp_idle_ms, KEEP, 500) } },
		{ "", { NUMBER(services[0].udp_idle_ms, KEEP, 501) } },
		{ "", /* of TCP these are nothing */
		  { NUMBER(services[1].udp_policy, MODEL_UDP_KEEP, MODEL_UDP_RESET),
		    NUMBER(services[1].udp_idle_ms, KEEP, 1) } },
		{ GONE("4", "4", "100"), { NUMBER(services[1].port, KEEP, 81) } },
		{ GONE("4", "4", "100"), { NUMBER(services[1].protocol, KEEP, MODEL_UDP) } },
		{ GONE("4", "4", "100"), /* nor of what was TCP */
		  { NUMBER(services[1].protocol, KEEP, MODEL_UDP),
		    NUMBER(services[1].udp_policy, MODEL_UDP_KEEP, MODEL_UDP_RESET) } },
		{ GONE("1", "4", "25"), { POINTS(at[2].site, sites[0]) } },
		{ "service quic: 1 of its 2 addresses and ports are not served any more (entries-gone 50 %)\n" GONE(
		          "1", "4", "25"),
		  { NUMBER(vips[0].n_addresses, 2, 1) } },
		{ "service web: 2 of its 4 addresses and ports lead to another pool (pool-exchanged 50 %)\n",
		  { POINTS(at[1].pool, pools[1]) } },
		{ "service web: 1 of its 4 addresses and ports lead to another pool (pool-exchanged 25 %)\n",
		  { POINTS(at[3].pool, pools[0]) } },
		/* it serves the same, and what is known and asked of its sites goes by its name */
		{ "service web: 4 of its 4 addresses and ports belong to service wob (service-renamed 100 %)\n",
		  { TEXT(services[1].name, "web", "wob") } },
		/* nothing is asked of a service with one VIP */
		{ "", { TEXT(services[0].name, "quic", "quick") } },
		/* what it does to flows is what it did, or not */
		{ "service quic: hash is flow, was source (flows-rehashed 100 %)\n",
		  { TEXT(services[0].name, "quic", "quick"),
		    NUMBER(services[0].hash, MODEL_HASH_SOURCE, MODEL_HASH_FLOW) } },
		{ "", { NUMBER(services[1].n_at, 0, 3), NUMBER(m.n_dns_names, 1, 1) } },
	};

	(void)state;
	check_figures(list, COUNT(list));
}

#define STOPPED(n, percent)                                                                        \
	"node n1: " n                                                                              \
	" of its 4 announced addresses are not announced any more (announce-stopped " percent      \
	" %)\n"
#define MOVED(what) "node n1: announces by " what " (announce-moved 100 %)\n"
#define BIRD        NUMBER(nodes[0].announce.daemon, MODEL_DAEMON_BIRD, MODEL_DAEMON_BIRD)

static void of_announcements(void **state)
{
	static const struct figure list[] = {
		{ STOPPED("4", "100"),
		  { NUMBER(nodes[0].announce.daemon, MODEL_DAEMON_BIRD, MODEL_DAEMON_NONE) } },
		{ "", { NUMBER(nodes[0].announce.daemon, MODEL_DAEMON_NONE, MODEL_DAEMON_BIRD) } },
		{ STOPPED("2", "50"), { BIRD, NUMBER(nodes[0].announce.n_vips, 1, 0) } },
		{ STOPPED("1", "25"), { BIRD, NUMBER(nodes[0].announce.n_dns, 2, 1) } },
		{ "", { BIRD, NUMBER(nodes[0].announce.n_dns, 1, 2) } },
		{ "", { NUMBER(nodes[0].announce.n_dns, 2, 1) } }, /* without a daemon */
		{ "",
		  { BIRD, NUMBER(listen[0].bytes[15], 50, 51),
		    NUMBER(listen[1].bytes[15], 51, 50) } },
		{ MOVED("FRR from tables 177 and 178, was by BIRD from 177 and 178"),
		  { NUMBER(nodes[0].announce.daemon, MODEL_DAEMON_BIRD, MODEL_DAEMON_FRR) } },
		{ MOVED("BIRD from tables 7 and 178, was by BIRD from 177 and 178"),
		  { BIRD, NUMBER(nodes[0].announce.table, KEEP, 7) } },
		{ MOVED("BIRD from tables 177 and 9, was by BIRD from 177 and 178"),
		  { BIRD, NUMBER(nodes[0].announce.gshut_table, KEEP, 9) } },
		{ "", { NUMBER(nodes[0].announce.table, KEEP, 7) } },
	};

	(void)state;
	check_figures(list, COUNT(list));
}

#define EMPTIED(site, percent)                                                                     \
	"name www: site " site " is not in the answers any more (site-emptied " percent " %)\n"
#define MOVE(percent) "name www: answers move between sites (answers-move " percent " %)\n"
#define FURTHER       "answers have additional addresses (answers-unproven "
#define WEIGHTS(a, b, c)                                                                           \
	NUMBER(at[1].weight, KEEP, a), NUMBER(at[2].weight, KEEP, b), NUMBER(at[3].weight, KEEP, c)

static void of_answers(void **state)
{
	static const struct figure list[] = {
		{ EMPTIED("ams", "50") MOVE("50"), { WEIGHTS(0, 30, 20) } },
		{ MOVE("35"), { WEIGHTS(15, 30, 55) } },
		{ MOVE("30"), { WEIGHTS(20, 60, 20) } },
		{ "", { WEIGHTS(21, 59, 20) } },
		{ "", { WEIGHTS(0, 0, 0) } }, /* a third each */
		{ EMPTIED("par", "50") MOVE("50"), { WEIGHTS(9, 0, 0) } },
		{ MOVE("50"), { NUMBER(names[1].policy, KEEP, MODEL_POLICY_FAILOVER) } },
		{ MOVE("50"),
		  { NUMBER(names[1].policy, MODEL_POLICY_FAILOVER, MODEL_POLICY_WEIGHTED) } },
		/* the order of a failover: nobody has lost the site that is behind now */
		{ "service web: 3 of its 4 addresses and ports lead to another pool (pool-exchanged 75 %)\n" MOVE(
		          "100"),
		  { NUMBER(names[1].policy, MODEL_POLICY_FAILOVER, MODEL_POLICY_FAILOVER),
		    POINTS(at[1].site, sites[1]), POINTS(at[1].vip, vips[1]),
		    POINTS(at[2].site, sites[0]), POINTS(at[2].vip, vips[0]) } },
		{ GONE("1", "4", "25") EMPTIED("par", "20"), { NUMBER(services[1].n_at, 3, 2) } },
		/* two sites with one VIP count as one, which here gains what the other VIP had */
		{ GONE("1", "4", "25") EMPTIED("fra", "30") MOVE("30"),
		  { POINTS(at[2].vip, vips[0]) } },
		/* two VIPs with one address are one place, before and after */
		{ "",
		  { NUMBER(addresses[3].bytes[15], 10, 10), NUMBER(at[1].weight, 80, 80),
		    NUMBER(at[2].weight, 10, 10) } },
		{ "",
		  { NUMBER(addresses[3].bytes[15], 10, 10), NUMBER(at[1].weight, 10, 10),
		    NUMBER(at[2].weight, 80, 80) } },
		{ "", { NUMBER(addresses[3].bytes[15], 10, 10), WEIGHTS(30, 50, 20) } },
		{ MOVE("40"), { NUMBER(addresses[3].bytes[15], 10, 10), WEIGHTS(20, 20, 60) } },
		/* an address that is new: probed before it is answered, or not */
		{ GONE("1", "4", "25") EMPTIED("fra", "30"),
		  { NUMBER(addresses[3].bytes[15], KEEP, 99) } },
		{ GONE("1", "4", "25") EMPTIED(
		          "fra",
		          "30") "name www: answers have addresses that were not in use before (answers-unproven 30 %)\n",
		  { NUMBER(addresses[3].bytes[15], KEEP, 99),
		    NUMBER(services[1].vip_check, 0, 0) } },
		{ "name q: " FURTHER "33.3 %)\nname www: " FURTHER "16.7 %)\n",
		  { NUMBER(vips[0].n_addresses, 2, 3) } },
		{ "name www: " FURTHER "15 %)\n", { NUMBER(vips[1].n_addresses, 1, 2) } },
		{ "name www: removed (names-gone 50 %)\n", { NUMBER(m.n_dns_names, 2, 1) } },
		{ "", { NUMBER(m.n_dns_names, 1, 2) } },
	};

	(void)state;
	check_figures(list, COUNT(list));
}

static void of_times_to_live(void **state)
{
	static const struct figure list[] = {
		{ "name www: ttl.max is 300 s, was 60 s (ttl-longer 5 times)\n",
		  { NUMBER(names[1].ttl_max_s, 60, 300) } },
		{ "", { NUMBER(names[1].ttl_max_s, 60, 299) } },
		{ "name q: ttl.max is 30 s, was 6 s (ttl-longer 5 times)\n",
		  { NUMBER(names[0].ttl_max_s, 6, 30) } },
		{ "", { NUMBER(names[0].ttl_max_s, 5, 29) } },
		{ "name q: ttl.max is 6 s, was 60 s (ttl-shorter 10 times)\n",
		  { NUMBER(names[0].ttl_max_s, 60, 6) } },
		{ "", { NUMBER(names[0].ttl_max_s, 60, 7) } },
		{ "name www: ttl.min is 40 s, was 5 s (ttl-longer 8 times)\n",
		  { NUMBER(names[1].ttl_min_s, 5, 40) } },
		{ "name www: ttl.min is 0 s, was 5 s (ttl-shorter 1000000 times)\n",
		  { NUMBER(names[1].ttl_min_s, 5, 0) } },
		{ "name www: ttl.min is 30 s, was 0 s (ttl-longer 1000000 times)\n",
		  { NUMBER(names[1].ttl_min_s, 0, 30) } },
		{ "", { NUMBER(names[1].ttl_min_s, 0, 0) } },
	};

	(void)state;
	check_figures(list, COUNT(list));
}

/* So many are named; all are counted. */
static void many_risks_are_counted_though_few_are_named(void **state)
{
	static const size_t counts[] = { RISK_SHOWN_MAX - 1, RISK_SHOWN_MAX, RISK_SHOWN_MAX + 1 };
	static char names[RISK_SHOWN_MAX + 1][8];
	static struct model_node nodes[RISK_SHOWN_MAX + 1];
	static struct world w;
	const struct model empty = { .cluster = "c", .hash_key_id = "k" };
	struct model full = empty;

	(void)state;
	make_world(&w);
	for (size_t i = 0; i < COUNT(nodes); i++) {
		snprintf(names[i], sizeof(names[i]), "n%03zu", i);
		nodes[i] = w.nodes[1];
		nodes[i].name = names[i];
	}
	full.nodes = nodes;
	for (size_t i = 0; i < COUNT(counts); i++) {
		struct arena *arena = arena_new((size_t)1 << 20);
		const struct risk *risks;
		size_t n_all;

		full.n_nodes = counts[i];
		size_t n = risk_find(&full, &empty, arena, &risks, &n_all);
		assert_int_equal(n, counts[i] < RISK_SHOWN_MAX ? counts[i] : RISK_SHOWN_MAX);
		assert_int_equal(n_all, counts[i]);
		assert_non_null(strstr(risks[n - 1].text, names[n - 1]));
		arena_free(arena);
	}
}

SUITE(risk_figures)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_the_cluster),
		cmocka_unit_test(of_nodes),
		cmocka_unit_test(of_pools),
		cmocka_unit_test(of_members),
		cmocka_unit_test(of_checks),
		cmocka_unit_test(of_services),
		cmocka_unit_test(of_announcements),
		cmocka_unit_test(of_answers),
		cmocka_unit_test(of_times_to_live),
		cmocka_unit_test(many_risks_are_counted_though_few_are_named),
	};

	return cmocka_run_group_tests_name("risk figures", tests, NULL, NULL);
}
