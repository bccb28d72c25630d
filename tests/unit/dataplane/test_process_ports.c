/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process and what happens around it: ports that come and go, verdicts, next hops, the path
 * of tunnel probes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/page.h"
#include "bpf/probe_table.h"
#include "tests/unit/suite.h"
#include "weir/health.h"
#include "weir/probe.h"

#include "tests/unit/dataplane/process_scene.h"

static void begin_with(const struct scene_document *d)
{
	scene_document(d);
	scene_start();
	WAIT_FOR(scene_status_number("document") == 1);
}

static void a_port_that_goes_and_comes_back_is_attached_again(void **state)
{
	(void)state;
	begin_with(&scene_plain);
	WAIT_FOR(space_xdp_of("v0") != 0);
	WAIT_FOR(scene_condition("port-missing", "v0") == -1);
	WAIT_FOR(scene_value("weir_dataplane_ports", "") == 1);
	space_run("ip link del v0");
	WAIT_FOR(scene_condition("port-missing", "v0") == CONDITION_DOWN); /* it is the only one */
	WAIT_FOR(scene_value("weir_dataplane_ports", "") == 0);
	WAIT_FOR(scene_value("weir_dataplane_port_up", "port=\"v0\"") == 0);
	space_run(
	        "ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
	WAIT_FOR(space_xdp_of("v0") != 0);
	WAIT_FOR(scene_condition("port-missing", "v0") == -1);
	WAIT_FOR(scene_value("weir_dataplane_ports", "") == 1);
	WAIT_FOR(scene_value("weir_dataplane_port_up", "port=\"v0\"") == 1);
	space_run("ip link set v1 down");
	WAIT_FOR(scene_condition("port-no-carrier", "v0") == CONDITION_DOWN);
	WAIT_FOR(scene_value("weir_dataplane_port_up", "port=\"v0\"") == 0);
	space_run("ip link set v1 up");
	WAIT_FOR(scene_condition("port-no-carrier", "v0") == -1);
	WAIT_FOR(scene_value("weir_dataplane_port_up", "port=\"v0\"") == 1);
}

static void a_program_that_an_operator_takes_off_is_put_back(void **state)
{
	(void)state;
	begin_with(&scene_plain);
	WAIT_FOR(space_xdp_of("v0") != 0);
	space_detach_link(BPF_DIR "/shop/ams-1/link-v0");
	WAIT_FOR(space_xdp_of("v0") != 0);
	WAIT_FOR(scene_condition("port-not-attached", "v0") == -1);
	assert_int_equal(scene_value("weir_dataplane_ports", ""), 1);
}

static void one_port_of_two_is_less_than_all(void **state)
{
	struct scene_document two = scene_plain;

	(void)state;
	two.ports = "{ interface = \"v0\"; }, { interface = \"v1\"; }";
	begin_with(&two);
	WAIT_FOR(space_xdp_of("v0") != 0 && space_xdp_of("v1") != 0);
	WAIT_FOR(scene_value("weir_dataplane_ports", "") == 2);
	assert_int_equal(scene_value("weir_dataplane_ports_generic", ""), 0);
	two.ports = "{ interface = \"v0\"; }";
	TAKE(&two);
	WAIT_FOR(space_xdp_of("v1") == 0); /* no longer named: detached */
	WAIT_FOR(scene_value("weir_dataplane_ports", "") == 1);
	two.ports = "{ interface = \"v0\"; }, { interface = \"nosuch\"; }";
	TAKE(&two);
	WAIT_FOR(scene_condition("port-missing", "nosuch") == CONDITION_DEGRADED);
	assert_int_equal(scene_condition("port-missing", "v0"), -1);
	WAIT_FOR(scene_value("weir_dataplane_ports", "") == 1);
}

/* A mistyped name must not cut the node off; the document is taken as soon as the interface is there. */
static void a_port_that_works_is_not_exchanged_for_one_that_is_not_there(void **state)
{
	struct scene_document typed = scene_plain;
	char text[256];

	(void)state;
	begin_with(&scene_plain);
	WAIT_FOR(space_xdp_of("v0") != 0);
	typed.ports = "{ interface = \"v7\"; }";
	scene_document(&typed);
	WAIT_FOR(scene_condition("document-refused", "") == CONDITION_DEGRADED);
	scene_status_text("refused_why", text);
	assert_non_null(strstr(text, "no interface v7"));
	assert_non_null(strstr(text, "takes port v0 away"));
	assert_int_equal(scene_status_number("document"), 1);
	assert_true(space_xdp_of("v0") != 0);
	assert_int_equal(scene_value("weir_dataplane_ports", ""), 1);
	space_run(
	        "ip link add v7 type veth peer name v8 && ip link set v7 up && ip link set v8 up");
	WAIT_FOR(space_xdp_of("v7") != 0 && space_xdp_of("v0") == 0);
	WAIT_FOR(scene_condition("document-refused", "") == -1);
	typed.ports =
	        "{ interface = \"v6\"; }"; /* and the port that is taken away is lost already */
	space_run("ip link del v7");
	WAIT_FOR(scene_condition("port-missing", "v7") == CONDITION_DOWN);
	TAKE(&typed);
	WAIT_FOR(scene_condition("port-missing", "v6") == CONDITION_DOWN);
}

static void a_foreign_program_keeps_its_port_and_is_named(void **state)
{
	static struct conditions all;

	(void)state;
	space_attach_other("v0");
	begin_with(&scene_plain);
	WAIT_FOR(scene_condition("port-not-attached", "v0") == CONDITION_DOWN);
	assert_int_equal(conditions_read(SCENE "/run", "dataplane", &all), 0);
	assert_non_null(strstr(all.items[0].text, "another XDP program is attached to v0"));
	space_run("ip link set dev v0 xdp off");
	WAIT_FOR(space_xdp_of("v0") != 0);
	WAIT_FOR(scene_condition("port-not-attached", "v0") == -1);
}

static uint64_t id_of(const char *address)
{
	struct addr a;

	assert_int_equal(addr_parse(address, &a), 0);
	return model_backend_id(&a, 0);
}

/* A health page with the two backends, as weir-health writes it. */
static struct page *make_health(enum health_state first, enum health_state second, size_t more)
{
	uint64_t targets[2] = { health_target_backend("web", id_of("10.1.0.5")),
		                health_target_backend("web", id_of("10.2.0.9")) };
	struct page *page;

	assert_int_equal(page_create(SCENE "/run/health.page", HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page) + more, &page),
	                 0);
	assert_int_equal(health_set_targets(page_payload(page), targets, 2, 1), 0);
	health_write(page_payload(page), health_find_index(page_payload(page), targets[0]),
	             health_make(first, 0, HEALTH_REASON_OK, 1));
	health_write(page_payload(page), health_find_index(page_payload(page), targets[1]),
	             health_make(second, 0, HEALTH_REASON_OK, 1));
	page_publish(page);
	return page;
}

