/* SPDX-License-Identifier: BSD-2-Clause */
/* A document, its zone's file and the kept image in a directory of the test's own. */
#ifndef GENERATION_FILES_H
#define GENERATION_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/generation.h"
#include "dns/zone/image.h"
#include "weir/explain.h"
#include "weir/health.h"
#include "weir/model.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GOOD     "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\nalias CNAME www\n"

static const char config[] =
        "schema = 1;\n"
        "cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"
        "sites = ( { name = \"ams\"; weight = 100; }, { name = \"fra\"; weight = 100; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; driver = \"xdp\"; ports = ( { interface = \"eth1\"; } );\n"
        "  tunnel_source = [ \"10.1.255.0/24\", \"fd00:1:ff::/64\" ]; dns_listen = [ \"127.0.0.1\" ]; } );\n"
        "checks = ( { name = \"c\"; type = \"tcp\"; port = 80; interval = \"1s\"; fast_interval = \"200ms\";\n"
        "  timeout = \"500ms\"; rise = 2; fall = 3; } );\n"
        "pools = ( { name = \"pa\"; site = \"ams\"; check = \"c\"; mode = \"ipip\"; max_backends = 10;\n"
        "  backends = ( { name = \"b\"; address = \"10.1.1.11\"; weight = 1; } ); },\n"
        " { name = \"pf\"; site = \"fra\"; check = \"c\"; mode = \"ipip\"; max_backends = 10;\n"
        "  backends = ( { name = \"b\"; address = \"10.2.1.11\"; weight = 1; } ); } );\n"
        "vips = ( { name = \"va\"; site = \"ams\"; addresses = [ \"203.0.113.10\", \"2001:db8:1::10\" ]; },\n"
        " { name = \"vf\"; site = \"fra\"; addresses = [ \"198.51.100.10\", \"2001:db8:2::10\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80;\n"
        "  at = ( { site = \"ams\"; vip = \"va\"; pool = \"pa\"; }, { site = \"fra\"; vip = \"vf\"; pool = \"pf\"; } ); } );\n"
        "dns = { zones = ( { name = \"shop.test\"; file = \"zone\"; } );\n"
        "  names = ( { name = \"%s\"; service = \"web\"; policy = \"weighted\"; ttl = { min = \"5s\"; max = \"60s\"; }; } ); };\n";

static char dir[] = "/tmp/weir-generation.XXXXXX";
static struct proc_dirs dirs;
static unsigned n_reports;
static const char *digest = ""; /* of the zone's file, as the document has it */

static inline void count_message(void *arg, const struct zones_message *m)
{
	(void)arg;
	print_message("    %s:%u: %s\n", m->file, m->line, m->text);
	n_reports += m->level == ZONES_ERROR;
}

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
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Write the effective document with one dynamic name. */
static void write_document(const char *dynamic)
{
	char text[4096], from[PATH_MAX], to[PATH_MAX];
	struct model *m = NULL;
	struct model_errors errors;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), config, dynamic);
#pragma GCC diagnostic pop
	write_text("weir.conf", text);
	path_of("weir.conf", from);
	path_of(PROC_EFFECTIVE_FILE, to);
	if (model_read_config(from, "ams-1", &m, &errors) != 0)
		fail_msg("%s", errors.n_items ? errors.items[0].message : "?");
	struct model_zone zone = m->zones[0];

	zone.digest = digest;
	m->zones = &zone;
	char key[MODEL_FINGERPRINT_MAX];

	model_key_fingerprint(m->hash_key, key);
	m->meta.hash_key = key;
	assert_int_equal(model_write_effective(m, to), 0);
	model_errors_free(&errors);
	model_free(m);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(dirs.conf, sizeof(dirs.conf), "%s", dir);
	snprintf(dirs.state, sizeof(dirs.state), "%s", dir);
	snprintf(dirs.run, sizeof(dirs.run), "%s", dir);
	strcpy(dirs.node, "ams-1");
	write_text("hash.key", "00112233445566778899aabbccddeeff\n");
	write_text("zone", GOOD);
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static inline int load_generation(bool trust_cache, struct generation **out)
{
	const struct generation_how how = { .trust_cache = trust_cache,
		                            .keep = true,
		                            .report = count_message };

	n_reports = 0;
	return generation_load(&dirs, &how, out);
}

#endif
