/* SPDX-License-Identifier: BSD-2-Clause */
/* The process: documents come, are refused and stay; drivers change; what was counted and who owns what goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/unit/dataplane/process_scene.h"
#include "tests/unit/suite.h"

#define RECEIVED "weir_dataplane_received_packets_total"

static void without_a_document_it_answers_and_forwards_nothing(void **state)
{
	json_t *answer;

	(void)state;
	scene_start();
	WAIT_FOR(scene_status_number("document") == 0);
	answer = scene_ask(
	        "{\"do\":\"trace\",\"source\":\"192.0.2.1:5\",\"destination\":\"203.0.113.10:80/tcp\"}");
	assert_string_equal(json_string_value(json_object_get(answer, "error")),
	                    "no document is in force yet");
	json_decref(answer);
	answer = scene_ask("{\"do\":\"connections\"}");
	assert_true(json_is_false(json_object_get(answer, "ok")));
	json_decref(answer);
	assert_int_equal(space_xdp_of("v0"), 0);
	scene_document(&scene_plain); /* it comes when it comes */
	WAIT_FOR(scene_status_number("document") == 1);
	assert_int_equal(scene_status_number("version"), 7);
	assert_int_equal(scene_status_number("backends"), 2);
	assert_int_not_equal(space_xdp_of("v0"), 0);
	assert_int_equal(scene_stop(SIGTERM), 0);
	assert_int_not_equal(space_xdp_of("v0"), 0); /* forwarding goes on */
}

/* How many backends are listed with @p line, and the text of a field of the first one. */
static size_t list_backends(const char *line, const char *field, char out[256])
{
	json_t *answer = scene_ask(line), *list = json_object_get(answer, "backends");
	const char *text = json_string_value(json_object_get(json_array_get(list, 0), field));
	size_t n = json_array_size(list);

	snprintf(out, 256, "%s", text ? text : "");
	json_decref(answer);
	return n;
}

static void the_control_socket_tells_of_backends_and_refuses_what_it_does_not_know(void **state)
{
	static const char *const bad[] = {
		"{}",         "[]", "{\"do\":\"stop\"}",
		"{\"do\":1}", "x",  "{\"do\":\"status\",\"do\":\"status\"}"
	};
	struct scene_document two = scene_plain;
	char pools[1024], text[256];

	(void)state;
	snprintf(pools, sizeof(pools),
	         "%s, { name = \"api\"; site = \"ams\"; mode = \"gue\"; max_backends = 9; "
	         "backends = ( { name = \"c1\"; address = \"10.1.0.5\"; weight = 50; } ); }",
	         scene_plain.pools);
	two.pools = pools;
	scene_document(&two);
	scene_start();
	WAIT_FOR(scene_status_number("document") == 1);
	WAIT_FOR(list_backends("{\"do\":\"backends\"}", "next_hop", text) == 3 &&
	         !strcmp(text, "known"));
	assert_int_equal(list_backends("{\"do\":\"backends\",\"pool\":\"web\"}", "backend", text),
	                 2);
	assert_int_equal(text[0], 'b'); /* sorted by identity, not by name */
	assert_int_equal(
	        list_backends("{\"do\":\"backends\",\"pool\":\"nosuch\"}", "backend", text), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *answer = scene_ask(bad[i]);

		assert_true(json_is_false(json_object_get(answer, "ok")));
		json_decref(answer);
	}
}

static const char *verdict_of(const char *query, char out[256])
{
	json_t *answer = scene_ask(query);
	const char *text = json_string_value(json_object_get(answer, "action"));

	snprintf(out, 256, "%s", text ? text : json_string_value(json_object_get(answer, "error")));
	json_decref(answer);
	return out;
}

#define TRACE                                                                                      \
	"{\"do\":\"trace\",\"source\":\"192.0.2.1:5\",\"destination\":\"203.0.113.10:80/tcp:syn\""

