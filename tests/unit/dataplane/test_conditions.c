/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which troubles the process states (dataplane/conditions.c): the kernel's links and the driver's
 * ports are the test's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/conditions.h"
#include "dataplane/nexthop/links.h"
#include "dataplane/process.h"
#include "dataplane/prover.h"
#include "dataplane/export/publish.h"
#include "weir/condition.h"
#include "weir/model.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- what is stated --- */

static char stated[20][400]; /* "level code subject: text" */
static size_t n_stated;
static uint64_t begun_with;
static unsigned n_paths, n_ended;

static void fake_begin(struct stats *s, uint64_t document)
{
	(void)s;
	begun_with = document;
	n_stated = n_paths = n_ended = 0;
}

static void __attribute__((format(printf, 5, 6)))
fake_add(struct stats *s, const char *code, enum condition_level level, const char *subject,
         const char *format, ...)
{
	char text[CONDITION_TEXT_MAX];
	va_list args;

	(void)s;
	va_start(args, format);
	assert_in_range(vsnprintf(text, sizeof(text), format, args), 1,
	                sizeof(text) - 1); /* whole */
	va_end(args);
	assert_true(n_stated < COUNT(stated));
	snprintf(stated[n_stated++], sizeof(stated[0]), "%s %s %s: %s",
	         level == CONDITION_DOWN       ? "down"
	         : level == CONDITION_DEGRADED ? "degraded"
	         : level == CONDITION_NOTE     ? "note"
	                                       : "?",
	         code, subject, text);
}

static void fake_end(struct stats *s)
{
	(void)s;
	n_ended++;
}

static void fake_paths(const struct process *p, struct stats *s)
{
	(void)p, (void)s;
	n_paths++;
}

/* --- what there is --- */

static struct rtnl_link kernel[2]; /* eth0 and eth1; ifindex 0: it is not there */
static struct driver_port driven[DRIVER_PORTS_MAX];
static size_t n_driven;

static const struct rtnl_link *fake_link(const struct links *l, const char *name)
{
	int i = name[3] - '0';

	(void)l;
	return i >= 0 && i < 2 && !name[4] && kernel[i].ifindex ? &kernel[i] : NULL;
}

static size_t show_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	memcpy(out, driven, sizeof(driven));
	return n_driven;
}

static struct stats *fake_stats(struct publisher *p)
{
	(void)p;
	return NULL;
}

static const char *prover_says; /* of probe packets; NULL: none */

static bool blocked;

static bool fake_blocked(const struct prover *r)
{
	(void)r;
	return blocked;
}

static const char *fake_problem(const struct prover *r, const char **interface)
{
	(void)r;
	*interface = "eth1";
	return prover_says;
}

static int measure_fault; /* -errno; 0: none */

static int fake_measure_fault(const struct publisher *p)
{
	(void)p;
	return measure_fault;
}

/* The private parts too. */
#define publisher_measure_fault fake_measure_fault
#define prover_problem          fake_problem
#define prover_is_blocked       fake_blocked
#define conditions_begin        fake_begin
#define conditions_add          fake_add
#define conditions_end          fake_end
#define conditions_state_paths  fake_paths
#define links_named             fake_link
#define publisher_stats         fake_stats
#include "dataplane/conditions.c"

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
	if (!p)
		return -1;
	for (uint32_t i = 0; i <= DRIVER_PORTS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "eth%u", i);
		ports[i] = (struct model_port){ .interface = names[i], .device = "" };
	}
	self = (struct model_node){ .name = "ams-1", .ports = ports, .n_ports = 2 };
	model = (struct model){ .self = &self, .key_state = MODEL_KEY_GOOD };
	model.meta.document = 71;
	memset(driven, 0, sizeof(driven));
	for (uint32_t i = 0; i < 2; i++) {
		kernel[i] = (struct rtnl_link){ .ifindex = 5 + i, .up = true };
		driven[i] = (struct driver_port){ .ifindex = 5 + i, .native = true, .up = true };
		strcpy(driven[i].name, names[i]);
	}
	n_driven = 2;
	p->ops = &xdp;
	p->driver = (void *)p;
	p->node.model = &model;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(p);
	return 0;
}

/* --- the tests --- */

