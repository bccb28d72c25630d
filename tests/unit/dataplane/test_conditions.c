/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which troubles the process states (dataplane/conditions.c). The kernel's messages about links, and the driver, are the
 * test's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/nexthop/links.h"
#include "dataplane/prover_internal.h"
#include "tests/unit/suite.h"
#include "weir/measure.h"
#include "weir/model.h"

#include "tests/unit/dataplane/conditions_scene.h"
#include "tests/unit/dataplane/link_message.h"
#include "tests/unit/dataplane/stage.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- what is stated --- */

static char stated[20][500]; /* "level code subject: text" */
static size_t n_stated;

static void state_all(struct process *p)
{
	static const char *const levels[] = { "note", "degraded", "down" };

	conditions_state(p);
	read_said(p);
	assert_true(said.n < COUNT(stated));
	n_stated = said.n;
	for (uint32_t i = 0; i < said.n; i++)
		snprintf(stated[i], sizeof(stated[0]), "%s %s %s: %s", levels[said.items[i].level],
		         said.items[i].code, said.items[i].subject, said.items[i].text);
}

/* --- what there is --- */

static struct {
	uint32_t ifindex; /* 0: it is not there */
	bool up;
} kernel[2]; /* eth0 and eth1 */
static struct driver_port driven[DRIVER_PORTS_MAX];
static size_t n_driven;

static void tell_link(struct links *l, const struct link_message *m)
{
	char bytes[MESSAGE_BYTES];

	links_hear(l, bytes, write_message(bytes, m));
}

/* The kernel tells of its interfaces as they are now. */
static void tell_links(struct links *l)
{
	static const char *const names[] = { "eth0", "eth1" };

	for (uint32_t i = 1; i < 10; i++)
		tell_link(l, &(struct link_message){ .ifindex = i, .name = "", .gone = true });
	for (uint32_t i = 0; i < 2; i++)
		if (kernel[i].ifindex)
			tell_link(l, &(struct link_message){ .ifindex = kernel[i].ifindex,
			                                     .name = names[i],
			                                     .down = !kernel[i].up });
}

static void ignore_links(void *arg)
{
	(void)arg;
}

static size_t show_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	memcpy(out, driven, sizeof(driven));
	return n_driven;
}

static struct prover prover; /* of it: what it says of probe packets, and of what leaves */

static void set_probe_error(int err)
{
	prover.n_ports = prover.node.n_ports = 1;
	prover.ports[0] = (struct prover_port){ .ifindex = 6, .err = err };
	prover.node.ports[0] = (struct proof_port){ .interface = "eth1", .ifindex = 6 };
}

static void set_blocked(bool blocked)
{
	static struct prover_row row = { .is_announced = true };

	row.is_blocked = blocked;
	prover.rows.rows = &row;
	prover.rows.n = 1;
}

static const struct driver_ops xdp = { .name = "xdp", .ports = show_ports };
static const struct driver_ops dpdk = { .name = "dpdk", .ports = show_ports };
static struct model_port ports[DRIVER_PORTS_MAX + 1];
static char names[DRIVER_PORTS_MAX + 1][16];
static struct model_node self;
static struct model model;
static struct process *p;

/* Two ports that forward. */
static int setup(void **state)
{
	(void)state;
	p = calloc(1, sizeof(*p));
	if (!p || open_pages(p))
		return -1;
	p->links = links_new(ignore_links, NULL);
	p->prover = &prover;
	memset(&prover, 0, sizeof(prover));
	for (uint32_t i = 0; i <= DRIVER_PORTS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "eth%u", i);
		ports[i] = (struct model_port){ .interface = names[i], .device = "" };
	}
	self = (struct model_node){ .name = "ams-1", .ports = ports, .n_ports = 2 };
	model = (struct model){ .self = &self, .key_state = MODEL_KEY_GOOD };
	model.meta.document = 71;
	memset(driven, 0, sizeof(driven));
	for (uint32_t i = 0; i < 2; i++) {
		kernel[i].ifindex = 5 + i;
		kernel[i].up = true;
		driven[i] = (struct driver_port){ .ifindex = 5 + i, .native = true, .up = true };
		strcpy(driven[i].name, names[i]);
	}
	n_driven = 2;
	p->ops = &xdp;
	p->driver = (void *)p;
	p->node.model = &model;
	tell_links(p->links);
	return 0;
}

