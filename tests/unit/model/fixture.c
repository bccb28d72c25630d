/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/weir-model.XXXXXX";

const char fixture_config[] =
        "schema = 1;\n"
        "cluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"
        "sites = (\n"
        "  { name = \"fra\"; weight = 100; },\n"
        "  { name = \"ams\"; labels = { region = \"eu\"; }; capacity = { new_flows = \"50k/s\"; bits "
        "= \"40Gbit\"; }; }\n"
        ");\n"
        "nodes = (\n"
        "  { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } ); tunnel_source = [ "
        "\"10.1.255.0/24\", \"fd00:1:ff::/64\" ]; dns_listen = [ \"192.0.2.53\" ]; },\n"
        "  { name = \"fra-1\"; site = \"fra\"; ports = ( { interface = \"eth1\"; device = "
        "\"0000:01:00.0\"; } ); dpdk = { cores = \"2-4,9\"; hugepages = \"yes\"; memory = 512; }; "
        "tunnel_source = [ "
        "\"10.2.255.0/24\", \"fd00:2:ff::/64\" ]; }\n"
        ");\n"
        "checks = ( { name = \"web\"; type = \"http\"; path = \"/healthz\"; via = \"tunnel\"; } );\n"
        "pools = (\n"
        "  { name = \"web-ams\"; site = \"ams\"; check = \"web\"; mode = \"gue\";\n"
        "    backends = ( { name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },\n"
        "                 { name = \"b2\"; address = \"fd00:1:1::12\"; weight = 50; } ); },\n"
        "  { name = \"web-fra\"; site = \"fra\"; check = \"web\";\n"
        "    backends = ( { name = \"b1\"; address = \"10.2.1.11\"; } ); }\n"
        ");\n"
        "vips = (\n"
        "  { name = \"shop-ams\"; site = \"ams\"; addresses = [ \"203.0.113.10\", "
        "\"2001:db8:1::10\" ]; },\n"
        "  { name = \"shop-fra\"; site = \"fra\"; addresses = [ \"198.51.100.10\" ]; }\n"
        ");\n"
        "services = (\n"
        "  { name = \"web\"; protocol = \"tcp\"; port = 80; vip_check = \"web\";\n"
        "    at = ( { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; weight = 7; },\n"
        "           { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; } ); }\n"
        ");\n"
        "dns = {\n"
        "  zones = ( { name = \"Shop.Example.\"; file = \"shop.example.zone\"; } );\n"
        "  names = ( { name = \"www.shop.example\"; service = \"web\"; ttl = { min = \"5s\"; max = "
        "\"1m\"; }; } );\n"
        "};\n";

int fixture_setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/weir-model.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	fixture_write_text("hash.key", "00112233445566778899aabbccddeeff\n");
	fixture_write_text("shop.example.zone", "@ 3600 SOA ns hostmaster 1 2 3 4 5\n");
	return 0;
}

int fixture_teardown(void **state)
{
	char command[sizeof(dir) + 16];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf -- %s", dir);
	return system(command);
}

const char *fixture_path(const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return path;
}

void fixture_write(const char *name, const void *bytes, size_t n)
{
	FILE *f = fopen(fixture_path(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

void fixture_write_text(const char *name, const char *text)
{
	fixture_write(name, text, strlen(text));
}

char *fixture_edit(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	assert_non_null(at);
	size_t before = (size_t)(at - text), n = strlen(text) - strlen(from) + strlen(to);
	char *out = malloc(n + 1);
	assert_non_null(out);
	memcpy(out, text, before);
	memcpy(out + before, to, strlen(to));
	strcpy(out + before + strlen(to), at + strlen(from));
	return out;
}
