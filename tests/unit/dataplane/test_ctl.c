/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's answers (dataplane/ctl.c), field by field, on a node with two pools on
 * tables in memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "dataplane/nexthop/hops_internal.h"
#include "dataplane/process.h"

#include "record/answers.h"
#include "tests/unit/dataplane/stage.h"
#include "tests/unit/described.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct stage s;
static struct process *p;
static struct hops hops; /* follows one address: all its buckets lead there */
static struct dest dest;

static size_t two_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	out[0] = (struct driver_port){ .name = "eth0", .ifindex = 3, .native = true };
	out[1] = (struct driver_port){ .name = "eth1", .ifindex = 4 };
	return 2;
}

static const struct driver_ops ops = { .name = "xdp", .ports = two_ports };

static void follow_hop(const struct addr *address, enum hop_state state)
{
	dest = (struct dest){ .addr = *address, .refs = 1, .next = HOP_NONE };
	dest.hop.state = state;
	hops.dests = &dest;
	memset(hops.dest_buckets, 0, sizeof(hops.dest_buckets));
}

static int setup(void **state)
{
	(void)state;
	stage_init(&s);
	use_both_pools(&s.first);
	for (uint32_t i = 0; i < 2; i++)
		s.first.backends[i].address =
		        addr_from4((const uint8_t[4]){ 10, 1, 0, (uint8_t)(5 + i) });
	s.first.model.meta.document = 71;
	s.first.model.meta.version = 72;
	apply_world(&s, &s.first);
	p = calloc(1, sizeof(*p));
	if (!p)
		return -1;
	p->node = s.node;
	p->ops = &ops;
	p->driver = (struct driver *)&s.driver;
	p->hops = &hops;
	p->health_epoch = 73;
	strcpy(p->dirs.node, "ams-1");
	follow_hop(&s.first.backends[0].address, HOP_NO_NEIGHBOUR);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(p);
	stage_fini(&s);
	return 0;
}

/* What the request @p line is answered by. */
static const struct record_kind *kind_of_answer(const char *line)
{
	return strstr(line, "\"status\"")     ? &dataplane_shown_kind
	       : strstr(line, "\"backends\"") ? &backends_shown_kind
	       : strstr(line, "\"trace\"")    ? &trace_shown_kind
	                                      : NULL;
}

static json_t *query_ctl(const char *line)
{
	char *text = process_answer(p, line, strlen(line));
	json_t *answer;

	assert_non_null(text);
	assert_null(strchr(text, '\n'));
	answer = json_loads(text, 0, NULL);
	assert_non_null(answer);
	free(text);
	if (kind_of_answer(line))
		described_by_rows(kind_of_answer(line), answer);
	return answer;
}

