/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the XDP driver knows of frames that did not leave, on a real pair of interfaces. A program of
 * one action stands in the port for the forwarding program, so that each frame that comes in is to
 * be sent.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/xdp_internal.h"
#include "tests/unit/bpf/xdp_stage.h"
#include "tests/unit/suite.h"

/* Frames of @p interface's own, which come in at the other end of its pair. */
static void send_frames(const char *interface, unsigned n)
{
	const struct sockaddr_ll to = { .sll_family = AF_PACKET,
		                        .sll_ifindex = (int)if_nametoindex(interface),
		                        .sll_halen = 6 };
	const uint8_t frame[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(sendto(fd, frame, sizeof(frame), 0, (const struct sockaddr *)&to,
		                        sizeof(to)),
		                 sizeof(frame));
	close(fd);
	/* time itself: that nothing is counted shows only after the other end was served */
	nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
}

/* Have the link of port v0 carry program @p fd, as one of the driver's own. */
static void take_program(const struct driver *driver, int fd)
{
	const struct xdp_driver *d = (const struct xdp_driver *)driver;
	int link = bpf_obj_get(PIN_DIR "/link-v0");

	assert_true(link >= 0);
	xdp_not_sent_program(&d->not_sent, xdp_program_id(fd));
	assert_int_equal(bpf_link_update(link, fd, NULL), 0);
	close(link);
	close(fd);
}

/* Port v0 as it is shown. */
static struct driver_port read_v0(const struct driver *d)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	const struct driver_port *p = driver_find_port(ports, ops->ports(d, ports), "v0");

	assert_non_null(p);
	return *p;
}

static void frames_that_the_other_end_cannot_take_are_counted_at_the_port(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);

	attach_port(d, "v0");
	take_program(d, space_load_action(XDP_TX));
	assert_true(read_v0(d).not_sent_known);
	assert_int_equal(read_v0(d).not_sent, 0);
	send_frames("v1", 7); /* v1 has neither program nor NAPI */
	assert_int_equal(read_v0(d).not_sent, 7);
	assert_int_equal(ops->not_sent(d), 7);
	assert_non_null(strstr(read_v0(d).not_sent_cause, "no NAPI"));
	space_attach_other("v1");
	send_frames("v1", 5); /* now they leave */
	assert_int_equal(read_v0(d).not_sent, 7);
	space_run("ip link set dev v1 xdp off");
	send_frames("v1", 4); /* and again not */
	assert_int_equal(read_v0(d).not_sent, 11);
	ops->close(d);
}

static void a_redirect_that_fails_is_counted_once_and_for_its_target(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_port ports[DRIVER_PORTS_MAX];

	space_run(
	        "ip link add w0 type veth peer name w1 && ip link set w0 up && ip link set w1 up");
	attach_port(d, "v0");
	attach_port(d, "w0");
	take_program(d, space_load_redirect(if_nametoindex("w0")));
	send_frames("v1", 3); /* w1 cannot take them */
	assert_int_equal(ops->ports(d, ports), 2);
	assert_int_equal(driver_find_port(ports, 2, "w0")->not_sent, 3);
	assert_non_null(strstr(driver_find_port(ports, 2, "w0")->not_sent_cause, "no NAPI"));
	space_attach_other("w1");
	send_frames("v1", 8);
	assert_int_equal(ops->ports(d, ports), 2);
	assert_int_equal(driver_find_port(ports, 2, "w0")->not_sent, 3);
	space_run("ip link set w0 down");
	send_frames("v1", 2);
	assert_int_equal(ops->ports(d, ports), 2);
	assert_int_equal(driver_find_port(ports, 2, "w0")->not_sent, 5);
	assert_non_null(strstr(driver_find_port(ports, 2, "w0")->not_sent_cause, "is down"));
	assert_int_equal(driver_find_port(ports, 2, "v0")->not_sent, 0);
	take_program(d, space_load_redirect(if_nametoindex("lo"))); /* no port of ours */
	send_frames("v1", 6);
	assert_int_equal(ops->not_sent(d), 11);
	assert_int_equal(ops->ports(d, ports), 2);
	assert_int_equal(driver_find_port(ports, 2, "w0")->not_sent, 5);
	ops->close(d);
	space_run("ip link del w0");
}