static int64_t in_force(const char *backend)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "pool=\"web\",backend=\"%s\"", backend);
	return scene_value("weir_dataplane_backend_in_force", labels);
}

static void verdicts_are_followed_also_from_a_page_that_is_made_again(void **state)
{
	uint64_t target = health_target_backend("web", id_of("10.1.0.5"));
	struct page *page;

	(void)state;
	begin_with(&scene_checked);
	page = make_health(HEALTH_UP, HEALTH_UP, 0); /* the checker starts later */
	WAIT_FOR(in_force("b1") == 1 && in_force("b2") == 1);
	health_write(page_payload(page), health_find_index(page_payload(page), target),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 2));
	page_publish(page);
	WAIT_FOR(in_force("b1") == 0);
	assert_int_equal(in_force("b2"), 1);
	WAIT_FOR(scene_value("weir_dataplane_backends_out_total", "") == 1);
	page_close(page);
	page = make_health(HEALTH_UP, HEALTH_DOWN, 4096); /* of another release */
	WAIT_FOR(in_force("b1") == 1 && in_force("b2") == 0);
	WAIT_FOR(scene_value("weir_dataplane_backends_back_total", "") == 1);
	page_close(page);
}

static int64_t cut_families(void)
{
	return scene_value(PROBE_FAMILIES_GAUGE, "");
}

static void the_path_of_probes_is_read_back_and_stated(void **state)
{
	(void)state;
	space_run("ip route replace 203.0.113.0/24 via 10.1.0.1");
	begin_with(&scene_checked);
	WAIT_FOR(scene_value(PROBE_GAUGE, "") == 1 && cut_families() == 0);
	int64_t since = scene_value(PROBE_SINCE_GAUGE, "");

	assert_true(since > 0);
	assert_int_equal(system("tc filter show dev v0 egress | grep -q weir_probe"), 0);
	space_run("tc qdisc del dev v0 clsact"); /* somebody takes it off */
	WAIT_FOR(system("tc filter show dev v0 egress | grep -q weir_probe") == 0);
	WAIT_FOR(scene_value(PROBE_SINCE_GAUGE, "") > since); /* none that was sent before counts */
	space_run(
	        "ip link add e0 type veth peer name e1 && ip link set e0 up && ip link set e1 up && "
	        "ip addr add 10.8.0.2/24 dev e0 && ip neigh add 10.8.0.1 lladdr 02:00:00:00:00:08 dev e0 && "
	        "ip route replace 203.0.113.0/24 via 10.8.0.1");
	WAIT_FOR(cut_families() == PROBE_FAMILY_IP4); /* that is no port */
	WAIT_FOR(scene_condition("probe-path-missing", "203.0.113.10") >= CONDITION_DEGRADED);
	space_run("ip route replace 203.0.113.0/24 via 10.1.0.1");
	WAIT_FOR(cut_families() == 0);
	WAIT_FOR(scene_condition("probe-path-missing", "203.0.113.10") == -1);
	space_run("ip link del e0");
	space_run("ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:01 dev v0 nud failed");
	WAIT_FOR(cut_families() == PROBE_FAMILY_IP4); /* its next hop is silent */
	space_run("ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:01 dev v0 nud permanent");
	WAIT_FOR(cut_families() == 0);
	assert_int_equal(scene_value(PROBE_GAUGE, ""), 1);
	TAKE(&scene_plain); /* nothing is probed any more */
	WAIT_FOR(scene_value(PROBE_GAUGE, "") == 2);
}

