/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands on a node, and their guards: what each makes of the overrides and of the document, and
 * what is refused.
 */
#include "fixture.h"

#include "base/hash.h"
#include "base/sorted.h"
#include "mgmt/store/command.h"
#include "mgmt/store/intent.h"
#include "mgmt/overrides/override.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Two nodes at ams that announce, and one at fra that does not. */
#define NODES                                                                                      \
	"dns_listen = [ \"192.0.2.53\" ]; announce = { daemon = \"bird\"; }; },\n"                 \
	" { name = \"ams-2\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } );\n"            \
	"   capacity = { bits = \"1Mbit\"; };\n"                                                   \
	"   tunnel_source = [ \"10.1.254.0/24\" ]; announce = { daemon = \"frr\"; }; },\n"

/* The same, and two nodes announce one address of DNS; the first one another besides. */
#define DNS_NODES                                                                                      \
	"dns_listen = [ \"192.0.2.53\", \"192.0.2.54\" ];\n"                                           \
	"   announce = { daemon = \"bird\"; vips = [ ]; dns = [ \"192.0.2.53\" ]; }; },\n"             \
	" { name = \"ams-2\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } );\n"                \
	"   dns_listen = [ \"192.0.2.53\", \"192.0.2.54\" ]; tunnel_source = [ \"10.1.254.0/24\" ];\n" \
	"   announce = { daemon = \"frr\"; vips = [ ]; dns = [ \"192.0.2.53\", \"192.0.2.54\" ]; }; },\n"

/* One node alone announces. */
#define ONE_NODE "dns_listen = [ \"192.0.2.53\" ]; announce = { daemon = \"bird\"; }; },\n"

struct scene {
	struct fixture f;
	struct intent *in;
	struct command_result r;
	struct guard_observed seen;
	struct guard_node nodes[2];
	struct guard_unsettled pool;
	struct guard_said said[2];
	struct guard_word words[2][2];
	uint64_t vip;
};

/* Let node @p i say this of the keys, and nothing of others. */
static void let_say(struct scene *s, size_t i, enum guard_announced said, const uint64_t *keys,
                    size_t n)
{
	for (size_t k = 0; k < n; k++)
		s->words[i][k] = (struct guard_word){ keys[k], said };
	s->said[i] = (struct guard_said){ .words = s->words[i], .n = n };
	s->nodes[i].said = &s->said[i];
}

static struct intent *open_scene(const struct scene *s, int64_t now_ms)
{
	const struct intent_options options = { .node = "ams-1",
		                                .conf_dir = s->f.conf,
		                                .state_dir = s->f.state };
	struct intent *in;

	assert_int_equal(intent_open(&options, now_ms, &in), 0);
	return in;
}

static int make_scene(void **state, const char *nodes)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct files files;

	fixture_make(&s->f);
	files = fixture_files("dns_listen = [ \"192.0.2.53\" ]; },\n", nodes);
	fixture_write(s->f.conf, "weir.conf", files.items[1].bytes);
	files_fini(&files);
	s->in = open_scene(s, NOW_MS);
	s->vip = hash_text("shop-ams");
	snprintf(s->nodes[0].name, MODEL_NAME_MAX, "ams-1");
	snprintf(s->nodes[1].name, MODEL_NAME_MAX, "ams-2");
	s->pool = (struct guard_unsettled){ .name = "web-ams", .n_slots = 1024 };
	s->seen = (struct guard_observed){ .nodes = s->nodes, .n_nodes = 2, .pools = &s->pool };
	*state = s;
	return 0;
}

static int setup(void **state)
{
	return make_scene(state, NODES);
}

static int setup_dns(void **state)
{
	return make_scene(state, DNS_NODES);
}

static int setup_one(void **state)
{
	return make_scene(state, ONE_NODE);
}

static int teardown(void **state)
{
	struct scene *s = *state;

	intent_close(s->in);
	fixture_remove(&s->f);
	free(s);
	return 0;
}