static void a_port_can_be_tried_with_a_frame_of_its_own(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	uint64_t lost;

	attach_port(d, "v0");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ops->try_port(d, if_nametoindex("v0")), 0);
	assert_int_equal(read_v0(d).tries_left, 0); /* v1 cannot take them */
	take_program(d, space_load_action(XDP_TX));
	send_frames("v1", 1); /* nor packets */
	assert_int_equal(read_v0(d).not_sent, 1);
	lost = read_v0(d).tries_lost; /* before, it depends on the kernel */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ops->try_port(d, if_nametoindex("v0")), 0);
	assert_int_equal(read_v0(d).tries_lost, lost + 3);
	space_attach_other("v1");
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(ops->try_port(d, if_nametoindex("v0")), 0);
	assert_int_equal(read_v0(d).tries_left, 4);
	assert_int_equal(read_v0(d).tries_lost, lost + 3);
	assert_int_equal(read_v0(d).not_sent, 1); /* they are no packets */
	assert_int_equal(ops->not_sent(d), 1);
	ops->close(d);
	space_run("ip link set dev v1 xdp off");
}

/* The same numbers mean other interfaces in another network namespace. */
static void what_others_lose_is_not_ours(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	uint32_t v0 = if_nametoindex("v0"), v1 = if_nametoindex("v1");

	attach_port(d, "v0");
	take_program(d, space_load_action(XDP_TX));
	space_run(
	        "ip netns add weir-not-sent && ip -n weir-not-sent link add x0 index %u type veth "
	        "peer name x1 index %u && ip -n weir-not-sent link set x0 up && "
	        "ip -n weir-not-sent link set x1 up",
	        v0, v1);
	int other = space_load_action(XDP_TX);
	assert_int_equal(bpf_obj_pin(other, BPF_DIR "/other-program"), 0);
	close(other);
	space_run("nsenter --net=/run/netns/weir-not-sent ip link set dev x0 xdpdrv pinned " BPF_DIR
	          "/other-program");
	space_run("nsenter --net=/run/netns/weir-not-sent ip addr add 10.9.9.1/24 dev x1 && "
	          "nsenter --net=/run/netns/weir-not-sent ping -c 3 -i 0.2 -W 1 -q 10.9.9.2 "
	          ">/dev/null 2>&1 || true");
	assert_int_equal(ops->not_sent(d), 0);
	send_frames("v1", 1); /* ours is */
	assert_int_equal(ops->not_sent(d), 1);
	ops->close(d);
	space_run("rm " BPF_DIR "/other-program && ip netns del weir-not-sent");
}

static void counting_goes_on_without_the_process_and_nothing_counts_twice(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);

	attach_port(d, "v0");
	take_program(d, space_load_action(XDP_TX));
	send_frames("v1", 2);
	ops->not_sent_counted(d, ops->not_sent(d));
	assert_int_equal(ops->not_sent(d), 0);
	ops->close(d);
	send_frames("v1", 3);
	d = open_tables(true);
	assert_int_equal(ops->not_sent(d), 3); /* what the tables have stays left out */
	send_frames("v1", 4);
	assert_int_equal(ops->not_sent(d), 7);
	ops->close(d);
	d = open_tables(true);
	assert_int_equal(ops->not_sent(d), 7);
	attach_port(d, "v0");
	assert_int_equal(read_v0(d).not_sent, 9);
	assert_false(read_v0(d).left_nothing);
	ops->keep_left_nothing(d, if_nametoindex("v0"), true);
	ops->close(d);
	d = open_tables(true);
	attach_port(d, "v0");
	assert_true(read_v0(d).left_nothing);
	ops->keep_left_nothing(d, if_nametoindex("v0"), false);
	assert_false(read_v0(d).left_nothing);
	ops->close(d);
}

