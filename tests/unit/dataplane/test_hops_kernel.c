/* SPDX-License-Identifier: BSD-2-Clause */
/* Next hops as they follow a real kernel's links, routes and neighbours, in a network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include <cmocka.h>

#include "dataplane/nexthop/hops_internal.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/calls.h"
#include "tests/unit/suite.h"

#define WAIT_MS 10000u

/* A loop with next hops, and what they said last. */
struct scene {
	struct loop *loop;
	struct hops *hops;
	struct loop_timer poll, end;
	bool (*is_so)(struct scene *s);
	bool came;
	struct addr address; /* that is asked about */
	unsigned n_told;
	const char *command; /* run once when n_left more addresses were told of */
	unsigned n_left;
};

static void on_hop(void *arg, const struct addr *address, const struct hop *hop)
{
	struct scene *s = arg;

	(void)hop;
	s->n_told += addr_equal(address, &s->address);
	if (s->n_left && !--s->n_left)
		space_run("%s", s->command);
}

static void on_poll(void *arg)
{
	struct scene *s = arg;

	s->came = s->is_so && s->is_so(s);
	if (s->came)
		loop_stop(s->loop);
	else
		loop_timer_set(s->loop, &s->poll, loop_now_ms(s->loop) + 5);
}

static void on_end(void *arg)
{
	struct scene *s = arg;

	loop_stop(s->loop);
}

/* Turn the loop until @p is_so. @return whether it came to be so */
static bool turn_until(struct scene *s, uint64_t ms, bool (*is_so)(struct scene *s))
{
	s->is_so = is_so;
	s->came = false;
	loop_timer_set(s->loop, &s->poll, 0);
	loop_timer_set(s->loop, &s->end, loop_now_ms(s->loop) + ms);
	assert_int_equal(loop_run(s->loop), 0);
	loop_timer_cancel(s->loop, &s->end);
	loop_timer_cancel(s->loop, &s->poll);
	return s->came;
}

static struct addr addr_at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct hop hop_of(const struct scene *s, const char *address)
{
	const struct addr a = addr_at(address);
	struct hop hop;

	assert_true(hops_get(s->hops, &a, &hop));
	return hop;
}

static void watch_address(struct scene *s, const char *address)
{
	s->address = addr_at(address);
	assert_int_equal(hops_watch(s->hops, &s->address), 0);
}

static void unwatch_address(struct scene *s, const char *address)
{
	const struct addr a = addr_at(address);

	hops_unwatch(s->hops, &a);
}

static int begin_with(void **state, uint32_t max)
{
	struct scene *s = calloc(1, sizeof(*s));

	space_run("ip addr add 10.1.0.2/24 dev v0 && "
	          "ip neigh add 10.1.0.1 lladdr 02:00:00:00:00:01 dev v0 nud permanent && "
	          "ip neigh add 10.1.0.5 lladdr 02:00:00:00:00:05 dev v0 nud permanent && "
	          "ip route add 10.2.0.0/16 via 10.1.0.1");
	assert_int_equal(loop_open(&s->loop), 0);
	s->poll = (struct loop_timer){ .cb = on_poll, .arg = s };
	s->end = (struct loop_timer){ .cb = on_end, .arg = s };
	assert_int_equal(hops_open(s->loop, max, on_hop, s, &s->hops), 0);
	*state = s;
	return 0;
}

static int begin_scene(void **state)
{
	return begin_with(state, 8);
}

/* More than are asked for in two turns of the loop. */
#define MANY 300u

static int begin_many(void **state)
{
	return begin_with(state, MANY);
}

static int begin_small(void **state)
{
	return begin_with(state, 2);
}

static int end_scene(void **state)
{
	struct scene *s = *state;

	hops_close(s->hops);
	loop_close(s->loop);
	free(s);
	return system(
	        "ip addr flush dev v0; ip neigh flush dev v0 nud all; ip route flush table main; "
	        "ip link set v0 up mtu 1500; ip link set v1 up; true");
}