static struct command on_node(enum command_do what, const char *node)
{
	return (struct command){ .what = what,
		                 .name = node,
		                 .is_node = true,
		                 .over_ms = -1,
		                 .from_ms = -1,
		                 .until_ms = what <= COMMAND_FORCE_UP ? MODEL_TIME_NEVER : -1,
		                 .author = "jw",
		                 .reason = "test" };
}

static enum command_outcome run_on_node(struct scene *s, enum command_do what, const char *node,
                                        int64_t now_ms)
{
	const struct command c = on_node(what, node);

	return command_run(s->in, &c, &s->seen, now_ms, &s->r);
}

/* What the document in force asks of a node. */
static enum model_node_drain asked_of(const struct scene *s, const char *node)
{
	const struct model *m = intent_model(s->in);

	return model_node_drain(m, model_node(m, node));
}

static const struct guard_verdict *verdict_of(const struct scene *s, const char *guard)
{
	for (size_t i = 0; i < s->r.guards.n_verdicts; i++)
		if (!strcmp(s->r.guards.verdicts[i].guard, guard))
			return &s->r.guards.verdicts[i];
	fail_msg("no verdict of %s", guard);
	return NULL;
}

static void a_drain_is_in_the_document_at_once_and_its_end_as_well(void **state)
{
	struct scene *s = *state;

	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_OK);
	assert_true(s->r.created);
	assert_string_equal(s->r.undo, "weir undrain node ams-1");
	assert_non_null(strstr(s->r.note, "after 15 s"));
	assert_int_equal(asked_of(s, "ams-1"), MODEL_NODE_DRAINED);
	assert_int_equal(asked_of(s, "ams-2"), MODEL_NODE_SERVES);
	assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-1", NOW_MS + 5), COMMAND_OK);
	assert_string_equal(s->r.undo, "weir drain node ams-1 --until never --reason TEXT");
	assert_int_equal(asked_of(s, "ams-1"), MODEL_NODE_SERVES);
	assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-1", NOW_MS + 6), COMMAND_OVER);
}

static void a_drain_holds_over_a_restart_and_ends_at_its_time(void **state)
{
	struct scene *s = *state;
	struct command c = on_node(COMMAND_DRAIN, "ams-1");

	c.until_ms = NOW_MS + 60000;
	assert_int_equal(command_run(s->in, &c, &s->seen, NOW_MS, &s->r), COMMAND_OK);
	intent_close(s->in);
	s->in = open_scene(s, NOW_MS + 1000);
	assert_int_equal(asked_of(s, "ams-1"), MODEL_NODE_DRAINED);
	intent_close(s->in);
	s->in = open_scene(s, NOW_MS + 60000);
	assert_int_equal(asked_of(s, "ams-1"), MODEL_NODE_SERVES);
}

static void a_withdrawal_ends_by_enable_and_by_undrain(void **state)
{
	struct scene *s = *state;
	static const enum command_do ends[] = { COMMAND_ENABLE, COMMAND_UNDRAIN };

	for (size_t i = 0; i < COUNT(ends); i++) {
		assert_int_equal(run_on_node(s, COMMAND_DISABLE, "ams-1", NOW_MS), COMMAND_OK);
		assert_string_equal(s->r.undo, "weir enable node ams-1");
		assert_int_equal(asked_of(s, "ams-1"), MODEL_NODE_WITHDRAWN);
		assert_int_equal(run_on_node(s, ends[i], "ams-1", NOW_MS + 1), COMMAND_OK);
		assert_int_equal(asked_of(s, "ams-1"), MODEL_NODE_SERVES);
	}
}

