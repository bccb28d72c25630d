/* SPDX-License-Identifier: BSD-2-Clause */
/* By which key a node places clients: nodes that get it in different ways choose the same sites. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/generation.h"
#include "tests/unit/suite.h"
#include "weir/model.h"
#include "weir/placement.h"

#define CLIENTS 1000u
#define KEY     "00112233445566778899aabbccddeeff\n"

static const char config[] =
        "schema = 1;\n"
        "cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"
        "sites = ( { name = \"ams\"; weight = 100; }, { name = \"fra\"; weight = 100; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; driver = \"xdp\"; ports = ( { interface = \"eth1\"; } );\n"
        "  tunnel_source = [ \"10.1.255.0/24\" ]; dns_listen = [ \"127.0.0.1\" ]; } );\n"
        "checks = ( { name = \"c\"; type = \"tcp\"; port = 80; } );\n"
        "pools = ( { name = \"pa\"; site = \"ams\"; check = \"c\"; max_backends = 10;\n"
        "  backends = ( { name = \"b\"; address = \"10.1.1.11\"; } ); },\n"
        " { name = \"pf\"; site = \"fra\"; check = \"c\"; max_backends = 10;\n"
        "  backends = ( { name = \"b\"; address = \"10.2.1.11\"; } ); } );\n"
        "vips = ( { name = \"va\"; site = \"ams\"; addresses = [ \"203.0.113.10\" ]; },\n"
        " { name = \"vf\"; site = \"fra\"; addresses = [ \"198.51.100.10\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80;\n"
        "  at = ( { site = \"ams\"; vip = \"va\"; pool = \"pa\"; }, { site = \"fra\"; vip = \"vf\"; pool = \"pf\"; } ); } );\n"
        "dns = { zones = ( { name = \"shop.test\"; file = \"zone\"; } );\n"
        "  names = ( { name = \"www.shop.test\"; service = \"web\"; policy = \"weighted\"; } ); };\n";

/* A node's directory, which is all of its directories. */
struct node {
	char dir[64];
	struct proc_dirs dirs;
	struct generation *now;
};

static struct node nodes[2];

static void path_of(const struct node *n, const char *name, char out[PATH_MAX])
{
	assert_int_equal(proc_path(n->dir, name, out), 0);
}

static void write_text(const struct node *n, const char *name, const char *text)
{
	char path[PATH_MAX];

	path_of(n, name, path);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void remove_file(const struct node *n, const char *name)
{
	char path[PATH_MAX];

	path_of(n, name, path);
	assert_int_equal(unlink(path), 0);
}

/* The effective document, as weir-mgmt writes it with the key of now. */
static void write_document(const struct node *n)
{
	char from[PATH_MAX], to[PATH_MAX], fingerprint[MODEL_FINGERPRINT_MAX];
	struct model_errors errors;
	struct model *m = NULL;

	write_text(n, "weir.conf", config);
	path_of(n, "weir.conf", from);
	path_of(n, PROC_EFFECTIVE_FILE, to);
	if (model_read_config(from, "ams-1", &m, &errors) != 0)
		fail_msg("%s", errors.n_items ? errors.items[0].message : "?");
	model_key_fingerprint(m->hash_key, fingerprint);
	m->meta.hash_key = fingerprint;
	assert_int_equal(model_write_effective(m, to), 0);
	model_errors_free(&errors);
	model_free(m);
}

/* The key's file, as weir-mgmt writes it with the hash key of now. */
static void hand_over(const struct node *n)
{
	char path[PATH_MAX], to[PATH_MAX];
	struct placement p;
	uint64_t key[2];

	path_of(n, "hash.key", path);
	assert_int_equal(model_key_read(path, NULL, key), 0);
	placement_make(key, &p);
	path_of(n, PLACEMENT_FILE, to);
	assert_int_equal(placement_write(to, &p), 0);
}

static int set_up(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct node *n = &nodes[i];

		memset(n, 0, sizeof(*n));
		strcpy(n->dir, "/tmp/weir-place-key.XXXXXX");
		if (!mkdtemp(n->dir))
			return -1;
		strcpy(n->dirs.conf, n->dir);
		strcpy(n->dirs.state, n->dir);
		strcpy(n->dirs.run, n->dir);
		strcpy(n->dirs.node, "ams-1");
		write_text(n, "hash.key", KEY);
		write_text(n, "zone",
		           "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n");
	}
	return 0;
}