/* Interfaces come and go while the process starts, as at a boot: that is no reason not to start. */
static void a_list_of_links_that_changed_meanwhile_is_read_again(void **state)
{
	const struct scene *s = *state;
	struct hops *hops;

	calls_fail("mnl_socket_recvfrom", 1, CALLS_INTERRUPTED, false);
	int err = hops_open(s->loop, 8, on_hop, *state, &hops);
	unsigned n_failed = calls_end();

	assert_int_equal(n_failed, 1);
	assert_int_equal(err, 0);
	assert_int_equal(hops->n_links, s->hops->n_links);
	hops_close(hops);
}

static void a_backend_on_the_link_is_its_own_next_hop(void **state)
{
	struct scene *s = *state;
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 5 };

	watch_address(s, "10.1.0.5");
	struct hop hop = hop_of(s, "10.1.0.5");

	assert_int_equal(hop.state, HOP_KNOWN);
	assert_true(hop.on_link);
	assert_memory_equal(hop.mac_to, mac, 6);
	assert_int_equal(hop.ifindex, if_nametoindex("v0"));
	assert_int_equal(hop.mtu, 1500);
	assert_int_equal(s->n_told, 1);
}

static void a_backend_behind_a_gateway_goes_by_the_gateways_address(void **state)
{
	struct scene *s = *state;
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

	watch_address(s, "10.2.0.9");
	struct hop hop = hop_of(s, "10.2.0.9");

	assert_int_equal(hop.state, HOP_KNOWN);
	assert_false(hop.on_link);
	assert_memory_equal(hop.mac_to, mac, 6);
}

/* IPv4 by an IPv6 gateway (RFC 8950), as where links between routers have no IPv4 addresses. */
static void a_gateway_of_the_other_family_is_one(void **state)
{
	struct scene *s = *state;
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 6 };

	space_run("echo 0 > /proc/sys/net/ipv6/conf/v0/disable_ipv6 && "
	          "ip neigh replace fe80::6 lladdr 02:00:00:00:00:06 dev v0 nud permanent && "
	          "ip route add 10.3.0.0/16 via inet6 fe80::6 dev v0");
	watch_address(s, "10.3.0.9");
	struct hop hop = hop_of(s, "10.3.0.9");

	space_run("ip route del 10.3.0.0/16 && echo 1 > /proc/sys/net/ipv6/conf/v0/disable_ipv6");
	assert_int_equal(hop.state, HOP_KNOWN);
	assert_false(hop.on_link);
	assert_memory_equal(hop.mac_to, mac, 6);
}

static bool mtu_is_1400(struct scene *s)
{
	return hop_of(s, "10.2.0.9").mtu == 1400;
}

static bool mtu_is_1500(struct scene *s)
{
	return hop_of(s, "10.2.0.9").mtu == 1500;
}

static bool mtu_is_1300(struct scene *s)
{
	return hop_of(s, "10.2.0.9").mtu == 1300;
}

static void a_routes_mtu_is_followed_and_forgotten_with_it(void **state)
{
	struct scene *s = *state;

	space_run("ip route replace 10.2.0.0/16 via 10.1.0.1 mtu 1400");
	watch_address(s, "10.2.0.9");
	assert_true(mtu_is_1400(s));
	space_run("ip route replace 10.2.0.0/16 via 10.1.0.1");
	assert_true(turn_until(s, WAIT_MS, mtu_is_1500));
	space_run("ip route replace 10.2.0.0/16 via 10.1.0.1 mtu 1400");
	assert_true(turn_until(s, WAIT_MS, mtu_is_1400));
	space_run("ip route replace 10.2.0.0/16 via 10.1.0.1 mtu 1300"); /* news after news */
	assert_true(turn_until(s, WAIT_MS, mtu_is_1300));
	space_run("ip route del 10.2.0.0/16");
	space_run("ip route add 10.2.0.0/16 via 10.1.0.1");
	assert_true(turn_until(s, WAIT_MS, mtu_is_1500));
}

static bool far_mtu_is_1500(struct scene *s)
{
	return hop_of(s, "10.8.0.9").mtu == 1500;
}

