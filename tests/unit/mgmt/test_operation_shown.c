/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation as the API shows it, all of it: each field has a value of its own, so that none can take the place of
 * another.
 */
#include "whole_json.h"

#include "described.h"
#include "tests/unit/suite.h"

#include "mgmt/controller/operation_measure.h"
#include "mgmt/controller/operation_show.h"
#include "mgmt/controller/operation_snapshot.h"

#define T0 ((int64_t)1790000000000) /* 2026-09-21T14:13:20Z */

static struct operations_item item;

static struct operation_value value_of(uint64_t value)
{
	return (struct operation_value){ true, value };
}

static void set_name(char out[MODEL_NAME_MAX], const char *text)
{
	snprintf(out, MODEL_NAME_MAX, "%s", text);
}

/* A drain of two sites that is under way, of which only what a person said is known. */
static int setup(void **state)
{
	struct operation *op = &item.op;

	(void)state;
	memset(&item, 0, sizeof(item));
	snprintf(op->id, sizeof(op->id), "o7");
	set_name(op->author, "jw");
	snprintf(op->principal, sizeof(op->principal), "token:otto");
	snprintf(op->reason, sizeof(op->reason), "new switches");
	set_name(op->owner, "fra-1");
	set_name(op->command_node, "lon-1");
	op->created_ms = T0;
	op->until_ms = MODEL_TIME_NEVER;
	op->state = OPERATION_MOVING;
	op->epoch = 64;
	op->seq = 9;
	op->step = 1;
	op->level_ppm = 250000;
	op->goal_ppm = 1000000;
	op->plan_from_ppm = 100000;
	op->n_plan = 2;
	op->plan_ppm[0] = 250000;
	op->plan_ppm[1] = 1000000;
	op->n_targets = 2;
	set_name(op->targets[0].site, "ams");
	set_name(op->targets[1].site, "par");
	snprintf(op->waits, sizeof(op->waits), "the TTL");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(item.outlook);
	return 0;
}

#define WAITS                                                                                      \
	"'all name servers that are reached report the level; the longest TTL of earlier answers " \
	"and 5 s have passed; receivers are well; new flows at the site are as projected'"

#define SUMMARY_WITHOUT_STATE                                                                      \
	"'id':'o7','kind':'drain','sites':['ams','par'],'service':'','author':'jw',"               \
	"'principal':'token:otto','reason':'new switches','owner':'fra-1','epoch':64,'seq':9,"     \
	"'created':'2026-09-21T14:13:20.000Z','until':null,'level_ppm':250000,"                    \
	"'goal_ppm':1000000,'waits':'the TTL',"

#define PLAN_STEPS                                                                                 \
	"'from_ppm':100000,'steps':[{'level_ppm':250000,'waits_for':" WAITS "},"                   \
	"{'level_ppm':1000000,'waits_for':" WAITS "}]"

/* @p json (given), as its rows describe it. */
static json_t *hold_against(const struct record_kind *kind, json_t *json)
{
	json_t *schema = record_schema(kind);

	described_check(schema, json, "operation");
	json_decref(schema);
	return json;
}

static json_t *show_item(void)
{
	return hold_against(&operation_shown_record, operation_show_json(&item));
}

static json_t *show_summary(void)
{
	return hold_against(&operation_summary_record, operation_summary_json(&item));
}

static void one_that_is_under_way_shows_what_it_was_asked_for(void **state)
{
	(void)state;
	expect_whole("the summary", show_summary(),
	             "{" SUMMARY_WITHOUT_STATE "'state':'moving','hold':null,'ended':null}");
	expect_whole("all of it", show_item(),
	             "{" SUMMARY_WITHOUT_STATE "'state':'moving','hold':null,'ended':null,"
	             "'undo':'weir undrain site ams par --reason TEXT','command_node':'lon-1',"
	             "'now':false,'over_ms':null,'withdraw':false,'expired':false,'stage':null,"
	             "'step':1,'plan':{" PLAN_STEPS
	             "},'steps':[],'nodes':[],'without':[],'late':[],"
	             "'evidence':null,'preflight':null}");
}