static void what_a_port_that_leaves_had_lost_stays_in_the_sum(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_reason why;

	attach_port(d, "v0");
	take_program(d, space_load_action(XDP_TX));
	send_frames("v1", 2);
	assert_int_equal(ops->detach(d, "v0", &why), 0);
	assert_int_equal(ops->not_sent(d), 2);
	attach_port(d, "v0");
	assert_int_equal(read_v0(d).not_sent, 2); /* the same port again: no counter falls */
	assert_int_equal(ops->not_sent(d), 2);
	ops->close(d);
	assert_int_equal(ops->remove(PIN_DIR, &why), 0);
	assert_int_not_equal(access(PIN_DIR "/not-sent", F_OK), 0);
	d = open_tables(false); /* from the beginning */
	assert_int_equal(ops->not_sent(d), 0);
	ops->close(d);
}

/* An interface that is deleted and made again has another number. */
static void a_port_that_is_made_again_goes_on_with_its_count(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_port ports[DRIVER_PORTS_MAX];

	attach_port(d, "v0");
	for (unsigned i = 1; i <= 2 * NOT_SENT_PORTS_MAX;
	     i++) { /* more often than there are rows */
		space_run("ip link add w0 type veth peer name w1 && ip link set w0 up && "
		          "ip link set w1 up");
		attach_port(d, "w0");
		take_program(d, space_load_redirect(if_nametoindex("w0")));
		send_frames("v1", 1); /* w1 cannot take it */
		assert_int_equal(ops->ports(d, ports), 2);
		assert_true(driver_find_port(ports, 2, "w0")->not_sent_known);
		assert_int_equal(driver_find_port(ports, 2, "w0")->not_sent, i);
		assert_int_equal(ops->not_sent(d), i);
		space_run("ip link del w0");
	}
	ops->close(d);
}

/* Ports come and go under other names, also while no process sees it. */
static void rows_of_ports_that_are_gone_are_used_again(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	const struct xdp_not_sent *n = &((const struct xdp_driver *)d)->not_sent;
	char name[16];

	for (uint32_t i = 0; i < NOT_SENT_PORTS_MAX; i++) {
		snprintf(name, sizeof(name), "gone%u", i);
		xdp_not_sent_port(n, name, 1000000 + i);
		n->state->ports[i].frames = 1;
	}
	attach_port(d, "v0");
	assert_true(read_v0(d).not_sent_known);
	assert_int_equal(read_v0(d).not_sent, 0);
	assert_int_equal(ops->not_sent(d), NOT_SENT_PORTS_MAX); /* all stays in the sum */
	ops->close(d);
}

/* Of all errors that the kernel can say: the sentence of a condition has no more room. */
static void each_cause_is_short_enough_for_its_condition(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct not_sent_port *row;

	attach_port(d, "v0");
	row = &((const struct xdp_driver *)d)->not_sent.state->ports[0];
	row->step = NOT_SENT_BULK;
	for (int err = 0; err < 4096; err++) {
		row->err = -err;
		assert_in_range(strlen(read_v0(d).not_sent_cause), 1, DRIVER_CAUSE_MAX - 1);
	}
	ops->close(d);
}

/* Native programs' frames are lost in bulks, and nobody says whose they were. */
static void what_anothers_program_loses_on_our_port_is_not_ours(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	int link, other = space_load_action(XDP_TX), own = space_load_action(XDP_TX);

	attach_port(d, "v0");
	take_program(d, space_load_action(XDP_TX));
	link = bpf_obj_get(PIN_DIR "/link-v0");
	assert_int_equal(bpf_link_update(link, other, NULL), 0);
	send_frames("v1", 5);
	assert_int_equal(ops->not_sent(d), 0);
	xdp_not_sent_program(&((const struct xdp_driver *)d)->not_sent, xdp_program_id(own));
	assert_int_equal(bpf_link_update(link, own, NULL), 0);
	send_frames("v1", 2);
	assert_int_equal(ops->not_sent(d), 2);
	close(link);
	close(other);
	close(own);
	ops->close(d);
}

/* A port may still carry a program of two changes ago: what it loses is ours. */
static void earlier_programs_of_ours_still_count(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);

	attach_port(d, "v0");
	take_program(d, space_load_action(XDP_TX));
	xdp_not_sent_program(&((const struct xdp_driver *)d)->not_sent, 1000001);
	xdp_not_sent_program(&((const struct xdp_driver *)d)->not_sent, 1000002);
	send_frames("v1", 3);
	assert_int_equal(ops->not_sent(d), 3);
	ops->close(d);
}

