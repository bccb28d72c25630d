/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A wait for a change on the test's own clock: what the processes and the peers show is in the
 * test's hands. A test includes this once.
 */
#ifndef WEIR_TESTS_MGMT_WAIT_WORLD_H
#define WEIR_TESTS_MGMT_WAIT_WORLD_H

#include "asked.h"

#include "mgmt/api/handle.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers.h"

/* The documented values, not the code's own: a change of those is seen. */
#define LOCAL_MS   3000
#define VERSION_MS 17000
#define ALL_MS     21000

#define DOCUMENT 7

static uint64_t fake_ms, begun_ms;
static const char *unwritten_reason;
static struct gather_process shown[OBSERVE_COUNT];
static struct inforce own_judgement, next_judgement;
static struct peers_report views[2];
static size_t n_peer_reports;
static unsigned n_related, n_changed, n_asked_dns;
static void (*meanwhile)(void); /* called at each wait */

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static bool fake_wait(struct core *core, uint64_t until_ms)
{
	(void)core;
	fake_ms = until_ms;
	if (meanwhile)
		meanwhile();
	return true;
}

static const char *fake_write_why(const struct intent *in)
{
	(void)in;
	return unwritten_reason;
}

static struct version in_force, stored; /* in force; the one of the number that is waited for */
static int stored_err;

static const struct version *fake_head(const struct intent *in)
{
	(void)in;
	return in_force.number ? &in_force : NULL;
}

static int fake_version(struct intent *in, uint64_t number, struct version *out,
                        struct files *files)
{
	(void)in;
	assert_int_equal(number, 3);
	assert_null(files);
	if (!stored_err)
		*out = stored;
	return stored_err;
}

static uint64_t fake_document(const struct intent *in)
{
	(void)in;
	return DOCUMENT;
}

static struct gather_process fake_look(struct core *core, enum observe_process p,
                                       struct conditions *c)
{
	(void)core;
	(void)c;
	return shown[p];
}

static void fake_judge(struct core *core)
{
	(void)core;
}

static const struct inforce *fake_of(const struct core *core, uint64_t number)
{
	(void)core;
	return own_judgement.number == number    ? &own_judgement
	       : next_judgement.number == number ? &next_judgement
	                                         : NULL;
}

static size_t fake_view(const struct core *core, const struct peers_report **out)
{
	(void)core;
	*out = views;
	return n_peer_reports;
}

static const struct model *in_document; /* NULL: its nodes are those that are listed */

static const struct model *fake_model(const struct intent *in)
{
	(void)in;
	return in_document;
}

static bool fake_relate(struct core *core)
{
	(void)core;
	n_related++;
	return false;
}

static void fake_changed(struct core *core)
{
	(void)core;
	n_changed++;
}

static void fake_ask_dns(struct core *core)
{
	(void)core;
	n_asked_dns++;
}

/* The private parts too. */
#define clock_mono_ms           fake_mono_ms
#define core_wait               fake_wait
#define intent_unwritten_reason fake_write_why
#define intent_document         fake_document
#define intent_head             fake_head
#define intent_version          fake_version
#define observe_look            fake_look
#define inforce_judge           fake_judge
#define inforce_of              fake_of
#define peers_report(core, out) fake_view(core, out)
#define peers_relate            fake_relate
#define join_model              fake_model
#define core_changed            fake_changed
#define observe_query_dns       fake_ask_dns
#include "mgmt/api/handle.c"
#undef peers_report
#undef core_changed

static struct http_reply answer;
static atomic_bool client_gone;

static int setup(void **state)
{
	(void)asked_setup(state);
	fake_ms = 1000000;
	unwritten_reason = "";
	for (size_t i = 0; i < OBSERVE_COUNT; i++)
		shown[i] = (struct gather_process){ .present = true,
			                            .running = true,
			                            .document = DOCUMENT };
	own_judgement = next_judgement = (struct inforce){ 0 };
	in_force = stored = (struct version){ 0 };
	stored_err = 0;
	memset(views, 0, sizeof(views));
	n_peer_reports = n_related = n_changed = n_asked_dns = 0;
	meanwhile = NULL;
	in_document = NULL;
	client_gone = false;
	memset(&answer, 0, sizeof(answer));
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&answer);
	return asked_teardown(state);
}

/* Wait for a change; @p version: of configuration, else of overrides. @return how long it took */
static uint64_t wait_for(bool version, const char *wait, const char *wait_ms)
{
	struct http_request r = { .method = "POST", .gone = &client_gone };

	if (wait) {
		snprintf(r.query[r.n_query].name, 32, "wait");
		snprintf(r.query[r.n_query++].value, 32, "%s", wait);
	}
	if (wait_ms) {
		snprintf(r.query[r.n_query].name, 32, "wait_ms");
		snprintf(r.query[r.n_query++].value, 32, "%s", wait_ms);
	}
	http_reply_fini(&answer);
	answer = (struct http_reply){ .status = 201 };
	answer.json = version ? json_pack("{s:{s:i, s:s}}", "version", "number", 3, "digest", "d3")
	                      : json_object();
	begun_ms = fake_ms;
	handle_wait(&this_node, &r, &answer);
	return fake_ms - begun_ms;
}

static const json_t *node_at(size_t i)
{
	return json_array_get(json_object_get(answer.json, "nodes"), i);
}

static const char *text_at(size_t i, const char *name)
{
	const char *text = json_string_value(json_object_get(node_at(i), name));

	return text ? text : "";
}

static bool is_complete(void)
{
	bool complete = json_is_true(json_object_get(answer.json, "complete"));

	assert_int_equal(answer.status, complete ? 201 : 202);
	return complete;
}

#endif