static void what_a_node_cannot_have_is_refused(void **state)
{
	struct scene *s = *state;
	struct command over = on_node(COMMAND_DRAIN, "ams-1");
	static const struct {
		enum command_do what;
		const char *node;
		enum command_outcome outcome;
		const char *text;
	} cases[] = {
		{ COMMAND_DRAIN, "nosuch", COMMAND_UNKNOWN, "there is no node nosuch" },
		{ COMMAND_UNDRAIN, "nosuch", COMMAND_UNKNOWN, "there is no node nosuch" },
		{ COMMAND_DRAIN, "fra-1", COMMAND_INVALID, "announces nothing" },
		{ COMMAND_FORCE_UP, "ams-1", COMMAND_INVALID, "force_up is for backends" },
		{ COMMAND_HOLD, "ams-1", COMMAND_INVALID, "hold is for sites" },
		{ COMMAND_UNDRAIN, "ams-1", COMMAND_OVER, "nothing to end" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(run_on_node(s, cases[i].what, cases[i].node, NOW_MS),
		                 cases[i].outcome);
		print_message("  %s\n", s->r.text);
		assert_non_null(strstr(s->r.text, cases[i].text));
	}
	over.over_ms = 1000;
	assert_int_equal(command_run(s->in, &over, &s->seen, NOW_MS, &s->r), COMMAND_INVALID);
	assert_string_equal(s->r.field, "over");
	assert_int_equal(intent_overrides(s->in)->n_items, 0);
}

static void the_last_node_that_announces_a_vip_stays(void **state)
{
	struct scene *s = *state;
	struct command c = on_node(COMMAND_DRAIN, "ams-1");

	/* nothing is known of the other node: unknown, which does not refuse */
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_OK);
	assert_true(verdict_of(s, "last-announcer")->unknown);
	assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-1", NOW_MS), COMMAND_OK);
	s->seen.n_nodes = 1; /* nor was it asked */
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_OK);
	assert_true(verdict_of(s, "last-announcer")->unknown);
	assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-1", NOW_MS), COMMAND_OK);
	s->seen.n_nodes = 2;
	/* it says that it announces the VIP */
	let_say(s, 1, GUARD_ANNOUNCED, &s->vip, 1);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_OK);
	assert_false(verdict_of(s, "last-announcer")->unknown);
	assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-1", NOW_MS), COMMAND_OK);
	/* it says that it does not */
	let_say(s, 1, GUARD_ANNOUNCED, NULL, 0);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_REFUSED);
	assert_non_null(strstr(s->r.text, "last-announcer: no other node announces shop-ams"));
	assert_int_equal(run_on_node(s, COMMAND_DISABLE, "ams-1", NOW_MS), COMMAND_REFUSED);
	c.now = true; /* is not enough */
	assert_int_equal(command_run(s->in, &c, &s->seen, NOW_MS, &s->r), COMMAND_REFUSED);
	c.past[0] = "last-announcer";
	c.n_past = 1;
	assert_int_equal(command_run(s->in, &c, &s->seen, NOW_MS, &s->r), COMMAND_OK);
}

/*
 * No other node could announce its VIP: it may leave when the site's clients have gone elsewhere: the longest
 * TTL (60 s) and 5 s after they are sent away. */