static int teardown(void **state)
{
	int result;

	(void)state;
	links_close(p->links);
	result = close_pages(p);
	free(p);
	return result;
}

/* --- the tests --- */

static void a_node_without_trouble_states_none(void **state)
{
	(void)state;
	state_all(p);
	assert_int_equal(n_stated, 0);
	assert_int_equal(said.document, 71);
}

static void a_page_of_measurements_that_cannot_be_made_is_stated(void **state)
{
	struct stage s;
	char path[128];

	(void)state;
	stage_init(&s);
	apply_world(&s, &s.first);
	snprintf(path, sizeof(path), "%.80s/" MEASURE_PAGE_FILE, p->dirs.run);
	assert_int_equal(mkdir(path, 0700), 0); /* in its place */
	publisher_measure(p->publisher, &s.node, 1000);
	state_all(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "degraded measure-page-missing"));
	assert_non_null(strstr(stated[0], strerror(-publisher_measure_fault(p->publisher))));
	assert_int_equal(rmdir(path), 0);
	publisher_measure(p->publisher, &s.node, 60000);
	state_all(p);
	assert_int_equal(n_stated, 0);
	stage_fini(&s);
}

static const struct {
	const char *why;
	const struct driver_ops *ops;
	const char *pci; /* the port is a device of DPDK's own */
	bool link, link_up;
	uint32_t link_index;
	bool attached, lost, up;
	const char *code; /* NULL: it forwards */
} faults[] = {
	{ "all is well", &xdp, NULL, true, true, 6, true, false, true, NULL },
	{ "no interface", &xdp, NULL, false, true, 6, true, false, true, "port-missing" },
	{ "not attached", &xdp, NULL, true, true, 6, false, false, true, "port-not-attached" },
	{ "taken off", &xdp, NULL, true, true, 6, true, true, true, "port-not-attached" },
	{ "on a former interface", &xdp, NULL, true, true, 9, true, false, true,
	  "port-not-attached" },
	{ "no carrier by the kernel", &xdp, NULL, true, false, 6, true, false, true,
	  "port-no-carrier" },
	{ "no carrier by the driver", &xdp, NULL, true, true, 6, true, false, false,
	  "port-no-carrier" },
	{ "not attached, no carrier", &xdp, NULL, true, false, 6, false, false, false,
	  "port-not-attached" },
	{ "DPDK on the kernel's interface", &dpdk, NULL, true, true, 6, true, false, true, NULL },
	{ "DPDK, its interface is missing", &dpdk, NULL, false, true, 6, true, false, true,
	  "port-missing" },
	{ "a device of DPDK's", &dpdk, "0000:01:00.0", false, true, 6, true, false, true, NULL },
	{ "a device of DPDK's, beside a TAP", &dpdk, "0000:01:00.0", true, false, 9, true, false,
	  true, NULL },
	{ "a device of DPDK's, not attached", &dpdk, "0000:01:00.0", true, true, 6, false, false,
	  true, "port-not-attached" },
	{ "a device of DPDK's, lost", &dpdk, "0000:01:00.0", true, true, 6, true, true, true,
	  "port-not-attached" },
	{ "a device of DPDK's, no carrier", &dpdk, "0000:01:00.0", true, true, 6, true, false,
	  false, "port-no-carrier" },
	{ "XDP needs the interface, whatever else is said", &xdp, "0000:01:00.0", false, true, 6,
	  true, false, true, "port-missing" },
};

/* The second port's trouble, beside a first one that forwards, and alone. */
static void each_fault_of_a_port_is_stated(void **state)
{
	char start[64];

	(void)state;
	for (size_t i = 0; i < COUNT(faults); i++) {
		for (uint32_t others = 0; others < 2; others++) {
			kernel[1].ifindex = faults[i].link ? faults[i].link_index : 0;
			kernel[1].up = faults[i].link_up;
			tell_links(p->links);
			driven[1].ifindex = 6;
			driven[1].lost = faults[i].lost;
			driven[1].up = faults[i].up;
			n_driven = faults[i].attached ? 2 : 1;
			ports[1].device = faults[i].pci ? faults[i].pci : "";
			p->ops = faults[i].ops;
			self.ports = ports + 1 - others;
			self.n_ports = 1 + others;
			state_all(p);
			if (n_stated != (faults[i].code != NULL))
				fail_msg("%s: %zu stated", faults[i].why, n_stated);
			snprintf(start, sizeof(start), "%s %s eth1: ", others ? "degraded" : "down",
			         faults[i].code);
			if (faults[i].code && strncmp(stated[0], start, strlen(start)) != 0)
				fail_msg("%s: %s", faults[i].why, stated[0]);
		}
	}
}

