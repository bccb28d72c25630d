/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole weir-dataplane and the page of what it proves, as weir-announce reads it: with the XDP
 * driver on a real port, and with a driver that proves nothing. Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "dataplane/withdraw.h"
#include "tests/unit/dataplane/process_scene.h"
#include "tests/unit/suite.h"
#include "weir/fwd/reason.h"
#include "weir/own_routes.h"
#include "weir/proof.h"

/* As scene_plain, on a node that announces its VIPs. */
static struct scene_document announced;

/* The node's facts now; zeros: there are none. */
static struct proof_node read_facts(void)
{
	struct proof_node node = { 0 };
	struct proof *proof;

	if (proof_open(SCENE "/run", &proof))
		return node;
	if (!proof_copy(proof))
		(void)proof_node(proof, clock_mono_ms(), &node);
	proof_close(proof);
	return node;
}

static struct proof_vip read_shop(void)
{
	struct proof_vip vip = { .reason = PROOF_REASON_NONE };
	struct proof *proof;
	struct addr address;

	assert_int_equal(addr_parse("203.0.113.10", &address), 0);
	if (proof_open(SCENE "/run", &proof))
		return vip;
	if (!proof_copy(proof))
		(void)proof_vip(proof, hash_text("shop"), &address, clock_mono_ms(), &vip);
	proof_close(proof);
	return vip;
}

static void an_address_is_proved_once_its_document_is_in_force(void **state)
{
	struct proof_node node;

	(void)state;
	scene_start();
	WAIT_FOR(read_facts().alive_ms != 0);
	assert_int_equal(read_facts().document, 0);
	assert_int_equal(read_facts().state_arrived, PROOF_UNKNOWN);
	scene_document(&announced);
	WAIT_FOR(read_shop().state == PROOF_STATE_FORWARDED);
	node = read_facts();
	assert_int_equal(node.document, 1);
	assert_string_equal(node.driver, "xdp");
	assert_int_equal(node.writer_pid, scene_child);
	assert_int_equal(node.hops_needed, 2);
	assert_int_equal(node.n_ports, 1);
	assert_string_equal(node.ports[0].interface, "v0");
	assert_int_equal(node.ports[0].attached, PROOF_YES);
	assert_int_equal(node.ports[0].up, PROOF_YES);
	WAIT_FOR(read_facts().ports[0].program == space_xdp_of("v0"));
	WAIT_FOR(read_facts().hops_known == 2);
	WAIT_FOR(read_shop().n_reachable == 1);
	assert_int_equal(read_shop().n_services, 1);
	assert_int_equal(read_shop().n_serving, 1);
	WAIT_FOR(read_shop().sent > 2);
}

static void probe_packets_are_not_counted(void **state)
{
	static const char forwarded[] = "action=\"sent\",reason=\"forwarded\"";

	(void)state;
	scene_document(&announced);
	scene_start();
	WAIT_FOR(read_shop().sent >= 5); /* the counters are a second old at most */
	assert_int_equal(scene_value("weir_dataplane_service_packets_total", "service=\"web\""), 0);
	assert_int_equal(scene_value("weir_dataplane_packets_total", forwarded), 0);
}

static void a_program_that_is_taken_off_is_seen_and_so_is_its_return(void **state)
{
	(void)state;
	scene_document(&announced);
	scene_start();
	WAIT_FOR(read_shop().state == PROOF_STATE_FORWARDED);
	uint64_t proved_ms = read_shop().proved_ms;
	struct proof *proof;
	bool was_seen = false;

	assert_int_equal(proof_open(SCENE "/run", &proof), 0);
	space_detach_link(BPF_DIR "/shop/ams-1/link-v0");
	for (int i = 0; i < 2000 && !was_seen; i++) {
		struct proof_node node = { 0 };

		if (!proof_copy(proof))
			(void)proof_node(proof, clock_mono_ms(), &node);
		was_seen = node.ports[0].attached == PROOF_NO;
		usleep(1000);
	}
	proof_close(proof);
	assert_true(was_seen);
	WAIT_FOR(read_facts().ports[0].attached == PROOF_YES);
	WAIT_FOR(read_shop().proved_ms > proved_ms + 1000 &&
	         read_shop().state == PROOF_STATE_FORWARDED);
}

static void a_port_without_a_carrier_is_seen(void **state)
{
	(void)state;
	scene_document(&announced);
	scene_start();
	WAIT_FOR(read_facts().ports[0].up == PROOF_YES);
	space_run("ip link set v1 down");
	WAIT_FOR(read_facts().ports[0].up == PROOF_NO);
	assert_int_equal(read_facts().ports[0].attached, PROOF_YES);
	space_run("ip link set v1 up");
	WAIT_FOR(read_facts().ports[0].up == PROOF_YES);
}