#define SERVICE(name, port)                                                                        \
	", { name = \"" name "\"; protocol = \"tcp\"; port = " port "; vip_check = \"none\"; "     \
	"at = ( { site = \"ams\"; vip = \"shop\"; pool = \"" name "\"; } ); }"

/*
 * How many tunnels of the probes' program lead to 10.2.0.9 by interface @p ifindex, of @p n in
 * all.
 */
static unsigned count_tunnels(uint32_t ifindex, unsigned *n)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("v0"),
	            .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = 0x57, .priority = 0x57);
	uint32_t mark, *at = NULL, found = 0;
	struct probe_value v;
	int fd;

	*n = 0;
	if (bpf_tc_query(&hook, &filter))
		return 0;
	fd = space_map_of(filter.prog_id, "probe_tunnels");
	while (fd >= 0 && !bpf_map_get_next_key(fd, at, &mark)) {
		at = &mark;
		if (bpf_map_lookup_elem(fd, &mark, &v) || v.dst.bytes[15] != 9)
			continue;
		(*n)++;
		found += v.ifindex == ifindex;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

/*
 * A backend may be in several pools, each with its mark: its probes follow its route all
 * together.
 */
static void all_tunnels_to_a_backend_follow_its_route(void **state)
{
	struct scene_document many = scene_checked;
	char pools[2048];
	uint32_t v0 = if_nametoindex("v0"), e0;
	unsigned n;

	(void)state;
	snprintf(pools, sizeof(pools), "%s", scene_checked.pools);
	for (unsigned i = 0; i < 3; i++)
		snprintf(
		        pools + strlen(pools), sizeof(pools) - strlen(pools),
		        ", { name = \"p%u\"; site = \"ams\"; mode = \"gue\"; max_backends = 9; check = \"c\"; "
		        "backends = ( { name = \"x\"; address = \"10.2.0.9\"; } ); }",
		        i);
	many.pools = pools;
	many.services = SERVICE("p0", "81") SERVICE("p1", "82") SERVICE("p2", "83");
	space_run("ip route replace 203.0.113.0/24 via 10.1.0.1");
	begin_with(&many);
	WAIT_FOR(count_tunnels(v0, &n) == 4 && n == 4);
	space_run(
	        "ip link add e0 type veth peer name e1 && ip link set e0 up && ip link set e1 up && "
	        "ip addr add 10.8.0.2/24 dev e0 && ip neigh add 10.8.0.1 lladdr 02:00:00:00:00:08 dev e0 && "
	        "ip route replace 10.2.0.0/16 via 10.8.0.1");
	e0 = if_nametoindex("e0");
	WAIT_FOR(count_tunnels(e0, &n) == 4);
	space_run("ip route del 10.2.0.0/16 && ip link del e0");
	WAIT_FOR(count_tunnels(PROBE_NO_WAY, &n) == 4);
}

static void a_route_that_is_refused_condemns_and_one_that_is_missing_does_not(void **state)
{
	(void)state;
	begin_with(&scene_plain);
	WAIT_FOR(in_force("b1") == 1 && in_force("b2") == 1);
	space_run("ip route replace unreachable 10.2.0.0/16");
	WAIT_FOR(in_force("b2") == 0);
	assert_int_equal(in_force("b1"), 1);
	space_run(
	        "ip route del unreachable 10.2.0.0/16; ip route replace 10.2.0.0/16 via 10.1.0.1");
	WAIT_FOR(in_force("b2") == 1);
	space_run("ip route del 10.2.0.0/16");
	WAIT_FOR(scene_value("weir_dataplane_backend_next_hop", "pool=\"web\",backend=\"b2\"") ==
	         0);
	usleep(300000);                      /* nothing may change in this time */
	assert_int_equal(in_force("b2"), 1); /* the want of a route is no evidence */
}

SUITE(process_ports)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_port_that_goes_and_comes_back_is_attached_again,
		                                scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(a_program_that_an_operator_takes_off_is_put_back,
		                                scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
		        a_port_that_works_is_not_exchanged_for_one_that_is_not_there, scene_begin,
		        scene_end),
		cmocka_unit_test_setup_teardown(one_port_of_two_is_less_than_all, scene_begin,
		                                scene_end),
		cmocka_unit_test_setup_teardown(a_foreign_program_keeps_its_port_and_is_named,
		                                scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
		        verdicts_are_followed_also_from_a_page_that_is_made_again, scene_begin,
		        scene_end),
		cmocka_unit_test_setup_teardown(the_path_of_probes_is_read_back_and_stated,
		                                scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(all_tunnels_to_a_backend_follow_its_route,
		                                scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
		        a_route_that_is_refused_condemns_and_one_that_is_missing_does_not,
		        scene_begin, scene_end),
	};

	if (scene_enter()) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