static void counting_goes_on_when_its_pins_are_removed(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);

	attach_port(d, "v0");
	take_program(d, space_load_action(XDP_TX));
	space_run("rm " PIN_DIR "/not-sent-*");
	send_frames("v1", 3);
	assert_int_equal(ops->not_sent(d), 3);
	ops->close(d);
}

static void of_a_driver_that_may_say_nothing_it_is_unknown(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_port ports[DRIVER_PORTS_MAX];

	space_run("ip tuntap add dev t0 mode tap && ip link set t0 up");
	attach_port(d, "t0");
	assert_int_equal(ops->ports(d, ports), 1);
	assert_false(ports[0].not_sent_known);
	assert_non_null(strstr(ports[0].not_sent_cause, "not known to say"));
	attach_port(d, "v0");
	take_program(d, space_load_redirect(if_nametoindex("t0")));
	send_frames("v1", 4); /* nobody has opened it */
	assert_int_equal(ops->ports(d, ports), 2);
	assert_true(driver_find_port(ports, 2, "t0")->not_sent_known); /* it has been told */
	assert_int_equal(driver_find_port(ports, 2, "t0")->not_sent, 4);
	ops->close(d);
	space_run("ip link del t0");
}

static void statistics_count_what_no_tracepoint_tells(void **state)
{
	(void)state;
	struct not_sent_port row = { .stat_seen = 100, .redirected = 7, .redirected_seen = 7 };

	xdp_statistics_add(&row, 100, true);
	assert_int_equal(row.frames, 0);
	xdp_statistics_add(&row, 130, true);
	assert_int_equal(row.frames, 30);
	row.redirected += 20; /* these are counted at their tracepoint */
	xdp_statistics_add(&row, 155, true);
	assert_int_equal(row.frames, 35);
	xdp_statistics_add(&row, 165, true); /* of redirected ones that are told a moment later */
	assert_int_equal(row.frames, 45);
	row.redirected += 10;
	xdp_statistics_add(&row, 165, true);
	xdp_statistics_add(&row, 180, true);
	assert_int_equal(row.frames, 50);     /* 10 of the 15 had been counted already */
	xdp_statistics_add(&row, 500, false); /* another's program */
	assert_int_equal(row.frames, 50);
	xdp_statistics_add(&row, 3, true); /* the driver has begun again */
	assert_int_equal(row.frames, 53);
	xdp_statistics_add(&row, UINT64_MAX, true);
	xdp_statistics_add(&row, 1, true);
	assert_true(row.frames >= 53);
}

SUITE(xdp_not_sent)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statistics_count_what_no_tracepoint_tells),
		cmocka_unit_test_teardown(a_port_that_is_made_again_goes_on_with_its_count,
		                          remove_pins),
		cmocka_unit_test_teardown(rows_of_ports_that_are_gone_are_used_again, remove_pins),
		cmocka_unit_test_teardown(each_cause_is_short_enough_for_its_condition,
		                          remove_pins),
		cmocka_unit_test_teardown(what_anothers_program_loses_on_our_port_is_not_ours,
		                          remove_pins),
		cmocka_unit_test_teardown(earlier_programs_of_ours_still_count, remove_pins),
		cmocka_unit_test_teardown(counting_goes_on_when_its_pins_are_removed, remove_pins),
		cmocka_unit_test_teardown(of_a_driver_that_may_say_nothing_it_is_unknown,
		                          remove_pins),
		cmocka_unit_test_teardown(
		        frames_that_the_other_end_cannot_take_are_counted_at_the_port, remove_pins),
		cmocka_unit_test_teardown(a_redirect_that_fails_is_counted_once_and_for_its_target,
		                          remove_pins),
		cmocka_unit_test_teardown(a_port_can_be_tried_with_a_frame_of_its_own, remove_pins),
		cmocka_unit_test_teardown(what_others_lose_is_not_ours, remove_pins),
		cmocka_unit_test_teardown(
		        counting_goes_on_without_the_process_and_nothing_counts_twice, remove_pins),
		cmocka_unit_test_teardown(what_a_port_that_leaves_had_lost_stays_in_the_sum,
		                          remove_pins),
	};

	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
