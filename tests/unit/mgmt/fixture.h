/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories with a configuration, for tests of the store. */
#ifndef WEIR_TESTS_MGMT_FIXTURE_H
#define WEIR_TESTS_MGMT_FIXTURE_H

#include <errno.h>
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

#include "mgmt/files/files.h"

#define NOW_MS ((int64_t)1790000000000)

struct fixture {
	char root[64], conf[96], state[96];
};

static const char fixture_config[] =
        "# two sites\n"
        "schema = 1;\n"
        "cluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"
        "sites = ( { name = \"ams\"; weight = 100; capacity = { new_flows = \"1k/s\"; }; },\n"
        "          { name = \"fra\"; weight = 100; capacity = { new_flows = \"1k/s\"; }; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; driver = \"auto\"; ports = ( { interface = \"eth1\"; } );\n"
        "            tunnel_source = [ \"10.1.255.0/24\" ]; dns_listen = [ \"192.0.2.53\" ]; },\n"
        "          { name = \"fra-1\"; site = \"fra\"; driver = \"xdp\"; ports = ( { interface = \"eth1\"; } );\n"
        "            tunnel_source = [ \"10.2.255.0/24\" ]; dns_listen = [ \"198.51.100.53\" ]; } );\n"
        "checks = ( { name = \"web\"; type = \"tcp\"; interval = \"1s\"; fast_interval = \"200ms\"; timeout = \"500ms\"; rise = 2; fall = 3; } );\n"
        "pools = (\n"
        "  { name = \"web-ams\"; site = \"ams\"; check = \"web\"; mode = \"ipip\"; max_backends = 10;\n"
        "    backends = ( { name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },\n"
        "                 { name = \"b2\"; address = \"10.1.1.12\"; weight = 100; } ); },\n"
        "  { name = \"web-fra\"; site = \"fra\"; check = \"web\"; mode = \"ipip\"; max_backends = 10;\n"
        "    backends = ( { name = \"b1\"; address = \"10.2.1.11\"; weight = 100; } ); } );\n"
        "vips = ( { name = \"shop-ams\"; site = \"ams\"; addresses = [ \"203.0.113.10\" ]; },\n"
        "         { name = \"shop-fra\"; site = \"fra\"; addresses = [ \"198.51.100.10\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80; hash = \"flow\";\n"
        "  at = ( { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; },\n"
        "         { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; } ); } );\n"
        "dns = { zones = ( { name = \"shop.example\"; file = \"shop.example.zone\"; } );\n"
        "  names = ( { name = \"www.shop.example\"; service = \"web\"; policy = \"weighted\"; ttl = { min = \"5s\"; max = \"60s\"; }; } ); };\n"
        "gates = ( { name = \"past\"; from = \"2020-01-01T00:00:00Z\"; until = \"2020-02-01T00:00:00Z\"; } );\n";
static const char fixture_zone[] =
        "$ORIGIN shop.example.\n$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.53\n";

static inline void fixture_write(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static inline void fixture_make(struct fixture *f)
{
	snprintf(f->root, sizeof(f->root), "/tmp/weir-mgmt-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	snprintf(f->conf, sizeof(f->conf), "%s/conf", f->root);
	snprintf(f->state, sizeof(f->state), "%s/state", f->root);
	assert_int_equal(mkdir(f->conf, 0755), 0);
	assert_int_equal(mkdir(f->state, 0755), 0);
	fixture_write(f->conf, "weir.conf", fixture_config);
	fixture_write(f->conf, "shop.example.zone", fixture_zone);
	fixture_write(f->conf, "hash.key", "00112233445566778899aabbccddeeff\n");
}

static inline void fixture_remove(struct fixture *f)
{
	assert_int_equal(files_remove_dir(f->root), 0);
}

/* The fixture's configuration with @p from replaced by @p to once, until the next call. */
static inline const char *fixture_text(const char *from, const char *to)
{
	static char text[8192];
	const char *at = strstr(fixture_config, from);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - fixture_config), fixture_config, to,
	         at + strlen(from));
	return text;
}

/* The same, or as it is without @p from, as files; free with files_fini(). */
static inline struct files fixture_files(const char *from, const char *to)
{
	struct files files = { 0 };
	const char *text =
	        from && strstr(fixture_config, from) ? fixture_text(from, to) : fixture_config;

	assert_int_equal(files_add(&files, FILES_MAIN, text, strlen(text)), 0);
	assert_int_equal(files_add(&files, "shop.example.zone", fixture_zone, strlen(fixture_zone)),
	                 0);
	return files;
}

#endif