static void a_node_without_trouble_states_none(void **state)
{
	(void)state;
	conditions_state(p);
	assert_int_equal(n_stated, 0);
	assert_int_equal(begun_with, 71);
	assert_int_equal(n_paths, 1);
	assert_int_equal(n_ended, 1);
}

static void a_page_of_measurements_that_cannot_be_made_is_stated(void **state)
{
	(void)state;
	measure_fault = -ENOSPC;
	conditions_state(p);
	measure_fault = 0;
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "degraded measure-page-missing"));
	assert_non_null(strstr(stated[0], "No space left on device"));
	conditions_state(p);
	assert_int_equal(n_stated, 0);
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
			kernel[1] =
			        (struct rtnl_link){ .ifindex = faults[i].link ? faults[i].link_index
				                                              : 0,
				                    .up = faults[i].link_up };
			driven[1].ifindex = 6;
			driven[1].lost = faults[i].lost;
			driven[1].up = faults[i].up;
			n_driven = faults[i].attached ? 2 : 1;
			ports[1].device = faults[i].pci ? faults[i].pci : "";
			p->ops = faults[i].ops;
			self.ports = ports + 1 - others;
			self.n_ports = 1 + others;
			conditions_state(p);
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
	strcpy(p->port_reason[0], "not said: the interface is not there");
	strcpy(p->port_reason[1], "another program is there");
	conditions_state(p);
	assert_int_equal(n_stated, 2);
	assert_string_equal(stated[0],
	                    "down port-missing eth0: there is no interface of this name on the "
	                    "node: check the name (ip link) and the driver of the NIC");
	assert_non_null(strstr(stated[1], "down port-not-attached eth1: "));
	assert_non_null(strstr(stated[1], "; the last try: another program is there"));
	p->port_reason[1][0] = '\0';
	conditions_state(p);
	assert_null(strstr(stated[1], "; the last try"));
}

/* All forward, and not as the document has it: that is less than well, and never down. */
static void a_port_that_goes_on_as_it_was_is_degraded(void **state)
{
	(void)state;
	p->port_err[0] = p->port_err[1] = -ENODEV;
	strcpy(p->port_reason[1], "there is no PCI device 0000:02:00.0");
	conditions_state(p);
	assert_int_equal(n_stated, 2);
	assert_non_null(
	        strstr(stated[0], "degraded port-not-changed eth0: the port still forwards"));
	assert_non_null(strstr(stated[1], "degraded port-not-changed eth1: "));
	assert_non_null(strstr(stated[1], "; the last try: there is no PCI device 0000:02:00.0"));
	kernel[0].up = false; /* what is worse goes before; the other one still forwards */
	conditions_state(p);
	assert_non_null(strstr(stated[0], "degraded port-no-carrier eth0: "));
}

static void as_many_ports_as_a_driver_can_have_are_looked_at(void **state)
{
	(void)state;
	self.n_ports = DRIVER_PORTS_MAX + 1;
	conditions_state(p);
	assert_int_equal(n_stated, DRIVER_PORTS_MAX - 2);
	for (size_t i = 0; i < n_stated; i++)
		assert_non_null(strstr(stated[i], "degraded port-missing eth"));
	assert_non_null(strstr(stated[n_stated - 1], " eth15: "));
}

static void probe_packets_that_cannot_be_run_are_stated_with_the_reason(void **state)
{
	(void)state;
	prover_says = "the kernel is too old; update it";
	conditions_state(p);
	prover_says = NULL;
	assert_int_equal(n_stated, 1);
	assert_non_null(
	        strstr(stated[0], "degraded probe-packets-fail eth1: cannot run probe packets "));
	assert_non_null(strstr(stated[0], "the kernel is too old; update it"));
	conditions_state(p);
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
	conditions_state(p);
	assert_int_equal(n_stated, 0);
	memory_says = "no hugetlbfs is mounted";
	conditions_state(p);
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
	conditions_state(p);
	assert_int_equal(n_stated, 1);
	assert_string_equal(stated[0],
	                    "note mtu-not-raised eth1: the document's mtu is 1600, but this port "
	                    "was opened for 1500, which stays in force: weir restart dataplane; "
	                    "if that does not help, its device takes no longer packets");
	self.mtu = 1500; /* less is in force at once */
	conditions_state(p);
	assert_int_equal(n_stated, 0);
	driven[0].mtu = driven[1].mtu = 0;
	self.mtu = 1600;
	conditions_state(p);
	assert_int_equal(n_stated, 0);
	self.mtu = 0;
}

