/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir dns explain` of real files: a document with two services at the sites ams and fra, zones with each kind of
 * answer, weir-health's page, and what weir-dns has kept. The kernel's word of the clock is the test's.
 */
#ifndef WEIR_TESTS_UNIT_DNS_EXPLAIN_SCENE_H
#define WEIR_TESTS_UNIT_DNS_EXPLAIN_SCENE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/page.h"
#include "base/proc.h"
#include "dns/generation.h"
#include "dns/steering/decided.h"
#include "dns/steering/ramps.h"
#include "tests/unit/answers.h"
#include "weir/explain.h"
#include "weir/health.h"
#include "weir/model.h"
#include "weir/peer_page.h"

#define COUNT(a)        (sizeof(a) / sizeof((a)[0]))
#define T               1790000000000
#define ERROR_TEXTS_MAX 100u
#define UP              health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1)
#define DOWN            health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1)

static bool unsynchronised, no_room;

static int own_adjtimex(struct timex *t)
{
	t->status = unsynchronised ? STA_UNSYNC : 0;
	return TIME_OK;
}

/* For what was kept of drains. */
static void *own_calloc(size_t n, size_t size)
{
	return no_room && n == RAMP_RECORDS_MAX ? NULL : __real_calloc(n, size);
}

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char zone[] =
        "$TTL 60\n@ SOA ns root 7 1 1 1 30\n@ NS ns\nns A 192.0.2.1\n"
        "*.w TXT x\nalias CNAME www\nout CNAME a.other.\nd NS ns.d\n"
        "l1 CNAME l2\nl2 CNAME l1\nfar DNAME x.other.\ndeep DNAME " L63 "." L63 "." L63 ".\n"
        "ns.d A 192.0.2.6\ndn DNAME alias\nsub NS ns.sub\nsub DS 1 8 2 0a\nbig TXT ";
static const char child[] = "$TTL 60\n@ SOA ns root 8 1 1 1 1\n@ NS ns\nns A 192.0.2.9\n";
static const char config[] =
        "schema = 1;\n"
        "cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"
        "sites = ( { name = \"ams\"; weight = 100; }, { name = \"fra\"; weight = 50; }, { name = \"lon\"; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; driver = \"xdp\"; ports = ( { interface = \"e\"; } ); "
        "tunnel_source = [ \"10.1.255.0/24\" ]; clock = \"%s\"; } %s );\n"
        "checks = ( { name = \"c\"; type = \"tcp\"; port = 80; } );\n"
        "pools = ( { name = \"pa\"; site = \"ams\"; check = \"c\"; mode = \"ipip\"; max_backends = 9;\n"
        "  backends = ( { name = \"b\"; address = \"10.1.1.11\"; } ); },\n"
        " { name = \"pf\"; site = \"fra\"; check = \"c\"; mode = \"ipip\"; max_backends = 9;\n"
        "  backends = ( { name = \"b\"; address = \"10.2.1.11\"; } ); } );\n"
        "vips = ( { name = \"va\"; site = \"ams\"; addresses = [ \"203.0.113.10\", \"203.0.113.11\", \"2001:db8:1::10\" ]; },\n"
        " { name = \"vf\"; site = \"fra\"; addresses = [ \"198.51.100.10\", \"2001:db8:2::10\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80;\n"
        "  at = ( { site = \"ams\"; vip = \"va\"; pool = \"pa\"; }, { site = \"fra\"; vip = \"vf\"; pool = \"pf\"; } ); },\n"
        " { name = \"mail\"; protocol = \"tcp\"; port = 25; on_all_down = \"fail_closed\";\n"
        "  at = ( { site = \"ams\"; vip = \"va\"; pool = \"pa\"; }, { site = \"fra\"; vip = \"vf\"; pool = \"pf\"; } ); } );\n"
        "dns = { zones = ( { name = \"shop.test\"; file = \"zone\"; }, { name = \"sub.shop.test\"; file = \"sub\"; }, "
        "{ name = \"bad.shop.test\"; file = \"bad\"; } );\n"
        "  names = ( { name = \"www.shop.test\"; service = \"web\"; policy = \"weighted\"; ttl = { min = \"5s\"; max = \"60s\"; }; },\n"
        "  { name = \"first.shop.test\"; service = \"mail\"; policy = \"failover\"; "
        "ttl = { min = \"6s\"; max = \"30s\"; }; } ); };\n";
#define OTHER_NODES                                                                                    \
	", { name = \"fra-1\"; site = \"fra\"; driver = \"xdp\"; ports = ( { interface = \"e\"; } ); " \
	"tunnel_source = [ \"10.2.255.0/24\" ]; }, "                                                   \
	"{ name = \"lon-1\"; site = \"lon\"; driver = \"xdp\"; ports = ( { interface = \"e\"; } ); "   \
	"tunnel_source = [ \"10.3.255.0/24\" ]; }"

static char dir[32];
static struct proc_dirs dirs = { .node = "ams-1" };
static struct page *health, *view; /* of this node, of fra-1 */
static struct model_override overrides[300];
static size_t n_overrides;
static int64_t written_ms;
static const char *clock_setting, *other_nodes;
static bool names_key;

static void path_of(const char *name, char out[PATH_MAX])
{
	assert_int_equal(proc_path(dir, name, out), 0);
}

static void write_text(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	path_of(name, path);
	f = fopen(path, "w");
	assert_true(f && fputs(text, f) >= 0 && !fclose(f));
}

/* Write the document as @p text has it, with the overrides. */
static void write_model(const char *text)
{
	char from[PATH_MAX], to[PATH_MAX], fingerprint[MODEL_FINGERPRINT_MAX];
	struct model_errors errors;
	struct model *m = NULL;

	write_text("weir.conf", text);
	path_of("weir.conf", from);
	path_of(PROC_EFFECTIVE_FILE, to);
	if (model_read_config(from, "ams-1", &m, &errors) != 0)
		fail_msg("%s", errors.n_items ? errors.items[0].message : "?");
	model_errors_free(&errors);
	model_key_fingerprint(m->hash_key, fingerprint);
	if (names_key)
		m->meta.hash_key = fingerprint;
	m->meta.written_ms = written_ms;
	m->overrides = overrides;
	m->n_overrides = n_overrides;
	assert_int_equal(model_write_effective(m, to), 0);
	m->overrides = NULL;
	m->n_overrides = 0;
	model_free(m);
}

static void write_document(void)
{
	char text[8192];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), config, clock_setting, other_nodes);
#pragma GCC diagnostic pop
	write_model(text);
}

/* A person's or an operation's word of a site, from before now. */
static struct model_override *add_override(enum model_override_kind kind, const char *site)
{
	static char ids[COUNT(overrides)][8];
	struct model_override *o = &overrides[n_overrides];

	snprintf(ids[n_overrides], sizeof(ids[0]), n_overrides < 10 ? "d%zu" : "e%03zu",
	         n_overrides);

	*o = (struct model_override){ .id = ids[n_overrides++],
		                      .kind = kind,
		                      .target = MODEL_TARGET_SITE,
		                      .pool = "",
		                      .name = site,
		                      .service = "",
		                      .operation = "",
		                      .author = "a",
		                      .reason = "r",
		                      .node = "ams-1",
		                      .generation = 1,
		                      .created_ms = T - 1000000,
		                      .from_ms = T - 1000000,
		                      .until_ms = MODEL_TIME_NEVER };
	return o;
}

/* Lay out all targets, each with this word. */
static void lay_out(struct health_page *h, health_word word)
{
	static const char *const services[] = { "web", "mail" }, *const sites[] = { "ams", "fra" };
	uint64_t targets[8];

	for (unsigned i = 0; i < 8; i++)
		targets[i] = health_target_service(services[i / 4], sites[i / 2 % 2], i % 2);
	assert_int_equal(health_set_targets(h, targets, 8, 1), 0);
	for (unsigned i = 0; i < 8; i++)
		(void)health_write(h, health_find_index(h, targets[i]), word);
}

/* What is seen of web at @p site. */
static void see_word(struct health_page *h, const char *site, bool ip4, health_word word)
{
	(void)health_write(h, health_find_index(h, health_target_service("web", site, ip4)), word);
}

static void see_web(const char *site, bool ip4, health_word word)
{
	see_word(page_payload(health), site, ip4, word);
}

/* This node's page lives. */
static void make_health(void)
{
	char path[PATH_MAX];

	path_of(PROC_HEALTH_PAGE, path);
	assert_int_equal(page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &health),
	                 0);
	lay_out(page_payload(health), UP);
	page_alive(health, clock_mono_ms() + 60000);
	page_publish(health);
}

/* Sites fra and lon have a node, too; of fra-1 there is a view, which is fresh. */
static struct peer_page *make_view(void)
{
	struct peer_page *seen;
	char path[PATH_MAX];

	other_nodes = OTHER_NODES;
	write_document();
	assert_int_equal(peer_page_path(dir, "fra-1", path), 0);
	assert_int_equal(page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT, sizeof(*seen), &view),
	                 0);
	seen = page_payload(view);
	lay_out(&seen->health, UP);
	peer_page_set_good_until_ms(seen, clock_mono_ms() + 60000);
	page_publish(view);
	return seen;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-explain.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(dirs.conf, sizeof(dirs.conf), "%s", dir);
	snprintf(dirs.state, sizeof(dirs.state), "%s", dir);
	snprintf(dirs.run, sizeof(dirs.run), "%s", dir);
	n_overrides = 0;
	written_ms = 0;
	clock_setting = "synchronised";
	other_nodes = "";
	names_key = unsynchronised = no_room = false;
	write_text("hash.key", "00112233445566778899aabbccddeeff\n");
	char text[4096];

	snprintf(text, sizeof(text), "%s", zone);
	for (unsigned i = 0; i < 6; i++)
		sprintf(text + strlen(text), " \"%0250u\"", i);
	strcat(text, "\n");
	write_text("zone", text);
	write_text("sub", child);
	write_text("bad", "@ SOA nothing\n");
	make_health();
	write_document();
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	page_close(health);
	page_close(view);
	view = NULL;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* What is said, a line each: steps, what the answer is, its records; of what is refused, mistakes without the directory. */
static const char *explain_text(const struct explain_request *request, int result)
{
	static char text[16384];
	struct explanation *e = NULL;
	size_t n = 0;

	assert_int_equal(explain_dns(&dirs, request, &e), result);
	text[0] = '\0';
	for (size_t i = 0; e && i < e->n_steps; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s: %s\n", e->steps[i].what,
		                      e->steps[i].text);
	if (e)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s\n", e->rcode,
		                      e->authoritative ? " aa" : "", e->truncated ? " tc" : "");
	for (size_t i = 0; e && i < e->n_records; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", e->records[i]);
	for (size_t i = 0; result && e && i < e->n_errors; i++) {
		bool inside = !strncmp(e->errors[i], dir, strlen(dir));

		n += (size_t)snprintf(text + n, sizeof(text) - n, "! %s\n",
		                      e->errors[i] + (inside ? strlen(dir) + 1 : 0));
	}
	explain_free(e);
	assert_true(n < sizeof(text));
	for (char *c = text; *c; c++)
		if (*c == '\t')
			*c = ' ';
	return text;
}

static struct explain_request make_request(const char *name, const char *type)
{
	struct explain_request r = { .name = name, .type = type, .wall_clock_ms = T };

	assert_int_equal(addr_parse("192.0.2.77", &r.client), 0);
	return r;
}

#endif