/* A router says that packets are too long; the kernel believes it for some time, and tells nobody of the end. */
static void an_mtu_that_the_kernel_found_on_a_path_is_forgotten_with_it(void **state)
{
	struct scene *s = *state;

	space_run("ip link add w0 type veth peer name w1 && ip link set w0 up && "
	          "ip addr add 10.6.0.2/24 dev w0 && ip route add 10.8.0.0/24 via 10.6.0.1 && "
	          "echo 5 > /proc/sys/net/ipv4/route/mtu_expires && "
	          "{ unshare -n sleep 30 & } && sleep 0.3 && ip link set w1 netns $! && "
	          "nsenter -t $! -n sh -c 'ip link set w1 up && ip addr add 10.6.0.1/24 dev w1 && "
	          "ip link add s0 mtu 1300 type veth peer name s1 && ip link set s0 up && "
	          "ip link set s1 up && ip addr add 10.8.0.1/24 dev s0 && "
	          "echo 1 > /proc/sys/net/ipv4/ip_forward' && "
	          "! ping -q -M do -s 1472 -c 1 -W 1 10.8.0.9 > /dev/null");
	(void)turn_until(s, 100, NULL); /* what was told until now */
	watch_address(s, "10.8.0.9");
	uint16_t mtu = hop_of(s, "10.8.0.9").mtu;
	/* it asks when it is over, not each second */
	bool waits = s->hops->expires_ms >= loop_now_ms(s->loop) + 1000;
	bool came = turn_until(s, WAIT_MS, far_mtu_is_1500);

	space_run("ip link del w0");
	assert_int_equal(mtu, 1300);
	assert_true(waits);
	assert_true(came);
}

static bool all_have_mtu(const struct scene *s, uint16_t mtu)
{
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "10.2.%u.%u", i / 200, i % 200 + 1);
		if (hop_of(s, text).mtu != mtu)
			return false;
	}
	return true;
}

static bool all_are_1500(struct scene *s)
{
	return all_have_mtu(s, 1500);
}

static bool all_are_1300(struct scene *s)
{
	return all_have_mtu(s, 1300);
}

/* All are asked for again in several turns. What changes in between counts for those that were asked before it, too. */
static void a_change_while_all_are_asked_for_again_is_followed(void **state)
{
	static const unsigned after[] = { 1, 127, 128, 129, 200, MANY };
	struct scene *s = *state;
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "10.2.%u.%u", i / 200, i % 200 + 1);
		watch_address(s, text);
	}
	s->command = "ip route replace 10.2.0.0/16 via 10.1.0.1 mtu 1300";
	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		assert_true(turn_until(s, WAIT_MS, all_are_1500));
		s->n_left = after[i];
		space_run("ip route replace 10.2.0.0/16 via 10.1.0.1 mtu 1400");
		if (!turn_until(s, WAIT_MS, all_are_1300))
			fail_msg("missed, when %u were asked for", after[i]);
		assert_int_equal(s->n_left, 0);
		space_run("ip route replace 10.2.0.0/16 via 10.1.0.1");
	}
}

static bool has_no_route(struct scene *s)
{
	return hop_of(s, "10.2.0.9").state == HOP_NO_ROUTE;
}

static bool is_refused(struct scene *s)
{
	return hop_of(s, "10.2.0.9").bad == HOP_BAD_ROUTE;
}

static bool is_known(struct scene *s)
{
	struct hop hop = hop_of(s, "10.2.0.9");

	return hop.state == HOP_KNOWN && hop.bad == HOP_BAD_NOT;
}