static void the_generic_mode_of_a_port_is_a_note(void **state)
{
	(void)state;
	driven[1].native = false;
	conditions_state(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "note generic-mode eth1: the kernel's generic XDP mode"));
	driven[1].lost = true; /* nothing runs there */
	conditions_state(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "degraded port-not-attached eth1"));
	driven[1].lost = false;
	p->ops = &dpdk; /* it means another thing there: a port of the kernel's */
	conditions_state(p);
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
	conditions_state(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "note frames-sent-unknown eth1: "));
	assert_non_null(strstr(stated[0], "is unknown: "));
	driven[1].not_sent_known = true;
	conditions_state(p);
	assert_int_equal(n_stated, 0);
	p->leaving.n = 1;
	p->leaving.ports[0] =
	        (struct leaving_port){ .shown = { .name = "eth1", .not_sent_cause = "it rains" },
		                       .state = LEAVING_SOME };
	blocked = true; /* by another port */
	conditions_state(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "degraded frames-not-sent eth1: more than 1 % is lost"));
	assert_non_null(strstr(stated[0], "likely: it rains"));
	p->leaving.ports[0].state = LEAVING_NONE;
	conditions_state(p);
	assert_non_null(strstr(stated[0], "down frames-not-sent eth1: nothing leaves"));
	blocked = false; /* what is announced leaves by other ports */
	conditions_state(p);
	assert_non_null(strstr(stated[0], "degraded frames-not-sent eth1: nothing leaves"));
	memset(longest, 'x', sizeof(longest) - 1);
	p->leaving.ports[0].shown.not_sent_cause = longest;
	for (int i = LEAVING_SOME; i <= LEAVING_NONE; i++) {
		p->leaving.ports[0].state = (enum leaving_state)i;
		conditions_state(p);
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
		conditions_state(p);
		assert_int_equal(n_stated, 2);
		assert_non_null(strstr(stated[0], "degraded table-damaged slots of pool web-fra: 3 "
		                                  "elements (4096 to 4100 of table slots)"));
		assert_non_null(strstr(stated[0], "they are written again"));
		assert_non_null(strstr(stated[0], "find out what else writes to the tables"));
		assert_non_null(strstr(stated[1], "degraded table-damaged table root: 1 "));
	}
	p->scrub.n_findings = 0;
	p->scrub.n_more = 7;
	conditions_state(p);
	assert_int_equal(n_stated, 1);
	assert_non_null(strstr(stated[0], "degraded table-damaged more: 7 more elements"));
	p->scrub.n_more = 0;
	conditions_state(p);
	assert_int_equal(n_stated, 0);
}

static void other_troubles_are_stated_with_what_to_do(void **state)
{
	(void)state;
	strcpy(p->refusal, "raise limits.slots");
	p->macs_left_out = 3;
	model.key_state = MODEL_KEY_GOOD + 1;
	model.key_fault = "hash.key: 3 digits";
	conditions_state(p);
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
	(void)state;
	kernel[0].ifindex = 0;
	model.key_state = MODEL_KEY_GOOD + 1;
	strcpy(p->refusal, "no driver");
	for (int turn = 0; turn < 2; turn++) {
		p->driver = turn ? (void *)p : NULL;
		p->node.model = turn ? NULL : &model;
		conditions_state(p);
		assert_int_equal(n_stated, 1);
		assert_int_equal(begun_with, 0);
		assert_int_equal(n_paths, 0);
		assert_string_equal(
		        stated[0],
		        "degraded document-refused : the newest document is refused, this process has none in force: no driver");
	}
	p->driver = NULL;
	p->forwards_nothing = true;
	conditions_state(p);
	assert_string_equal(
	        stated[0],
	        "down document-refused : the newest document is refused, nothing is forwarded: no driver");
	p->forwards_nothing = false;
	p->driver = (void *)p;
	p->node.model = &model;
	model.self = NULL; /* the node is not in its own document */
	conditions_state(p);
	assert_int_equal(n_stated, 2);
	assert_int_equal(n_paths, 1);
}

#define CONDITIONS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
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
