/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that are carried, lost and let go: in which order, and what is logged. Interfaces are real, in a namespace of
 * the test's own; the driver is the test's, on tables in memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/attach.h"
#include "dataplane/drivers.h"
#include "dataplane/nexthop/links.h"
#include "dataplane/process.h"
#include "dataplane/tables/macs.h"
#include "tests/unit/logged.h"
#include "tests/unit/suite.h"
#include "weir/fwd/ingress.h"
#include "weir/model.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/dataplane/stage.h"

static struct stage s;
static struct process process;
static struct driver_port carried[DRIVER_PORTS_MAX];
static size_t n_attached;
static const char *attach_says;
static int detach_says;

/* What the driver is asked stands between the lines of the log. */
static void note_call(const char *what, const char *of)
{
	size_t n = strlen(logged);

	snprintf(logged + n, sizeof(logged) - n, "%s:%s\n", what, of);
}

/* Whether frames to 02:..:@p last by @p interface are ours. */
static bool is_own(const char *interface, uint8_t last)
{
	const uint8_t mac[8] = { 2, 0, 0, 0, 0, last };
	uint64_t word, bytes;

	memcpy(&bytes, mac, sizeof(bytes));
	word = fwd_mac_word(bytes, if_nametoindex(interface));
	for (uint32_t i = 0; i < FWD_MACS_FIRST; i++)
		if (s.driver.now.root->macs[i] == word)
			return true;
	return false;
}

/* The packets of a port come as soon as it is attached. "t0" is a TAP of DPDK's. */
static int fake_attach(struct driver *d, const struct model_port *port, struct driver_port *out,
                       struct driver_reason *why)
{
	(void)d;
	note_call("attach", port->interface);
	if (!strcmp(port->interface, "t0"))
		space_run(
		        "ip link add t0 type veth peer name t1 && ip link set t0 address 02:00:00:00:00:77");
	else if (if_nametoindex(port->interface))
		assert_true(is_own(port->interface, port->interface[1] == '0' ? 0xa0 : 0xa1));
	snprintf(why->text, sizeof(why->text), "%s", attach_says);
	*out = (struct driver_port){ .ifindex = if_nametoindex(port->interface) };
	return *attach_says ? -EBUSY : 0;
}

static int fake_detach(struct driver *d, const char *interface, struct driver_reason *why)
{
	(void)d;
	note_call("detach", interface);
	why->text[0] = '\0';
	return detach_says;
}

static size_t fake_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	memcpy(out, carried, sizeof(carried));
	return n_attached;
}

static void ignore_links(void *arg)
{
	(void)arg;
}

static struct driver_ops ops;
static struct model_port named[] = { { .interface = "v0" }, { .interface = "v1" } };

static void set_port(size_t i, const char *name, bool lost)
{
	carried[i] = (struct driver_port){ .ifindex = if_nametoindex(name), .lost = lost };
	snprintf(carried[i].name, sizeof(carried[i].name), "%s", name);
	n_attached = i + 1;
}

static void name_ports(const struct model_port *ports, size_t n)
{
	s.first.node.ports = ports;
	s.first.node.n_ports = n;
}

static int setup(void **state)
{
	(void)state;
	memset(&process, 0, sizeof(process));
	ops = memory;
	ops.attach = fake_attach;
	ops.detach = fake_detach;
	ops.ports = fake_ports;
	stage_init(&s);
	name_ports(named, 2);
	apply_world(&s, &s.first);
	process.ops = &ops;
	process.driver = (struct driver *)&s.driver;
	process.node = s.node;
	logged[0] = '\0';
	attach_says = "";
	detach_says = 0;
	n_attached = 0;
	space_run(
	        "ip link set v0 address 02:00:00:00:00:a0 && ip link set v1 address 02:00:00:00:00:a1");
	return loop_open(&process.loop) ||
	       links_open(process.loop, ignore_links, NULL, &process.links);
}

static int teardown(void **state)
{
	(void)state;
	links_close(process.links);
	loop_close(process.loop);
	stage_fini(&s);
	return 0;
}

/* The fake driver's calls and the log since the last call, by the first word of each; without lines about MAC addresses. */
static void expect_done(const char *wanted)
{
	char done[1024] = "";

	for (const char *line = logged; *line; line = strchr(line, '\n') + 1) {
		line += *line == '<' ? 3 : 0; /* a call has no priority */
		if (strncmp(line, "port-macs ", strlen("port-macs ")) != 0)
			snprintf(done + strlen(done), sizeof(done) - strlen(done), "%.*s ",
			         (int)strcspn(line, " \n"), line);
	}
	assert_string_equal(done, wanted);
	logged[0] = '\0';
}

