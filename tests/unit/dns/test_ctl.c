/* SPDX-License-Identifier: BSD-2-Clause */
/* What the control socket says of a site: each mark of either family is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/memory.h"
#include "dns/generation.h"
#include "dns/server.h"
#include "dns/steering/peer_health.h"
#include "dns/zone/image.h"
#include "record/answers.h"
#include "tests/unit/answers.h"
#include "tests/unit/described.h"
#include "tests/unit/suite.h"
#include "weir/health.h"

#define PEER_HEALTH_JSON_MAX 8192u
#define NAMES_JSON_MAX       1000u
#define RAMPS_JSON_MAX       256u

static bool no_room; /* for the list of services */

static void *own_calloc(size_t n, size_t size)
{
	return no_room ? NULL : __real_calloc(n, size);
}

/*
 * A whole server: two services at two sites, two nodes that see them, two zones, a ramp and a
 * mistake.
 */
struct whole {
	struct {
		struct image head;
		struct image_zone zones[2];
		_Alignas(4)
		        uint8_t names[3][20]; /* image_name with its label; the last is the root */
	} image;
	struct steering_site at[2][2];
	struct steering_service services[2];
	struct steering_name names[2];
	struct steering place;
	struct steering_state *state;
	struct model_site sites[3];
	health_word words[2][8];
	struct node_health view[2];
	struct peer_health views;
	struct model model;
	struct generation g;
	struct ramp_record ramp;
	struct server s;
};

static void fill_zones(struct whole *w)
{
	w->image.head = (struct image){ .n_zones = 2,
		                        .size_bytes = 4711,
		                        .zones_off = offsetof(struct whole, image.zones) };
	for (uint32_t i = 0; i < 2; i++) {
		struct image_name *name = (struct image_name *)w->image.names[i];

		name->parent_off = (uint32_t)offsetof(struct whole, image.names[2]);
		name->n_labels = 1;
		memcpy(name->label, i ? "\1b" : "\1a", 2);
		w->image.zones[i] = (struct image_zone){
			.name_off = (uint32_t)(offsetof(struct whole, image.names) + i * 20),
			.serial = 70 + i,
			.n_records = 5 + i,
			.state = i ? IMAGE_ZONE_EARLIER : 0
		};
	}
}

static void fill_state(struct whole *w)
{
	health_word up = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1),
	            down = health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1);

	w->state = calloc(1, sizeof(*w->state) + 4 * sizeof(w->state->sites[0]));
	for (unsigned i = 0; i < 4; i++) {
		w->state->sites[i].words[0] = up;
		w->state->sites[i].words[1] = i == 2 ? down : up;
		w->state->sites[i].drained_ppm = 1000 * i;
	}
	for (unsigned i = 0; i < 8; i++) {
		w->words[0][i] = i == 5 ? down : up;
		w->words[1][i] = i == 1   ? health_make(HEALTH_UP, HEALTH_MARK_INCONCLUSIVE,
		                                        HEALTH_REASON_OK, 1)
		                 : i == 6 ? health_make(HEALTH_DOWN, HEALTH_MARK_UNPROVEN,
		                                        HEALTH_REASON_OK, 1)
		                          : up;
	}
}