static void routes_that_go_refuse_and_come_back_are_told_apart(void **state)
{
	struct scene *s = *state;

	watch_address(s, "10.2.0.9");
	assert_true(is_known(s));
	space_run("ip route del 10.2.0.0/16");
	assert_true(turn_until(s, WAIT_MS, has_no_route));
	assert_int_equal(hop_of(s, "10.2.0.9").bad, HOP_BAD_NOT);
	space_run("ip route add unreachable 10.2.0.0/16");
	assert_true(turn_until(s, WAIT_MS, is_refused));
	space_run(
	        "ip route replace blackhole 10.2.0.0/16 && ip route replace prohibit 10.2.0.0/16");
	assert_true(turn_until(s, WAIT_MS, is_refused));
	space_run("ip route del 10.2.0.0/16 && ip route add 10.2.0.0/16 via 10.1.0.1");
	assert_true(turn_until(s, WAIT_MS, is_known));
}

static bool was_unanswered(struct scene *s)
{
	return hops_counters(s->hops)->unanswered > 1;
}

/* Memory that the kernel lacks, an interrupted call: no evidence that there is no route. */
static void a_question_that_fails_says_nothing_of_the_route(void **state)
{
	struct scene *s = *state;
	int asks, kept, none;

	watch_address(s, "10.2.0.9");
	assert_true(is_known(s));
	asks = mnl_socket_get_fd(s->hops->queries);
	kept = dup(asks);
	none = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(kept >= 0 && none >= 0 && dup2(none, asks) == asks);
	space_run(
	        "ip route add 10.9.0.0/16 via 10.1.0.1"); /* news: all routes are asked for again */
	assert_true(turn_until(s, WAIT_MS, was_unanswered));
	assert_true(is_known(s));
	assert_true(dup2(kept, asks) == asks);
	space_run("ip route del 10.2.0.0/16");
	assert_true(turn_until(s, WAIT_MS, has_no_route));
	close(kept);
	close(none);
}

static uint64_t unanswered_before;

static bool is_unanswered(struct scene *s)
{
	return hops_counters(s->hops)->unanswered > unanswered_before;
}

/* Nothing else will tell of what changed meanwhile: it is asked for again soon, wherever it is in the table. */
static void what_got_no_answer_is_asked_for_again(void **state)
{
	struct scene *s = *state;
	int asks = mnl_socket_get_fd(s->hops->queries), kept = dup(asks),
	    none = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(kept >= 0 && none >= 0);
	watch_address(s, "10.2.0.8");
	watch_address(s, "10.2.0.9");
	for (int first = 0; first < 2; first++) { /* of two, and alone in the second place */
		unanswered_before = hops_counters(s->hops)->unanswered;
		assert_true(turn_until(s, WAIT_MS, is_known));
		assert_true(dup2(none, asks) == asks);
		space_run("ip route del 10.2.0.0/16");
		assert_true(turn_until(s, WAIT_MS, is_unanswered));
		assert_true(is_known(s));
		assert_true(dup2(kept, asks) == asks);
		assert_true(turn_until(s, WAIT_MS, has_no_route));
		space_run("ip route add 10.2.0.0/16 via 10.1.0.1");
		assert_true(turn_until(s, WAIT_MS, is_known));
		if (!first)
			unwatch_address(s, "10.2.0.8");
	}
	close(kept);
	close(none);
}

static bool has_mac_7(struct scene *s)
{
	return hop_of(s, "10.2.0.9").mac_to[5] == 7;
}

static bool has_mac_8(struct scene *s)
{
	return hop_of(s, "10.2.0.9").mac_to[5] == 8;
}

static void all_behind_a_gateway_hear_of_its_new_address(void **state)
{
	struct scene *s = *state;

	watch_address(s, "10.2.0.7");
	watch_address(s, "10.2.0.8");
	watch_address(s, "10.2.0.9");
	watch_address(s, "10.2.0.8"); /* twice: one goes */
	unwatch_address(s, "10.2.0.8");
	unwatch_address(s, "10.2.0.7");
	s->address = addr_at("10.2.0.8");
	s->n_told = 0;
	space_run("ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:07 dev v0 nud permanent");
	assert_true(turn_until(s, WAIT_MS, has_mac_7));
	assert_int_equal(hop_of(s, "10.2.0.8").mac_to[5], 7);
	assert_int_equal(s->n_told, 1);
	unwatch_address(s, "10.2.0.8");
	assert_false(hops_get(s->hops, &s->address, &(struct hop){ 0 }));
	space_run("ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:08 dev v0 nud permanent");
	assert_true(turn_until(s, WAIT_MS, has_mac_8));
	assert_int_equal(s->n_told, 1); /* nobody watches it any more */
	unwatch_address(s, "10.2.0.8"); /* once too often is fine */
	assert_int_equal(hop_of(s, "10.2.0.9").state, HOP_KNOWN);
}

