/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that are carried, lost and let go, and the end of a driver: in which order, and what is
 * logged.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "dataplane/attach.h"
#include "dataplane/change.h"
#include "dataplane/nexthop/links.h"
#include "dataplane/tables/macs.h"
#include "dataplane/process.h"
#include "weir/carry.h"
#include "weir/model.h"

static char did[1024]; /* in order */
static struct driver_port carried[DRIVER_PORTS_MAX];
static size_t n_attached;
static const char *attach_says;
static int detach_says;
static uint32_t ifindex_of_all;

static void note_call(const char *what, const char *of)
{
	size_t n = strlen(did);

	snprintf(did + n, sizeof(did) - n, "%s%s%s ", what, *of ? ":" : "", of);
}

static void fake_log(int priority, const char *event, const char *pairs, ...)
{
	(void)priority;
	(void)pairs;
	if (strcmp(event, "port-macs") != 0)
		note_call("log", event);
}

static unsigned fake_index(const char *name)
{
	(void)name;
	return ifindex_of_all;
}

static const struct rtnl_link *fake_link(const struct links *l, const char *name)
{
	static struct rtnl_link link;

	(void)l;
	(void)name;
	link.ifindex = ifindex_of_all;
	return &link;
}

static void fake_gather(const struct links *l, const struct model_node *self, struct macs *out)
{
	(void)l;
	(void)self;
	memset(out, 0, sizeof(*out));
	out->n_left_out = 3;
	note_call("macs", "");
}

static bool fake_write(const struct fwd_tables *t, const struct macs *macs)
{
	(void)t;
	(void)macs;
	return true;
}

static void fake_end(struct carry *c, const struct fwd_tables *from, struct fwd_tables *to)
{
	(void)c;
	(void)from;
	(void)to;
	note_call("carry_end", "");
}

static void fake_carry_free(struct carry *c)
{
	(void)c;
}

const struct driver_ops *const drivers_dpdk = NULL;
#define log_at         fake_log
#define if_nametoindex fake_index
#define links_named    fake_link
#define links_read(l)  ((void)note_call("links_read", ""), 0)
#define macs_gather    fake_gather
#define macs_write     fake_write
#define carry_end      fake_end
#define carry_free     fake_carry_free
#include "dataplane/attach.c"
#include "dataplane/change.c"

static void fake_tables(const struct driver *d, struct fwd_tables *out)
{
	(void)d;
	memset(out, 0, sizeof(*out));
}