static void an_address_whose_backends_cannot_be_reached_is_refused_with_its_reason(void **state)
{
	struct scene_document far = announced;

	(void)state;
	far.pools = "{ name = \"web\"; site = \"ams\"; mode = \"ipip\"; max_backends = 9; "
	            "backends = ( { name = \"b9\"; address = \"10.9.0.5\"; } ); }";
	scene_document(&far);
	scene_start();
	WAIT_FOR(read_shop().state == PROOF_STATE_REFUSED);
	assert_int_equal(read_shop().reason, FWD_REASON_NO_NEXT_HOP);
	assert_int_equal(read_shop().proved_ms, 0);
	assert_int_equal(read_shop().n_serving, 1);
	assert_int_equal(read_shop().n_reachable, 0);
	assert_int_equal(read_facts().hops_needed, 1);
	assert_int_equal(read_facts().hops_known, 0);
	TAKE(&announced); /* all slots are unsettled, and their base cannot be reached */
	WAIT_FOR(read_shop().n_reachable == 1);
	WAIT_FOR(read_shop().state == PROOF_STATE_UNKNOWN);
}

static void a_process_that_is_stopped_or_dead_proves_nothing_and_refuses_nothing(void **state)
{
	(void)state;
	scene_document(&announced);
	scene_start();
	WAIT_FOR(read_shop().state == PROOF_STATE_FORWARDED);
	kill(scene_child, SIGSTOP);
	usleep(150000); /* the time that must lose nothing */
	assert_int_equal(read_shop().state, PROOF_STATE_FORWARDED);
	assert_int_equal(read_facts().ports[0].attached, PROOF_YES);
	WAIT_FOR(read_shop().state == PROOF_STATE_UNKNOWN);
	assert_int_equal(read_facts().ports[0].attached, PROOF_UNKNOWN);
	kill(scene_child, SIGCONT);
	WAIT_FOR(read_shop().state == PROOF_STATE_FORWARDED);
	assert_int_equal(scene_stop(SIGKILL), -1);
	WAIT_FOR(read_shop().state == PROOF_STATE_UNKNOWN);
	scene_start();
	WAIT_FOR(read_shop().state == PROOF_STATE_FORWARDED);
}

static void the_control_socket_shows_what_the_page_says(void **state)
{
	json_t *answer, *vip, *port;

	(void)state;
	scene_start();
	WAIT_FOR(scene_status_number("document") == 0);
	answer = scene_ask("{\"do\":\"proof\"}");
	assert_true(json_is_false(json_object_get(answer, "ok")));
	json_decref(answer);
	scene_document(&announced);
	WAIT_FOR(read_shop().state == PROOF_STATE_FORWARDED);
	WAIT_FOR(read_facts().state_arrived == PROOF_YES || scene_status_number("learning") != 0);
	answer = scene_ask("{\"do\":\"proof\"}");
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_int_equal(json_integer_value(json_object_get(answer, "document")), 1);
	assert_string_equal(json_string_value(json_object_get(answer, "driver")), "xdp");
	assert_int_equal(json_array_size(json_object_get(answer, "vips")), 1);
	vip = json_array_get(json_object_get(answer, "vips"), 0);
	assert_string_equal(json_string_value(json_object_get(vip, "vip")), "shop");
	assert_string_equal(json_string_value(json_object_get(vip, "address")), "203.0.113.10");
	assert_string_equal(json_string_value(json_object_get(vip, "state")), "forwarded");
	assert_string_equal(json_string_value(json_object_get(vip, "reason")), "");
	port = json_array_get(json_object_get(answer, "ports"), 0);
	assert_string_equal(json_string_value(json_object_get(port, "attached")), "yes");
	json_decref(answer);
}

static void a_node_that_announces_nothing_sends_no_probe_packets(void **state)
{
	(void)state;
	scene_document(&scene_plain);
	scene_start();
	WAIT_FOR(read_shop().n_reachable == 1);
	usleep(500000); /* five turns */
	assert_int_equal(read_shop().state, PROOF_STATE_UNKNOWN);
	assert_int_equal(scene_value("weir_dataplane_received_packets_total", ""), 0);
	TAKE(&announced);
	WAIT_FOR(read_shop().state == PROOF_STATE_FORWARDED);
	TAKE(&scene_plain);
	WAIT_FOR(read_shop().state == PROOF_STATE_UNKNOWN);
}

/* --- routes, which draw packets to the node --- */

static struct own_routes *routes;

static size_t count_routes(void)
{
	struct addr out[1];
	size_t n = 99;

	assert_int_equal(own_routes_list(routes, 177, out, 1, &n), 0);
	return n;
}