static void fill_whole(struct whole *w)
{
	static const char *const names[] = { "ams", "fra" };

	memset(w, 0, sizeof(*w));
	fill_zones(w);
	fill_state(w);
	for (unsigned i = 0; i < 4; i++)
		w->at[i / 2][i % 2] = (struct steering_site){ .name = names[i % 2],
			                                      .weight = 10 + i,
			                                      .n_addresses = { 1, i != 3 } };
	w->services[0] =
	        (struct steering_service){ .name = "web", .n_sites = 2, .sites = w->at[0] };
	w->services[1] = (struct steering_service){
		.name = "mail", .n_sites = 2, .sites = w->at[1], .first_state = 2
	};
	w->names[0] = (struct steering_name){ .name = "www", .service = &w->services[0] };
	w->names[1] = (struct steering_name){ .name = "mx",
		                              .service = &w->services[1],
		                              .policy = MODEL_POLICY_FAILOVER };
	w->place = (struct steering){
		.n_names = 2, .names = w->names, .n_services = 2, .services = w->services
	};
	for (unsigned i = 0; i < 2; i++) {
		w->sites[i] = (struct model_site){ .name = names[i], .index = i };
		w->view[i] = (struct node_health){ .node = i ? "fra-1" : "ams-1",
			                           .site = &w->sites[i],
			                           .words = w->words[i],
			                           .fresh = i == 0 };
	}
	w->views = (struct peer_health){ .n = 2, .n_targets = 8, .items = w->view };
	w->views.sites_out = 2;
	w->model.sites = w->sites;
	w->model.n_sites = 3; /* the third has no node */
	w->model.meta.document = 42;
	w->model.meta.version = 41;
	w->g = (struct generation){ .model = &w->model,
		                    .steering = &w->place,
		                    .state = w->state,
		                    .peer_health = &w->views,
		                    .image = &w->image.head,
		                    .n_earlier = 1 };
	w->ramp = (struct ramp_record){
		.id = "d1", .generation = 3, .at_ms = 999, .how = RAMP_HELD_SITE
	};
	w->s.now = &w->g;
	w->s.n_threads = 6;
	w->s.clock = WALL_CLOCK_UNSYNCHRONISED;
	w->s.ramps = (struct ramps){ .n = 1, .items = &w->ramp };
	w->s.load.started = 9;
	w->s.load.finished = 8;
}

static struct whole the;

static int set_up(void **state)
{
	(void)state;
	fill_whole(&the);
	the.views.votes = true;
	return the.state ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(the.state);
	return 0;
}

static char *ask_text(const char *line)
{
	char *text = dns_ctl_handle(&the.s, line, strlen(line));

	assert_non_null(text);
	return text;
}

static json_t *ask_status(void)
{
	char *text = ask_text("{\"do\":\"status\"}");
	json_t *status = json_loads(text, 0, NULL);

	free(text);
	assert_non_null(status);
	described_by_rows(&dns_shown_kind, status);
	return status;
}

/* What stands at number @p i of a list. */
static json_t *row_of(json_t *of, const char *list, size_t i)
{
	return json_array_get(json_object_get(of, list), i);
}

static const char *text_of(json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

static bool is_said(json_t *answer, const char *name)
{
	json_t *value = json_object_get(answer, name);

	assert_true(json_is_boolean(value));
	return json_is_true(value);
}

/* What is said of the first service at its first site: a new reference. */
static json_t *tell_site(health_word ip6, health_word ip4)
{
	json_t *status, *site;

	the.state->sites[0].words[0] = ip6;
	the.state->sites[0].words[1] = ip4;
	status = ask_status();
	site = json_incref(row_of(row_of(status, "names", 0), "sites", 0));
	json_decref(status);
	return site;
}

static void a_mark_of_either_family_is_told(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool ip6 = i & 1, ip4 = i & 2;
		json_t *answer = tell_site(
		        health_make(HEALTH_UP, ip6 ? HEALTH_MARK_DOUBT : 0, HEALTH_REASON_OK, 1),
		        health_make(HEALTH_DOWN, ip4 ? HEALTH_MARK_DOUBT : 0, HEALTH_REASON_REFUSED,
		                    1));

		assert_int_equal(is_said(answer, "in_doubt"), ip6 || ip4);
		assert_string_equal(text_of(answer, "ipv6"), "up");
		assert_string_equal(text_of(answer, "ipv4"), "down");
		json_decref(answer);
		the.state->sites[0].unproven[0] = ip6;
		the.state->sites[0].unproven[1] = ip4;
		answer = tell_site(0, 0);
		assert_int_equal(is_said(answer, "unproven"), ip6 || ip4);
		assert_string_equal(text_of(answer, "unproven_in"), ip6 == ip4 ? ""
		                                                    : ip4      ? "ipv4"
		                                                               : "ipv6");
		json_decref(answer);
		the.state->sites[0].unproven[0] = the.state->sites[0].unproven[1] = false;
	}
}

