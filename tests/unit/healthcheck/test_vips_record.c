/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of VIPs, without a checker: the record itself, its file to the byte, and what
 * other nodes tell.
 */
#include "tests/unit/suite.h"
#include "turns_scene.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "healthcheck/keep.h"
#include "healthcheck/checker.h"
#include "healthcheck/vips.h"
#include "weir/peer_page.h"

#undef page_payload
#undef page_publish

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void an_address_and_port_are_known_each_for_itself(void **state)
{
	static const char *const noted[] = { "192.0.2.2 80", "192.0.2.1 443", "2001:db8::1 80",
		                             "192.0.2.2 79", "192.0.2.9 0",   "192.0.2.2 80" };
	static const struct {
		const char *address;
		uint16_t port;
		bool proven, is_new;
	} cases[] = {
		{ "192.0.2.2", 80, true, false },      { "192.0.2.2", 79, true, false },
		{ "192.0.2.2", 81, false, false },     { "192.0.2.2", 0, false, false },
		{ "192.0.2.1", 443, true, false },     { "192.0.2.1", 80, false, false },
		{ "192.0.2.9", 0, true, false },       { "192.0.2.9", 80, false, false },
		{ "192.0.2.3", 80, false, true },      { "2001:db8::1", 80, true, false },
		{ "2001:db8::2", 80, false, true },    { "0.0.0.0", 1, false, true },
		{ "255.255.255.255", 1, false, true },
	};
	struct vips v = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(noted); i++) {
		char text[64];
		unsigned port;

		v.changed = false;
		assert_int_equal(sscanf(noted[i], "%63s %u", text, &port), 2);
		vips_note(&v, &(struct addr){ { 0 } }, 7);
		vips_note(&v, &(struct addr){ { 0 } }, 7);
		v.changed = false;
		struct addr address = addr_of(text);
		vips_note(&v, &address, (uint16_t)port);
		assert_int_equal(v.changed, i < 5); /* the last one is no news */
	}
	assert_int_equal(v.n, 6);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr address = addr_of(cases[i].address);

		assert_int_equal(vips_is_proven(&v, &address, cases[i].port), cases[i].proven);
		assert_int_equal(vips_is_new(&v, &address), cases[i].is_new);
	}
	vips_fini(&v);
	assert_int_equal(v.n, 0);
}

static void the_first_document_is_no_news_and_later_ones_are(void **state)
{
	const struct addr first[] = { addr_of("192.0.2.1"), addr_of("2001:db8::1") },
	                  second[] = { addr_of("192.0.2.2") };
	const struct model_vip vips[] = { { .name = "a", .addresses = first, .n_addresses = 2 },
		                          { .name = "b", .addresses = second, .n_addresses = 1 } };
	const struct model one = { .vips = vips, .n_vips = 2 };
	const struct addr later = addr_of("192.0.2.3");
	const struct model_vip more = { .name = "c", .addresses = &later, .n_addresses = 1 };
	const struct model two = { .vips = &more, .n_vips = 1 };
	struct vips v = { 0 };

	(void)state;
	vips_note_model(&v, &one);
	assert_true(v.known && v.changed);
	assert_int_equal(v.n, 3);
	for (int i = 0; i < 2; i++)
		assert_false(vips_is_new(&v, &first[i]) || vips_is_proven(&v, &first[i], 80));
	assert_false(vips_is_new(&v, &second[0]));
	v.changed = false;
	vips_note_model(&v, &two);
	assert_true(vips_is_new(&v, &later));
	assert_false(v.changed);
	vips_fini(&v);
}

static void the_file_is_these_bytes_and_is_read_back(void **state)
{
	const struct addr four = addr_of("192.0.2.2"), six = addr_of("2001:db8::1");
	struct vips v = { 0 }, back = { 0 };
	size_t n;
	char *text;

	(void)state;
	vips_note(&v, &six, 65535);
	vips_note(&v, &four, 80);
	vips_note(&v, &four, 0);
	text = vips_text(&v, &n);
	assert_non_null(text);
	assert_int_equal(n, strlen(text));
	assert_string_equal(text,
	                    "weir-vips 1\n192.0.2.2 0\n192.0.2.2 80\n2001:db8::1 65535\nend 3\n");
	assert_int_equal(keep_write_text(fixture_path("vips"), text, n), 0);
	free(text);
	assert_int_equal(vips_read(fixture_path("vips"), &back), 0);
	assert_true(back.known);
	assert_false(back.changed);
	assert_int_equal(back.n, 3);
	assert_memory_equal(back.items, v.items, 3 * sizeof(*v.items));
	vips_fini(&back);
	vips_fini(&v);
	unlink(fixture_path("vips"));
}

