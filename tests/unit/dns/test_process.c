/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns as a process (its path is the first argument): what it serves, and what it says of
 * that.
 */
#include "base/hash.h"
#include "tests/unit/dns/process_scene.h"
#include "tests/unit/suite.h"
#include "weir/steer_keys.h"

static void without_a_document_it_waits_and_blames_nothing(void **state)
{
	char text[256];

	(void)state;
	start_server();
	WAIT_FOR(status_number("load.finished") == 1);
	assert_true(status_is("serving", "false"));
	assert_true(status_is("document", ""));
	WAIT_FOR(find_condition("document-refused", "", NULL) == -1);
	usleep(300000); /* nothing may be loaded in this time */
	assert_int_equal(read_value(LOADS, "result=\"refused\""), 0); /* there was none to load */
	assert_int_equal(read_value(LOADS, "result=\"ok\""), 0);
	assert_int_equal(count_conditions("document-refused"), 0);
	assert_string_equal(status_at("load.started", text), "1");
	write_document(1, LISTEN_1, "");
	WAIT_FOR(status_is("serving", "true"));
	assert_int_equal(read_value(LOADS, "result=\"ok\""), 1);
	assert_int_equal(stop_server(SIGTERM), 0);
}

static void a_name_whose_sites_are_all_disabled_is_stated(void **state)
{
	(void)state;
	n_disabled = 1;
	write_document(1, LISTEN_1, "");
	start_server();
	WAIT_FOR(status_is("serving", "true"));
	assert_int_equal(count_conditions("name-unanswered"), 0); /* fra answers */
	n_disabled = 2;
	write_document(1, LISTEN_1, "");
	WAIT_FOR(find_condition("name-unanswered", "www.z0.test",
	                        "2 of 2 sites of service web are disabled") == CONDITION_DOWN);
	n_disabled = 0;
	write_document(1, LISTEN_1, "");
	WAIT_FOR(count_conditions("name-unanswered") == 0);
	assert_int_equal(stop_server(SIGTERM), 0);
}