static void what_a_person_did_is_told(void **state)
{
	struct steering_site_state *at = &the.state->sites[0];
	json_t *answer;

	(void)state;
	at->disabled = true;
	answer = tell_site(0, 0);
	assert_true(is_said(answer, "disabled"));
	assert_false(is_said(answer, "forced_up") || is_said(answer, "shifting"));
	json_decref(answer);
	at->disabled = false;
	at->forced_up = at->shifting = true;
	at->drained_ppm = 250000;
	answer = tell_site(0, 0);
	assert_true(is_said(answer, "forced_up") && is_said(answer, "shifting"));
	assert_false(is_said(answer, "disabled"));
	assert_int_equal(json_integer_value(json_object_get(answer, "drained_ppm")), 250000);
	json_decref(answer);
}

static void the_worst_of_a_zones_states_is_told(void **state)
{
	json_t *status;

	(void)state;
	the.image.zones[0].state = IMAGE_ZONE_BROKEN | IMAGE_ZONE_EARLIER;
	status = ask_status();
	assert_string_equal(text_of(row_of(status, "zones", 0), "state"), "broken");
	assert_string_equal(text_of(row_of(status, "zones", 1), "state"), "earlier");
	json_decref(status);
}

/* Where each trusts its own checks, the others' are not told. */
static void views_are_told_where_they_are_counted(void **state)
{
	json_t *answer;

	(void)state;
	for (unsigned votes = 0; votes < 2; votes++) {
		the.views.votes = votes;
		answer = tell_site(0, 0);
		assert_int_equal(json_array_size(json_object_get(answer, "views")), 2 * votes);
		json_decref(answer);
	}
}

static void a_service_that_fails_closed_is_told(void **state)
{
	json_t *status;

	(void)state;
	the.services[1].fail_closed = true;
	status = ask_status();
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(json_object_get(row_of(status, "names", i), "fail_closed") != NULL,
		                 i == 1);
	json_decref(status);
}

static void as_many_ramps_and_mistakes_are_told_as_there_are(void **state)
{
	static struct ramp_record items[RAMPS_JSON_MAX + 1];
	static char mistake[] = "a: b";
	struct server_load *l = &the.s.load;
	json_t *status;

	(void)state;
	the.s.ramps.items = items;
	for (size_t n = 0; n <= RAMPS_JSON_MAX + 1; n++) {
		the.s.ramps.n = n;
		status = ask_status();
		assert_int_equal(json_array_size(json_object_get(status, "ramps")),
		                 n < RAMPS_JSON_MAX ? n : RAMPS_JSON_MAX);
		json_decref(status);
	}
	for (unsigned i = 0; i < SERVER_ERRORS_MAX; i++)
		l->errors[i] = mistake;
	l->zones[0] = mistake;                               /* what stands behind them is none */
	l->n_errors = SERVER_ERRORS_MAX + 9;                 /* more were counted than are kept */
	for (unsigned running = 0; running < 2; running++) { /* then they are the thread's */
		l->running = running;
		status = ask_status();
		assert_int_equal(json_array_size(json_object_get(json_object_get(status, "load"),
		                                                 "mistakes")),
		                 running ? 0 : SERVER_ERRORS_MAX);
		json_decref(status);
	}
}

/* ctl_serve() gives no answer where memory was short: one without names would say that there are none. */
static void a_status_that_lacks_its_names_is_none(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		no_room = round == 1;
		memory_forget();
		free(dns_ctl_handle(&the.s, "{\"do\":\"status\"}", 15));
		assert_int_equal(memory_failed(), no_room);
	}
	no_room = false;
	memory_forget();
}

/*
 * Each service's sites stand once in the answer, also those of a service whose name comes last. Of the other names a
 * limited number is listed, and the number of all is there. Who reads the answer takes 4 MiB.
 */