/* @p text is JSON with ' for ". */
static json_t *json_of(const char *text)
{
	char copy[1024];
	json_t *o;

	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	for (char *at = copy; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	o = json_loads(copy, JSON_DECODE_ANY, NULL);
	assert_non_null(o);
	return o;
}

static void expect_text(json_t *is, const char *text)
{
	json_t *wanted = json_of(text);
	char *says = json_dumps(is, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!json_equal(is, wanted))
		fail_msg("it is %s, not %s", says, text);
	free(says);
	json_decref(wanted);
}

static void expect_answer(const char *line, const char *text)
{
	json_t *answer = query_ctl(line);

	expect_text(answer, text);
	json_decref(answer);
}

#define PORTS                                                                                      \
	"'ports':[{'interface':'eth0','ifindex':3,'mode':'native'},"                               \
	"{'interface':'eth1','ifindex':4,'mode':'generic'}],'ports_missing':[]"

static void the_status_says_what_is_in_force(void **state)
{
	(void)state;
	p->node.learning = false;
	expect_answer(
	        "{\"do\":\"status\"}",
	        "{'ok':true,'node':'ams-1','driver':'xdp','document':71,'version':72,"
	        "'refused':false,'refused_why':''," PORTS ",'services':2,'pools':2,'backends':6,"
	        "'driver_why':'','health_epoch':73,'learning':false,'wants_connections':false}");
	p->node.learning = p->node.wants_peer_state = true;
	strcpy(p->refusal, "raise limits.slots");
	strcpy(p->driver_reason, "no BPF here");
	expect_answer(
	        "{\"do\":\"status\"}",
	        "{'ok':true,'node':'ams-1','driver':'xdp','document':71,'version':72,"
	        "'refused':true,'refused_why':'raise limits.slots'," PORTS
	        ",'services':2,'pools':2,'backends':6,"
	        "'driver_why':'no BPF here','health_epoch':73,'learning':true,'wants_connections':true}");
}

static void ports_of_the_document_that_the_driver_lacks_are_named_with_the_reason(void **state)
{
	static const struct model_port ports[] = { { .interface = "eth2" },
		                                   { .interface = "eth1" },
		                                   { .interface = "eth10" } };
	struct model_node self = { .ports = ports, .n_ports = 3 };
	json_t *status;

	(void)state;
	p->node.model->self = &self;
	strcpy(p->port_reason[0], "the device is in use");
	strcpy(p->port_reason[1], "of a try before");
	status = query_ctl("{\"do\":\"status\"}");
	expect_text(json_object_get(status, "ports_missing"),
	            "[{'interface':'eth2','why':'the device is in use'},"
	            "{'interface':'eth10','why':''}]");
	json_decref(status);
}

/*
 * Without a driver there is no node, whatever is in its memory; without a document there is
 * nothing in force.
 */
static void before_the_first_document_there_is_nothing_in_force(void **state)
{
	static const char none[] =
	        "{'ok':true,'node':'ams-1','driver':'xdp','document':0,'version':0,"
	        "'refused':false,'refused_why':'','ports':[],'ports_missing':[],'services':0,'pools':0,'backends':0,"
	        "'driver_why':'','health_epoch':73,'learning':false,'wants_connections':false}";
	struct model *model = p->node.model;

	(void)state;
	p->node.learning = p->node.wants_peer_state = true;
	p->node.n_pools = 0;
	p->driver = NULL;
	expect_answer("{\"do\":\"status\"}", none);
	for (int i = 0; i < 2; i++) {
		expect_answer("{\"do\":\"connections\"}",
		              "{'ok':false,'error':'no document is in force yet'}");
		expect_answer("{\"do\":\"trace\",\"source\":\"192.0.2.1:1\","
		              "\"destination\":\"203.0.113.10:80/tcp\"}",
		              "{'ok':false,'error':'no document is in force yet'}");
		p->driver = (struct driver *)&s.driver;
		p->node.model = NULL;
	}
	json_t *status = query_ctl("{\"do\":\"status\"}");
	expect_text(json_object_get(status, "document"), "0");
	expect_text(json_object_get(status, "services"), "0");
	expect_text(json_object_get(status, "learning"), "false");
	json_decref(status);
	p->node.model = model;
}

static void each_backend_is_shown_with_its_own_values(void **state)
{
	struct compiler_pool *pool = &p->node.pools[1];
	json_t *answer, *list;
	char text[512];

	(void)state;
	for (uint32_t k = 0; k < 3; k++) {
		pool->backends[k].alive = k == 2;
		pool->backends[k].reason =
		        k == 2 ? EFFECT_REASON_HELD_RATE : EFFECT_REASON_DISABLED;
		p->node.t.backends[pool->backends[k].index].inner_mtu = (uint16_t)(1400 + k);
		p->node.paths[pool->backends[k].index].reported.mtu = (uint16_t)(1300 + k);
	}
	answer = query_ctl("{\"do\":\"backends\",\"pool\":\"web-fra\"}");
	list = json_object_get(answer, "backends");
	expect_text(json_object_get(answer, "ok"), "true");
	assert_int_equal(json_array_size(list), 3);
	snprintf(text, sizeof(text),
	         "{'pool':'web-fra','backend':'b','address':'10.1.0.6','index':%u,'weight':30,"
	         "'in_force':true,'why':'%s','next_hop':'not followed','inner_mtu':1402,"
	         "'path_mtu':1302}",
	         pool->backends[2].index, effect_reason_text(EFFECT_REASON_HELD_RATE));
	expect_text(json_array_get(list, 2), text);
	snprintf(text, sizeof(text),
	         "{'pool':'web-fra','backend':'a','address':'10.1.0.5','index':%u,'weight':20,"
	         "'in_force':false,'why':'%s','next_hop':'%s','inner_mtu':1400,"
	         "'path_mtu':1300}",
	         pool->backends[0].index, effect_reason_text(EFFECT_REASON_DISABLED),
	         hop_state_text(HOP_NO_NEIGHBOUR));
	expect_text(json_array_get(list, 0), text);
	json_decref(answer);
}

static void all_pools_are_shown_unless_one_is_named(void **state)
{
	static const struct {
		const char *line;
		size_t n;
		const char *first;
	} cases[] = {
		{ "{\"do\":\"backends\"}", 6, "web-ams" },
		{ "{\"do\":\"backends\",\"pool\":\"web-ams\"}", 3, "web-ams" },
		{ "{\"do\":\"backends\",\"pool\":\"web-fra\"}", 3, "web-fra" },
		{ "{\"do\":\"backends\",\"pool\":\"web\"}", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *answer = query_ctl(cases[i].line),
		       *list = json_object_get(answer, "backends");
		const char *first =
		        json_string_value(json_object_get(json_array_get(list, 0), "pool"));

		assert_int_equal(json_array_size(list), cases[i].n);
		if (cases[i].first)
			assert_string_equal(first, cases[i].first);
		json_decref(answer);
	}
}

static void connections_come_as_a_text_with_whether_to_believe_them(void **state)
{
	struct compiler_time time = compiler_now();
	char *text;
	json_t *answer;

	(void)state;
	for (int learning = 0; learning < 2; learning++) {
		p->node.learning = learning;
		answer = query_ctl("{\"do\":\"connections\"}");
		expect_text(json_object_get(answer, "ok"), "true");
		expect_text(json_object_get(answer, "learning"), learning ? "true" : "false");
		text = compiler_handover_write(&p->node, &time);
		assert_string_equal(json_string_value(json_object_get(answer, "connections")),
		                    text);
		free(text);
		json_decref(answer);
	}
}

#define WANTS                                                                                      \
	"trace needs source \"ADDRESS:PORT\" and destination \"VIP:PORT/tcp\", "                   \
	"\"/tcp:syn\" or \"/udp\", IPv6 in brackets, both of one family"
#define LENGTH "length must be the bytes of the IP packet, with its headers"
#define ASKS                                                                                       \
	"a request is {\"do\": NAME}: \"status\", \"backends\", \"connections\", \"proof\" or \"trace\""

static void what_cannot_be_answered_is_refused_with_what_is_wanted(void **state)
{
#define TRACE "{\"do\":\"trace\",\"source\":\"192.0.2.1:1\",\"destination\":\"203.0.113.10:80/tcp\""
	static const struct {
		const char *line, *error;
	} cases[] = {
		{ "{\"do\":\"trace\",\"destination\":\"203.0.113.10:80/tcp\"}", WANTS },
		{ "{\"do\":\"trace\",\"source\":\"192.0.2.1:1\"}", WANTS },
		{ "{\"do\":\"trace\",\"source\":1,\"destination\":\"203.0.113.10:80/tcp\"}",
		  WANTS },
		{ "{\"do\":\"trace\",\"source\":\"192.0.2.1\",\"destination\":\"203.0.113.10:80/tcp\"}",
		  WANTS },
		{ TRACE ",\"length\":\"40\"}", LENGTH },
		{ TRACE ",\"length\":39}", LENGTH },
		{ TRACE ",\"length\":65536}", LENGTH },
		{ TRACE ",\"length\":40.5}", LENGTH },
		{ "{\"do\":\"stat\"}", ASKS },
		{ "{\"do\":1}", ASKS },
		{ "{}", ASKS },
		{ "[]", ASKS },
		{ "", ASKS },
		{ "{\"do\":\"status\",\"do\":\"status\"}", ASKS },
		{ "{\"do\":\"status\"", ASKS },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *answer = query_ctl(cases[i].line);

		expect_text(json_object_get(answer, "ok"), "false");
		assert_string_equal(json_string_value(json_object_get(answer, "error")),
		                    cases[i].error);
		assert_int_equal(json_object_size(answer), 2);
		json_decref(answer);
	}
}

/* As many bytes as the line has: what lies behind is another's. */
static void a_line_ends_where_its_length_says(void **state)
{
	static const char line[] = "{\"do\":\"connections\"}}";
	char *text = process_answer(p, line, strlen(line) - 1);

	(void)state;
	assert_non_null(strstr(text, "\"ok\":true"));
	free(text);
	text = process_answer(p, line, strlen(line));
	assert_non_null(strstr(text, "\"ok\":false"));
	free(text);
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

/* "dns" is served by the second pool, whose slots lie behind the first one's. */
/* Give the pool's backends next hops, and tunnels a source, so that its packets are forwarded. */
static void make_reachable(const struct compiler_pool *pool)
{
	for (uint32_t k = 0; k < 3; k++) {
		struct fwd_backend *b = &p->node.t.backends[pool->backends[k].index];

		memcpy(b->address.bytes, s.first.backends[0].address.bytes, 16);
		b->flags = FWD_BACKEND_USED;
		b->inner_mtu = 1500;
		b->ifindex = 8;
	}
	addr_of("10.1.255.0", &s.first.node.tunnel_source4.addr);
	s.node.t.root->source4.mask = (union fwd_addr){ .bytes = { [0 ... 14] = 0xff } };
	memcpy(s.node.t.root->source4.addr.bytes, s.first.node.tunnel_source4.addr.bytes, 16);
}

static void a_trace_answers_with_what_was_asked_and_what_became_of_it(void **state)
{
	struct compiler_pool *pool = &p->node.pools[1];
	json_t *answer;
	uint32_t slot, owner;
	char id[17];

	(void)state;
	make_reachable(pool);
	answer = query_ctl("{\"do\":\"trace\",\"source\":\"192.0.2.1:7\","
	                   "\"destination\":\"203.0.113.10:53/udp\",\"length\":600}");
	assert_string_equal(text_of(answer, "source"), "192.0.2.1:7");
	assert_string_equal(text_of(answer, "destination"), "203.0.113.10:53");
	assert_string_equal(text_of(answer, "protocol"), "udp");
	assert_string_equal(text_of(answer, "action"), "forward");
	assert_string_equal(text_of(answer, "reason"), "forwarded");
	assert_string_equal(text_of(answer, "backend"), "10.1.0.5");
	assert_non_null(strstr(text_of(answer, "outer_source"), "10.1.255."));
	expect_text(json_object_get(answer, "ok"), "true");
	expect_text(json_object_get(answer, "syn"), "false");
	expect_text(json_object_get(answer, "length"), "600");
	expect_text(json_object_get(answer, "ifindex"), "8");
	expect_text(json_object_get(answer, "remembered"), "false");
	assert_int_equal(json_integer_value(json_object_get(answer, "pool")), pool->index);
	slot = (uint32_t)json_integer_value(json_object_get(answer, "slot"));
	assert_in_range(slot, 0, pool->n_slots - 1);
	slot += pool->first_slot;
	owner = p->node.t.slots[slot / 32].slot[slot % 32];
	assert_int_equal(json_is_true(json_object_get(answer, "settled")),
	                 !(owner & FWD_SLOT_UNSETTLED));
	snprintf(id, sizeof(id), "%016llx",
	         (unsigned long long)p->node.t.backends[owner & FWD_SLOT_BACKEND].id);
	if (!(owner & FWD_SLOT_UNSETTLED))
		assert_string_equal(text_of(answer, "backend_id"), id);
	assert_int_equal(strlen(text_of(answer, "hash")), 16);
	assert_true(json_array_size(json_object_get(answer, "steps")) >= 5);
	json_decref(answer);
}

static void a_trace_to_nobody_names_no_slot_and_no_backend(void **state)
{
	static const char *const absent[] = { "hash",         "slot",       "pool",
		                              "settled",      "backend",    "ifindex",
		                              "outer_source", "backend_id", "remembered" };
	json_t *answer;

	(void)state;
	answer = query_ctl("{\"do\":\"trace\",\"source\":\"[2001:db8::7]:7\","
	                   "\"destination\":\"[2001:db8:1::10]:81/tcp:syn\"}");
	assert_string_equal(text_of(answer, "source"), "[2001:db8::7]:7");
	assert_string_equal(text_of(answer, "destination"), "[2001:db8:1::10]:81");
	assert_string_equal(text_of(answer, "protocol"), "tcp");
	assert_string_equal(text_of(answer, "action"), "drop");
	assert_string_equal(text_of(answer, "reason"), "no_service");
	expect_text(json_object_get(answer, "syn"), "true");
	expect_text(json_object_get(answer, "length"), "60");
	for (size_t i = 0; i < COUNT(absent); i++)
		assert_null(json_object_get(answer, absent[i]));
	json_decref(answer);
}

#define CTL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(ctl)
{
	const struct CMUnitTest tests[] = {
		CTL_TEST(the_status_says_what_is_in_force),
		CTL_TEST(ports_of_the_document_that_the_driver_lacks_are_named_with_the_reason),
		CTL_TEST(before_the_first_document_there_is_nothing_in_force),
		CTL_TEST(each_backend_is_shown_with_its_own_values),
		CTL_TEST(all_pools_are_shown_unless_one_is_named),
		CTL_TEST(connections_come_as_a_text_with_whether_to_believe_them),
		CTL_TEST(what_cannot_be_answered_is_refused_with_what_is_wanted),
		CTL_TEST(a_line_ends_where_its_length_says),
		CTL_TEST(a_trace_answers_with_what_was_asked_and_what_became_of_it),
		CTL_TEST(a_trace_to_nobody_names_no_slot_and_no_backend),
	};

	return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