static void status_and_counters_tell_what_is_served(void **state)
{
	uint8_t bytes[300];
	int64_t own;
	size_t n;
	int fd;

	(void)state;
	write_document(2, LISTEN_1 ", \"::1\"", "");
	write_zone(1, 77, "");
	start_server();
	WAIT_FOR(status_is("serving", "true"));
	assert_int_equal(status_number("version"), 7);
	assert_true(status_is("zones", "[2]") && status_is("zones.0.name", "z0.test"));
	assert_true(status_is("zones.1.serial", "77") && status_is("zones.1.state", "served"));
	assert_true(status_is("zones.0.records", "4") && status_is("stale_image", "false"));
	assert_true(status_is("names.0.name", "www.z0.test"));
	assert_true(status_is("names.0.service", "web") && status_is("names.0.policy", "weighted"));
	assert_true(status_is("names.0.sites.0.weight", "100"));
	assert_true(status_is("names.0.sites.1.weight", "50"));
	assert_true(status_is("names.0.sites.1.ipv6", "none"));
	assert_true(status_is("load.error", "") && status_is("load.mistakes", "[0]"));
	assert_int_equal(read_value("weir_dns_zone_serial", "zone=\"z1.test\""), 77);
	assert_true(read_value("weir_dns_image_bytes", "") == status_number("image_bytes"));
	assert_int_equal(read_value("weir_dns_image_stale", ""), 0);
	assert_int_equal(read_value("weir_dns_threads", ""), status_number("threads"));
	WAIT_FOR(read_value(STATS_LISTENING, "address=\"127.0.0.1\"") == 1);
	WAIT_FOR(read_value(STATS_LISTENING, "address=\"::1\"") == 1);
	own = read_value(QUERIES, "transport=\"udp\""); /* it asked itself */
	assert_true(own >= 2);
	assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1), 100);
	assert_int_equal(send_query("::1", "h.z1.test", 28), 0);
	assert_int_equal(send_query("127.0.0.1", "nx.z0.test", 15), 3);
	assert_int_equal(send_query("127.0.0.1", "h.other.test", 1), 5);
	assert_int_equal(query_tcp("127.0.0.1", "h.z0.test", 1), 100);
	assert_int_equal(query_tcp("::1", "h.z0.test", 99), 0);
	WAIT_FOR(read_value(QUERIES, "transport=\"udp\"") == own + 4);
	WAIT_FOR(read_value(QUERIES, "transport=\"tcp\"") == 2);
	assert_int_equal(read_value(BY_TYPE, "type=\"a\""), 3);
	assert_int_equal(read_value(BY_TYPE, "type=\"aaaa\""), 1);
	assert_int_equal(read_value(BY_TYPE, "type=\"mx\""), 1);
	assert_int_equal(read_value(BY_TYPE, "type=\"other\""), 1);
	assert_int_equal(read_value(BY_TYPE, "type=\"soa\""), own);
	assert_int_equal(read_value(ANSWERS, "rcode=\"noerror\""), 4);
	assert_int_equal(read_value(ANSWERS, "rcode=\"nxdomain\""), 1);
	assert_int_equal(read_value(ANSWERS, "rcode=\"refused\""), own + 1);
	WAIT_FOR(read_value("weir_dns_tcp_accepted_total", "") == 2);
	WAIT_FOR(read_value("weir_dns_tcp_open", "") == 0);
	WAIT_FOR(read_value("weir_dns_tcp_closed_total", "reason=\"client\"") == 2);
	fd = open_client("127.0.0.1", SOCK_DGRAM);
	n = make_query("h.z0.test", 1, bytes);
	assert_true(send(fd, bytes, 11, 0) == 11); /* no header */
	bytes[2] |= 0x80;
	assert_true(send(fd, bytes, n, 0) == (ssize_t)n); /* an answer */
	close(fd);
	WAIT_FOR(read_value("weir_dns_dropped_total", "reason=\"malformed\"") == 2);
	assert_int_equal(read_value(QUERIES, "transport=\"udp\""), own + 4);
}

static void requests_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = { "{}", "[]", "{\"do\":1}", "{\"do\":\"stop\"}", "x" };

	(void)state;
	start_server();
	WAIT_FOR(status_number("load.finished") == 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *answer = send_request(bad[i]);

		assert_true(json_is_false(json_object_get(answer, "ok")));
		assert_true(json_string_length(json_object_get(answer, "error")) > 0);
		json_decref(answer);
	}
}

/* Write the words of service web at @p site; the page is this process's. */
static void show_health(struct page *page, const char *site, health_word ip6, health_word ip4)
{
	struct health_page *h = page_payload(page);
	uint64_t targets[4];

	for (unsigned i = 0; i < 4; i++)
		targets[i] = health_target_service("web", i < 2 ? "ams" : "fra", i % 2);
	assert_int_equal(health_set_targets(h, targets, 4, 1), 0);
	(void)health_write(h, health_find_index(h, health_target_service("web", site, false)), ip6);
	(void)health_write(h, health_find_index(h, health_target_service("web", site, true)), ip4);
	page_alive(page, clock_mono_ms());
	page_publish(page);
}

