/* SPDX-License-Identifier: BSD-2-Clause */
/* The backend agent's user-space half on real programs, maps and links, in namespaces of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "bpf/agent_maps.h"
#include "tests/unit/suite.h"
#include "weir/agent.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/healthcheck/tunnel_frames.h"

#define PINS BPF_DIR "/agents/here"

static struct prefix prefix_of(const char *text, uint8_t bits)
{
	struct prefix p = { .bits = bits };

	assert_int_equal(addr_parse(text, &p.addr), 0);
	return p;
}

/* An agent that takes tunnels from 192.0.2.0/24. */
static struct agent_options make_options(struct prefix *sources)
{
	*sources = prefix_of("192.0.2.0", 24);
	return (struct agent_options){ .prefixes = sources, .n_prefixes = 1, .bpf_dir = PINS };
}

static void attach_agent(const char *interface, const struct agent_options *o)
{
	char error[AGENT_ERROR_MAX];
	int err = agent_attach(interface, o, error);

	if (err)
		fail_msg("%s: %d %s", interface, err, error);
	assert_string_equal(error, "");
}

static struct agent_status *status_of(const char *interface)
{
	static struct agent_status s;
	char error[AGENT_ERROR_MAX];

	if (agent_status(interface, PINS, &s, error))
		fail_msg("%s", error);
	return &s;
}

static bool has_filter(const char *interface)
{
	char command[128];

	snprintf(command, sizeof(command), "tc filter show dev %s ingress | grep -q bpf",
	         interface);
	return system(command) == 0;
}

static int remove_agent(void **state)
{
	char error[AGENT_ERROR_MAX];

	(void)state;
	(void)agent_detach("v0", PINS, error);
	return system("ip link set dev v0 xdp off; tc qdisc del dev v0 clsact 2>/dev/null; true");
}

static void what_is_attached_is_read_back(void **state)
{
	struct prefix sources[3] = { prefix_of("198.51.100.0", 24), prefix_of("2001:db8::", 32),
		                     prefix_of("10.0.0.0", 8) };
	const struct agent_options o = { .prefixes = sources, .n_prefixes = 3, .bpf_dir = PINS };
	const struct agent_status *s;

	(void)state;
	attach_agent("v0", &o);
	s = status_of("v0");
	assert_int_equal(s->mode, AGENT_MODE_NATIVE);
	assert_int_equal(s->prog_id, space_xdp_of("v0"));
	assert_int_equal(s->n_prefixes, 3);
	assert_int_equal(s->prefixes[0].prefix.bits, 8); /* sorted; IPv4 by its own bits */
	assert_true(addr_equal(&s->prefixes[1].prefix.addr, &sources[0].addr));
	assert_int_equal(s->prefixes[1].prefix.bits, 24);
	assert_int_equal(s->prefixes[2].prefix.bits, 32);
	assert_int_equal(s->n_netns, 1);
	assert_false(s->passes_on);
	for (size_t i = 0; i < 3; i++)
		assert_false(s->prefixes[i].is_owner);
}

static void a_prefix_that_is_used_twice_keeps_both_uses(void **state)
{
	struct prefix sources[2], owners[2];
	struct agent_options o = make_options(sources);
	const struct agent_status *s;

	(void)state;
	owners[0] = sources[0];                   /* balancers and backends in one prefix */
	owners[1] = prefix_of("192.0.2.128", 25); /* and one inside it */
	sources[1] = prefix_of("10.9.0.0", 16);
	o.n_prefixes = 2;
	o.owners = owners;
	o.n_owners = 2;
	attach_agent("v0", &o);
	s = status_of("v0");
	assert_int_equal(s->n_prefixes, 3);
	assert_false(s->prefixes[0].is_owner);
	assert_true(s->prefixes[1].is_owner && s->prefixes[2].is_owner);
	int fd = space_map_of(s->prog_id, "agent_prefixes");
	struct {
		uint32_t bits;
		uint8_t source[16];
	} key = { .bits = 96 + 24 };
	uint32_t uses = 0;

	memcpy(key.source, sources[0].addr.bytes, 16);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &uses), 0);
	assert_int_equal(uses, 3);
	key.bits = 96 + 25;
	memcpy(key.source, owners[1].addr.bytes, 16);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &uses), 0);
	assert_int_equal(uses, 2); /* the shorter prefix's use is not its own */
	close(fd);
}