static void a_traced_packet_goes_to_a_backend_unless_it_is_too_long(void **state)
{
	char text[256];

	(void)state;
	scene_document(&scene_plain);
	scene_start();
	WAIT_FOR(!strcmp(verdict_of(TRACE "}", text), "forward"));
	assert_string_equal(verdict_of(TRACE ",\"length\":1480}", text), "forward");
	assert_string_not_equal(verdict_of(TRACE ",\"length\":1481}", text), "forward");
	assert_non_null(strstr(verdict_of(TRACE ",\"length\":\"x\"}", text), "length must be"));
	assert_non_null(strstr(verdict_of(TRACE ",\"length\":1}", text), "length must be"));
	assert_non_null(strstr(verdict_of("{\"do\":\"trace\",\"source\":\"192.0.2.1:5\"}", text),
	                       "trace needs"));
	space_run("ip link set v0 mtu 1400"); /* the port's own is shorter now */
	WAIT_FOR(strcmp(verdict_of(TRACE ",\"length\":1400}", text), "forward") != 0);
	assert_string_equal(verdict_of(TRACE ",\"length\":1380}", text), "forward");
	space_run("ip link set v0 mtu 1500");
	WAIT_FOR(!strcmp(verdict_of(TRACE ",\"length\":1480}", text), "forward"));
}

static void a_bad_document_is_refused_and_the_one_before_stays(void **state)
{
	char text[256];

	(void)state;
	scene_document(&scene_plain);
	scene_start();
	WAIT_FOR(scene_status_number("document") == 1);
	assert_int_equal(scene_condition("document-refused", ""), -1);
	scene_write(SCENE "/state/effective.conf", "schema = 1; nonsense = 2;\n");
	WAIT_FOR(scene_condition("document-refused", "") == CONDITION_DEGRADED);
	scene_status_text("refused_why", text);
	assert_non_null(strstr(text, "nonsense"));
	assert_int_equal(scene_status_number("document"), 1);
	WAIT_FOR(scene_value("weir_dataplane_document_refused", "") == 1);
	assert_int_equal(scene_value("weir_dataplane_documents_refused_total", ""), 1);
	scene_document(&scene_plain);
	WAIT_FOR(scene_status_number("document") == 2);
	WAIT_FOR(scene_condition("document-refused", "") == -1);
	WAIT_FOR(scene_value("weir_dataplane_document_refused", "") == 0);
	scene_status_text("refused_why", text);
	assert_string_equal(text, "");
	unlink(SCENE "/state/effective.conf"); /* a file that is gone changes nothing */
	usleep(300000);                        /* nothing may change in this time */
	assert_int_equal(scene_status_number("document"), 2);
	assert_int_equal(scene_condition("document-refused", ""), -1);
}

/* Give v0 a SYN for the VIP. */
static void send_syn(unsigned port)
{
	uint8_t frame[14 + 20 + 20] = { 0 };
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		                  .sll_ifindex = (int)if_nametoindex("v1"),
		                  .sll_halen = 6 };
	int s = socket(AF_PACKET, SOCK_RAW, 0);
	char path[64] = "/sys/class/net/v0/address";
	FILE *f = fopen(path, "r");
	uint32_t sum = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &frame[0], &frame[1],
	                        &frame[2], &frame[3], &frame[4], &frame[5]),
	                 6);
	fclose(f);
	frame[6] = 2;
	frame[12] = 8;
	frame[14] = 0x45;
	frame[17] = 40;
	frame[22] = 64;
	frame[23] = IPPROTO_TCP;
	inet_pton(AF_INET, "192.0.2.1", frame + 26);
	inet_pton(AF_INET, "203.0.113.10", frame + 30);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(frame[14 + i] << 8 | frame[15 + i]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
	frame[34] = (uint8_t)(port >> 8);
	frame[35] = (uint8_t)port;
	frame[37] = 80;
	frame[46] = 0x50;
	frame[47] = 2;
	assert_int_equal(sendto(s, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)),
	                 sizeof(frame));
	close(s);
}

static int64_t sent_to_web(void)
{
	int64_t a =
	        scene_value("weir_dataplane_backend_packets_total", "pool=\"web\",backend=\"b1\"");
	int64_t b =
	        scene_value("weir_dataplane_backend_packets_total", "pool=\"web\",backend=\"b2\"");

	return a < 0 || b < 0 ? -1 : a + b;
}