static void own_addresses_are_known_before_a_port_forwards_and_read_again_behind_it(void **state)
{
	static const struct model_port taps[] = { { .interface = "v0" }, { .interface = "t0" } };
	static struct model_mac macs[MACS_MAX + 1];

	(void)state;
	attach_all(&process); /* fake_attach() looks */
	expect_done("attach:v0 port-attached attach:v1 port-attached ");
	assert_int_equal(process.macs_left_out, 0);
	set_port(0, "v0", false);
	set_port(1, "v1", false);
	space_run("ip link set v0 address 02:00:00:00:00:b0");
	assert_int_equal(links_read(process.links), 0);
	attach_missing(&process);
	expect_done(""); /* nothing is missing */
	assert_true(is_own("v0", 0xb0) && !is_own("v0", 0xa0));
	space_run("ip link set v0 address 02:00:00:00:00:a0");
	assert_int_equal(links_read(process.links), 0);
	set_port(0, "v0", true);
	set_port(1, "v1", false);
	attach_missing(&process);
	expect_done("port-lost attach:v0 port-attached ");
	name_ports(taps, 2);
	attach_all(&process); /* its interface is there afterwards */
	assert_true(is_own("t0", 0x77));
	set_port(0, "v0", false);
	n_attached = 1;
	space_run("ip link del t0");
	attach_missing(&process);
	assert_true(is_own("t0", 0x77));
	space_run("ip link del t0");
	for (unsigned i = 0; i <= MACS_MAX; i++)
		macs[i] = (struct model_mac){ { 6, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i } };
	named[0].macs = macs;
	named[0].n_macs = MACS_MAX + 1;
	name_ports(named, 1);
	attach_missing(&process);
	assert_true(process.macs_left_out > 0);
	named[0].n_macs = 0;
}

static void a_failure_is_logged_when_it_is_another_one(void **state)
{
	(void)state;
	attach_says = "busy";
	attach_missing(&process);
	attach_missing(&process);
	expect_done("attach:v0 port-failed attach:v1 port-failed attach:v0 attach:v1 ");
	assert_string_equal(process.port_reason[1], "busy");
	attach_says = "";
	attach_missing(&process);
	expect_done("attach:v0 port-attached attach:v1 port-attached ");
}

/* A port goes and comes back by the document, and by another one's place. Each life is logged. */
static void a_port_that_the_document_names_again_is_logged_again(void **state)
{
	static const struct model_port others[] = { { .interface = "v0" },
		                                    { .interface = "nosuch" } };
	static const struct {
		const struct model_port *ports;
		size_t n;
		const char *does;
	} lives[] = {
		{ named, 2, "attach:v0 attach:v1 port-attached " },
		{ named, 1, "attach:v0 " },
		{ others, 2, "attach:v0 attach:nosuch port-attached " },
	};

	(void)state;
	name_ports(named, 1);
	attach_all(&process);
	logged[0] = '\0';
	for (size_t i = 0; i < 3 * sizeof(lives) / sizeof(lives[0]); i++) {
		name_ports(lives[i % 3].ports, lives[i % 3].n);
		attach_all(&process);
		expect_done(lives[i % 3].does);
	}
}

/*
 * It forwards as before: what the document has for it is tried until it is had, and each other
 * reason is logged.
 */
static void a_port_that_could_not_be_changed_is_tried_again(void **state)
{
	(void)state;
	set_port(0, "v0", false);
	set_port(1, "v1", false);
	attach_says = "no device";
	attach_all(&process);
	assert_int_equal(process.port_err[0], -EBUSY);
	logged[0] = '\0';
	attach_missing(&process);
	expect_done("attach:v0 attach:v1 ");
	attach_says = "";
	attach_missing(&process);
	expect_done("attach:v0 port-attached attach:v1 port-attached ");
	assert_int_equal(process.port_err[1], 0);
	attach_missing(&process);
	expect_done("");
}

static void an_interface_that_is_made_anew_under_its_name_is_another_port(void **state)
{
	static const struct model_port gone[] = { { .interface = "v0" },
		                                  { .interface = "nosuch" } };

	(void)state;
	attach_all(&process);
	set_port(0, "v0", false);
	set_port(1, "v1", false);
	carried[0].ifindex += 1000; /* it was that one */
	carried[1].ifindex += 1000;
	logged[0] = '\0';
	attach_missing(&process);
	expect_done("port-lost attach:v0 port-attached port-lost attach:v1 port-attached ");
	name_ports(gone, 2);
	set_port(0, "v0", false);
	set_port(1, "nosuch", false);
	carried[1].ifindex = 1000;
	attach_missing(&process);
	expect_done("attach:nosuch "); /* no news of it each second */
}

static void ports_that_the_document_no_longer_names_are_let_go(void **state)
{
	(void)state;
	set_port(0, "v0", false);
	set_port(1, "v9", false);
	set_port(2, "v1", false);
	set_port(3, "v10", false);
	detach_unnamed(&process);
	expect_done("detach:v9 port-detached detach:v10 port-detached ");
	detach_says = -EIO;
	detach_unnamed(&process);
	expect_done("detach:v9 port-failed detach:v10 port-failed ");
}

SUITE(attach)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(own_addresses_are_known_before_a_port_forwards_and_read_again_behind_it),
		T(a_failure_is_logged_when_it_is_another_one),
		T(a_port_that_the_document_names_again_is_logged_again),
		T(a_port_that_could_not_be_changed_is_tried_again),
		T(an_interface_that_is_made_anew_under_its_name_is_another_port),
		T(ports_that_the_document_no_longer_names_are_let_go),
	};

	logged_begin();
	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