static void each_family_of_a_site_is_told_as_it_is_seen(void **state)
{
	const health_word up = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1780000000),
	                  doubt = health_make(HEALTH_UP, 1, HEALTH_REASON_TIMEOUT, 1780000000),
	                  down = health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1780000000);
	struct page *page;

	(void)state;
	assert_int_equal(page_create(DIR_ "/run/" PROC_HEALTH_PAGE, HEALTH_PAGE_KIND,
	                             HEALTH_PAGE_LAYOUT, sizeof(struct health_page), &page),
	                 0);
	write_document(1, LISTEN_1, "");
	start_server();
	WAIT_FOR(status_is("serving", "true"));
	assert_true(status_is("names.0.sites.0.ipv4", "unknown"));
	show_health(page, "ams", doubt, up);
	WAIT_FOR(status_is("names.0.sites.0.ipv6", "up"));
	assert_true(status_is("names.0.sites.0.ipv4", "up"));
	assert_true(status_is("names.0.sites.0.in_doubt", "true"));
	show_health(page, "ams", up, doubt);
	WAIT_FOR(status_is("names.0.sites.0.in_doubt", "true"));
	show_health(page, "ams", down, up);
	WAIT_FOR(status_is("names.0.sites.0.ipv6", "down"));
	assert_true(status_is("names.0.sites.0.ipv4", "up"));
	assert_true(status_is("names.0.sites.0.in_doubt", "false"));
	assert_true(status_is("names.0.sites.1.ipv4", "unknown"));
	show_health(page, "fra", 0, down);
	WAIT_FOR(status_is("names.0.sites.1.ipv4", "down"));
	assert_true(status_is("names.0.sites.1.disabled", "false"));
	assert_int_equal(send_query("127.0.0.1", "www.z0.test", 1), 100);
	WAIT_FOR(read_value("weir_dns_placed_total", "service=\"web\",site=\"ams\"") == 1);
	assert_int_equal(read_value("weir_dns_placed_total", "service=\"web\",site=\"fra\""), 0);
	assert_int_equal(send_query("127.0.0.1", "www.z0.test", 28),
	                 100); /* none is up: all are given */
	WAIT_FOR(read_value("weir_dns_placed_total", "service=\"web\",site=\"ams\"") == 2);
	page_close(page);
}

/* The queries of the key 127.0.0.0/24 for www.z0.test; -1: the page does not have it. */
static int64_t read_asked(struct steer_keys **keys)
{
	static const uint8_t key[8] = { 4, 127 };

	steer_keys_free(*keys);
	*keys = NULL;
	if (steer_keys_read(DIR_ "/run", clock_mono_ms(), keys) < 0 || (*keys)->n_keys != 1 ||
	    memcmp((*keys)->keys[0].key, key, 8) ||
	    (*keys)->keys[0].name != steer_keys_name_id("www.z0.test"))
		return -1;
	return (*keys)->keys[0].queries;
}

/* The row of a name; NULL: nobody asked for it. */
static const struct steer_keys_name *find_name_row(const struct steer_keys *k, uint32_t name)
{
	for (size_t i = 0; i < k->n_names; i++)
		if (k->names[i].name == name)
			return &k->names[i];
	return NULL;
}

static void keys_that_ask_are_on_a_page(void **state)
{
	const struct steer_keys_answers *ams, *fra;
	struct steer_keys *keys = NULL;
	const struct steer_keys_name *name;
	uint64_t before_ms = clock_mono_ms();

	(void)state;
	write_document(1, LISTEN_1, "");
	start_server();
	WAIT_FOR(status_is("serving", "true"));
	for (int i = 0; i < 5; i++)
		assert_int_equal(send_query("127.0.0.1", "www.z0.test", 1), 100);
	assert_int_equal(query_tcp("127.0.0.1", "www.z0.test", 1), 100);
	assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1), 100); /* not a dynamic name */
	WAIT_FOR(read_asked(&keys) == 6);
	name = find_name_row(keys, steer_keys_name_id("www.z0.test"));
	assert_int_equal(name->queries, 6);
	assert_int_equal(name->others, 0);
	assert_true(name->longest_ttl_s >= 5);
	assert_true(name->cached_until_ms >= before_ms + name->longest_ttl_s * 1000);
	assert_true(name->cached_until_ms <= clock_mono_ms() + name->longest_ttl_s * 1000);
	ams = steer_keys_answers(keys, hash_text("web"), hash_text("ams"));
	fra = steer_keys_answers(keys, hash_text("web"), hash_text("fra"));
	assert_true(ams && fra && ams->answers + fra->answers == 6);
	assert_int_equal(stop_server(SIGTERM), 0);
	steer_keys_free(keys);
}