static int tear_down(void **state)
{
	char command[128];
	int err = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		generation_free(nodes[i].now);
		snprintf(command, sizeof(command), "rm -r %.64s", nodes[i].dir);
		err |= system(command);
	}
	return err;
}

static void print_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	print_message("    %s: %s\n", m->file, m->text);
}

static int load_node(struct node *n)
{
	struct generation *made = NULL;
	const struct generation_how how = { .trust_cache = true,
		                            .before = n->now ? n->now->model : NULL,
		                            .report = print_report };
	int err = generation_load(&n->dirs, &how, &made);

	if (err)
		return err;
	generation_free(n->now);
	n->now = made;
	return 0;
}

static void restart_node(struct node *n)
{
	generation_free(n->now);
	n->now = NULL;
	assert_int_equal(load_node(n), 0);
}

/* Which site each client is sent to. */
static void place_all(const struct node *n, int8_t sites[CLIENTS])
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const struct steering_key key = { .bytes = { 4, 10, (uint8_t)(i >> 8), (uint8_t)i },
			                          .bits = 24 };

		sites[i] =
		        (int8_t)steering_choose(n->now->steering, n->now->state, 0, true, &key, 0)
		                .site;
		assert_true(sites[i] == 0 || sites[i] == 1);
	}
}

/* How many clients two nodes, or two keys, send to different sites. */
static unsigned count_moved(const int8_t a[CLIENTS], const int8_t b[CLIENTS])
{
	unsigned n = 0;

	for (uint32_t i = 0; i < CLIENTS; i++)
		n += a[i] != b[i];
	return n;
}

static void assert_state(struct node *n, enum model_key state, const char *why)
{
	assert_int_equal(load_node(n), 0);
	assert_int_equal(n->now->model->key_state, state);
	if (!strstr(n->now->model->key_fault, why))
		fail_msg("%s", n->now->model->key_fault);
	assert_null(strstr(n->now->model->key_fault, "00112233"));
}

static void two_nodes_place_alike_and_by_another_key_than_connections(void **state)
{
	int8_t one[CLIENTS], other[CLIENTS];
	(void)state;

	for (int i = 0; i < 2; i++)
		write_document(&nodes[i]);
	hand_over(&nodes[0]);
	remove_file(&nodes[0], "hash.key"); /* this one cannot see the hash key */
	assert_state(&nodes[0], MODEL_KEY_GOOD, "");
	assert_state(&nodes[1], MODEL_KEY_GOOD, ""); /* that one has no weir-mgmt */
	place_all(&nodes[0], one);
	place_all(&nodes[1], other);
	assert_int_equal(count_moved(one, other), 0);
	assert_true(nodes[0].now->model->hash_key[0] == 0xd245eade36b8053cu);
	restart_node(&nodes[0]);
	place_all(&nodes[0], other);
	assert_int_equal(count_moved(one, other), 0);
}

static void the_hash_key_is_not_opened_where_the_file_is(void **state)
{
	char path[PATH_MAX], event[4096];
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	(void)state;

	write_document(&nodes[0]);
	hand_over(&nodes[0]);
	path_of(&nodes[0], "hash.key", path);
	assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
	assert_int_equal(load_node(&nodes[0]), 0);
	assert_int_equal(read(watch, event, sizeof(event)), -1);
	assert_int_equal(errno, EAGAIN);
	remove_file(&nodes[0], PLACEMENT_FILE);
	assert_int_equal(load_node(&nodes[0]), 0);
	assert_true(read(watch, event, sizeof(event)) > 0); /* the watch sees it */
	close(watch);
}