static bool port_is_down(struct scene *s)
{
	return hop_of(s, "10.1.0.5").state == HOP_NO_PORT ||
	       hop_of(s, "10.1.0.5").state == HOP_NO_ROUTE;
}

static bool port_is_back(struct scene *s)
{
	return hop_of(s, "10.1.0.5").state == HOP_KNOWN;
}

static void a_port_without_carrier_reaches_nobody(void **state)
{
	struct scene *s = *state;

	watch_address(s, "10.1.0.5");
	space_run("ip link set v1 down");
	assert_true(turn_until(s, WAIT_MS, port_is_down));
	assert_int_equal(hop_of(s, "10.1.0.5").bad, HOP_BAD_NOT);
	space_run(
	        "ip link set v1 up; ip neigh replace 10.1.0.5 lladdr 02:00:00:00:00:05 dev v0 nud permanent");
	assert_true(turn_until(s, WAIT_MS, port_is_back));
}

static void a_freed_place_is_used_again_and_the_last_one_too(void **state)
{
	struct scene *s = *state;
	const struct addr third = addr_at("10.1.0.7");

	watch_address(s, "10.1.0.5");
	watch_address(s, "10.2.0.9");
	assert_int_equal(hops_watch(s->hops, &third), -ENOSPC);
	assert_int_equal(hops_counters(s->hops)->refused, 1);
	watch_address(s, "10.2.0.9"); /* watched already: takes no place */
	unwatch_address(s, "10.2.0.9");
	assert_int_equal(hops_watch(s->hops, &third), -ENOSPC);
	unwatch_address(s, "10.1.0.5");
	assert_int_equal(hops_watch(s->hops, &third), 0);
	assert_int_equal(hop_of(s, "10.2.0.9").state, HOP_KNOWN);
	assert_int_equal(hop_of(s, "10.1.0.7").state, HOP_NO_NEIGHBOUR);
}

static bool was_resynced(struct scene *s)
{
	return hops_counters(s->hops)->resyncs > 0 && is_known(s) && has_mac_8(s) &&
	       mtu_is_1300(s) && hop_of(s, "10.1.0.5").mac_to[5] == 9;
}

/* Fill the socket's buffer with news until the kernel drops some, and change what counts only then. */
static void after_lost_messages_everything_is_read_again(void **state)
{
	struct scene *s = *state;
	int fd = mnl_socket_get_fd(s->hops->notifications), small = 1;

	watch_address(s, "10.1.0.5");
	watch_address(s, "10.2.0.9");
	(void)turn_until(s, 50, NULL);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &small, sizeof(small)), 0);
	space_run(
	        "for i in $(seq 1 200); do echo route add 10.99.$i.0/24 dev v0; done | ip -batch - && "
	        "ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:08 dev v0 nud permanent && "
	        "ip neigh replace 10.1.0.5 lladdr 02:00:00:00:00:09 dev v0 nud permanent && "
	        "ip link set v0 mtu 1300");
	assert_true(turn_until(s, WAIT_MS, was_resynced));
}

static bool neighbour_is_9(struct scene *s)
{
	return hop_of(s, "10.1.0.5").mac_to[5] == 9;
}