static void all_ports_without_effect_are_down_each_with_its_own_reason(void **state)
{
	(void)state;
	n_driven = 0;
	kernel[0].ifindex = 0;
	tell_links(p->links);
	strcpy(p->port_reason[0], "not said: the interface is not there");
	strcpy(p->port_reason[1], "another program is there");
	state_all(p);
	assert_int_equal(n_stated, 2);
	assert_string_equal(stated[0],
	                    "down port-missing eth0: there is no interface of this name on the "
	                    "node: check the name (ip link) and the driver of the NIC");
	assert_non_null(strstr(stated[1], "down port-not-attached eth1: "));
	assert_non_null(strstr(stated[1], "; the last try: another program is there"));
	p->port_reason[1][0] = '\0';
	state_all(p);
	assert_null(strstr(stated[1], "; the last try"));
}

/* All forward, and not as the document has it: that is less than well, and never down. */
static void a_port_that_goes_on_as_it_was_is_degraded(void **state)
{
	(void)state;
	p->port_err[0] = p->port_err[1] = -ENODEV;
	strcpy(p->port_reason[1], "there is no PCI device 0000:02:00.0");
	state_all(p);
	assert_int_equal(n_stated, 2);
	assert_non_null(
	        strstr(stated[0], "degraded port-not-changed eth0: the port still forwards"));
	assert_non_null(strstr(stated[1], "degraded port-not-changed eth1: "));
	assert_non_null(strstr(stated[1], "; the last try: there is no PCI device 0000:02:00.0"));
	kernel[0].up = false;
	tell_links(p->links); /* what is worse goes before; the other one still forwards */
	state_all(p);
	assert_non_null(strstr(stated[0], "degraded port-no-carrier eth0: "));
}

static void as_many_ports_as_a_driver_can_have_are_looked_at(void **state)
{
	(void)state;
	self.n_ports = DRIVER_PORTS_MAX + 1;
	state_all(p);
	assert_int_equal(n_stated, DRIVER_PORTS_MAX - 2);
	for (size_t i = 0; i < n_stated; i++)
		assert_non_null(strstr(stated[i], "degraded port-missing eth"));
	assert_non_null(strstr(stated[n_stated - 1], " eth15: "));
}

static void probe_packets_that_cannot_be_run_are_stated_with_the_reason(void **state)
{
	(void)state;
	set_probe_error(-EOPNOTSUPP);
	state_all(p);
	set_probe_error(0);
	assert_int_equal(n_stated, 1);
	assert_non_null(
	        strstr(stated[0], "degraded probe-packets-fail eth1: cannot run probe packets "));
	assert_non_null(strstr(stated[0], "the kernel is too old; update it to Linux"));
	state_all(p);
	assert_int_equal(n_stated, 0);
}

static const char *memory_says = ""; /* "": it lies where the document wishes */

static bool show_memory_fault(const struct driver *d, struct driver_reason *reason)
{
	assert_ptr_equal(d, p->driver);
	snprintf(reason->text, sizeof(reason->text), "%s", memory_says);
	return *memory_says != 0;
}

/* It costs each packet, and fails nowhere. */
static void memory_in_small_pages_is_a_note(void **state)
{
	static const struct driver_ops with = { .name = "dpdk",
		                                .ports = show_ports,
		                                .memory_fault = show_memory_fault };

	(void)state;
	p->ops = &with;
	state_all(p);
	assert_int_equal(n_stated, 0);
	memory_says = "no hugetlbfs is mounted";
	state_all(p);
	memory_says = "";
	assert_int_equal(n_stated, 1);
	assert_string_equal(stated[0],
	                    "note small-pages : each packet costs more: no hugetlbfs is mounted; "
	                    "correct that, then weir restart dataplane");
}