static void add_route(void)
{
	struct addr address;

	assert_int_equal(addr_parse("203.0.113.10", &address), 0);
	assert_int_equal(own_routes_add(routes, 177, &address), 0);
}

static void a_regular_stop_with_workers_withdraws_and_then_ends(void **state)
{
	struct scene_document dpdk = announced;
	uint64_t from_ms;
	int end;

	(void)state;
	dpdk.driver = "dpdk";
	scene_document(&dpdk);
	scene_start();
	WAIT_FOR(read_facts().document == 1);
	add_route();
	from_ms = clock_mono_ms();
	kill(scene_child, SIGTERM);
	WAIT_FOR(count_routes() == 0);
	assert_int_equal(waitpid(scene_child, &end, WNOHANG), 0); /* it forwards on */
	assert_int_equal(read_facts().stopping, 1);
	assert_int_equal(read_facts().ports[0].attached, PROOF_YES);
	assert_int_equal(scene_stop(0), 0); /* no other signal is needed */
	assert_in_range(clock_mono_ms() - from_ms, WITHDRAW_MS - 100, WITHDRAW_MS + 2000);
	scene_start();
	/* until its page replaces that of the process that ended */
	WAIT_FOR(read_facts().document == 1 && !read_facts().stopping);
	from_ms = clock_mono_ms(); /* nothing is announced: there is nothing to wait for */
	assert_int_equal(scene_stop(SIGTERM), 0);
	assert_in_range(clock_mono_ms() - from_ms, 0, WITHDRAW_MS - 100);
}

/* As after a death while weir-announce did not run. The fake is busy as EAL may be, for long. */
static void a_start_with_workers_withdraws_before_it_opens_the_driver(void **state)
{
	struct scene_document dpdk = announced;
	char why[256];

	(void)state;
	dpdk.driver = "dpdk";
	scene_document(&dpdk);
	scene_write(SCENE "/run/fake-busy", "");
	add_route();
	scene_start();
	WAIT_FOR(count_routes() == 0);
	WAIT_FOR((scene_status_text("driver_why", why), !strcmp(why, "the fake is busy")));
	assert_int_equal(read_facts().document, 0);
	assert_int_equal(unlink(SCENE "/run/fake-busy"), 0);
	WAIT_FOR(read_facts().document == 1);
}

/* XDP forwards all the time; only a document that announces nothing takes its routes away. */
static void routes_of_a_program_stay_until_no_daemon_is_named(void **state)
{
	(void)state;
	add_route();
	scene_document(&announced);
	scene_start();
	WAIT_FOR(read_shop().state == PROOF_STATE_FORWARDED);
	assert_int_equal(scene_stop(SIGTERM), 0);
	assert_int_equal(count_routes(), 1);
	assert_int_equal(read_facts().stopping, 0);
	scene_start();
	WAIT_FOR(read_shop().state == PROOF_STATE_FORWARDED);
	assert_int_equal(count_routes(), 1);
	TAKE(&scene_plain);
	WAIT_FOR(count_routes() == 0);
}

static void a_driver_that_cannot_prove_leaves_all_unknown(void **state)
{
	struct scene_document dpdk = announced;

	(void)state;
	dpdk.driver = "dpdk";
	scene_document(&dpdk);
	scene_start();
	WAIT_FOR(read_facts().document == 1);
	assert_string_equal(read_facts().driver, "dpdk");
	assert_int_equal(read_shop().state, PROOF_STATE_UNKNOWN);
	assert_int_equal(read_shop().sent, 0);
	WAIT_FOR(read_shop().n_serving == 1);
}

static int enter_scene(void **state)
{
	(void)state;
	announced = scene_plain;
	announced.announce = "announce = { daemon = \"bird\"; };";
	return scene_enter() || own_routes_open(&routes);
}

SUITE(prover)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scene_begin, scene_end)
	const struct CMUnitTest tests[] = {
		T(an_address_is_proved_once_its_document_is_in_force),
		T(probe_packets_are_not_counted),
		T(a_program_that_is_taken_off_is_seen_and_so_is_its_return),
		T(a_port_without_a_carrier_is_seen),
		T(an_address_whose_backends_cannot_be_reached_is_refused_with_its_reason),
		T(a_process_that_is_stopped_or_dead_proves_nothing_and_refuses_nothing),
		T(the_control_socket_shows_what_the_page_says),
		T(a_node_that_announces_nothing_sends_no_probe_packets),
		T(a_driver_that_cannot_prove_leaves_all_unknown),
		T(a_regular_stop_with_workers_withdraws_and_then_ends),
		T(a_start_with_workers_withdraws_before_it_opens_the_driver),
		T(routes_of_a_program_stay_until_no_daemon_is_named),
	};

	return cmocka_run_group_tests_name("prover", tests, enter_scene, NULL);
}