static void counters_outlive_the_process_and_a_change_of_driver(void **state)
{
	struct scene_document dpdk = scene_plain;
	char text[256];

	(void)state;
	dpdk.driver = "dpdk";
	scene_document(&scene_plain);
	scene_start();
	WAIT_FOR(!strcmp(verdict_of(TRACE "}", text), "forward"));
	for (unsigned i = 0; i < 10; i++)
		send_syn(1000 + i);
	WAIT_FOR(sent_to_web() == 10);
	WAIT_FOR(scene_value("weir_dataplane_service_packets_total", "service=\"web\"") == 10);
	assert_int_equal(scene_stop(SIGKILL), -1);
	scene_start(); /* tables are taken over */
	WAIT_FOR(scene_value("weir_dataplane_documents_total", "") == 1 && sent_to_web() == 10);
	TAKE(&dpdk);
	scene_status_text("driver", text);
	assert_string_equal(text, "dpdk");
	WAIT_FOR(scene_value("weir_dataplane_dpdk", "") == 1);
	WAIT_FOR(sent_to_web() == 10);
	assert_int_equal(space_xdp_of("v0"), 0); /* and the other one is gone */
	assert_int_not_equal(access(BPF_DIR "/shop/ams-1", F_OK), 0);
	assert_int_equal(access(SCENE "/run/tables/tables", F_OK), 0);
	assert_int_equal(scene_stop(SIGKILL), -1);
	scene_document(
	        &scene_plain); /* what the other driver left is carried over by the next process */
	scene_start();
	WAIT_FOR(scene_status_number("document") == (json_int_t)scene_number);
	WAIT_FOR(sent_to_web() == 10);
	assert_int_not_equal(space_xdp_of("v0"), 0);
	assert_int_not_equal(access(SCENE "/run/tables", F_OK), 0);
}

static void a_driver_that_cannot_be_had_now_is_tried_again_and_leaves_nothing(void **state)
{
	static const char *const troubles[] = { "busy", "small" };
	struct scene_document dpdk = scene_plain;
	char text[256];

	(void)state;
	dpdk.driver = "dpdk";
	scene_document(&scene_plain);
	scene_start();
	WAIT_FOR(scene_status_number("document") == 1);
	for (unsigned i = 0; i < 2; i++) {
		space_run("touch " SCENE "/run/fake-%s", troubles[i]);
		scene_document(&dpdk);
		WAIT_FOR(scene_condition("document-refused", "") == CONDITION_DEGRADED);
		scene_status_text("driver", text);
		assert_string_equal(text, "xdp"); /* as it was */
		assert_int_not_equal(space_xdp_of("v0"), 0);
		WAIT_FOR(access(SCENE "/run/tables", F_OK) != 0); /* but while it is tried */
		space_run("rm " SCENE "/run/fake-%s", troubles[i]);
		WAIT_FOR(scene_status_number("document") ==
		         (json_int_t)scene_number); /* by itself */
		scene_status_text("driver", text);
		assert_string_equal(text, "dpdk");
		TAKE(&scene_plain);
	}
}

static void workers_and_classes_have_their_rows_and_lose_them(void **state)
{
	struct scene_document dpdk = scene_plain;

	(void)state;
	dpdk.driver = "dpdk";
	scene_document(&dpdk);
	scene_start();
	WAIT_FOR(scene_value("weir_dataplane_worker_frames_total", "worker=\"1\",cpu=\"5\"") ==
	         101);
	assert_int_equal(
	        scene_value("weir_dataplane_worker_frames_total", "worker=\"0\",cpu=\"4\""), 100);
	assert_int_equal(
	        scene_value("weir_dataplane_worker_bursts_total", "worker=\"1\",frames=\"4\""), 31);
	assert_int_equal(
	        scene_value("weir_dataplane_worker_bursts_total", "worker=\"0\",frames=\"4\""), 30);
	assert_int_equal(
	        scene_value("weir_dataplane_worker_bursts_total", "worker=\"0\",frames=\"0\""), 0);
	assert_int_equal(scene_value("weir_dataplane_kernel_frames_total", "class=\"icmp\""),
	                 21); /* of both */
	assert_int_equal(scene_value("weir_dataplane_kernel_policed_total", "class=\"icmp\""), 5);
	assert_int_equal(scene_value("weir_dataplane_kernel_frames_total", "class=\"arp\""), 0);
	assert_int_equal(scene_value("weir_dataplane_port_up", "port=\"v0\""), 1);
	TAKE(&scene_plain);
	WAIT_FOR(scene_value("weir_dataplane_worker_frames_total", "worker=\"1\",cpu=\"5\"") == -1);
	assert_int_equal(scene_value("weir_dataplane_kernel_frames_total", "class=\"icmp\""), -1);
}