static void a_rotated_key_is_used_when_its_file_is_there(void **state)
{
	int8_t before[CLIENTS], late[CLIENTS], after[2][CLIENTS];
	(void)state;

	for (int i = 0; i < 2; i++) {
		write_document(&nodes[i]);
		hand_over(&nodes[i]);
		assert_int_equal(load_node(&nodes[i]), 0);
		write_text(&nodes[i], "hash.key", "ffeeddccbbaa99887766554433221100\n");
		write_document(&nodes[i]);
	}
	place_all(&nodes[1], before);
	hand_over(&nodes[0]);
	assert_state(&nodes[0], MODEL_KEY_GOOD, "");
	remove_file(&nodes[1], "hash.key");
	assert_state(&nodes[1], MODEL_KEY_KEPT, "has another key than the version"); /* late */
	place_all(&nodes[1], late);
	assert_int_equal(count_moved(before, late), 0);
	write_text(&nodes[1], "hash.key", "ffeeddccbbaa99887766554433221100\n");
	hand_over(&nodes[1]);
	remove_file(&nodes[1], "hash.key");
	assert_state(&nodes[1], MODEL_KEY_GOOD, "");
	for (int i = 0; i < 2; i++)
		place_all(&nodes[i], after[i]);
	assert_int_equal(count_moved(after[0], after[1]), 0);
	assert_true(count_moved(before, after[1]) > CLIENTS / 4);
}

static void without_any_key_it_answers_and_says_so(void **state)
{
	(void)state;
	write_document(&nodes[0]);
	remove_file(&nodes[0], "hash.key");
	assert_state(&nodes[0], MODEL_KEY_NONE, PLACEMENT_FILE " does not exist, and");
	assert_true(!nodes[0].now->model->hash_key[0] && !nodes[0].now->model->hash_key[1]);
	write_text(&nodes[0], "hash.key", KEY);
	hand_over(&nodes[0]);
	assert_state(&nodes[0], MODEL_KEY_GOOD, "");
}

#define MADE_OF "d5cc6d133208bd44"
#define DIGITS  "d245eade36b8053cd10ee5c89495e459"
static const char *const damaged[] = {
	"",
	"\n",
	"weir-placement",
	"weir-placement 1 " MADE_OF " \n",
	"weir-placement 1 " MADE_OF " " DIGITS,
	"weir-placement 1 " MADE_OF " " DIGITS "0\n",
	"weir-placement 1 " MADE_OF " " DIGITS "\n\n",
	"weir-placement 1 " MADE_OF " -245eade36b8053cd10ee5c89495e459\n",
	"weir-placement 1 " MADE_OF "0 " DIGITS "\n",
	"weir-placement 1  " DIGITS "\n",
	"weir-placement 1 derived " MADE_OF " " DIGITS "\n",
	"weir-placement 2 " MADE_OF " " DIGITS "\n",
	"weir-placement 1 " MADE_OF " " DIGITS " more\n",
	"weir-placement 1 " MADE_OF " " DIGITS "\n"
	"0123456789012345678901234567890123456789012345678901234567890123456789",
};

static void a_damaged_file_is_not_used(void **state)
{
	char path[PATH_MAX];
	struct placement p;
	(void)state;

	write_document(&nodes[0]);
	remove_file(&nodes[0], "hash.key");
	path_of(&nodes[0], PLACEMENT_FILE, path);
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		write_text(&nodes[0], PLACEMENT_FILE, damaged[i]);
		print_message("    %zu\n", i);
		assert_int_equal(placement_read(path, &p), -EBADMSG);
		assert_state(&nodes[0], MODEL_KEY_NONE, PLACEMENT_FILE " is damaged");
	}
	write_text(&nodes[0], PLACEMENT_FILE, "weir-placement 1 " MADE_OF " " DIGITS "\n");
	assert_state(&nodes[0], MODEL_KEY_GOOD, "");
}

static void a_file_of_another_user_is_not_believed(void **state)
{
	char path[PATH_MAX];
	(void)state;

	if (geteuid() != 0)
		skip();
	write_document(&nodes[0]);
	hand_over(&nodes[0]);
	path_of(&nodes[0], PLACEMENT_FILE, path);
	assert_int_equal(chown(path, 65534, 65534), 0);
	remove_file(&nodes[0], "hash.key");
	assert_state(&nodes[0], MODEL_KEY_NONE, PLACEMENT_FILE " does not belong to weir-mgmt");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(steering_key)
{
	const struct CMUnitTest tests[] = {
		TEST(two_nodes_place_alike_and_by_another_key_than_connections),
		TEST(the_hash_key_is_not_opened_where_the_file_is),
		TEST(a_rotated_key_is_used_when_its_file_is_there),
		TEST(without_any_key_it_answers_and_says_so),
		TEST(a_damaged_file_is_not_used),
		TEST(a_file_of_another_user_is_not_believed),
	};

	return cmocka_run_group_tests_name("steering key", tests, NULL, NULL);
}