static void what_is_no_record_is_refused_whole(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{ "weir-vips 1\nend 0\n", 0 },
		{ "weir-vips 1\n192.0.2.1 80\nend 1\n", 0 },
		{ "weir-vips 1\n192.0.2.1 80\n192.0.2.1 80\nend 2\n", 0 },
		{ "weir-vips 1\n192.0.2.1 65535\nend 1\n", 0 },
		{ "weir-vips 1\n192.0.2.1 65536\nend 1\n", -EPROTO },
		{ "weir-vips 1\n192.0.2.1 80x\nend 1\n", -EPROTO },
		{ "weir-vips 1\n192.0.2.1 80\nend 1x\n", -EPROTO },
		{ "weir-vips 1\n192.0.2.1 80\nend 1", -EPROTO },
		{ "weir-vips 1\n192.0.2.1 80\nend 0\n", -EPROTO },
		{ "weir-vips 1\n192.0.2.1 80\nend\n", -EPROTO },
		{ "weir-vips 1\n192.0.2.1 80\n", -EPROTO },
		{ "weir-vips 1\n192.0.2.256 80\nend 1\n", -EPROTO },
		{ "weir-vips 1\n80\nend 1\n", -EPROTO },
		{ "weir-vips 1x\nend 0\n", -EPROTO },
		{ "end 0\n", -EPROTO },
		{ "", -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct vips v = { 0 };
		int err;

		assert_int_equal(
		        keep_write_text(fixture_path("vips"), cases[i].text, strlen(cases[i].text)),
		        0);
		err = vips_read(fixture_path("vips"), &v);
		if (err != cases[i].err)
			print_error("%s", cases[i].text);
		assert_int_equal(err, cases[i].err);
		assert_int_equal(v.known, !err);
		assert_true(!err || !v.items);
		vips_fini(&v);
	}
	unlink(fixture_path("vips"));
}

/* @p n records in a file, as they are written. @return what reading says, with @p v */
static int read_many(unsigned n, struct vips *v)
{
	FILE *f = fopen(fixture_path("vips"), "w");

	assert_non_null(f);
	fputs("weir-vips 1\n", f);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "2001:db8::%x:%x 80\n", i >> 16, i & 0xffff);
	fprintf(f, "end %u\n", n);
	fclose(f);
	return vips_read(fixture_path("vips"), v);
}

static void there_is_room_for_so_many_and_no_more(void **state)
{
	const struct addr last = addr_of("2001:db8::1:ffff"), one_more = addr_of("2001:db8::9:9");
	struct vips v = { 0 };

	(void)state;
	assert_int_equal(read_many(VIPS_RECORDS_MAX + 1, &v), -EPROTO);
	assert_int_equal(read_many(VIPS_RECORDS_MAX, &v), 0);
	assert_int_equal(v.n, VIPS_RECORDS_MAX);
	assert_true(vips_is_proven(&v, &last, 80));
	vips_note(&v, &one_more, 80);
	assert_int_equal(v.n, VIPS_RECORDS_MAX);
	assert_true(vips_is_new(&v, &one_more));
	assert_false(v.changed);
	vips_fini(&v);
	unlink(fixture_path("vips"));
}

/* What weir-mgmt keeps of the node par-1, which is at neither site: the word of the VIP at fra. */
static void tell_view(const char *dir, health_word says, uint32_t generation, uint64_t target_id,
                      uint64_t good_until_ms)
{
	char path[PATH_MAX];
	struct page *page;
	struct peer_page *view;

	assert_int_equal(peer_page_path(dir, "par-1", path), 0);
	unlink(path);
	assert_int_equal(page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT,
	                             sizeof(struct peer_page), &page),
	                 0);
	view = page_payload(page);
	assert_int_equal(health_set_targets(&view->health, &target_id, 1, 0), 0);
	health_write(&view->health, health_find_index(&view->health, target_id), says);
	view->health.generation += generation;
	peer_page_set_good_until_ms(view, good_until_ms);
	page_close(page);
}