/* While the kernel answers no question, its messages are followed on all the same. */
static void what_cannot_be_read_again_stays_as_it_was(void **state)
{
	struct scene *s = *state;
	int queries = mnl_socket_get_fd(s->hops->queries), kept = dup(queries),
	    null = open("/dev/null", O_RDWR | O_CLOEXEC);

	space_run("ip neigh replace 10.1.0.5 lladdr 02:00:00:00:00:08 dev v0 nud permanent");
	watch_address(s, "10.1.0.5");
	assert_true(turn_until(s, WAIT_MS, port_is_back));
	assert_int_equal(dup2(null, queries), queries);
	s->hops->resync = true; /* as after lost messages */
	space_run("ip route add 10.99.0.0/24 dev v0");
	(void)turn_until(s, 500, NULL);
	assert_true(s->hops->resync);
	space_run("ip neigh replace 10.1.0.5 lladdr 02:00:00:00:00:09 dev v0 nud permanent");
	assert_true(turn_until(s, WAIT_MS, neighbour_is_9));
	assert_int_equal(hop_of(s, "10.1.0.5").state, HOP_KNOWN);
	assert_int_equal(dup2(kept, queries), queries);
	close(kept);
	close(null);
}

static void what_others_keep_is_not_asked(void **state)
{
	struct scene *s = *state;
	uint64_t before;

	space_run(
	        "ip neigh replace 10.1.0.5 lladdr 02:00:00:00:00:05 dev v0 nud reachable extern_learn");
	watch_address(s, "10.1.0.5");
	(void)turn_until(s, 20, NULL);
	before = hops_counters(s->hops)->probes;
	hops_doubt(s->hops, &s->address);
	(void)turn_until(s, 50, NULL);
	assert_int_equal(hops_counters(s->hops)->probes, before);
	space_run("ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:01 dev v0 nud permanent");
	watch_address(s, "10.2.0.9");
	hops_doubt(s->hops, &s->address); /* nor what is written down by hand */
	(void)turn_until(s, 50, NULL);
	assert_int_equal(hops_counters(s->hops)->probes, before);
}

static bool late_is_known(struct scene *s)
{
	return hop_of(s, "10.6.0.5").state == HOP_KNOWN;
}

/* There is room for so many; what found none is looked for again when others go. */
static void an_interface_beyond_the_limit_is_known_when_others_go(void **state)
{
	struct scene *s = *state;

	space_run("seq 1 %u | sed 's/.*/link add x& type veth peer name y&/' | ip -batch -",
	          HOP_LINKS_MAX / 2);
	space_run("ip link add w0 type veth peer name w1 && ip link set w0 up && "
	          "ip link set w1 up && ip addr add 10.6.0.2/24 dev w0 && "
	          "ip neigh add 10.6.0.5 lladdr 02:00:00:00:00:05 dev w0 nud permanent");
	(void)turn_until(s, 500, NULL);
	watch_address(s, "10.6.0.5");
	enum hop_state before = hop_of(s, "10.6.0.5").state;

	space_run("seq 1 9 | sed 's/.*/link del x&/' | ip -batch -");
	bool came = turn_until(s, 3 * WAIT_MS, late_is_known);

	assert_int_equal(before, HOP_NO_PORT);
	assert_true(came);
}

/* Links and neighbours are read again once for all addresses, not with each turn of them. */
static void interfaces_beyond_the_limit_are_looked_for_once_a_round(void **state)
{
	struct scene *s = *state;
	char text[ADDR_TEXT_MAX];

	space_run("seq 1 %u | sed 's/.*/link add x& type veth peer name y&/' | "
	          "ip -force -batch - 2> /dev/null; true", /* some may be there */
	          HOP_LINKS_MAX / 2);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "10.2.%u.%u", i / 200, i % 200 + 1);
		watch_address(s, text);
	}
	(void)turn_until(s, 3 * WAIT_MS, NULL);
	struct if_nameindex *all = if_nameindex();
	uint64_t n = 0, before = hops_counters(s->hops)->refused;

	assert_non_null(all);
	while (all[n].if_index)
		n++;
	if_freenameindex(all);
	space_run("ip route replace 10.2.0.0/16 via 10.1.0.1 mtu 1300");
	assert_true(turn_until(s, 3 * WAIT_MS, all_are_1300));
	assert_int_equal(hops_counters(s->hops)->refused - before, n - HOP_LINKS_MAX);
}

static bool neighbour_is_bad(struct scene *s)
{
	return hop_of(s, "10.1.0.5").bad == HOP_BAD_NEIGHBOUR;
}