static void a_bad_zone_is_blamed_by_line_until_it_is_mended(void **state)
{
	char text[256];

	(void)state;
	write_document(2, LISTEN_1, "");
	start_server();
	WAIT_FOR(status_is("serving", "true"));
	write_zone(0, 2, "h2 CNAME h\nmx MX 1 h2\n"); /* a warning: no mistake */
	reload_document();
	assert_true(status_is("zones.0.serial", "2") && status_is("load.mistakes", "[0]"));
	write_zone(0, 3, "h A 1.2.3\n");
	reload_document();
	assert_true(status_is("zones.0.state", "earlier") && status_is("zones.0.serial", "2"));
	assert_true(status_is("zones.1.state", "served") && status_is("stale_image", "true"));
	status_at("load.mistakes.0", text);
	assert_non_null(strstr(text, "zone0:6: "));
	assert_true(status_is("load.mistakes", "[1]"));
	status_at("load.error", text);
	assert_non_null(strstr(text, "earlier image"));
	assert_int_equal(find_condition("zones-refused", "z0.test", "zone0:6: "),
	                 CONDITION_DEGRADED);
	assert_int_equal(count_conditions("zones-refused"), 1);
	assert_int_equal(read_value(LOADS, "result=\"ok\""), 2);
	assert_int_equal(read_value(LOADS, "result=\"refused\""), 1);
	assert_int_equal(read_value("weir_dns_image_stale", ""), 1);
	write_zone(0, 4, "");
	reload_document();
	assert_true(status_is("zones.0.state", "served") && status_is("zones.0.serial", "4"));
	assert_true(status_is("load.mistakes", "[0]") && status_is("load.error", ""));
	assert_int_equal(count_conditions("zones-refused"), 0);
	write_text(DIR_ "/state/effective.conf", "schema = 1; nonsense = 2;\n");
	WAIT_FOR(find_condition("document-refused", "", "the one before is served") ==
	         CONDITION_DEGRADED);
	assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1), 100);
	apply_document(2, LISTEN_1, "");
	WAIT_FOR(count_conditions("document-refused") == 0);
}

static void of_many_broken_zones_some_are_named_and_the_rest_is_counted(void **state)
{
	(void)state;
	for (unsigned i = 1; i < ZONES_; i++)
		write_zone(i, 1, "h A 1.2.3\n");
	write_document(ZONES_, LISTEN_1, "");
	start_server();
	WAIT_FOR(status_is("serving", "true"));
	WAIT_FOR(count_conditions("zones-refused") == 9);
	assert_int_equal(find_condition("zones-refused", "", "3 more zones"), CONDITION_DEGRADED);
	assert_int_equal(find_condition("zones-refused", "z1.test", "SERVFAIL"),
	                 CONDITION_DEGRADED);
	assert_int_equal(send_query("127.0.0.1", "h.z1.test", 1), 2);
	assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1), 100);
	for (unsigned i = 9; i < ZONES_; i++)
		write_zone(i, 1, "");
	reload_document(); /* eight are left: all are named */
	assert_int_equal(count_conditions("zones-refused"), 8);
	assert_int_equal(find_condition("zones-refused", "", NULL), -1);
}

static void without_a_good_zone_it_is_down(void **state)
{
	(void)state;
	write_zone(0, 1, "h A 1.2.3\n");
	write_text(DIR_ "/conf/zone1", "");
	write_document(2, LISTEN_1, "");
	start_server();
	WAIT_FOR(status_is("zones.1.state", "broken"));
	WAIT_FOR(find_condition("zones-refused", "z0.test", "zone0:6: ") == CONDITION_DOWN);
	assert_int_equal(find_condition("zones-refused", "z1.test", "SERVFAIL"), CONDITION_DOWN);
	assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1), 2);
	write_zone(1, 1, "");
	reload_document();
	assert_int_equal(find_condition("zones-refused", "z0.test", NULL), CONDITION_DEGRADED);
	assert_int_equal(find_condition("zones-refused", "z1.test", NULL), -1);
}