static void too_few_or_too_many_are_refused_and_the_limit_is_not(void **state)
{
	static struct prefix many[AGENT_PREFIXES_MAX + 1];
	static const char *spaces[AGENT_NETNS_MAX + 1];
	struct agent_options o = { .prefixes = many, .bpf_dir = PINS };
	char error[AGENT_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i <= AGENT_PREFIXES_MAX; i++) {
		many[i] = prefix_of("10.0.0.0", 32);
		many[i].addr.bytes[14] = (uint8_t)(i >> 8);
		many[i].addr.bytes[15] = (uint8_t)i;
	}
	assert_int_equal(agent_attach("v0", &o, error), -EINVAL);
	assert_non_null(strstr(error, "0 source prefixes given, 1 to 1024 expected"));
	o.n_prefixes = AGENT_PREFIXES_MAX;
	o.owners = many;
	o.n_owners = 1;
	assert_int_equal(agent_attach("v0", &o, error), -EINVAL);
	o.n_owners = 0;
	attach_agent("v0", &o);
	assert_int_equal(status_of("v0")->n_prefixes, AGENT_PREFIXES_MAX);
	o.n_prefixes = 1;
	o.netns = spaces;
	o.n_netns = AGENT_NETNS_MAX + 1;
	assert_int_equal(agent_attach("v0", &o, error), -EINVAL);
	assert_non_null(strstr(error, "8 namespaces given, at most 7 expected"));
	assert_int_equal(status_of("v0")->n_prefixes, AGENT_PREFIXES_MAX); /* as it was */
}

static void who_is_not_there_is_named(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	char error[AGENT_ERROR_MAX];
	struct agent_status s;

	(void)state;
	assert_int_equal(agent_attach("nosuch", &o, error), -ENODEV);
	assert_non_null(strstr(error, "no interface nosuch"));
	assert_int_equal(agent_status("v0", PINS, &s, error), -ENOENT);
	assert_string_equal(error, "no agent on v0");
	assert_int_equal(agent_detach("v0", PINS, error), -ENOENT);
	assert_int_equal(agent_detach("v0", PINS, NULL), -ENOENT);
	o.bpf_dir = "/tmp";
	assert_int_equal(agent_attach("v0", &o, error), -EINVAL);
	assert_non_null(strstr(error, "not on a BPF file system"));
	o.netns = (const char *const[]){ "nosuch" };
	o.n_netns = 1;
	o.bpf_dir = PINS;
	assert_int_equal(agent_attach("v0", &o, error), -ENOENT);
	assert_non_null(strstr(error, "network namespace nosuch"));
	assert_int_equal(space_xdp_of("v0"), 0);
}

/* Give v0 a frame with an IPIP packet from @p source, sent on CPU @p cpu. */
static void send_tunnel(const char *source, unsigned cpu)
{
	uint8_t frame[14 + 20 + 20 + 8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,   0,
		                            0,    0,    0,    1,    8,    0,    0x45 };
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		                  .sll_ifindex = (int)if_nametoindex("v1"),
		                  .sll_halen = 6 };
	int s = socket(AF_PACKET, SOCK_RAW, 0);
	cpu_set_t set;

	frame[14 + 3] = sizeof(frame) - 14;
	frame[14 + 8] = 64;
	frame[14 + 9] = IPPROTO_IPIP;
	inet_pton(AF_INET, source, frame + 14 + 12);
	inet_pton(AF_INET, "10.1.1.11", frame + 14 + 16);
	uint32_t sum = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(frame[14 + i] << 8 | frame[15 + i]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[14 + 10] = (uint8_t)(sum >> 8);
	frame[14 + 11] = (uint8_t)sum;
	frame[34] = 0x45;
	frame[34 + 3] = 28;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
	assert_int_equal(sendto(s, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)),
	                 sizeof(frame));
	close(s);
}