static void sites_are_told_once_for_each_service_and_names_have_a_limit(void **state)
{
	enum { N = 10000 };
	static struct steering_name names[N];
	json_t *status, *list;
	char *text;

	(void)state;
	for (unsigned i = 0; i < N; i++)
		names[i] = (struct steering_name){ .name = "customer-00001.z0.test",
			                           .service = &the.services[i == N - 1] };
	the.place.names = names;
	the.place.n_names = N;
	the.services[0].fail_closed = true; /* told with the sites, which it is about */
	text = ask_text("{\"do\":\"status\"}");
	assert_true(strlen(text) < 1 << 20);
	status = json_loads(text, 0, NULL);
	list = json_object_get(status, "names");
	assert_int_equal(json_array_size(list), NAMES_JSON_MAX + 2);
	assert_int_equal(json_integer_value(json_object_get(status, "n_names")), N);
	for (unsigned i = 0; i < NAMES_JSON_MAX + 2; i++) {
		const json_t *one = json_array_get(list, i);
		bool last = i == NAMES_JSON_MAX + 1;

		assert_string_equal(json_string_value(json_object_get(one, "service")),
		                    last ? "mail" : "web");
		assert_int_equal(json_array_size(json_object_get(one, "sites")),
		                 i == 0 || last ? 2 : 0);
		assert_int_equal(json_object_get(one, "sites") != NULL, i == 0 || last);
		assert_int_equal(json_object_get(one, "fail_closed") != NULL, i == 0);
	}
	json_decref(status);
	free(text);
}

/* 1,000 services at 63 sites, far more than an answer holds; one alone has a site of its own. */
enum {
	MANY = 1000,
	MANY_SITES = 63,
	MANY_OFF = 970,
	MANY_OWN = 980,
	MANY_DOWN = 985,
	MANY_LAST = 995
};

struct many {
	struct whole w;
	char texts[MANY_SITES][8], service_texts[MANY][8];
	struct steering_site at[MANY_SITES], own[MANY_SITES];
	struct steering_service services[MANY];
	struct steering_name names[MANY];
};

static void fill_many(struct many *t)
{
	const health_word up = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1);

	fill_whole(&t->w);
	free(t->w.state);
	t->w.g.state = t->w.state = calloc(
	        1, sizeof(*t->w.state) + (size_t)MANY * MANY_SITES * sizeof(t->w.state->sites[0]));
	assert_non_null(t->w.state);
	for (unsigned k = 0; k < MANY_SITES; k++) {
		snprintf(t->texts[k], sizeof(t->texts[k]), "s%02u", k);
		t->at[k] = t->own[k] = (struct steering_site){
			.name = t->texts[k], .id = k + 1, .weight = 100, .n_addresses = { 1, 1 }
		};
	}
	t->own[MANY_SITES - 1].name = "own";
	t->own[MANY_SITES - 1].id = 100;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(t->service_texts[i], sizeof(t->service_texts[i]), "v%u", i);
		t->services[i] = (struct steering_service){ .name = t->service_texts[i],
			                                    .n_sites = MANY_SITES,
			                                    .sites = i == MANY_OWN ? t->own : t->at,
			                                    .first_state = i * MANY_SITES };
		t->names[i] = (struct steering_name){ .name = t->service_texts[i],
			                              .service = &t->services[i] };
	}
	for (unsigned i = 0; i < MANY * MANY_SITES; i++)
		t->w.state->sites[i].words[0] = t->w.state->sites[i].words[1] = up;
	t->w.place = (struct steering){
		.n_names = MANY, .names = t->names, .n_services = MANY, .services = t->services
	};
}

static void take_down(struct steering_site_state *state)
{
	state->words[0] = state->words[1] = health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1);
}

enum many_round { PLAIN, DRAINED, DOWN_AND_DRAINED, UNPROVEN, NAMELESS, ROUNDS };

/* Two services are down at the last site; much more is to be said of the others. */
static void change_many(struct many *t, enum many_round round)
{
	struct steering_site_state *sites = t->w.state->sites;

	take_down(&sites[MANY_DOWN * MANY_SITES + 62]);
	take_down(&sites[(MANY_DOWN + 1) * MANY_SITES + 62]);
	sites[MANY_OFF * MANY_SITES + 5].disabled = true;
	for (unsigned i = 0; i < MANY; i++) {
		struct steering_site_state *first = &sites[i * MANY_SITES], *last = first + 62;

		if ((round == DRAINED && i < MANY_LAST) || round == DOWN_AND_DRAINED) {
			first->drained_ppm = 100000;
			first->shifting = true;
		}
		if (round == DOWN_AND_DRAINED && i < MANY_LAST)
			take_down(first);
		if (round == UNPROVEN && i < MANY_LAST)
			first->unproven[i % 2] = true;
		if (round == UNPROVEN && i < MANY_DOWN) {
			take_down(last);
			last->unproven[0] = last->unproven[1] = true;
		}
		if (round == UNPROVEN && (i == MANY_DOWN || i == MANY_DOWN + 1))
			last->unproven[i % 2] = true; /* it is down in the other family */
		if (round == NAMELESS && i < 500) {
			t->names[i].service = &t->services[500];
			take_down(last);
		}
	}
}

