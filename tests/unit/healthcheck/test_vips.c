/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of VIPs that nobody has seen up yet: the checker on its loop, in a network namespace of
 * the test's own.
 */
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "checker_run.h"
#include "healthcheck/keep.h"
#include "healthcheck/checker.h"
#include "tests/unit/suite.h"
#include "weir/peer_page.h"

#define SKIPPED 77

static const char tcp[] = "type = \"tcp\"; interval = \"40ms\"; fast_interval = \"20ms\"; "
                          "timeout = \"40ms\"; rise = 2; fall = 2;";

#define FRA health_target_service("web", "fra", true)

static void take_again(void)
{
	assert_int_equal(checker_apply_model(&run.checker, fixture_model(tcp, PORT, ""), NULL, 0),
	                 0);
}

static void keep_vips(void)
{
	size_t n;
	char *text = vips_text(&run.checker.vips, &n);

	assert_non_null(text);
	assert_int_equal(keep_write_text(fixture_path("vips"), text, n), 0);
	free(text);
}

static void a_default_check_has_a_vote_once_it_has_succeeded(void **state)
{
	(void)state;
	fixture_vip("", "127.0.0.14");
	start_checker(tcp, "");
	await_reason(FRA, HEALTH_REASON_REFUSED);
	keep_vips();
	stop_checker();
	start_checker(tcp, "");
	for (int i = 0; i < 5; i++) { /* it fails on, and says nothing */
		checker_probe_now(&run.checker, targets_find(run.checker.targets, FRA));
		run_for(50);
		assert_int_equal(health_state(read_health_word(FRA)), HEALTH_UNKNOWN);
	}
	assert_true(health_unproven(read_health_word(FRA)));
	assert_false(health_new(read_health_word(FRA))); /* it was there when this node began */

	int fd = listen_at("127.0.0.14", 512);

	while (health_state(read_health_word(FRA)) == HEALTH_UNKNOWN)
		run_for(5);
	assert_int_equal(health_state(read_health_word(FRA)),
	                 HEALTH_UP); /* what failed before counts for nothing */
	assert_false(health_unproven(read_health_word(FRA)));
	close(fd);
	await_state(FRA, HEALTH_DOWN); /* now its word counts */
	keep_vips();
	stop_checker();
	unlink(fixture_path("page"));
	start_checker(tcp, ""); /* over restarts, and without the page */
	assert_false(health_unproven(read_health_word(FRA)));
	await_state(FRA, HEALTH_DOWN);
	unlink(fixture_path("vips"));
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	remove_checker();
}

/*
 * Whether all of a site is silent is asked of those that have a vote: one that never answered
 * would always deny it.
 */
static void who_has_no_vote_is_not_counted_to_its_site(void **state)
{
	(void)state;
	fixture_vip("", "127.0.0.14");
	start_checker(tcp, "");
	const struct target *fra = targets_find(run.checker.targets, FRA);
	const struct site_votes *g = &run.checker.groups[fra->site->index];
	size_t n = g->n;

	assert_true(fra->unproven);
	checker_note_vip(&run.checker, fra, fra->paths[0].spec.port);
	assert_false(fra->unproven);
	assert_int_equal(g->n, n + 1);
	unlink(fixture_path("vips"));
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	remove_checker();
}

static void a_vip_of_a_later_document_is_new_until_it_was_seen_up(void **state)
{
	(void)state;
	fixture_vip("", "127.0.0.14");
	start_checker(tcp, "");
	fixture_vip("", "127.0.0.15");
	take_again();
	assert_true(health_new(read_health_word(FRA)) && health_unproven(read_health_word(FRA)));
	keep_vips();
	stop_checker();
	start_checker(tcp, "");
	assert_true(health_new(read_health_word(FRA))); /* over a restart, too */
	fixture_vip(" vip_check = \"c\";", "127.0.0.15");
	take_again();
	await_state(FRA, HEALTH_DOWN);
	assert_true(health_new(read_health_word(
	        FRA))); /* a check of one's own has a vote at once, and it was never up */
	fixture_vip("", "127.0.0.15");
	take_again();
	assert_int_equal(health_state(read_health_word(FRA)), HEALTH_UNKNOWN);
	checker_note_vip(&run.checker, targets_find(run.checker.targets, FRA), 0);
	assert_true(health_unproven(read_health_word(FRA)) && !health_new(read_health_word(FRA)));
	fixture_vip("", "127.0.0.14");
	take_again(); /* what was known stays known */
	assert_false(health_new(read_health_word(FRA)));
	unlink(fixture_path("vips"));
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	remove_checker();
}

/* A check of one's own has a vote at once: what it said of the address before must not be taken for the new one. */
static void a_verdict_is_not_of_another_address(void **state)
{
	(void)state;
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	int fd = listen_at("127.0.0.14", 512);

	start_checker(tcp, "");
	await_state(FRA, HEALTH_UP);
	keep_vips();
	fixture_vip(" vip_check = \"c\";", "127.0.0.15");
	take_again();
	assert_int_equal(health_state(read_health_word(FRA)), HEALTH_UNKNOWN);
	assert_true(health_new(read_health_word(FRA)));
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	take_again();
	await_state(FRA, HEALTH_UP);
	stop_checker(); /* the document comes while no process is there */
	fixture_vip(" vip_check = \"c\";", "127.0.0.15");
	start_checker(tcp, "");
	assert_int_equal(health_state(read_health_word(FRA)), HEALTH_UNKNOWN);
	assert_true(health_new(read_health_word(FRA)));
	stop_checker();
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	start_checker(tcp, "");
	close(fd);
	unlink(fixture_path("vips"));
	remove_checker();
}