static uint64_t count_refused(void)
{
	return status_of("v0")->counts[DECAP_SOURCE].packets;
}

static void wait_refused(uint64_t n)
{
	for (int i = 0; i < 500 && count_refused() < n; i++)
		usleep(10000);
	assert_int_equal(count_refused(), n);
}

static void counters_add_up_all_cpus_and_outlive_a_replacement(void **state)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	cpu_set_t before;
	uint32_t first;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	attach_agent("v0", &o);
	first = status_of("v0")->prog_id;
	for (unsigned i = 0; i < 6; i++)
		send_tunnel("203.0.113.9", i % (unsigned)n_cpus);
	wait_refused(6);
	assert_int_equal(status_of("v0")->counts[DECAP_SOURCE].bytes, 6 * 62);
	sources = prefix_of("203.0.113.0", 24);
	attach_agent("v0", &o); /* prefixes change at once, counters go on */
	assert_int_not_equal(status_of("v0")->prog_id, first);
	assert_int_equal(status_of("v0")->n_prefixes, 1);
	assert_int_equal(count_refused(), 6);
	send_tunnel("203.0.113.9", 0);
	send_tunnel("192.0.2.9", 0);
	wait_refused(7);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void another_mode_is_taken_and_auto_keeps_what_is(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);

	(void)state;
	o.mode = AGENT_MODE_GENERIC;
	attach_agent("v0", &o);
	assert_int_equal(status_of("v0")->mode, AGENT_MODE_GENERIC);
	o.mode = AGENT_MODE_AUTO;
	attach_agent("v0", &o);
	assert_int_equal(status_of("v0")->mode, AGENT_MODE_GENERIC);
	o.mode = AGENT_MODE_NATIVE;
	attach_agent("v0", &o);
	assert_int_equal(status_of("v0")->mode, AGENT_MODE_NATIVE);
}

/* veth takes no native program while its peer's frames are longer than a page holds. */
static void a_mode_that_is_refused_leaves_the_agent_as_it_was(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	char error[AGENT_ERROR_MAX] = "";

	(void)state;
	o.mode = AGENT_MODE_GENERIC;
	attach_agent("v0", &o);
	space_run("ip link set v1 mtu 9000");
	o.mode = AGENT_MODE_NATIVE;
	assert_true(agent_attach("v0", &o, error) < 0);
	assert_non_null(strstr(error, "v0"));
	assert_int_equal(status_of("v0")->mode, AGENT_MODE_GENERIC);
	space_run("ip link set v1 mtu 1500");
	attach_agent("v0", &o);
	assert_int_equal(status_of("v0")->mode, AGENT_MODE_NATIVE);
}

/* The agent that stays readdresses packets: the program that sends these on stays as well. */
static void an_agent_that_is_not_replaced_still_sends_on(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	char error[AGENT_ERROR_MAX] = "";

	(void)state;
	o.mode = AGENT_MODE_GENERIC;
	o.owners = &sources;
	o.n_owners = 1;
	attach_agent("v0", &o);
	space_run("ip link set v1 mtu 9000");
	o.mode = AGENT_MODE_NATIVE;
	o.n_owners = 0;
	assert_true(agent_attach("v0", &o, error) < 0);
	space_run("ip link set v1 mtu 1500");
	assert_true(status_of("v0")->prefixes[0].is_owner);
	assert_true(status_of("v0")->passes_on);
	assert_true(has_filter("v0"));
	attach_agent("v0", &o);
	assert_false(has_filter("v0"));
}