/*
 * A service that is down at one site is stated whatever else is there to state. So is, for each site, one that is up,
 * one that serves normally and one that is disabled there, also of a site that only a service far behind has. What is
 * left out is counted.
 */
static void of_services_beyond_an_answer_those_that_are_down_are_stated(void **state)
{
	static struct many t;

	(void)state;
	for (enum many_round round = PLAIN; round < ROUNDS; round++) {
		size_t n_left_out = 0, n_up = 0, n_normal = 0; /* at the first site */
		json_t *status, *list;
		char *text;

		fill_many(&t);
		change_many(&t, round);
		text = dns_ctl_handle(&t.w.s, "{\"do\":\"status\"}", 15);
		assert_non_null(text);
		assert_in_range(strlen(text), 1 << 20, 2 << 20);
		status = json_loads(text, 0, NULL);
		list = json_object_get(status, "names");
		assert_int_equal(json_array_size(list), MANY);
		for (unsigned i = 0; i < MANY; i++) {
			json_t *rows = json_object_get(json_array_get(list, i), "sites");
			bool needed = i == MANY_OFF || i == MANY_OWN || i == MANY_DOWN ||
			              (i == MANY_DOWN + 1 && round != DOWN_AND_DRAINED);

			if (needed && json_array_size(rows) != MANY_SITES)
				fail_msg("round %u: service %u is left out", round, i);
			n_left_out += !rows && !(round == NAMELESS && i <= 500);
			if (rows) {
				json_t *first = json_array_get(rows, 0);
				const char *ipv4 =
				        json_string_value(json_object_get(first, "ipv4"));
				bool up = !strcmp(ipv4, "up") && !is_said(first, "unproven");

				n_up += up;
				n_normal += up && !is_said(first, "shifting");
			}
		}
		assert_int_not_equal(n_up, 0);
		assert_int_equal(n_normal != 0, round != DOWN_AND_DRAINED);
		assert_in_range(n_left_out, 1, MANY - 100);
		assert_int_equal(json_integer_value(json_object_get(status, "services_left_out")),
		                 n_left_out);
		json_decref(status);
		free(text);
		free(t.w.state);
	}
}