static void the_only_node_of_a_site_may_leave_once_the_site_is_drained(void **state)
{
	struct scene *s = *state;
	struct command site = on_node(COMMAND_DRAIN, "ams");
	const int64_t half_ms = NOW_MS + 30000, whole_ms = NOW_MS + 60000,
	              left_ms = whole_ms + 65000;
	static const enum command_do leaves[] = { COMMAND_DRAIN, COMMAND_DISABLE };

	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_REFUSED);
	assert_non_null(strstr(s->r.text, "no other node announces shop-ams: "));
	assert_non_null(strstr(s->r.text, "; drain site ams first"));
	site.is_node = false;
	site.now = true;
	site.over_ms = 60000;
	assert_int_equal(command_run(s->in, &site, &s->seen, NOW_MS, &s->r), COMMAND_OK);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", half_ms), COMMAND_REFUSED);
	assert_non_null(strstr(s->r.text, "; drain site ams first"));
	for (size_t i = 0; i < COUNT(leaves); i++) {
		assert_int_equal(run_on_node(s, leaves[i], "ams-1", whole_ms), COMMAND_REFUSED);
		assert_non_null(strstr(s->r.text, "last-announcer: for 65 s more, "));
		assert_null(strstr(s->r.text, "drain site"));
		assert_int_equal(verdict_of(s, "last-announcer")->wait_s, 65);
		assert_int_equal(run_on_node(s, leaves[i], "ams-1", left_ms - 1), COMMAND_REFUSED);
		assert_non_null(strstr(s->r.text, "last-announcer: for 1 s more, "));
	}
	for (size_t i = 0; i < COUNT(leaves); i++) {
		assert_int_equal(run_on_node(s, leaves[i], "ams-1", left_ms), COMMAND_OK);
		assert_false(verdict_of(s, "last-announcer")->unknown);
		assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-1", left_ms), COMMAND_OK);
	}
	site = on_node(COMMAND_UNDRAIN, "ams");
	site.is_node = false;
	site.now = true;
	assert_int_equal(command_run(s->in, &site, &s->seen, left_ms, &s->r), COMMAND_OK);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", left_ms + 120000), COMMAND_REFUSED);
}

/* A step that is written again counts from then; where its operation has withdrawn the VIP, nothing is waited for. */
static void the_only_node_waits_for_no_vip_that_an_operation_has_withdrawn(void **state)
{
	struct scene *s = *state;
	struct override step = { .id = "ams-1-s",
		                 .kind = MODEL_OVERRIDE_DRAIN,
		                 .target = MODEL_TARGET_SITE,
		                 .name = "ams",
		                 .created_ms = NOW_MS,
		                 .from_ms = NOW_MS,
		                 .until_ms = MODEL_TIME_NEVER,
		                 .is_step = true,
		                 .from_ppm = 999999,
		                 .to_ppm = 1000000,
		                 .operation = "ams-1-op",
		                 .author = "jw",
		                 .reason = "test" };

	step.generation = 1;
	step.epoch = 1;
	step.step = 1;
	assert_int_equal(intent_merge(s->in, &step, 1, NOW_MS), 1);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS + 1000), COMMAND_REFUSED);
	assert_non_null(strstr(s->r.text, "last-announcer: for 64 s more, "));
	step.step = 2;
	step.own_vips = MODEL_VIPS_WITHDRAWN;
	assert_int_equal(intent_merge(s->in, &step, 1, NOW_MS), 1);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS + 1000), COMMAND_OK);
}

/* An address of DNS is like a VIP: routers send its packets to whoever announces it. */
static void the_last_node_that_announces_an_address_of_dns_stays(void **state)
{
	struct scene *s = *state;
	struct addr address;
	uint64_t key;

	assert_int_equal(addr_parse("192.0.2.53", &address), 0);
	key = guard_dns_key(&address);
	/* of two addresses of ams-2, no other node has the second one; nothing is known of others */
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-2", NOW_MS), COMMAND_OK);
	assert_true(verdict_of(s, "last-announcer")->unknown);
	assert_non_null(strstr(verdict_of(s, "last-announcer")->detail, "192.0.2.54 is unknown"));
	assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-2", NOW_MS), COMMAND_OK);
	let_say(s, 0, GUARD_ANNOUNCED, NULL,
	        0); /* that ams-1 announces nothing; of fra-1 it is not known */
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-2", NOW_MS), COMMAND_REFUSED);
	assert_non_null(strstr(s->r.text, "announces DNS 192.0.2.53:"));
	let_say(s, 0, GUARD_ANNOUNCED, &key, 1); /* its own address: resolvers ask that one */
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-2", NOW_MS), COMMAND_OK);
	assert_false(verdict_of(s, "last-announcer")->unknown);
	assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-2", NOW_MS), COMMAND_OK);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_OK);
	assert_true(verdict_of(s, "last-announcer")->unknown);
	assert_non_null(
	        strstr(verdict_of(s, "last-announcer")->detail, "DNS 192.0.2.53 is unknown"));
	assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-1", NOW_MS), COMMAND_OK);
	let_say(s, 1, GUARD_ANNOUNCED, NULL, 0);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_REFUSED);
	assert_non_null(
	        strstr(s->r.text, "last-announcer: no other node announces DNS 192.0.2.53"));
	assert_int_equal(run_on_node(s, COMMAND_DISABLE, "ams-1", NOW_MS), COMMAND_REFUSED);
	let_say(s, 1, GUARD_ANNOUNCED_UNKNOWN, &key, 1);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_OK);
	assert_true(verdict_of(s, "last-announcer")->unknown);
	assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-1", NOW_MS), COMMAND_OK);
	let_say(s, 1, GUARD_ANNOUNCED, &key, 1);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_OK);
	assert_false(verdict_of(s, "last-announcer")->unknown);
	/* and the first one is announced nowhere else any more */
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-2", NOW_MS), COMMAND_REFUSED);
	assert_non_null(strstr(s->r.text, "announces DNS 192.0.2.53:"));
}