/* A port of DPDK keeps the MTU that it was opened for; one of XDP has its interface's. */
static void a_port_that_was_opened_for_less_is_a_note(void **state)
{
	(void)state;
	p->ops = &dpdk;
	self.mtu = 1600;
	driven[0].mtu = 1600;
	driven[1].mtu = 1500;
	state_all(p);
	assert_int_equal(n_stated, 1);
	assert_string_equal(stated[0],
	                    "note mtu-not-raised eth1: the document's mtu is 1600, but this port "
	                    "was opened for 1500, which stays in force: weir restart dataplane; "
	                    "if that does not help, its device takes no longer packets");
	self.mtu = 1500; /* less is in force at once */
	state_all(p);
	assert_int_equal(n_stated, 0);
	driven[0].mtu = driven[1].mtu = 0;
	self.mtu = 1600;
	state_all(p);
	assert_int_equal(n_stated, 0);
	self.mtu = 0;
}

static void the_generic_mode_of_a_port_is_a_note(void **state)
{
	(void)state;
	driven[1].native = false;
	state_all(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "note generic-mode eth1: the kernel's generic XDP mode"));
	driven[1].lost = true; /* nothing runs there */
	state_all(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "degraded port-not-attached eth1"));
	driven[1].lost = false;
	p->ops = &dpdk; /* it means another thing there: a port of the kernel's */
	state_all(p);
	assert_int_equal(n_stated, 0);
}

static uint64_t nothing_lost(const struct driver *d)
{
	(void)d;
	return 0;
}

static void frames_that_do_not_leave_are_stated_with_the_port_and_the_likely_cause(void **state)
{
	static const struct driver_ops with = { .name = "xdp",
		                                .ports = show_ports,
		                                .not_sent = nothing_lost };
	char longest[DRIVER_CAUSE_MAX] = "";

	(void)state;
	p->ops = &with;
	driven[0].not_sent_known = true;
	driven[1].not_sent_cause = "Operation not permitted";
	state_all(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "note frames-sent-unknown eth1: "));
	assert_non_null(strstr(stated[0], "is unknown: "));
	driven[1].not_sent_known = true;
	state_all(p);
	assert_int_equal(n_stated, 0);
	p->leaving.n = 1;
	p->leaving.ports[0] =
	        (struct leaving_port){ .shown = { .name = "eth1", .not_sent_cause = "it rains" },
		                       .state = LEAVING_SOME };
	set_blocked(true); /* by another port */
	state_all(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "degraded frames-not-sent eth1: more than 1 % is lost"));
	assert_non_null(strstr(stated[0], "likely: it rains"));
	p->leaving.ports[0].state = LEAVING_NONE;
	state_all(p);
	assert_non_null(strstr(stated[0], "down frames-not-sent eth1: nothing leaves"));
	set_blocked(false); /* what is announced leaves by other ports */
	state_all(p);
	assert_non_null(strstr(stated[0], "degraded frames-not-sent eth1: nothing leaves"));
	memset(longest, 'x', sizeof(longest) - 1);
	p->leaving.ports[0].shown.not_sent_cause = longest;
	for (int i = LEAVING_SOME; i <= LEAVING_NONE; i++) {
		p->leaving.ports[0].state = (enum leaving_state)i;
		state_all(p);
		assert_non_null(strstr(stated[0], longest));
		assert_non_null(strstr(stated[0], "weir_dataplane_port_not_sent_total"));
	}
	p->leaving.n = 0;
	driven[0].not_sent_known = driven[1].not_sent_known = false;
}

static void damage_is_stated_with_its_place_though_it_is_mended(void **state)
{
	(void)state;
	p->scrub.n_findings = 2;
	p->scrub.findings[0] = (struct scrub_finding){ FWD_TABLE_slots,         4096, 4100, 1,
		                                       "slots of pool web-fra", 3,    0 };
	p->scrub.findings[1] =
	        (struct scrub_finding){ FWD_TABLE_ROOT, 0, 0, 0, "table root", 1, 0 };
	for (int i = 0; i < 2; i++) {
		state_all(p);
		assert_int_equal(n_stated, 2);
		assert_non_null(strstr(stated[0], "degraded table-damaged slots of pool web-fra: 3 "
		                                  "elements (4096 to 4100 of table slots)"));
		assert_non_null(strstr(stated[0], "they are written again"));
		assert_non_null(strstr(stated[0], "find out what else writes to the tables"));
		assert_non_null(strstr(stated[1], "degraded table-damaged table root: 1 "));
	}
	p->scrub.n_findings = 0;
	p->scrub.n_more = 7;
	state_all(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "degraded table-damaged more: 7 more elements"));
	p->scrub.n_more = 0;
	state_all(p);
	assert_int_equal(n_stated, 0);
}