static void the_whole_status_is_told(void **state)
{
	char *text;

	(void)state;
	text = ask_text("{\"do\":\"status\"}");
	assert_string_equal(
	        text,
	        "{\"ok\":true,\"serving\":true,\"clock_held\":true,\"clock\":\"unsynchronised\","
	        "\"load\":{\"started\":9,\"finished\":8,\"running\":false,\"error\":\"zone files "
	        "refused: an earlier image is served\",\"mistakes\":[]},\"document\":42,\"version\":41,\"threads\":6,"
	        "\"stale_image\":true,\"image_bytes\":4711,\"zones\":[{\"name\":\"a\","
	        "\"serial\":70,\"records\":5,\"state\":\"served\"},{\"name\":\"b\",\"serial\":71,"
	        "\"records\":6,\"state\":\"earlier\"}],\"names\":[{\"name\":\"www\",\"service\":\"web\","
	        "\"policy\":\"weighted\",\"sites\":[{\"site\":\"ams\",\"weight\":10,\"ipv4\":\"up\","
	        "\"ipv6\":\"up\",\"in_doubt\":false,\"unproven\":false,\"drained_ppm\":0,"
	        "\"disabled\":false,\"forced_up\":false,\"shifting\":false,"
	        "\"views\":[{\"node\":\"ams-1\",\"site\":\"ams\",\"fresh\":true,\"ipv4\":\"up\","
	        "\"ipv6\":\"up\",\"inconclusive\":false,\"unproven\":false},{\"node\":\"fra-1\","
	        "\"site\":\"fra\",\"fresh\":false,\"ipv4\":\"up\",\"ipv6\":\"up\","
	        "\"inconclusive\":true,\"inconclusive_in\":\"ipv4\",\"unproven\":false}]},{\"site\":\"fra\",\"weight\":11,"
	        "\"ipv4\":\"up\",\"ipv6\":\"up\",\"in_doubt\":false,\"unproven\":false,"
	        "\"drained_ppm\":1000,\"disabled\":false,\"forced_up\":false,"
	        "\"shifting\":false,\"views\":[{\"node\":\"ams-1\",\"site\":\"ams\",\"fresh\":true,"
	        "\"ipv4\":\"up\",\"ipv6\":\"up\",\"inconclusive\":false,\"unproven\":false},"
	        "{\"node\":\"fra-1\",\"site\":\"fra\",\"fresh\":false,\"ipv4\":\"up\",\"ipv6\":\"up\","
	        "\"inconclusive\":false,\"unproven\":false}]}]},{\"name\":\"mx\","
	        "\"service\":\"mail\",\"policy\":\"failover\",\"sites\":[{\"site\":\"ams\","
	        "\"weight\":12,\"ipv4\":\"down\",\"ipv6\":\"up\",\"in_doubt\":false,"
	        "\"unproven\":false,\"drained_ppm\":2000,\"disabled\":false,"
	        "\"forced_up\":false,\"shifting\":false,\"views\":[{\"node\":\"ams-1\","
	        "\"site\":\"ams\",\"fresh\":true,\"ipv4\":\"down\",\"ipv6\":\"up\","
	        "\"inconclusive\":false,\"unproven\":false},{\"node\":\"fra-1\",\"site\":\"fra\","
	        "\"fresh\":false,\"ipv4\":\"up\",\"ipv6\":\"up\",\"inconclusive\":false,"
	        "\"unproven\":false}]},{\"site\":\"fra\",\"weight\":13,\"ipv4\":\"none\","
	        "\"ipv6\":\"up\",\"in_doubt\":false,\"unproven\":false,\"drained_ppm\":3000,"
	        "\"disabled\":false,\"forced_up\":false,\"shifting\":false,"
	        "\"views\":[{\"node\":\"ams-1\",\"site\":\"ams\",\"fresh\":true,\"ipv4\":\"none\","
	        "\"ipv6\":\"up\",\"inconclusive\":false,\"unproven\":false},{\"node\":\"fra-1\","
	        "\"site\":\"fra\",\"fresh\":false,\"ipv4\":\"none\",\"ipv6\":\"down\","
	        "\"inconclusive\":false,\"unproven\":true,\"unproven_in\":\"ipv6\"}]}]}],\"n_names\":2,\"ramps\":[{\"override\":\"d1\","
	        "\"generation\":3,\"state\":\"held-site\",\"at_ms\":999}],\"deciding\":{\"votes\":true,"
	        "\"sites\":[\"ams\"],\"out\":[\"fra\"]}}");
	free(text);
	the.views.n_targets = PEER_HEALTH_JSON_MAX / 2; /* the most of two nodes */
	text = ask_text("{\"do\":\"status\"}");
	assert_non_null(strstr(text, "\"node\":\"fra-1\""));
	free(text);
	the.views.n_targets++;
	text = ask_text("{\"do\":\"status\"}");
	assert_null(strstr(text, "\"node\":"));
	free(text);
	the.s.now = NULL; /* nothing is served yet */
	the.s.clock = WALL_CLOCK_RUNS;
	the.s.load.running = true;
	text = ask_text("{\"do\":\"status\"}");
	assert_string_equal(
	        text, "{\"ok\":true,\"serving\":false,\"clock_held\":false,\"clock\":\"good\","
	              "\"load\":{\"started\":9,\"finished\":8,\"running\":true,\"error\":\"\","
	              "\"mistakes\":[]}}");
	free(text);
}