/* As weir-mgmt would; it may come at any time. */
static void hand_key_over(void)
{
	const uint64_t key[2] = { 0x0011223344556677u, 0x8899aabbccddeeffu };
	struct placement p;

	placement_make(key, &p);
	assert_int_equal(placement_write(DIR_ "/state/" PLACEMENT_FILE, &p), 0);
}

static void the_key_for_clients_is_used_as_soon_as_it_is_there(void **state)
{
	static const char code[] = "hash-key-mismatch", file[] = PLACEMENT_FILE " does not exist";
	(void)state;

	names_key = true;
	write_document(1, LISTEN_1, "");
	assert_int_equal(unlink(DIR_ "/conf/hash.key"), 0); /* it may not be read */
	start_server();
	WAIT_FOR(find_condition(code, "weir-dns", file) == CONDITION_DEGRADED);
	assert_int_equal(find_condition(code, "weir-dns", "clients may get another site"),
	                 CONDITION_DEGRADED);
	assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1),
	                 100); /* it answers all the same */
	hand_key_over();
	WAIT_FOR(find_condition(code, "weir-dns", NULL) == -1); /* by itself */
	assert_int_equal(unlink(DIR_ "/state/" PLACEMENT_FILE), 0);
	WAIT_FOR(find_condition(code, "weir-dns", "the key in use stays") == CONDITION_DEGRADED);
	hand_key_over();
	WAIT_FOR(find_condition(code, "weir-dns", NULL) == -1);
	assert_int_equal(stop_server(SIGTERM), 0);
	start_server(); /* as after a boot: both files are there */
	WAIT_FOR(status_is("serving", "true"));
	assert_int_equal(find_condition(code, "weir-dns", NULL), -1);
}

/* Another server at the port. */
static int occupy_port(const char *address, int type)
{
	struct sockaddr_storage to;
	struct addr a;
	socklen_t n;
	int fd;

	assert_int_equal(addr_parse(address, &a), 0);
	n = addr_to_sockaddr(&a, PORT, &to);
	fd = socket(to.ss_family, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, n), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void an_address_that_cannot_be_served_is_told_and_tried_again(void **state)
{
	(void)state;
	int udp = occupy_port("127.0.0.2", SOCK_DGRAM), tcp = occupy_port("127.0.0.3", SOCK_STREAM);

	write_document(1, LISTEN_1 ", \"127.0.0.2\", \"127.0.0.3\"", "");
	start_server();
	WAIT_FOR(status_is("serving", "true"));
	WAIT_FOR(find_condition("listen-failed", "127.0.0.2", "5399") == CONDITION_DEGRADED);
	WAIT_FOR(find_condition("listen-failed", "127.0.0.3", "5399") == CONDITION_DEGRADED);
	assert_int_equal(count_conditions("listen-failed"), 2);
	assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1), 100);
	assert_int_equal(send_query("127.0.0.3", "h.z0.test", 1), 100); /* by UDP */
	close(tcp);
	WAIT_FOR(find_condition("listen-failed", "127.0.0.3", NULL) == -1); /* by itself */
	assert_int_equal(query_tcp("127.0.0.3", "h.z0.test", 1), 100);
	write_document(1, "\"127.0.0.2\"", "");
	WAIT_FOR(find_condition("listen-failed", "127.0.0.2", NULL) == CONDITION_DOWN);
	assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1), -1); /* closed */
	close(udp);
	WAIT_FOR(count_conditions("listen-failed") == 0);
	assert_int_equal(send_query("127.0.0.2", "h.z0.test", 1), 100);
}

static void both_families_are_served(void **state)
{
	(void)state;
	write_document(1, "\"127.0.0.9\", \"::1\"", "");
	start_server();
	WAIT_FOR(status_is("serving", "true"));
	assert_int_equal(send_query("127.0.0.9", "h.z0.test", 1), 100);
	assert_int_equal(send_query("::1", "h.z0.test", 1), 100);
	assert_int_equal(query_tcp("127.0.0.9", "h.z0.test", 1), 100);
	assert_int_equal(query_tcp("::1", "h.z0.test", 1), 100);
	usleep(1200000); /* a round of conditions */
	assert_int_equal(count_conditions("listen-failed"), 0);
}