static void a_drained_node_is_no_other_node(void **state)
{
	struct scene *s = *state;

	let_say(s, 1, GUARD_ANNOUNCED, &s->vip, 1);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-2", NOW_MS), COMMAND_OK);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS), COMMAND_REFUSED);
	assert_int_equal(run_on_node(s, COMMAND_UNDRAIN, "ams-2", NOW_MS + 1), COMMAND_OK);
	assert_int_equal(run_on_node(s, COMMAND_DRAIN, "ams-1", NOW_MS + 2), COMMAND_OK);
}

static void the_other_node_must_have_room(void **state)
{
	struct scene *s = *state;
	struct guard_node *own = &s->nodes[0], *other = &s->nodes[1];
	static const struct {
		bool own_known, other_known;
		uint64_t own, other, capacity;
		bool ok, unknown;
	} cases[] = {
		{ false, true, 0, 100, 1000, true, true },
		{ true, false, 100, 0, 1000, true, true },
		{ true, true, 100, 100, 0, true, true },
		{ true, true, 400, 450, 1000, true, false },
		{ true, true, 401, 450, 1000, false, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct command c = on_node(COMMAND_DRAIN, "ams-1");

		c.dry_run = true;
		own->load_known = cases[i].own_known;
		own->bits = cases[i].own;
		other->load_known = cases[i].other_known;
		other->bits = cases[i].other;
		other->capacity_bits = cases[i].capacity;
		assert_int_equal(command_run(s->in, &c, &s->seen, NOW_MS, &s->r),
		                 cases[i].ok ? COMMAND_OK : COMMAND_REFUSED);
		print_message("  %s\n", verdict_of(s, "room")->detail);
		assert_int_equal(verdict_of(s, "room")->ok, cases[i].ok);
		assert_int_equal(verdict_of(s, "room")->unknown, cases[i].unknown);
		assert_int_equal(s->r.guards.n_receivers, 1);
		assert_string_equal(s->r.guards.receivers[0].name, "ams-2");
		assert_int_equal(s->r.guards.receivers[0].before_ppm, 500000);
		assert_int_equal(s->r.guards.receivers[0].after_ppm, 1000000);
	}
}

static void unsettled_slots_are_waited_for_unless_it_is_now(void **state)
{
	struct scene *s = *state;
	struct command c = on_node(COMMAND_DRAIN, "ams-1");

	c.dry_run = true;
	assert_int_equal(command_run(s->in, &c, &s->seen, NOW_MS, &s->r), COMMAND_OK);
	assert_true(verdict_of(s, "unsettled")->unknown);
	s->seen.pools_known = true;
	s->seen.n_pools = 1;
	assert_int_equal(command_run(s->in, &c, &s->seen, NOW_MS, &s->r), COMMAND_OK);
	assert_false(verdict_of(s, "unsettled")->unknown);
	s->pool.unsettled = 12;
	s->pool.remembered = 310;
	assert_int_equal(command_run(s->in, &c, &s->seen, NOW_MS, &s->r), COMMAND_REFUSED);
	assert_non_null(strstr(s->r.text, "web-ams (12 of 1024 slots unsettled), first of 1 pools "
	                                  "without agents: up to 310 connections at risk"));
	/* they are remembered on this node alone */
	s->pool.unsettled = 0;
	assert_int_equal(command_run(s->in, &c, &s->seen, NOW_MS, &s->r), COMMAND_REFUSED);
	c.now = true;
	assert_int_equal(command_run(s->in, &c, &s->seen, NOW_MS, &s->r), COMMAND_OK);
	assert_false(verdict_of(s, "unsettled")->ok); /* it is shown as overridden */
}

/* --- what is said of a drain, word for word --- */

/* All verdicts of a drain that is only asked for, a line each. */
static void expect_verdicts(struct scene *s, const char *node, const char *why, const char *text)
{
	struct command c = on_node(COMMAND_DRAIN, node);
	char is[2048];
	size_t n = 0;

	c.dry_run = true;
	(void)command_run(s->in, &c, &s->seen, NOW_MS, &s->r);
	for (size_t i = 0; i < s->r.guards.n_verdicts; i++) {
		const struct guard_verdict *v = &s->r.guards.verdicts[i];

		n += (size_t)snprintf(is + n, sizeof(is) - n, "%s %s%s: %s\n", v->guard,
		                      v->ok ? "ok" : "refused", v->unknown ? ", unknown" : "",
		                      v->detail);
		assert_true(n < sizeof(is));
	}
	if (strcmp(is, text) != 0)
		fail_msg("%s:\n%s", why, is);
}

#define REACH(n)                                                                                   \
	"last-announcer ok: without this node, clients of its " n " VIPs and addresses of DNS "    \
	"reach another node, or their site is drained and left\n"
#define UNSURE(what)                                                                               \
	"last-announcer ok, unknown: whether another node announces " what " is unknown\n"
#define ALONE(what)                                                                                \
	"last-announcer refused: no other node announces " what ": a drain does not withdraw "     \
	"them, and --withdraw cuts their clients off\n"
#define NO_LOAD(n)                                                                                 \
	"room ok, unknown: load or capacity of " n " of " n " receiving nodes is unknown\n"
#define NO_RECEIVER "room ok, unknown: no other node would receive its packets, so none has room\n"
#define NO_POOLS                                                                                   \
	"unsettled ok, unknown: unsettled slots of pools without agents are unknown here: ask on " \
	"the node itself\n"
#define SETTLED                                                                                    \
	"unsettled ok: no pool without agents has unsettled slots or remembered connections: "     \
	"none is at risk\n"

static void each_verdict_on_a_node_has_its_words(void **state)
{
	struct scene *s = *state;
	struct guard_unsettled pools[] = {
		{ .name = "a", .n_slots = 64 },
		{ .name = "b", .n_slots = 128, .unsettled = 3, .remembered = 20 },
		{ .name = "c", .n_slots = 256, .remembered = 1 },
	};

	expect_verdicts(s, "ams-1", "nothing is known", UNSURE("shop-ams") NO_LOAD("1") NO_POOLS);
	let_say(s, 1, GUARD_ANNOUNCED, &s->vip, 1);
	expect_verdicts(s, "ams-1", "the other node announces the VIP",
	                REACH("1") NO_LOAD("1") NO_POOLS);
	let_say(s, 1, GUARD_ANNOUNCED_UNKNOWN, &s->vip, 1);
	expect_verdicts(s, "ams-1", "the other node is not sure",
	                UNSURE("shop-ams") NO_LOAD("1") NO_POOLS);
	let_say(s, 1, GUARD_ANNOUNCED, NULL, 0);
	expect_verdicts(s, "ams-1", "the other node does not announce it",
	                ALONE("shop-ams") NO_RECEIVER NO_POOLS);
	let_say(s, 1, GUARD_ANNOUNCED, &s->vip, 1);
	s->nodes[0].load_known = s->nodes[1].load_known = true;
	s->nodes[0].bits = 300;
	s->nodes[1].bits = 550;
	s->nodes[1].capacity_bits = 1000;
	s->seen.pools_known = true;
	s->seen.pools = pools;
	s->seen.n_pools = 1;
	expect_verdicts(
	        s, "ams-1", "there is just room, and all slots are settled",
	        REACH("1") "room ok: all receiving nodes stay below 85 % of their capacity\n" SETTLED);
	s->nodes[1].bits++;
	s->seen.n_pools = COUNT(pools);
	expect_verdicts(
	        s, "ams-1", "there is no room, and slots are unsettled",
	        REACH("1") "room refused: node ams-2 would have 851 bits/s, more than 85 % of its capacity of 1000\n"
	                   "unsettled refused: b (3 of 128 slots unsettled), first of 2 pools without agents: up to 21 connections at risk. Wait until they end, or use --now\n");
}

static void each_verdict_on_a_server_has_its_words(void **state)
{
	struct scene *s = *state;
	struct addr address;
	uint64_t keys[2];

	assert_int_equal(addr_parse("192.0.2.53", &address), 0);
	keys[0] = guard_dns_key(&address);
	assert_int_equal(addr_parse("192.0.2.54", &address), 0);
	keys[1] = guard_dns_key(&address);
	qsort(keys, 2, sizeof(keys[0]), sorted_by_u64);
	s->seen.pools_known = true;
	expect_verdicts(s, "ams-2", "nothing is known",
	                UNSURE("DNS 192.0.2.53, DNS 192.0.2.54") NO_RECEIVER SETTLED);
	let_say(s, 0, GUARD_ANNOUNCED, NULL, 0);
	expect_verdicts(
	        s, "ams-2",
	        "the other node announces nothing, and of DNS 192.0.2.54 another server is not known",
	        ALONE("DNS 192.0.2.53") NO_RECEIVER SETTLED);
	let_say(s, 0, GUARD_ANNOUNCED, keys, 2);
	expect_verdicts(s, "ams-2", "the other node announces", REACH("2") NO_RECEIVER SETTLED);
	let_say(s, 1, GUARD_ANNOUNCED, keys, 2);
	expect_verdicts(s, "ams-1", "of the one address", REACH("1") NO_RECEIVER SETTLED);
}

SUITE(command_node)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        a_drain_is_in_the_document_at_once_and_its_end_as_well, setup, teardown),
		cmocka_unit_test_setup_teardown(a_drain_holds_over_a_restart_and_ends_at_its_time,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_withdrawal_ends_by_enable_and_by_undrain, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_a_node_cannot_have_is_refused, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(the_last_node_that_announces_a_vip_stays, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        the_last_node_that_announces_an_address_of_dns_stays, setup_dns, teardown),
		cmocka_unit_test_setup_teardown(
		        the_only_node_of_a_site_may_leave_once_the_site_is_drained, setup_one,
		        teardown),
		cmocka_unit_test_setup_teardown(
		        the_only_node_waits_for_no_vip_that_an_operation_has_withdrawn, setup_one,
		        teardown),
		cmocka_unit_test_setup_teardown(a_drained_node_is_no_other_node, setup, teardown),
		cmocka_unit_test_setup_teardown(the_other_node_must_have_room, setup, teardown),
		cmocka_unit_test_setup_teardown(unsettled_slots_are_waited_for_unless_it_is_now,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(each_verdict_on_a_node_has_its_words, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(each_verdict_on_a_server_has_its_words, setup_dns,
		                                teardown),
	};

	return cmocka_run_group_tests_name("command node", tests, NULL, NULL);
}