static int fake_attach(struct driver *d, const struct model_port *port, struct driver_port *out,
                       struct driver_reason *why)
{
	(void)d;
	note_call("attach", port->interface);
	snprintf(why->text, sizeof(why->text), "%s", attach_says);
	*out = (struct driver_port){ .ifindex = ifindex_of_all };
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

static void fake_grace(struct driver *d)
{
	(void)d;
	note_call("grace", "");
}

static void close_it(struct driver *d)
{
	(void)d;
	note_call("close", "");
}

static int remove_it(const char *dir, struct driver_reason *why)
{
	(void)why;
	note_call("remove", dir);
	return 0;
}

static const struct driver_ops ops = { .tables = fake_tables,
	                               .attach = fake_attach,
	                               .detach = fake_detach,
	                               .ports = fake_ports,
	                               .grace = fake_grace,
	                               .close = close_it,
	                               .remove = remove_it };
static const struct model_port named[] = { { .interface = "eth1" }, { .interface = "eth2" } };
static struct model_node self = { .ports = named, .n_ports = 2 };
static struct model model = { .self = &self };
static struct process process;

static void set_port(size_t i, const char *name, uint32_t ifindex, bool lost)
{
	carried[i] = (struct driver_port){ .ifindex = ifindex, .lost = lost };
	snprintf(carried[i].name, sizeof(carried[i].name), "%s", name);
	n_attached = i + 1;
}

static int setup(void **state)
{
	(void)state;
	memset(&process, 0, sizeof(process));
	process.ops = &ops;
	process.node.model = &model;
	did[0] = '\0';
	attach_says = "";
	detach_says = 0;
	ifindex_of_all = 7;
	n_attached = 0;
	return 0;
}

static void own_addresses_are_known_before_a_port_forwards_and_read_again_behind_it(void **state)
{
	(void)state;
	attach_all(&process);
	assert_string_equal(
	        did, "macs attach:eth1 log:port-attached attach:eth2 log:port-attached macs ");
	assert_int_equal(process.macs_left_out, 3);
	set_port(0, "eth1", 7, false);
	set_port(1, "eth2", 7, false);
	did[0] = '\0';
	attach_missing(&process);
	assert_string_equal(did, "macs "); /* nothing is missing */
	set_port(0, "eth1", 7, true);
	set_port(1, "eth2", 7, false);
	did[0] = '\0';
	attach_missing(&process);
	assert_string_equal(did, "macs log:port-lost attach:eth1 log:port-attached macs ");
}

static void a_failure_is_logged_when_it_is_another_one(void **state)
{
	(void)state;
	attach_says = "busy";
	attach_missing(&process);
	attach_missing(&process);
	assert_string_equal(did,
	                    "macs attach:eth1 log:port-failed attach:eth2 log:port-failed macs "
	                    "macs attach:eth1 attach:eth2 macs ");
	assert_string_equal(process.port_reason[1], "busy");
	attach_says = "";
	did[0] = '\0';
	attach_missing(&process);
	assert_string_equal(
	        did, "macs attach:eth1 log:port-attached attach:eth2 log:port-attached macs ");
}

/* A port goes and comes back by the document, and by another one's place. Each life is logged. */
static void a_port_that_the_document_names_again_is_logged_again(void **state)
{
	static const struct model_port others[] = { { .interface = "eth1" },
		                                    { .interface = "eth3" } };
	static const struct {
		struct model_node node;
		const char *does;
	} lives[] = {
		{ { .ports = named, .n_ports = 2 },
		  "macs attach:eth1 attach:eth2 log:port-attached macs " },
		{ { .ports = named, .n_ports = 1 }, "macs attach:eth1 macs " },
		{ { .ports = others, .n_ports = 2 },
		  "macs attach:eth1 attach:eth3 log:port-attached macs " },
	};
	struct model other = { 0 };

	(void)state;
	process.node.model = &other;
	other.self = &lives[1].node;
	attach_all(&process);
	for (size_t i = 0; i < 3 * sizeof(lives) / sizeof(lives[0]); i++) {
		did[0] = '\0';
		other.self = &lives[i % 3].node;
		attach_all(&process);
		assert_string_equal(did, lives[i % 3].does);
	}
}

/*
 * It forwards as before: what the document has for it is tried until it is had, and each other
 * reason is logged.
 */
static void a_port_that_could_not_be_changed_is_tried_again(void **state)
{
	(void)state;
	set_port(0, "eth1", 7, false);
	set_port(1, "eth2", 7, false);
	attach_says = "no device";
	attach_all(&process);
	assert_int_equal(process.port_err[0], -EBUSY);
	did[0] = '\0';
	attach_missing(&process);
	assert_string_equal(did, "macs attach:eth1 attach:eth2 macs ");
	attach_says = "";
	did[0] = '\0';
	attach_missing(&process);
	assert_string_equal(
	        did, "macs attach:eth1 log:port-attached attach:eth2 log:port-attached macs ");
	assert_int_equal(process.port_err[1], 0);
	did[0] = '\0';
	attach_missing(&process);
	assert_string_equal(did, "macs ");
}

static void an_interface_that_is_made_anew_under_its_name_is_another_port(void **state)
{
	(void)state;
	attach_all(&process);
	set_port(0, "eth1", 7, false);
	set_port(1, "eth2", 7, false);
	ifindex_of_all = 9;
	did[0] = '\0';
	attach_missing(&process);
	assert_non_null(strstr(did, "log:port-lost attach:eth1 log:port-attached"));
	assert_non_null(strstr(did, "log:port-lost attach:eth2 log:port-attached"));
	ifindex_of_all = 0; /* gone: no news of it each second */
	did[0] = '\0';
	attach_missing(&process);
	assert_null(strstr(did, "port-lost"));
}

static void ports_that_the_document_no_longer_names_are_let_go(void **state)
{
	(void)state;
	set_port(0, "eth1", 7, false);
	set_port(1, "eth9", 8, false);
	set_port(2, "eth2", 7, false);
	set_port(3, "eth10", 9, false);
	detach_unnamed(&process);
	assert_string_equal(did, "detach:eth9 log:port-detached detach:eth10 log:port-detached ");
	detach_says = -EIO;
	did[0] = '\0';
	detach_unnamed(&process);
	assert_string_equal(did, "detach:eth9 log:port-failed detach:eth10 log:port-failed ");
}

/* Nothing that packets still read may go, and what they counted last is carried. */
static void a_driver_ends_when_no_packet_is_under_way_any_more(void **state)
{
	struct driver_change c = { .ops = &ops,
		                   .old_ops = &ops,
		                   .old_driver = (struct driver *)&process,
		                   .old_dir = "/old" };
	struct driver_reason why;

	(void)state;
	set_port(0, "eth1", 7, false);
	set_port(1, "eth9", 8, false);
	change_end(&c, &why);
	assert_string_equal(did, "detach:eth1 detach:eth9 grace carry_end close remove:/old ");
	did[0] = '\0';
	c = (struct driver_change){ .ops = &ops,
		                    .old_ops = &ops,
		                    .carry = (struct carry *)&process };
	snprintf(c.old_dir, sizeof(c.old_dir), "/left");
	change_end(&c, &why); /* of a process that is no more: removing ends its program */
	assert_string_equal(did, "remove:/left carry_end ");
	did[0] = '\0';
	c = (struct driver_change){ .ops = &ops };
	change_end(&c, &why); /* there was none */
	assert_string_equal(did, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(own_addresses_are_known_before_a_port_forwards_and_read_again_behind_it),
		T(a_failure_is_logged_when_it_is_another_one),
		T(a_port_that_the_document_names_again_is_logged_again),
		T(a_port_that_could_not_be_changed_is_tried_again),
		T(an_interface_that_is_made_anew_under_its_name_is_another_port),
		T(ports_that_the_document_no_longer_names_are_let_go),
		T(a_driver_ends_when_no_packet_is_under_way_any_more),
	};

	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