/* Each word that may be wrong for one reason alone. */
static void what_a_person_chose_is_shown_by_its_own_word(void **state)
{
	struct operation *op = &item.op;

	(void)state;
	op->kind = OPERATION_SHIFT;
	set_name(op->service, "web");
	set_name(op->author, "");
	op->n_targets = 1;
	op->n_plan = 0;
	op->until_ms = T0 + 3600000;
	op->now = true;
	expect_whole(
	        "at once", show_item(),
	        "{'id':'o7','kind':'shift','sites':['ams'],'service':'web','author':'',"
	        "'principal':'token:otto','reason':'new switches','owner':'fra-1','epoch':64,"
	        "'seq':9,'created':'2026-09-21T14:13:20.000Z','until':'2026-09-21T15:13:20.000Z',"
	        "'level_ppm':250000,'goal_ppm':1000000,'waits':'the TTL','state':'moving',"
	        "'hold':null,'ended':null,'undo':'weir undrain site ams --service web --reason "
	        "TEXT','command_node':'lon-1','now':true,'over_ms':null,'withdraw':false,"
	        "'expired':false,'stage':null,'step':1,'plan':{'from_ppm':100000,'steps':[]},"
	        "'steps':[],'nodes':[],'without':[],'late':[],'evidence':null,"
	        "'preflight':null}");
	static const struct {
		const char *why, *word, *is;
		bool now, withdraw, expired;
		int64_t over_ms;
	} rows[] = {
		{ "its pace", "over_ms", "1500", false, false, false, 1500 },
		{ "no pace", "over_ms", "null", true, true, true, 0 },
		{ "one step", "now", "true", true, false, false, 0 },
		{ "steps", "now", "false", false, true, true, 9 },
		{ "withdrawn, too", "withdraw", "true", false, true, false, 0 },
		{ "not withdrawn", "withdraw", "false", true, false, true, 9 },
		{ "its time has passed", "expired", "true", false, false, true, 0 },
		{ "it has not", "expired", "false", true, true, false, 9 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		op->now = rows[i].now;
		op->withdraw = rows[i].withdraw;
		op->expired = rows[i].expired;
		op->over_ms = rows[i].over_ms;
		json_t *o = show_item();

		expect_whole(rows[i].why, json_incref(json_object_get(o, rows[i].word)),
		             rows[i].is);
		json_decref(o);
	}
}

static void a_hold_says_why_since_when_and_what_ends_it(void **state)
{
	struct operation *op = &item.op;

	(void)state;
	snprintf(op->hold.code, sizeof(op->hold.code), "node-lost");
	snprintf(op->hold.detail, sizeof(op->hold.detail), "node par-1 is not reached");
	op->hold.since_ms = T0 + 5000;
	op->hold.from = OPERATION_MOVING;
	item.n_nodes = 3;
	item.nodes[0] = (struct operations_node){ .node = "ams-1",
		                                  .reached = true,
		                                  .level_known = true,
		                                  .epoch = 65,
		                                  .step = 3,
		                                  .level_ppm = 40 };
	item.nodes[1] = (struct operations_node){ .node = "par-1", .level_ppm = 77 };
	item.nodes[2] = (struct operations_node){ .node = "par-2", .absent = true };
	op->n_without = 2;
	set_name(op->without[0], "par-2");
	set_name(op->without[1], "par-3");
	op->n_late = 2;
	op->late[0] = (struct operation_late){ .prefix = "192.0.2.0/24", .flows = value_of(3) };
	op->late[1] = (struct operation_late){ .prefix = "2001:db8:7::/48" };
	static const struct {
		enum operation_state state;
		const char *word;
	} rows[] = { { OPERATION_HELD, "held" }, { OPERATION_EXPIRED_HELD, "expired_held" } };
	for (size_t i = 0; i < 2; i++) {
		char text[4096];

		op->state = rows[i].state;
		snprintf(text, sizeof(text),
		         "{" SUMMARY_WITHOUT_STATE
		         "'state':'%s','ended':null,'hold':{'code':'node-lost','detail':"
		         "'node par-1 is not reached','since':'2026-09-21T14:13:25.000Z',"
		         "'resume':'weir operation o7 resume --without par-1 --reason TEXT',"
		         "'back':'weir operation o7 abort --reason TEXT'},"
		         "'undo':'weir undrain site ams par --reason TEXT','command_node':'lon-1',"
		         "'now':false,'over_ms':null,'withdraw':false,'expired':false,'stage':null,"
		         "'step':1,'plan':{" PLAN_STEPS "},'steps':[],'nodes':["
		         "{'node':'ams-1','reached':true,'named_absent':false,'level_ppm':40,"
		         "'epoch':65,'step':3},"
		         "{'node':'par-1','reached':false,'named_absent':false,'level_ppm':null,"
		         "'epoch':0,'step':0},"
		         "{'node':'par-2','reached':false,'named_absent':true,'level_ppm':null,"
		         "'epoch':0,'step':0}],"
		         "'without':['par-2','par-3'],'late':[{'prefix':'192.0.2.0/24',"
		         "'flows_per_s':3},{'prefix':'2001:db8:7::/48','flows_per_s':null}],"
		         "'evidence':null,'preflight':null}",
		         rows[i].word);
		expect_whole(rows[i].word, show_item(), text);
	}
}

#define LOAD(site, a, b, c, d, e)                                                                  \
	"{'site':'" site "','flows_per_s':" a ",'expected_flows_per_s':" b ",'bits_per_s':" c      \
	",'capacity_flows_per_s':" d ",'capacity_bits_per_s':" e "}"

/* What was observed of the way out and the way back. */
static void give_evidence(struct operation *op)
{
	const struct operation_load ams = { .site = "ams",
		                            .flows = value_of(1),
		                            .expected_flows = value_of(2),
		                            .bits = value_of(3),
		                            .capacity_flows = value_of(4),
		                            .capacity_bits = value_of(5) },
	                            fra = { .site = "fra", .bits = value_of(6) };

	op->n_steps = 2;
	for (int i = 0; i < 2; i++)
		for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
			op->steps[i].margins[g] = INT64_MAX;
	op->steps[0].from_ppm = 100000;
	op->steps[0].to_ppm = 250000;
	op->steps[0].state = OPERATION_MOVING;
	op->steps[0].begun_ms = T0 + 1000;
	op->steps[0].in_force_ms = T0 + 2000;
	op->steps[0].ended_ms = T0 + 3000;
	op->steps[0].ttl_s = value_of(31);
	op->steps[0].share_ppm = value_of(32);
	op->steps[0].expected_ppm = value_of(33);
	op->steps[0].least_ppm = value_of(34);
	op->steps[0].most_ppm = value_of(35);
	op->steps[0].judged = true;
	op->steps[0].margins[OPERATION_GUARD_ROOM] = 12;
	op->steps[0].margins[OPERATION_GUARD_SHARE] = -3;
	op->steps[0].n_loads = 2;
	op->steps[0].loads[0] = ams;
	op->steps[0].loads[1] = fra;
	op->steps[1].from_ppm = 250000;
	op->steps[1].state = OPERATION_RETURNING;
	op->steps[1].begun_ms = T0 + 60000;
	op->steps[1].margins[OPERATION_GUARD_ROOM] = 11;
	snprintf(op->steps[1].not_judged, sizeof(op->steps[1].not_judged), "too few");
	op->n_before = op->n_after = 1;
	op->before[0] = ams;
	op->after[0] = fra;
	op->began_ms = T0 + 500;
	op->full_ms = T0 + 4000;
	op->drained_ms = T0 + 5000;
	op->holds = 3;
	op->failures_lost = 2;
	op->n_was_late = 1;
	op->was_late[0] = (struct operation_late){ "198.51.100.0/24", value_of(8) };
	op->n_failures = 2;
	op->failures[0] = (struct operation_failure){ "person", "jw", T0 + 6000, T0 + 7000, false };
	op->failures[1] = (struct operation_failure){ "pools", "down", T0 + 8000, 0, false };
}

#define STEPS                                                                                                       \
	"[{'from_ppm':100000,'level_ppm':250000,'state':'moving','begun':"                                          \
	"'2026-09-21T14:13:21.000Z','in_force':'2026-09-21T14:13:22.000Z','ended':"                                 \
	"'2026-09-21T14:13:23.000Z','ttl_s':31,'share_measured_ppm':32,'share_expected_ppm':33,"                    \
	"'share_least_ppm':34,'share_most_ppm':35,'judged':true,'not_judged':'','loads':[" LOAD(                    \
	        "ams", "1", "2", "3", "4",                                                                          \
	        "5") "," LOAD("fra", "null", "null", "6", "null",                                                   \
	                      "null") "],"                                                                          \
	                              "'margins_percent':{'room':12,'share':-3}},"                                  \
	                              "{'from_ppm':250000,'level_ppm':0,'state':'returning','begun':"               \
	                              "'2026-09-21T14:14:20.000Z','in_force':null,'ended':null,'ttl_s':null,"       \
	                              "'share_measured_ppm':null,'share_expected_ppm':null,'share_least_ppm':null," \
	                              "'share_most_ppm':null,'judged':false,'not_judged':'too few','loads':[],"     \
	                              "'margins_percent':{'room':11}}]"

#define EVIDENCE(ended, last)                                                                                             \
	"{'times':{'began':'2026-09-21T14:13:20.500Z','full':'2026-09-21T14:13:24.000Z',"                                 \
	"'drained':'2026-09-21T14:13:25.000Z','ended':" ended "},'time_line':["                                           \
	"{'at':'2026-09-21T14:13:20.500Z','event':'began'},"                                                              \
	"{'at':'2026-09-21T14:13:21.000Z','event':'step','level_ppm':250000},"                                            \
	"{'at':'2026-09-21T14:13:22.000Z','event':'in_force','level_ppm':250000},"                                        \
	"{'at':'2026-09-21T14:13:23.000Z','event':'step_ended','level_ppm':250000},"                                      \
	"{'at':'2026-09-21T14:13:24.000Z','event':'full'},"                                                               \
	"{'at':'2026-09-21T14:13:25.000Z','event':'drained'},"                                                            \
	"{'at':'2026-09-21T14:13:26.000Z','event':'held','code':'person'},"                                               \
	"{'at':'2026-09-21T14:13:27.000Z','event':'went_on','code':'person'},"                                            \
	"{'at':'2026-09-21T14:13:28.000Z','event':'held','code':'pools'},"                                                \
	"{'at':'2026-09-21T14:14:20.000Z','event':'step','level_ppm':0}" last "],"                                        \
	"'load_before':[" LOAD(                                                                                           \
	        "ams", "1", "2", "3", "4",                                                                                \
	        "5") "],"                                                                                                 \
	             "'load_after':[" LOAD(                                                                               \
	                     "fra", "null", "null", "6", "null",                                                          \
	                     "null") "],"                                                                                 \
	                             "'levels':[{'at':'2026-09-21T14:13:23.000Z','level_ppm':250000,'share_ppm':32,"      \
	                             "'expected_share_ppm':33},{'at':null,'level_ppm':0,'share_ppm':null,"                \
	                             "'expected_share_ppm':null}],'late':[{'prefix':'198.51.100.0/24','flows_per_s':8}]," \
	                             "'failures':[{'at':'2026-09-21T14:13:28.000Z','code':'pools','detail':'down',"       \
	                             "'overridden':false,'until':null}],'failures_left_out':2,"                           \
	                             "'least_margins_percent':{'room':11,'share':-3},'holds':3,'confirmed_by_packets':true}"

static void what_was_observed_is_shown_step_by_step(void **state)
{
	struct operation *op = &item.op;

	(void)state;
	give_evidence(op);
	op->state = OPERATION_RETURNING;
	op->stage = OPERATION_STAGE_ANNOUNCE;
	op->way = OPERATION_BACK;
	expect_whole("on the way back", show_item(),
	             "{" SUMMARY_WITHOUT_STATE "'state':'returning','hold':null,'ended':null,"
	             "'undo':'weir operation o7 abort --reason TEXT','command_node':'lon-1',"
	             "'now':false,'over_ms':null,'withdraw':false,'expired':false,"
	             "'stage':'announce','step':1,'plan':{" PLAN_STEPS "},'steps':" STEPS
	             ",'nodes':[],'without':[],'late':[],'evidence':" EVIDENCE(
	                     "null", "") ","
	                                 "'preflight':null}");
	item.judged = true; /* once: of what is over that says nothing */
	op->state = OPERATION_FAILED;
	op->way = OPERATION_OUT;
	op->ended_ms = T0 + 90000;
	snprintf(op->hold.code, sizeof(op->hold.code), "site-gone");
	snprintf(op->hold.detail, sizeof(op->hold.detail), "there is no site par");
	expect_whole(
	        "it has failed", show_item(),
	        "{" SUMMARY_WITHOUT_STATE "'state':'failed','hold':null,"
	        "'ended':{'at':'2026-09-21T14:14:50.000Z','code':'site-gone',"
	        "'detail':'there is no site par'},"
	        "'undo':null,'command_node':'lon-1',"
	        "'now':false,'over_ms':null,'withdraw':false,'expired':false,"
	        "'stage':null,'step':1,'plan':{" PLAN_STEPS "},'steps':" STEPS
	        ",'nodes':[],'without':[],'late':[],'evidence':" EVIDENCE(
	                "'2026-09-21T14:14:50.000Z'",
	                ",{'at':'2026-09-21T14:14:50.000Z','event':'ended'}") ","
	                                                                      "'preflight':null}");
}

/* A guard that is shown as it is judged. */
#define GUARD(guard, ok, overridden, unknown, state, may, margin, detail)                          \
	"{'guard':'" guard "','ok':" ok ",'overridden':" overridden ",'unknown':" unknown          \
	",'state':'" state "','may_be_overridden':" may ",'margin_percent':" margin                \
	",'detail':'" detail "'}"
#define NOT_CHECKED(guard, may)                                                                    \
	GUARD(guard, "true", "false", "true", "not_checked", may, "null", "")

static void each_guard_is_shown_with_its_verdict(void **state)
{
	struct operation_verdict *v = item.verdicts;

	(void)state;
	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		v[g].ok = true;
	v[OPERATION_GUARD_LAST_SITE].checked = true;
	v[OPERATION_GUARD_ROOM].checked = true;
	v[OPERATION_GUARD_ROOM].margin = value_of(17);
	v[OPERATION_GUARD_RECEIVERS] = (struct operation_verdict){ .checked = true };
	snprintf(v[OPERATION_GUARD_RECEIVERS].detail, sizeof(v[0].detail), "fra suffers");
	v[OPERATION_GUARD_FRESH] = (struct operation_verdict){ .checked = true, .unknown = true };
	v[OPERATION_GUARD_BACKUP] =
	        (struct operation_verdict){ .checked = true, .overridden = true, .unknown = true };
	v[OPERATION_GUARD_NO_DNS].checked = v[OPERATION_GUARD_NO_DNS].overridden = true;
	item.judged = true;
	item.deciding = 3;
	item.outlook =
	        json_pack("{s:i, s:i, s:[s], s:[s]}", "expected_s", 77, "queries_per_s_at_min_ttl",
	                  55, "receivers", "fra", "backups", "b");
	json_t *o = operation_show_json(&item); /* its receivers are none */
	expect_whole("the plan with its outlook", json_incref(json_object_get(o, "plan")),
	             "{" PLAN_STEPS ",'expected_s':77,'queries_per_s_at_min_ttl':55}");
	expect_whole(
	        "what was judged", json_incref(json_object_get(o, "preflight")),
	        "{'deciding_sites':3,'expected_s':77,'queries_per_s_at_min_ttl':55,"
	        "'receivers':['fra'],'backups':['b'],'guards':[" GUARD(
	                "last-site", "true", "false", "false", "ok", "true",
	                "null", "") "," NOT_CHECKED("max-sites-out",
	                                            "true") "," GUARD("room", "true", "false",
	                                                              "false", "ok", "true",
	                                                              "17", "") "," GUARD("receivers", "false", "false", "false", "refused", "true", "null", "fra suffers") "," GUARD("fresh", "false", "false", "true", "unknown", "true", "null", "") "," NOT_CHECKED("unconfirmed", "true") "," NOT_CHECKED("majority",
	                                                                                                                                                                                                                                                                                                       "false") "," GUARD("backup",
	                                                                                                                                                                                                                                                                                                                          "true",
	                                                                                                                                                                                                                                                                                                                          "true", "true", "overridden", "true", "null", "") "," GUARD("no-dns", "true", "false", "false",
	                                                                                                                                                                                                                                                                                                                                                                                      "ok", "true", "null", "") "," NOT_CHECKED("clock",
	                                                                                                                                                                                                                                                                                                                                                                                                                                "false") "," NOT_CHECKED("share", "true") "," NOT_CHECKED("operation",
	                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "false") "]}");
	json_decref(o);
	json_decref(item.outlook);
	item.outlook = NULL;
	o = show_item();
	assert_int_equal(json_object_size(json_object_get(o, "preflight")), 2);
	json_decref(o);
	item.judged = false;
	o = show_item();
	assert_true(json_is_null(json_object_get(o, "preflight")));
	json_decref(o);
}

/* --- the outlook --- */

static struct model_site sites[] = {
	{ .name = "ams", .index = 0 },
	{ .name = "fra", .index = 1, .capacity_flows = 900, .capacity_bits = 8000 },
	{ .name = "lon", .index = 2 },
	{ .name = "par", .index = 3, .capacity_bits = 700 },
};
static struct model m = { .sites = sites, .n_sites = 4 };

static void the_outlook_has_each_receiver_with_all_its_figures(void **state)
{
	static struct operation_snapshot view;
	static struct operation_observed observed;
	struct projection projection = { .by_keys = true,
		                         .queries_per_s_min_ttl = 55,
		                         .covered_s = 61,
		                         .queries = 62,
		                         .n_nodes = 63,
		                         .heaviest_ppm = 64 };

	(void)state;
	view.m = &m;
	item.op.n_targets = 1;
	observed.facts.n_sites = 4;
	for (uint32_t i = 0; i < 4; i++) {
		observed.sites[i].name = sites[i].name;
		observed.sites[i].arrivals = value_of(100 + i);
		observed.sites[i].bits = value_of(200 + i);
		for (uint32_t k = 0; k < 4; k++)
			observed.sites[i].at[k] = (struct operation_projected){
				.receives = i == 2 ? OPERATION_NO : OPERATION_YES,
				.flows = value_of(300 + 10 * k + i),
				.bits = value_of(400 + 10 * k + i),
				.backup_flows = value_of(500 + 10 * k + i)
			};
	}
	observed.sites[3].at[2].bits.known = false;
	observed.sites[3].bits.known = false;
	observed.facts.unseen_ppm = value_of(65);
	observed.projection = &projection;
	observed.facts.unheard = "lon-1";
	expect_whole("the end of a plan of two steps",
	             operation_outlook_json(&view, &item.op, &observed),
	             "{'expected_s':null,'backups':[],'queries_per_s_at_min_ttl':55,'unheard':"
	             "'lon-1','projection':{'by_keys':true,'covered_s':61,'queries':62,'nodes':63,"
	             "'heaviest_ppm':64,'unseen_ppm':65},'receivers':["
	             "{'site':'fra','before_flows':101,'after_flows':321,'capacity_flows':900,"
	             "'before_bits':201,'after_bits':421,'capacity_bits':8000,'backup_flows':521,"
	             "'known':true},"
	             "{'site':'par','before_flows':103,'after_flows':323,'capacity_flows':null,"
	             "'before_bits':null,'after_bits':null,'capacity_bits':700,'backup_flows':523,"
	             "'known':false}]}");
}

SUITE(operation_shown)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_that_is_under_way_shows_what_it_was_asked_for),
		TEST(what_a_person_chose_is_shown_by_its_own_word),
		TEST(a_hold_says_why_since_when_and_what_ends_it),
		TEST(what_was_observed_is_shown_step_by_step),
		TEST(each_guard_is_shown_with_its_verdict),
		TEST(the_outlook_has_each_receiver_with_all_its_figures),
	};

	return cmocka_run_group_tests_name("operation shown", tests, NULL, NULL);
}