static void packets_are_passed_on_while_owners_are_named(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	char error[AGENT_ERROR_MAX];

	(void)state;
	o.owners = &sources;
	o.n_owners = 1;
	attach_agent("v0", &o);
	assert_true(status_of("v0")->passes_on);
	assert_true(has_filter("v0"));
	attach_agent("v0", &o); /* again: one filter, not two */
	assert_int_equal(
	        system("test $(tc filter show dev v0 ingress | grep -c weir_agent_next) = 1"), 0);
	o.n_owners = 0;
	attach_agent("v0", &o);
	assert_false(status_of("v0")->passes_on);
	assert_false(has_filter("v0"));
	o.n_owners = 1;
	attach_agent("v0", &o);
	assert_int_equal(agent_detach("v0", PINS, error), 0);
	assert_false(has_filter("v0")); /* nothing is left behind */
	assert_int_equal(space_xdp_of("v0"), 0);
	assert_int_not_equal(access(PINS "/agent-v0", F_OK), 0);
}

/* Give v0 @p f with the tag of VLAN @p vlan in it, as a switch sends it. */
static void send_tagged(const struct tunnel_frame *f, uint16_t vlan)
{
	uint8_t frame[FRAME_MAX + 4];
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		                  .sll_ifindex = (int)if_nametoindex("v1"),
		                  .sll_halen = 6 };
	int s = socket(AF_PACKET, SOCK_RAW, 0);

	memcpy(frame, f->bytes, 12);
	put_be16(frame + 12, 0x8100);
	put_be16(frame + 14, vlan);
	memcpy(frame + 16, f->bytes + 12, f->n - 12);
	assert_int_equal(sendto(s, frame, f->n + 4, 0, (struct sockaddr *)&to, sizeof(to)),
	                 f->n + 4);
	close(s);
}

/* A socket that gets the IPv4 packets that v0's ingress leaves to the kernel. */
static int open_receiver(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		                  .sll_protocol = htons(ETH_P_IP),
		                  .sll_ifindex = (int)if_nametoindex("v0") };
	const struct timeval wait = { .tv_sec = 2 };
	int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));

	assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	return s;
}

/* The port's XDP program leaves it as it is, so the program at its ingress does, too. */
static void a_vlans_segment_is_left_to_the_vlan(void **state)
{
	static const enum agent_mode modes[] = { AGENT_MODE_NATIVE, AGENT_MODE_GENERIC };
	const struct tunnel_plan plan = {
		.kind = TUNNEL_GUE0, .outer4 = true, .inner4 = true, .payload_len = 24, .owners = 2
	};
	struct tunnel_frame f = make_frame(&plan);
	uint8_t received[FRAME_MAX + 4];
	struct prefix sources;
	struct agent_options o = make_options(&sources);

	(void)state;
	space_run("ip link set v0 address 02:aa:bb:cc:dd:01");
	int s = open_receiver();

	o.owners = &sources;
	o.n_owners = 1;
	for (size_t i = 0; i < 2; i++) {
		o.mode = modes[i];
		attach_agent("v0", &o);
		send_tagged(&f, 5);
		assert_int_equal(recv(s, received, sizeof(received), 0), f.n);
		assert_memory_equal(received, f.bytes, f.n);
	}
	close(s);
	assert_int_equal(status_of("v0")->counts[DECAP_PASSED].packets, 2);
}

static void the_largest_tunnel_of_all_services_is_shown(void **state)
{
	struct prefix sources;
	const struct agent_options o = make_options(&sources);
	const struct agent_mss *m;

	(void)state;
	attach_agent("v0", &o);
	int fd = space_map_of(space_xdp_of("v0"), "agent_services");
	for (uint8_t largest = 0; largest < 8; largest++) { /* whatever order the map has */
		for (uint8_t i = 0; i < 8; i++) {
			struct agent_service key = { .port = { 0, i } };
			uint32_t overhead = i == largest ? 60 : 20;

			assert_int_equal(bpf_map_update_elem(fd, &key, &overhead, BPF_ANY), 0);
		}
		m = &status_of("v0")->mss;
		assert_int_equal(m->n_services, 8);
		assert_int_equal(m->overhead, 60);
	}
	close(fd);
}