static bool neighbour_is_back(struct scene *s)
{
	return hop_of(s, "10.1.0.5").bad == HOP_BAD_NOT;
}

static void who_is_silent_when_asked_is_bad_until_heard_again(void **state)
{
	struct scene *s = *state;
	uint64_t before;

	space_run("ip neigh replace 10.1.0.5 lladdr 02:00:00:00:00:05 dev v0 nud reachable");
	watch_address(s, "10.1.0.5");
	before = hops_counters(s->hops)->probes;
	hops_doubt(s->hops, &s->address);
	hops_doubt(s->hops, &s->address); /* at most every 2 s */
	(void)turn_until(s, 100, NULL);
	hops_doubt(s->hops, &s->address);
	(void)turn_until(s, 100, NULL);
	assert_int_equal(hops_counters(s->hops)->probes, before + 1);
	assert_true(turn_until(s, WAIT_MS, neighbour_is_bad)); /* nobody answers there */
	assert_int_equal(hop_of(s, "10.1.0.5").state, HOP_KNOWN);
	space_run("ip neigh replace 10.1.0.5 lladdr 02:00:00:00:00:05 dev v0 nud reachable");
	assert_true(turn_until(s, WAIT_MS, neighbour_is_back));
}

SUITE(hops_kernel)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        a_list_of_links_that_changed_meanwhile_is_read_again, begin_scene,
		        end_scene),
		cmocka_unit_test_setup_teardown(a_backend_on_the_link_is_its_own_next_hop,
		                                begin_scene, end_scene),
		cmocka_unit_test_setup_teardown(
		        a_backend_behind_a_gateway_goes_by_the_gateways_address, begin_scene,
		        end_scene),
		cmocka_unit_test_setup_teardown(a_gateway_of_the_other_family_is_one, begin_scene,
		                                end_scene),
		cmocka_unit_test_setup_teardown(a_routes_mtu_is_followed_and_forgotten_with_it,
		                                begin_scene, end_scene),
		cmocka_unit_test_setup_teardown(
		        an_mtu_that_the_kernel_found_on_a_path_is_forgotten_with_it, begin_scene,
		        end_scene),
		cmocka_unit_test_setup_teardown(a_change_while_all_are_asked_for_again_is_followed,
		                                begin_many, end_scene),
		cmocka_unit_test_setup_teardown(routes_that_go_refuse_and_come_back_are_told_apart,
		                                begin_scene, end_scene),
		cmocka_unit_test_setup_teardown(a_question_that_fails_says_nothing_of_the_route,
		                                begin_scene, end_scene),
		cmocka_unit_test_setup_teardown(what_got_no_answer_is_asked_for_again, begin_scene,
		                                end_scene),
		cmocka_unit_test_setup_teardown(all_behind_a_gateway_hear_of_its_new_address,
		                                begin_scene, end_scene),
		cmocka_unit_test_setup_teardown(a_port_without_carrier_reaches_nobody, begin_scene,
		                                end_scene),
		cmocka_unit_test_setup_teardown(a_freed_place_is_used_again_and_the_last_one_too,
		                                begin_small, end_scene),
		cmocka_unit_test_setup_teardown(after_lost_messages_everything_is_read_again,
		                                begin_scene, end_scene),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_again_stays_as_it_was,
		                                begin_scene, end_scene),
		cmocka_unit_test_setup_teardown(what_others_keep_is_not_asked, begin_scene,
		                                end_scene),
		cmocka_unit_test_setup_teardown(who_is_silent_when_asked_is_bad_until_heard_again,
		                                begin_scene, end_scene),
		/* the last ones: the namespace's end takes their interfaces away */
		cmocka_unit_test_setup_teardown(
		        an_interface_beyond_the_limit_is_known_when_others_go, begin_scene,
		        end_scene),
		cmocka_unit_test_setup_teardown(
		        interfaces_beyond_the_limit_are_looked_for_once_a_round, begin_many,
		        end_scene),
	};

	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