static void threads_come_and_go_and_leave_no_descriptors(void **state)
{
	unsigned n_first, n_last;

	(void)state;
	write_document(1, LISTEN_1, "threads = 1;");
	start_server();
	WAIT_FOR(status_is("threads", "1"));
	usleep(500000); /* the first threads' descriptors are all open */
	n_first = count_descriptors();
	for (int i = 0; i < 2; i++) {
		apply_document(1, LISTEN_1, "threads = 3;");
		WAIT_FOR(status_is("threads", "3"));
		for (int k = 0; k < 20; k++)
			assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1), 100);
		WAIT_FOR(read_value("weir_dns_threads", "") == 3);
		apply_document(1, LISTEN_1, "threads = 1;");
		WAIT_FOR(status_is("threads", "1"));
		assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1), 100);
	}
	WAIT_FOR((n_last = count_descriptors()) <= n_first);
	assert_int_equal(n_last, n_first);
	for (int i = 0; i < 5; i++)
		reload_document(); /* nor do loads */
	WAIT_FOR(count_descriptors() == n_first);
	assert_int_equal(stop_server(SIGTERM), 0);
}

static void a_load_that_is_asked_for_during_one_follows_it(void **state)
{
	json_t *first, *second;
	long long a, b;
	FILE *f;

	(void)state;
	write_document(1, LISTEN_1, "");
	start_server();
	WAIT_FOR(status_is("serving", "true"));
	f = fopen(DIR_ "/conf/zone0", "a");
	assert_non_null(f);
	for (unsigned i = 0; i < 100000; i++)
		fprintf(f, "r%u A 10.0.%u.%u\n", i, i / 250 % 250, i % 250);
	assert_int_equal(fclose(f), 0);
	first = send_request("{\"do\":\"zone-reload\"}");
	second = send_request("{\"do\":\"zone-reload\"}"); /* it may see another file */
	a = json_integer_value(json_object_get(first, "load"));
	b = json_integer_value(json_object_get(second, "load"));
	assert_int_equal(b, a + 1);
	json_decref(first);
	json_decref(second);
	WAIT_FOR(status_number("load.finished") == b);
	assert_int_equal(send_query("127.0.0.1", "r99999.z0.test", 1), 100);
	usleep(300000);                                     /* nothing may be loaded in this time */
	assert_int_equal(status_number("load.started"), b); /* and none after that */
	write_document(1, LISTEN_1, "");
	WAIT_FOR(status_number("document") == (long long)number);
	assert_int_equal(send_query("127.0.0.1", "h.z0.test", 1), 100);
}

SUITE(process)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)
	const struct CMUnitTest tests[] = {
		TEST(without_a_document_it_waits_and_blames_nothing),
		TEST(a_name_whose_sites_are_all_disabled_is_stated),
		TEST(status_and_counters_tell_what_is_served),
		TEST(requests_that_are_none_are_refused),
		TEST(each_family_of_a_site_is_told_as_it_is_seen),
		TEST(keys_that_ask_are_on_a_page),
		TEST(a_bad_zone_is_blamed_by_line_until_it_is_mended),
		TEST(of_many_broken_zones_some_are_named_and_the_rest_is_counted),
		TEST(without_a_good_zone_it_is_down),
		TEST(the_key_for_clients_is_used_as_soon_as_it_is_there),
		TEST(an_address_that_cannot_be_served_is_told_and_tried_again),
		TEST(both_families_are_served),
		TEST(threads_come_and_go_and_leave_no_descriptors),
		TEST(a_load_that_is_asked_for_during_one_follows_it),
	};

	if (!arguments[0] || geteuid())
		return 77;
	program = arguments[0];
	return cmocka_run_group_tests_name("dns process", tests, enter_space, NULL);
}
