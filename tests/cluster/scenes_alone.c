/* SPDX-License-Identifier: BSD-2-Clause */
/* One node without a store: versions and overrides, and what time makes of them. */
#include "tests/cluster/scenes.h"

#include <string.h>

#include "tests/cluster/siblings.h"

/* Stop or kill the node, by the seed, and start it. */
static void restart_node(struct scene *s, struct node *n)
{
	if (sched_chance(500))
		node_kill(n);
	else
		node_stop(n);
	scene_note(s, "%s: ended", node_name(n));
	node_run_ms(sched_below(3000));
	JUDGE(s, node_start(n), "it does not start again");
}

static int64_t apply_well(struct scene *s, unsigned weight, const char *within)
{
	struct node_answer a = scene_apply(s, s->node[0], weight, within);
	int64_t number = scene_number(a.json, "version.number");

	JUDGE(s, a.status == 201, "an apply is answered by %u: %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	return number;
}

static void judge_weight(struct scene *s, unsigned weight, const char *when)
{
	unsigned shown = scene_weight(s->node[0]), written = scene_weight_on_disk(s->node[0]);

	JUDGE(s, shown == weight && written == weight,
	      "%s: weight %u is shown and %u written, not %u", when, shown, written, weight);
}

void scenes_alone_versions(struct scene *s)
{
	scene_begin(s, 1, false);
	struct node *n = s->node[0];

	node_run_ms(1000);
	judge_weight(s, 100, "first");
	int64_t first = apply_well(s, 90, "none");

	node_run_ms(6000);
	judge_weight(s, 90, "applied for good");
	JUDGE(s, !strcmp(scene_version_state(n, first), "in_force"), "it is %s",
	      scene_version_state(n, first));

	int64_t confirmed = apply_well(s, 80, "1m");

	node_run_ms(5000 + sched_below(40000));
	JUDGE(s, !strcmp(scene_version_state(n, confirmed), "unconfirmed"), "it is %s",
	      scene_version_state(n, confirmed));
	struct node_answer a = scene_apply(s, n, 70, "1m");

	JUDGE(s, a.status == 409 && !strcmp(scene_text(a.json, "code"), "unconfirmed"),
	      "a second one: %u %s", a.status, a.text);
	node_answer_fini(&a);
	if (sched_chance(500))
		restart_node(s, n);
	char path[64];

	snprintf(path, sizeof(path), "/v1/versions/%d/confirm", (int)confirmed);
	a = scene_post(n, &scene_bob, path, "{\"reason\": \"fine\"}");
	JUDGE(s, a.status == 200, "confirm: %u %s", a.status, a.text);
	node_answer_fini(&a);
	node_run_ms(70000);
	judge_weight(s, 80, "confirmed");

	int64_t left = apply_well(s, 60, "20s");

	node_run_ms(sched_below(10000));
	restart_node(s, n);
	judge_weight(s, 60, "before its deadline");
	node_run_ms(22000);
	judge_weight(s, 80, "not confirmed");
	JUDGE(s, !strcmp(scene_version_state(n, left), "ended"), "it is %s",
	      scene_version_state(n, left));
	JUDGE(s, scene_has_event(n, "\"version\"", "confirm"),
	      "no event tells that it was not confirmed");
	restart_node(s, n);
	judge_weight(s, 80, "after a restart");
	scene_end(s);
}

void scenes_alone_refusals(struct scene *s)
{
	scene_begin(s, 1, false);
	struct node *n = s->node[0];
	char *body = scene_apply_body(s, 50, "none", "no");
	struct node_answer a = node_ask(n, &scene_viewer, "POST", "/v1/config/apply", body);

	JUDGE(s, a.status == 403, "a viewer's apply: %u", a.status);
	node_answer_fini(&a);
	a = node_ask(n, &scene_ada, "POST", "/v1/config/apply?dry_run=true", body);
	JUDGE(s, a.status == 200, "a dry run: %u %s", a.status, a.text);
	node_answer_fini(&a);
	free(body);
	a = scene_post(n, &scene_ada, "/v1/config/apply",
	               "{\"files\": {\"weir.conf\": \"nonsense = ;\"}, \"reason\": \"x\"}");
	JUDGE(s, a.status == 422, "nonsense: %u %s", a.status, a.text);
	node_answer_fini(&a);
	a = scene_post(n, &scene_ada, "/v1/versions/1/confirm", "{\"reason\": \"x\"}");
	JUDGE(s, a.status == 409, "nothing to confirm: %u %s", a.status, a.text);
	node_answer_fini(&a);
	judge_weight(s, 100, "nothing was changed");
	scene_end(s);
}

/* The first override that has not ended: its state, in a buffer of the callee's; "": none. */
static const char *first_state(struct node *n, int64_t *level_ppm)
{
	static char state[32];
	json_t *overrides = node_get(n, "/v1/overrides");

	snprintf(state, sizeof(state), "%s", scene_text(overrides, "items.0.state"));
	if (level_ppm)
		*level_ppm = scene_number(overrides, "items.0.level_ppm");
	json_decref(overrides);
	return state;
}

void scenes_alone_overrides(struct scene *s)
{
	scene_begin(s, 1, false);
	struct node *n = s->node[0];
	int64_t level_ppm, before_ppm = -1;
	struct node_answer a = scene_post(
	        n, &scene_bob, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b1\"}, \"until\": \"+5m\", \"over\": \"60s\", "
	        "\"reason\": \"INC-1\"}");

	JUDGE(s, a.status == 201, "drain: %u %s", a.status, a.text);
	node_answer_fini(&a);
	for (int i = 0; i < 10; i++) {
		const char *state = first_state(n, &level_ppm);

		JUDGE(s, level_ppm >= before_ppm, "the level goes back: %d, was %d (%s)",
		      (int)level_ppm, (int)before_ppm, state);
		before_ppm = level_ppm;
		if (i == 5)
			restart_node(s, n);
		node_run_ms(8000);
	}
	JUDGE(s, !strcmp(first_state(n, NULL), "drained"), "after its ramp it is %s",
	      first_state(n, NULL));
	restart_node(s, n);
	JUDGE(s, !strcmp(first_state(n, NULL), "drained"), "after a restart it is %s",
	      first_state(n, NULL));
	node_run_ms(300000); /* its end, and the ramp back */
	JUDGE(s, !*first_state(n, NULL), "after its time it is %s", first_state(n, NULL));

	a = scene_post(
	        n, &scene_bob, "/v1/overrides",
	        "{\"do\": \"disable\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"b2\"}, \"until\": \"never\", "
	        "\"reason\": \"INC-2\"}");
	JUDGE(s, a.status == 201, "disable: %u %s", a.status, a.text);
	node_answer_fini(&a);
	node_run_ms(1000);
	JUDGE(s, !strcmp(first_state(n, NULL), "disabled"), "it is %s", first_state(n, NULL));
	a = scene_post(
	        n, &scene_bob, "/v1/overrides",
	        "{\"do\": \"enable\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"b2\"}, \"reason\": \"INC-2\"}");
	JUDGE(s, a.status == 200, "enable: %u %s", a.status, a.text);
	node_answer_fini(&a);
	node_run_ms(4000);
	JUDGE(s, !*first_state(n, NULL), "it is %s", first_state(n, NULL));
	scene_end(s);
}

static void judge_applied(struct scene *s, unsigned weight, const char *state)
{
	struct node_answer a = scene_apply(s, s->node[0], weight, "1m");

	JUDGE(s, a.status / 100 == 2 && !strcmp(scene_text(a.json, "nodes.0.state"), state),
	      "an apply: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
}

static const char *status_of(struct node *n, const char *path)
{
	static char state[64];
	json_t *status = node_get(n, "/v1/status");

	snprintf(state, sizeof(state), "%s", scene_text(status, path));
	json_decref(status);
	return state;
}

/* The whole host stands still: no process is said to be silent, which all were. */
static void judge_paused(struct scene *s, struct node *n)
{
	const int64_t pause_ns = (int64_t)10 * 1000000000;
	struct sched_host *host = node_host(n);

	host->boot_ns -= pause_ns;
	host->wall_off_ns += pause_ns;
	for (int i = 0; i < 40; i++) {
		json_t *status = node_get(n, "/v1/status");
		const json_t *row;
		size_t k;

		json_array_foreach(scene_value(status, "processes"), k, row)
		        JUDGE(s, strcmp(scene_text(row, "state"), "silent") != 0,
		              "%d ms after a pause weir-%s is silent", 100 * i,
		              scene_text(row, "process"));
		json_decref(status);
		node_run_ms(100);
	}
}

/* What the other processes make of a version. */
void scenes_alone_processes(struct scene *s)
{
	scene_begin(s, 1, false);
	struct node *n = s->node[0];
	struct siblings *others = siblings_start(n);

	node_run_ms(4000);
	JUDGE(s, !strcmp(status_of(n, "processes.0.state"), "running"), "the dataplane is %s",
	      status_of(n, "processes.0.state"));
	judge_applied(s, 90, "in_force");
	struct node_answer a =
	        scene_post(n, &scene_bob, "/v1/versions/2/confirm", "{\"reason\": \"fine\"}");

	node_answer_fini(&a);
	siblings_refuse(others, true);
	judge_applied(s, 80, "refused");
	judge_weight(s, 90, "refused by a process");
	siblings_refuse(others, false);
	node_run_ms(20000);
	judge_applied(s, 70, "in_force");
	judge_paused(s, n);
	siblings_fail_checks(others, true);
	node_run_ms(3000);
	siblings_stop(others);
	node_run_ms(5000);
	JUDGE(s, !strcmp(status_of(n, "processes.0.state"), "silent"), "the dataplane is %s",
	      status_of(n, "processes.0.state"));
	scene_end(s);
}

/* A wall clock that steps is not believed until a person says so; a boot does not stop a deadline. */
void scenes_alone_clock(struct scene *s)
{
	scene_begin(s, 1, false);
	struct node *n = s->node[0];

	node_run_ms(2000);
	struct node_answer a = scene_post(
	        n, &scene_bob, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b1\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");

	JUDGE(s, a.status == 201, "drain: %u %s", a.status, a.text);
	node_answer_fini(&a);
	node_host(n)->wall_off_ns += (int64_t)7200 * 1000000000;
	node_run_ms(3000);
	json_t *clock = node_get(n, "/v1/clock");

	JUDGE(s, !strcmp(scene_text(clock, "state"), "stepped"), "the clock is %s",
	      scene_text(clock, "state"));
	json_decref(clock);
	JUDGE(s, *first_state(n, NULL), "the step has ended the drain");
	restart_node(s, n);
	node_run_ms(2000);
	JUDGE(s, *first_state(n, NULL), "the start has ended the drain");
	a = scene_post(n, &scene_bob, "/v1/clock/accept", "{\"reason\": \"it is right\"}");
	JUDGE(s, a.status == 200, "accept: %u %s", a.status, a.text);
	node_answer_fini(&a);
	node_run_ms(2000);
	JUDGE(s, !*first_state(n, NULL), "the drain is %s after its end", first_state(n, NULL));

	apply_well(s, 90, "none");
	apply_well(s, 80, "60s");
	node_run_ms(20000);
	node_stop(n);
	node_reboot(n);
	JUDGE(s, node_start(n), "it does not start after a boot");
	node_run_ms(20000);
	judge_weight(s, 80, "before its deadline");
	node_run_ms(30000);
	judge_weight(s, 90, "after its deadline");
	scene_end(s);
}