static void what_is_no_request_is_refused(void **state)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{ "{}",
		  "expected {\\\"do\\\": \\\"status\\\", \\\"levels\\\" or \\\"zone-reload\\\"}" },
		{ "{\"do\":1}",
		  "expected {\\\"do\\\": \\\"status\\\", \\\"levels\\\" or \\\"zone-reload\\\"}" },
		{ "{\"do\":\"stat\"}",
		  "unknown request: expected \\\"status\\\", \\\"levels\\\" or \\\"zone-reload\\\"" },
	};
	static struct server s;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = dns_ctl_handle(&s, cases[i].line, strlen(cases[i].line));
		char expected[256];

		snprintf(expected, sizeof(expected), "{\"ok\":false,\"error\":\"%s\"}",
		         cases[i].error);
		assert_string_equal(text, expected);
		free(text);
	}
}

/* Only steps: what goes by its schedule has no level of its own. */
static void levels_of_steps_are_told(void **state)
{
	struct ramp_record ramps[2];
	char *text;

	(void)state;
	ramps[0] = the.ramp;
	ramps[1] = (struct ramp_record){ .id = "op-1",
		                         .generation = (uint64_t)3 << 20,
		                         .epoch = 64,
		                         .step = 2,
		                         .level_known = true,
		                         .arrived = true,
		                         .level_ppm = 250000,
		                         .longest_ttl_s = 30 };
	the.s.ramps = (struct ramps){ .n = 2, .items = ramps };
	the.s.clock = WALL_CLOCK_RUNS;
	text = ask_text("{\"do\":\"levels\"}");
	assert_string_equal(text,
	                    "{\"ok\":true,\"levels\":[{\"override\":\"op-1\","
	                    "\"generation\":3145728,\"epoch\":64,\"step\":2,\"level_ppm\":250000,"
	                    "\"longest_ttl_s\":30,\"arrived\":true}]}");
	free(text);
	the.s.now = NULL; /* no answer has a level yet */
	text = ask_text("{\"do\":\"levels\"}");
	assert_string_equal(text, "{\"ok\":false,\"error\":\"nothing is served yet\"}");
	free(text);
}

/* The answer says what is wrong with it, and nothing is done. */
static void what_is_no_json_is_refused(void **state)
{
	static const char *const lines[] = { "", "{", "status", "{\"do\":\"zone-reload\"", "[]{}" };
	static struct server s;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *text = dns_ctl_handle(&s, lines[i], strlen(lines[i]));

		assert_non_null(text);
		assert_int_equal(strncmp(text, "{\"ok\":false,\"error\":\"", 21), 0);
		assert_true(strlen(text) > 25);
		assert_null(strstr(text, "load\":"));
		free(text);
	}
}

static void a_reload_reads_the_files(void **state)
{
	static const struct proc_dirs nowhere = { .state = "/nonexistent", .run = "/nonexistent" };
	char *text;

	(void)state;
	the.s.now = NULL;
	the.s.load = (struct server_load){ .started = 5 };
	the.s.dirs = &nowhere;
	assert_int_equal(loop_open(&the.s.loop), 0);
	assert_int_equal(server_load_open(&the.s), 0);
	text = ask_text("{\"do\":\"zone-reload\"}");
	assert_string_equal(text, "{\"ok\":true,\"load\":6}");
	assert_true(the.s.load.running && the.s.load.from_files);
	server_load_stop(&the.s);
	loop_close(the.s.loop);
	free(text);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(ctl)
{
	const struct CMUnitTest tests[] = {
		WITH(a_mark_of_either_family_is_told),
		WITH(what_a_person_did_is_told),
		WITH(the_worst_of_a_zones_states_is_told),
		WITH(views_are_told_where_they_are_counted),
		WITH(a_service_that_fails_closed_is_told),
		WITH(a_status_that_lacks_its_names_is_none),
		WITH(sites_are_told_once_for_each_service_and_names_have_a_limit),
		WITH(as_many_ramps_and_mistakes_are_told_as_there_are),
		WITH(of_services_beyond_an_answer_those_that_are_down_are_stated),
		WITH(the_whole_status_is_told),
		WITH(levels_of_steps_are_told),
		WITH(what_is_no_request_is_refused),
		WITH(what_is_no_json_is_refused),
		WITH(a_reload_reads_the_files),
	};

	answer_calloc = own_calloc;
	return cmocka_run_group_tests_name("dns ctl", tests, NULL, NULL);
}