static void what_other_nodes_see_up_is_no_news(void **state)
{
	static const struct {
		enum health_state says;
		uint32_t generation; /* odd: the layout changes */
		bool another, still_new;
		int64_t before_s; /* that it has this address */
		bool lost;        /* the node is not heard */
		int64_t later_s;  /* that it is looked at */
	} cases[] = {
		{ HEALTH_DOWN, 0, false, true, 0, false, 0 },
		{ HEALTH_UNKNOWN, 0, false, true, 0, false, 0 },
		{ HEALTH_UP, 1, false, true, 0, false, 0 },
		{ HEALTH_UP, 0, true, true, 0, false, 0 },
		{ HEALTH_UP, 0, false, true, 0, true, 0 },
		{ HEALTH_UP, 0, false, true, 6, false, 0 },
		{ HEALTH_UP, 0, false, false, 5, false, 0 },
		{ HEALTH_UP, 0, false, true, 6, false, 50 },
		{ HEALTH_UP, 0, false, false, 6, false, 60 }, /* this node was late, not that one */
	};
	const char *dir = fixture_path("views");
	char run[128];
	struct target *t;

	(void)state;
	snprintf(run, sizeof(run), "%s", dir);
	assert_int_equal(mkdir(run, 0755), 0);
	open_checker("type = \"tcp\";", NULL, 0);
	fixture_vip(" vip_check = \"c\";", "127.0.0.15");
	assert_int_equal(
	        checker_apply_model(&checker, fixture_model("type = \"tcp\";", 7080, ""), NULL, 0),
	        0);
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	t = vip_target();
	assert_true(t->is_new && health_new(read_health_word(t)));
	others_search(&checker, run); /* nobody has told anything */
	assert_true(t->is_new);
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

	close(before);
	tell_view(run, health_make(HEALTH_DOWN, 0, HEALTH_REASON_OK, 1), 0, t->id, UINT64_MAX);
	others_search(&checker, run);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(after, before); /* the view is closed again */
	close(after);
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t since_s;

		checker.vips.n = 0;
		(void)targets_mark_vips(checker.targets, &checker.vips);
		health_write(page_payload(sim.page), t->page_index, target_word(t));
		t->moved_s = clock_believed_ms() / 1000 - cases[i].later_s;
		since_s = t->moved_s - cases[i].before_s;
		tell_view(run, health_make(cases[i].says, 0, HEALTH_REASON_OK, since_s),
		          cases[i].generation, cases[i].another ? t->id + 1 : t->id,
		          cases[i].lost ? 0 : UINT64_MAX);
		others_search(&checker, run);
		assert_int_equal(t->is_new, cases[i].still_new);
		assert_int_equal(health_new(read_health_word(t)), cases[i].still_new);
	}
	others_search(&checker, run); /* nothing is new any more */
	checker_close(&checker);
	checker = (struct checker){ 0 };
	others_search(&checker, run); /* no document yet */
	assert_int_equal(checker_open(&checker, sim.loop, sim.page, NULL), 0);

	char path[PATH_MAX];

	assert_int_equal(peer_page_path(run, "par-1", path), 0);
	assert_int_equal(unlink(path), 0);
	strcat(path, ".lock");
	(void)unlink(path);
	assert_int_equal(rmdir(run), 0);
}

SUITE(vips_record)
{
#define T(f) cmocka_unit_test_setup_teardown(f, turns_setup, turns_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_and_port_are_known_each_for_itself),
		cmocka_unit_test(the_first_document_is_no_news_and_later_ones_are),
		cmocka_unit_test(the_file_is_these_bytes_and_is_read_back),
		cmocka_unit_test(what_is_no_record_is_refused_whole),
		cmocka_unit_test(there_is_room_for_so_many_and_no_more),
		T(what_other_nodes_see_up_is_no_news),
	};

	simulated_time();
	answer_close = own_close;
	answer_connect = own_connect;
	answer_getsockopt = own_getsockopt;
	answer_poll = own_poll;
	answer_recvfrom = own_recvfrom;
	answer_send = own_send;
	answer_sendto = own_sendto;
	answer_setsockopt = own_setsockopt;
	answer_socket = own_socket;
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