/* What weir-mgmt keeps of node par-1, which is at none of the two sites. */
static struct page *write_peer_health(const char *dir, enum health_state state, int64_t since_s)
{
	uint64_t target = FRA;
	char path[PATH_MAX];
	struct page *page;

	assert_int_equal(peer_page_path(dir, "par-1", path), 0);
	assert_int_equal(page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT,
	                             sizeof(struct peer_page), &page),
	                 0);
	struct peer_page *view = page_payload(page);

	assert_int_equal(health_set_targets(&view->health, &target, 1, 0), 0);
	health_write(&view->health, health_find_index(&view->health, target),
	             health_make(state, 0, HEALTH_REASON_OK, since_s));
	peer_page_set_good_until_ms(view, UINT64_MAX);
	page_publish(page);
	return page;
}

static void what_another_node_has_seen_up_is_no_news(void **state)
{
	char dir[PATH_MAX], path[PATH_MAX];
	int64_t now_s = clock_believed_ms() / 1000;
	(void)state;

	snprintf(dir, sizeof(dir), "%s", fixture_path(""));
	fixture_vip("", "127.0.0.14");
	start_checker(tcp, "");
	fixture_vip("", "127.0.0.15");
	take_again();
	others_search(&run.checker, dir); /* nobody has told anything */
	assert_true(health_new(read_health_word(FRA)));
	page_close(write_peer_health(dir, HEALTH_DOWN, now_s));
	others_search(&run.checker, dir);
	assert_true(health_new(read_health_word(FRA)));
	page_close(write_peer_health(dir, HEALTH_UNKNOWN,
	                             now_s)); /* it has only been told of the VIP */
	others_search(&run.checker, dir);
	assert_true(health_new(read_health_word(FRA)));
	page_close(write_peer_health(dir, HEALTH_UP, now_s - 60)); /* of the address before */
	others_search(&run.checker, dir);
	assert_true(health_new(read_health_word(FRA)));
	struct page *page = write_peer_health(dir, HEALTH_UP, now_s);
	const struct model *m = run.checker.targets->model;
	struct model_node *par = (struct model_node *)(uintptr_t)model_node(m, "par-1");
	const struct model_site *home = par->site;

	par->site = targets_find(run.checker.targets, FRA)->site;
	others_search(&run.checker, dir);
	assert_true(health_new(read_health_word(FRA))); /* its own site's: not seen from outside */
	par->site = home;
	others_search(&run.checker, dir);
	assert_false(health_new(read_health_word(FRA)));
	assert_true(health_unproven(read_health_word(FRA))); /* its success is not ours */
	assert_int_equal(peer_page_path(dir, "par-1", path), 0);
	page_remove(page, path);
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	remove_checker();
}

static void what_is_no_record_of_vips_is_not_believed(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"weir-vips 1\n",
		"weir-vips 2\nend 0\n",
		"weir-vips 1\n192.0.2.1 80\nend 2\n",
		"weir-vips 1\n192.0.2.1 65536\nend 1\n",
		"weir-vips 1\n192.0.2.1\nend 1\n",
		"weir-vips 1\nams 80\nend 1\n",
		"weir-vips 1\n192.0.2.1 80 \nend 1\n",
	};
	struct vips v = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(keep_write_text(fixture_path("vips"), bad[i], strlen(bad[i])), 0);
		assert_int_equal(vips_read(fixture_path("vips"), &v), -EPROTO);
		assert_false(v.known || v.n);
	}
	unlink(fixture_path("vips"));
	assert_int_equal(vips_read(fixture_path("vips"), &v), -ENOENT);
}

/* Else a node without VIPs would take the first one that it is ever given for an old one. */
static void a_first_document_is_to_be_kept_even_without_vips(void **state)
{
	static const struct addr address = { { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	const struct model_vip vip = { .name = "v", .addresses = &address, .n_addresses = 1 };
	const struct model none = { 0 }, one = { .vips = &vip, .n_vips = 1 };
	struct vips v = { 0 };

	(void)state;
	vips_note_model(&v, &none);
	assert_true(v.known && v.changed);
	assert_int_equal(v.n, 0);
	v.changed = false; /* it was kept */
	vips_note_model(&v, &one);
	assert_false(v.changed);
	assert_int_equal(v.n, 0); /* what comes later is new */
	vips_fini(&v);
	vips_note_model(&v, &one);
	assert_true(v.known && v.changed);
	assert_int_equal(v.n, 1);
	vips_fini(&v);
}

static bool set_loopback(bool up)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = up ? IFF_UP : 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &lo);

	close(fd);
	return ok;
}

SUITE(vips)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_default_check_has_a_vote_once_it_has_succeeded),
		cmocka_unit_test(who_has_no_vote_is_not_counted_to_its_site),
		cmocka_unit_test(a_vip_of_a_later_document_is_new_until_it_was_seen_up),
		cmocka_unit_test(a_verdict_is_not_of_another_address),
		cmocka_unit_test(what_another_node_has_seen_up_is_no_news),
		cmocka_unit_test(what_is_no_record_of_vips_is_not_believed),
		cmocka_unit_test(a_first_document_is_to_be_kept_even_without_vips),
	};

	if ((unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) || !set_loopback(true))
		return SKIPPED;
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