static void other_troubles_are_stated_with_what_to_do(void **state)
{
	(void)state;
	strcpy(p->refusal, "raise limits.slots");
	p->macs_left_out = 3;
	model.key_state = MODEL_KEY_GOOD + 1;
	model.key_fault = "hash.key: 3 digits";
	state_all(p);
	assert_int_equal(n_stated, 3);
	assert_string_equal(stated[0],
	                    "degraded document-refused : the newest document is refused, the one "
	                    "before stays in force: raise limits.slots");
	assert_string_equal(stated[1],
	                    "degraded hash-key-mismatch weir-dataplane: the key in use stays, the "
	                    "file is not used: hash.key: 3 digits");
	assert_non_null(strstr(stated[2],
	                       "degraded port-macs-full : there is no room for 3 MAC addresses"));
	assert_non_null(strstr(stated[2], "use fewer macvlans on the ports"));
}

/* What is not known of is not stated; a refusal is, for it may be why. */
static void before_a_document_is_in_force_no_port_is_missed(void **state)
{
	static struct model_pool web = { .name = "web", .agent = true };
	static struct plan_pool plan = { .model = &web, .n_backends = 2 };
	static struct compiler_pool pool = { .plan = &plan };

	(void)state;
	p->node.pools = &pool;
	p->node.n_pools = 1;
	kernel[0].ifindex = 0;
	tell_links(p->links);
	model.key_state = MODEL_KEY_GOOD + 1;
	strcpy(p->refusal, "no driver");
	for (int turn = 0; turn < 2; turn++) {
		p->driver = turn ? (void *)p : NULL;
		p->node.model = turn ? NULL : &model;
		state_all(p);
		assert_int_equal(n_stated, 1);
		assert_int_equal(said.document, 0);
		assert_string_equal(
		        stated[0],
		        "degraded document-refused : the newest document is refused, this process has none in force: no driver");
	}
	p->driver = NULL;
	p->forwards_nothing = true;
	state_all(p);
	assert_string_equal(
	        stated[0],
	        "down document-refused : the newest document is refused, nothing is forwarded: no driver");
	p->forwards_nothing = false;
	p->driver = (void *)p;
	p->node.model = &model;
	model.self = NULL; /* the node is not in its own document */
	state_all(p);
	assert_int_equal(n_stated, 3);
	assert_non_null(
	        strstr(stated[2], "note agents-unseen web: ")); /* of the ways to backends */
}

#define CONDITIONS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(conditions)
{
	const struct CMUnitTest tests[] = {
		CONDITIONS_TEST(a_node_without_trouble_states_none),
		CONDITIONS_TEST(a_page_of_measurements_that_cannot_be_made_is_stated),
		CONDITIONS_TEST(each_fault_of_a_port_is_stated),
		CONDITIONS_TEST(all_ports_without_effect_are_down_each_with_its_own_reason),
		CONDITIONS_TEST(a_port_that_goes_on_as_it_was_is_degraded),
		CONDITIONS_TEST(as_many_ports_as_a_driver_can_have_are_looked_at),
		CONDITIONS_TEST(probe_packets_that_cannot_be_run_are_stated_with_the_reason),
		CONDITIONS_TEST(memory_in_small_pages_is_a_note),
		CONDITIONS_TEST(a_port_that_was_opened_for_less_is_a_note),
		CONDITIONS_TEST(the_generic_mode_of_a_port_is_a_note),
		CONDITIONS_TEST(
		        frames_that_do_not_leave_are_stated_with_the_port_and_the_likely_cause),
		CONDITIONS_TEST(damage_is_stated_with_its_place_though_it_is_mended),
		CONDITIONS_TEST(other_troubles_are_stated_with_what_to_do),
		CONDITIONS_TEST(before_a_document_is_in_force_no_port_is_missed),
	};

	return cmocka_run_group_tests_name("conditions", tests, NULL, NULL);
}