/* In force is what is there now and reads this agent's setting, not what was once attached. */
static void the_mss_is_in_force_while_the_program_at_the_egress_is_ours(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	char error[AGENT_ERROR_MAX];
	const struct agent_mss *m;

	(void)state;
	attach_agent("v0", &o);
	m = &status_of("v0")->mss;
	assert_int_equal(m->force, AGENT_MSS_IN_FORCE);
	assert_int_equal(m->setting, AGENT_MSS_AUTO);
	assert_int_equal(m->mtu, 1500);
	assert_null(agent_mss_trouble(m));
	space_run("tc filter del dev v0 egress");
	m = &status_of("v0")->mss;
	assert_int_equal(m->force, AGENT_MSS_MISSING);
	assert_non_null(strstr(agent_mss_trouble(m), "is missing"));
	o.mss = 1400;
	attach_agent("v0", &o); /* again: it is there again, with the new setting */
	attach_agent("v0", &o);
	assert_int_equal(
	        system("test $(tc filter show dev v0 egress | grep -c weir_agent_mss) = 1"), 0);
	m = &status_of("v0")->mss;
	assert_int_equal(m->force, AGENT_MSS_IN_FORCE);
	assert_int_equal(m->setting, 1400);
	space_run("tc qdisc del dev v0 clsact");
	assert_int_equal(status_of("v0")->mss.force, AGENT_MSS_MISSING);
	o.mss = AGENT_MSS_OFF;
	attach_agent("v0", &o);
	assert_int_equal(status_of("v0")->mss.force, AGENT_MSS_NOT_USED);
	assert_int_not_equal(system("tc filter show dev v0 egress | grep -q bpf"), 0);
	o.mss = AGENT_MSS_AUTO;
	attach_agent("v0", &o);
	o.mss = AGENT_MSS_OFF;
	attach_agent("v0", &o); /* turned off: it goes */
	assert_int_not_equal(system("tc filter show dev v0 egress | grep -q bpf"), 0);
	o.mss = AGENT_MSS_MIN - 1;
	assert_int_equal(agent_attach("v0", &o, error), -EINVAL);
	o.mss = AGENT_MSS_MAX + 1;
	assert_int_equal(agent_attach("v0", &o, error), -EINVAL);
	assert_int_equal(status_of("v0")->mss.force, AGENT_MSS_NOT_USED); /* as it was */
	o.mss = AGENT_MSS_AUTO;
	attach_agent("v0", &o);
	assert_int_equal(agent_detach("v0", PINS, error), 0);
	assert_int_not_equal(system("tc filter show dev v0 egress | grep -q bpf"), 0);
}

/* A filter with our handle that reads another agent's setting follows what that agent was told. */
static void another_agents_program_is_not_taken_for_ours(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	struct agent_options other = make_options(&sources);
	char error[AGENT_ERROR_MAX];

	(void)state;
	attach_agent("v0", &o);
	other.bpf_dir = BPF_DIR "/agents/other";
	assert_int_equal(agent_attach("v1", &other, error), 0);
	space_run("tc filter show dev v1 egress | grep -q weir_agent_mss");
	/* v1's program at v0 */
	space_run(
	        "bpftool prog pin id $(tc filter show dev v1 egress | sed -n 's/.* id \\([0-9]*\\) .*/\\1/p') " BPF_DIR
	        "/v1 && tc filter replace dev v0 egress protocol all handle 1 prio 22341 bpf da object-pinned " BPF_DIR
	        "/v1");
	assert_int_equal(status_of("v0")->mss.force, AGENT_MSS_MISSING);
	assert_int_equal(agent_detach("v1", other.bpf_dir, error), 0);
	unlink(BPF_DIR "/v1");
}

