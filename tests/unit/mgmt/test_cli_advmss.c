/* SPDX-License-Identifier: BSD-2-Clause */
/* What `weir why` says of the MSS of a pool or backend (mgmt/cli/advmss.c). */
#include "cli_said.h"

#include "mgmt/cli/advmss.h"
#include "tests/unit/suite.h"

#define WHAT "advmss       7 packets of this node were too big for a tunnel (not counted by pool); "
#define REMEDY                                                                                     \
	"where clients' uploads hang, attach the agent with --mss auto, or set advmss %s on the "  \
	"backends' routes to clients\n"

static json_t *parse_object(const char *text)
{
	char json[512];
	json_error_t wrong;

	if (!text)
		return NULL;
	snprintf(json, sizeof(json), "%s", text);
	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	json_t *out = json_loads(json, 0, &wrong);

	assert_non_null(out);
	return out;
}

static void an_mss_is_named_once_packets_were_too_big(void **state)
{
	static const struct {
		const char *pool, *backend, *numbers; /* NULL: nothing is printed; "": not known */
	} rows[] = {
		{ "{'mss':{'too_big':7,'ipv4':1440,'ipv6':1420}}", NULL,
		  "1440 (IPv4) and 1420 (IPv6)" },
		{ "{'mss':{'too_big':7,'ipv4':1356,'ipv6':1336}}",
		  "{'effect':{'next_hop':true,'inner_mtu':1468}}", "1428 (IPv4) and 1408 (IPv6)" },
		{ "{'mss':{'too_big':7,'ipv4':null,'ipv6':null}}", NULL, "" },
		{ "{'mss':{'too_big':7,'ipv4':0,'ipv6':1}}", NULL, "" },
		{ "{'mss':{'too_big':7,'ipv4':1,'ipv6':0}}", NULL, "" },
		{ "{'mss':{'too_big':7,'ipv4':1,'ipv6':1}}", NULL, "1 (IPv4) and 1 (IPv6)" },
		{ "{'mss':{'too_big':7,'ipv4':1440,'ipv6':1420}}",
		  "{'effect':{'next_hop':false,'inner_mtu':1480}}", "" },
		{ "{'mss':{'too_big':7,'ipv4':1440,'ipv6':1420}}", "{'effect':{'state':'out'}}",
		  "" },
		{ "{'mss':{'too_big':0,'ipv4':1440,'ipv6':1420}}", NULL, NULL },
		{ "{'name':'an l2 pool'}", NULL, NULL },
		{ NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *pool = parse_object(rows[i].pool), *backend = parse_object(rows[i].backend);
		char expected[512] = "", remedy[256];

		if (rows[i].numbers) {
			snprintf(remedy, sizeof(remedy), REMEDY, rows[i].numbers);
			snprintf(expected, sizeof(expected), WHAT "%s",
			         *rows[i].numbers
			                 ? remedy
			                 : "which advmss fits is not known, as no backend's "
			                   "way is\n");
		}
		shown_begin();
		advmss_print(pool, backend);
		shown_end();
		assert_string_equal(shown, expected);
		json_decref(pool);
		json_decref(backend);
	}
}

static void what_is_not_known_is_said_to_be_so(void **state)
{
	json_t *pool = parse_object("{'mss':{'too_big':null,'ipv4':1440,'ipv6':1420}}");

	(void)state;
	shown_begin();
	advmss_print(pool, NULL);
	shown_end();
	assert_string_equal(shown,
	                    "advmss       unknown whether packets were too big for a tunnel: the "
	                    "counters of weir-dataplane are not there\n");
	json_decref(pool);
}

SUITE(cli_advmss)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_mss_is_named_once_packets_were_too_big),
		cmocka_unit_test(what_is_not_known_is_said_to_be_so),
	};

	return cmocka_run_group_tests_name("cli advmss", tests, NULL, NULL);
}