static void rows_of_what_a_document_no_longer_names_go(void **state)
{
	struct scene_document less = scene_plain;

	(void)state;
	less.pools =
	        "{ name = \"web\"; site = \"ams\"; mode = \"ipip\"; max_backends = 9; backends = ( "
	        "{ name = \"b2\"; address = \"10.2.0.9\"; }, { name = \"b3\"; address = \"10.1.0.5\"; } ); }";
	scene_document(&scene_plain);
	scene_start();
	WAIT_FOR(scene_value("weir_dataplane_backend_in_force", "pool=\"web\",backend=\"b1\"") ==
	         1);
	TAKE(&less);
	WAIT_FOR(scene_value("weir_dataplane_backend_in_force", "pool=\"web\",backend=\"b3\"") ==
	         1);
	assert_int_equal(
	        scene_value("weir_dataplane_backend_in_force", "pool=\"web\",backend=\"b2\""), 1);
	assert_int_equal(
	        scene_value("weir_dataplane_backend_in_force", "pool=\"web\",backend=\"b1\""), -1);
}

static uint64_t stated_document(void)
{
	static struct conditions all;

	return conditions_read(SCENE "/run", "dataplane", &all) ? 0 : all.document;
}

/* weir-mgmt tells of a version as soon as it reads that: what it shows then is no older. */
static void who_reads_that_a_document_is_in_force_finds_its_effect(void **state)
{
	struct scene_document more = scene_plain;
	int64_t in_force;

	(void)state;
	more.pools =
	        "{ name = \"web\"; site = \"ams\"; mode = \"ipip\"; max_backends = 9; backends = ( "
	        "{ name = \"b2\"; address = \"10.2.0.9\"; }, { name = \"b3\"; address = \"10.1.0.5\"; } ); }";
	scene_document(&scene_plain);
	scene_start();
	WAIT_FOR(stated_document() == scene_number);
	for (int turn = 0; turn < 4; turn++) {
		scene_document(turn % 2 ? &scene_plain : &more);
		WAIT_FOR(stated_document() == scene_number);
		assert_int_equal(scene_value("weir_dataplane_document", ""), scene_number);
		in_force = scene_value("weir_dataplane_backend_in_force",
		                       turn % 2 ? "pool=\"web\",backend=\"b1\""
		                                : "pool=\"web\",backend=\"b3\"");
		assert_int_equal(in_force, 1);
	}
}

SUITE(process)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_a_document_it_answers_and_forwards_nothing,
		                                scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
		        the_control_socket_tells_of_backends_and_refuses_what_it_does_not_know,
		        scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
		        a_traced_packet_goes_to_a_backend_unless_it_is_too_long, scene_begin,
		        scene_end),
		cmocka_unit_test_setup_teardown(a_bad_document_is_refused_and_the_one_before_stays,
		                                scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(counters_outlive_the_process_and_a_change_of_driver,
		                                scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
		        a_driver_that_cannot_be_had_now_is_tried_again_and_leaves_nothing,
		        scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(workers_and_classes_have_their_rows_and_lose_them,
		                                scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(rows_of_what_a_document_no_longer_names_go,
		                                scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
		        who_reads_that_a_document_is_in_force_finds_its_effect, scene_begin,
		        scene_end),
	};

	if (scene_enter()) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