/* Counters and services outlive a replacement, as the XDP program's do. */
static void what_is_known_of_services_outlives_a_replacement(void **state)
{
	struct {
		uint8_t vip[16], port[2];
		uint16_t reserved;
	} key = { .vip = { 9 }, .port = { 1, 187 } };
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	uint32_t overhead = 32;

	(void)state;
	attach_agent("v0", &o);
	int fd = space_map_of(status_of("v0")->prog_id, "agent_services");

	assert_int_equal(bpf_map_update_elem(fd, &key, &overhead, BPF_ANY), 0);
	close(fd);
	attach_agent("v0", &o);
	assert_int_equal(status_of("v0")->mss.n_services, 1);
	assert_int_equal(status_of("v0")->mss.overhead, 32);
}

static void a_foreign_program_is_left_alone_and_nothing_else_is_left_behind(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	char error[AGENT_ERROR_MAX];
	uint32_t foreign;

	(void)state;
	space_attach_other("v0");
	foreign = space_xdp_of("v0");
	o.owners = &sources;
	o.n_owners = 1;
	assert_int_equal(agent_attach("v0", &o, error), -EBUSY);
	assert_non_null(strstr(error, "another XDP program is attached"));
	assert_int_equal(space_xdp_of("v0"), foreign);
	assert_int_not_equal(access(PINS "/agent-v0", F_OK), 0);
	assert_false(has_filter("v0")); /* with everything as it was */
}

static void the_pin_of_an_interface_that_is_gone_is_taken_away(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	char error[AGENT_ERROR_MAX];
	struct agent_status s;

	(void)state;
	space_run(
	        "ip link add e0 type veth peer name e1 && ip link set e0 up && ip link set e1 up");
	attach_agent("e0", &o);
	space_run("ip link del e0 && ip link add e0 type veth peer name e1 && ip link set e0 up");
	assert_int_equal(access(PINS "/agent-e0", F_OK), 0);
	attach_agent("e0", &o);
	assert_int_equal(status_of("e0")->prog_id, space_xdp_of("e0"));
	space_run("ip link del e0");
	assert_int_equal(agent_status("e0", PINS, &s, error), -ENOENT);
	assert_int_not_equal(access(PINS "/agent-e0", F_OK), 0);
}

/* A BPF file system refuses names with dots, which most VLANs' interfaces have. */
static void an_interface_with_a_dot_in_its_name_takes_an_agent(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	char error[AGENT_ERROR_MAX];
	uint32_t first;

	(void)state;
	space_run("ip link add v0.100 type veth peer name v1.100 && ip link set v0.100 up");
	attach_agent("v0.100", &o);
	first = space_xdp_of("v0.100");
	attach_agent("v0.100", &o);
	assert_int_not_equal(space_xdp_of("v0.100"), first);
	assert_int_equal(status_of("v0.100")->prog_id, space_xdp_of("v0.100"));
	assert_int_equal(access(PINS "/agent-v0:100", F_OK), 0);
	assert_int_equal(agent_detach("v0.100", PINS, error), 0);
	assert_int_equal(space_xdp_of("v0.100"), 0);
	space_run("ip link del v0.100");
}

/* In another network namespace with an interface of the same name; the mounts are shared. */
static int attach_elsewhere(void)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);
	pid_t child = fork();
	int end;

	if (child == 0) {
		if (unshare(CLONE_NEWNET))
			_exit(1);
		space_run(
		        "ip link add v9 type veth peer name v8 && ip link add v0 type veth peer name v1");
		char error[AGENT_ERROR_MAX] = "";
		int err = agent_attach("v0", &o, error);

		_exit(strstr(error, "run weir-agent detach there, or give another") ? -err : 0);
	}
	waitpid(child, &end, 0);
	return WIFEXITED(end) ? -WEXITSTATUS(end) : -1;
}

