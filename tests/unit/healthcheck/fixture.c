/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];
static const char *vip_check = " vip_check = \"c\";", *vip_fra = "127.0.0.14";

void fixture_vip(const char *check, const char *address)
{
	vip_check = check;
	vip_fra = address;
}

static const char text[] =
        "schema = 1; cluster = { name = \"t\"; hash_key_file = \"%s\"; hash_key_id = \"k\"; };\n"
        "sites = ( { name = \"ams\"; }, { name = \"fra\"; }, { name = \"par\"; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"lo\"; } );\n"
        "  tunnel_source = [ \"10.1.255.0/24\" ]; controls = [ %s ]; },\n"
        "  { name = \"par-1\"; site = \"par\"; ports = ( { interface = \"lo\"; } ); tunnel_source = [ \"10.3.255.0/24\" ]; } );\n"
        "checks = ( { name = \"c\"; %s } );\n"
        "pools = ( { name = \"web\"; site = \"ams\"; check = \"c\"; mode = \"ipip\"; max_backends = 9;\n"
        "    backends = ( { name = \"b1\"; address = \"127.0.0.11\"; },\n"
        "      { name = \"b2\"; address = \"127.0.0.12\"; }, { name = \"b3\"; address = \"127.0.0.13\"; } ); },\n"
        "  { name = \"webf\"; site = \"fra\"; check = \"c\"; mode = \"ipip\"; max_backends = 9;\n"
        "    backends = ( { name = \"f1\"; address = \"10.2.1.11\"; } ); } );\n"
        "vips = ( { name = \"va\"; site = \"ams\"; addresses = [ \"203.0.113.10\", \"2001:db8::10\" ]; },\n"
        "  { name = \"vf\"; site = \"fra\"; addresses = [ \"%s\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = %u;%s\n"
        "  at = ( { site = \"ams\"; vip = \"va\"; pool = \"web\"; },\n"
        "         { site = \"fra\"; vip = \"vf\"; pool = \"webf\"; } ); } );\n";

const char *fixture_path(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

int fixture_setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-health-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	FILE *f = fopen(fixture_path("hash.key"), "w");
	if (!f)
		return -1;
	fputs("00112233445566778899aabbccddeeff\n", f);
	return fclose(f);
}

int fixture_teardown(void **state)
{
	(void)state;
	static const char *const names[] = { "hash.key", "weir.conf",         "page",
		                             "verdicts", "stats.health.page", "vips",
		                             "page.lock" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(fixture_path(names[i]));
	return rmdir(dir);
}

struct model *fixture_model(const char *check, unsigned port, const char *controls)
{
	struct model_errors errors;
	struct model *m = NULL;
	FILE *f = fopen(fixture_path("weir.conf"), "w");

	if (!f)
		abort();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	fprintf(f, text, fixture_path("hash.key"), controls, check, vip_fra, port, vip_check);
#pragma GCC diagnostic pop
	fclose(f);
	if (model_read_config(fixture_path("weir.conf"), "ams-1", &m, &errors))
		for (size_t i = 0; i < errors.n_items; i++)
			fprintf(stderr, "%u: %s: %s\n", errors.items[i].line, errors.items[i].field,
			        errors.items[i].message);
	model_errors_free(&errors);
	if (!m)
		abort();
	return m;
}