static void an_interface_of_that_name_elsewhere_keeps_its_pin(void **state)
{
	struct prefix sources;
	struct agent_options o = make_options(&sources);

	(void)state;
	attach_agent("v0", &o);
	assert_int_equal(attach_elsewhere(), -EEXIST);
	assert_int_equal(status_of("v0")->prog_id, space_xdp_of("v0"));
}

static void namespaces_are_found_by_path_and_counted(void **state)
{
	const char *spaces[] = { "/proc/self/ns/net", "/proc/self/ns/net" };
	struct prefix sources;
	struct agent_options o = make_options(&sources);

	(void)state;
	o.netns = spaces;
	o.n_netns = 2;
	attach_agent("v0", &o);
	assert_int_equal(status_of("v0")->n_netns, 3);
	o.n_netns = 0;
	attach_agent("v0", &o);
	assert_int_equal(status_of("v0")->n_netns, 1);
}

static void each_reason_has_its_words_and_drops_are_marked(void **state)
{
	(void)state;
	for (int i = 0; i < DECAP_REASON_COUNT; i++) {
		assert_true(*agent_reason_name((enum decap_reason)i) &&
		            *agent_reason_help((enum decap_reason)i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(agent_reason_name((enum decap_reason)i),
			                        agent_reason_name((enum decap_reason)k));
	}
	assert_true(agent_reason_is_drop(DECAP_SOURCE));
}

SUITE(agent)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_is_attached_is_read_back, remove_agent),
		cmocka_unit_test_teardown(a_prefix_that_is_used_twice_keeps_both_uses,
		                          remove_agent),
		cmocka_unit_test_teardown(too_few_or_too_many_are_refused_and_the_limit_is_not,
		                          remove_agent),
		cmocka_unit_test_teardown(who_is_not_there_is_named, remove_agent),
		cmocka_unit_test_teardown(counters_add_up_all_cpus_and_outlive_a_replacement,
		                          remove_agent),
		cmocka_unit_test_teardown(another_mode_is_taken_and_auto_keeps_what_is,
		                          remove_agent),
		cmocka_unit_test_teardown(a_mode_that_is_refused_leaves_the_agent_as_it_was,
		                          remove_agent),
		cmocka_unit_test_teardown(the_largest_tunnel_of_all_services_is_shown,
		                          remove_agent),
		cmocka_unit_test_teardown(
		        the_mss_is_in_force_while_the_program_at_the_egress_is_ours, remove_agent),
		cmocka_unit_test_teardown(another_agents_program_is_not_taken_for_ours,
		                          remove_agent),
		cmocka_unit_test_teardown(what_is_known_of_services_outlives_a_replacement,
		                          remove_agent),
		cmocka_unit_test_teardown(an_agent_that_is_not_replaced_still_sends_on,
		                          remove_agent),
		cmocka_unit_test_teardown(packets_are_passed_on_while_owners_are_named,
		                          remove_agent),
		cmocka_unit_test_teardown(a_vlans_segment_is_left_to_the_vlan, remove_agent),
		cmocka_unit_test_teardown(
		        a_foreign_program_is_left_alone_and_nothing_else_is_left_behind,
		        remove_agent),
		cmocka_unit_test_teardown(the_pin_of_an_interface_that_is_gone_is_taken_away,
		                          remove_agent),
		cmocka_unit_test_teardown(an_interface_with_a_dot_in_its_name_takes_an_agent,
		                          remove_agent),
		cmocka_unit_test_teardown(an_interface_of_that_name_elsewhere_keeps_its_pin,
		                          remove_agent),
		cmocka_unit_test_teardown(namespaces_are_found_by_path_and_counted, remove_agent),
		cmocka_unit_test_teardown(each_reason_has_its_words_and_drops_are_marked,
		                          remove_agent),
	};

	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
