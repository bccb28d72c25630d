/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes that announce the same addresses: ams-1 among six. The pages are real; other nodes, what the exchange
 * heard of them, the own weir-announce and the clock are in the test's hands. A test includes this once.
 */
#ifndef WEIR_TESTS_MGMT_ANNOUNCE_SCENE_H
#define WEIR_TESTS_MGMT_ANNOUNCE_SCENE_H

#include "asked.h"

#include "base/clock.h"
#include "base/ctl.h"
#include "mgmt/peers/exchange.h"
#include "mgmt/api/handle.h"
#include "weir/announce.h"

#define START_MS 1000000u

static uint64_t fake_ms, fake_document, answer_takes_ms;
static const struct model *fake_model;

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static const struct model *fake_intent_model(const struct intent *in)
{
	(void)in;
	return fake_model;
}

static uint64_t fake_intent_document(const struct intent *in)
{
	(void)in;
	return fake_document;
}

static const struct model *fake_shared_model(const struct intent_shared *s)
{
	(void)s;
	return fake_model;
}

/* Peers answer after answer_takes_ms. */
static inline void slow_send(struct peer_client *c, struct client_request *requests, size_t n)
{
	fake_ms += answer_takes_ms;
	client_send(c, requests, n);
}

/* What the own weir-announce was sent, and what it answers. */
#define LINES_MAX 32
static char lines[LINES_MAX][65536];
static size_t n_lines;
static const char *own_answer;   /* NULL: it does not answer */
static const char *refused_text; /* a line with it is refused; NULL: none is */
static uint64_t own_takes_ms;

static inline int fake_ctl(const char *path, const char *line, int timeout_ms, char **answer)
{
	assert_non_null(strstr(path, "/announce.ctl"));
	assert_true(timeout_ms > 0 && timeout_ms <= 400);
	assert_false(asked_is_locked());
	assert_true(strlen(line) < 65536 - 1);
	snprintf(lines[n_lines % LINES_MAX], sizeof(lines[0]), "%s", line);
	n_lines++;
	fake_ms += own_takes_ms;
	if (!own_answer)
		return -ETIMEDOUT;
	*answer =
	        strdup(refused_text && strstr(line, refused_text) ? "{\"ok\":false}" : own_answer);
	return *answer ? 0 : -ENOMEM;
}

/* What the exchange heard. */
static struct heard_words {
	const char *node;
	struct exchange_word word;
	bool is_silent;
} heard_words[] = { { "ams-2", { .stamp = "" }, false }, { "fra-1", { .stamp = "" }, false } };

static inline struct exchange_heard fake_hear(const struct core *core, const char *node)
{
	const struct heard_words *h = NULL;

	(void)core;
	assert_true(asked_is_locked());
	for (size_t i = 0; i < 2; i++)
		if (!strcmp(heard_words[i].node, node))
			h = &heard_words[i];
	assert_non_null(h);
	return (struct exchange_heard){ .announced = h->word.body ? &h->word : NULL,
		                        .is_silent = h->is_silent };
}

/* Peer @p i says @p words, true @p age_ms ago; NULL: it never said any. */
static inline void hear_words(size_t i, const char *words, uint64_t age_ms)
{
	struct exchange_word *w = &heard_words[i].word;

	if (words) {
		json_t *body = json_loads(words, 0, NULL);

		assert_non_null(body);
		(void)exchange_word_set(w, body, fake_ms - age_ms);
	} else {
		exchange_word_fini(w);
	}
}

/* The private parts too. */
#define clock_mono_ms       fake_mono_ms
#define exchange_hear       fake_hear
#define intent_model        fake_intent_model
#define intent_document     fake_intent_document
#define intent_shared_model fake_shared_model
#define client_send         slow_send
#define ctl_request         fake_ctl
#include "mgmt/observe/announce_own.c"
#include "mgmt/peers/announce_questions.c"
#include "mgmt/api/handle_announce_questions.c"
#include "mgmt/peers/peer_query.c"
#undef client_send

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define WEB4     "203.0.113.10"
#define WEB6     "2001:db8::10"
#define SOLO     "203.0.113.20"
#define NS       "192.0.2.53"

static struct addr web_addresses[2], solo_addresses[1], ns_addresses[1];
static const struct model_vip vips[] = {
	{ .name = "web", .addresses = web_addresses, .n_addresses = 2 },
	{ .name = "solo", .addresses = solo_addresses, .n_addresses = 1 }
};
static const struct model_vip *const both[] = { &vips[0], &vips[1] };
static struct model_node nodes[6];
static struct model m;
static struct announce_questions own;
static struct announced_page *page;
static struct announced_address rows[4];
static struct announced_node head;

/* Of six nodes, ams-2 shares all but the VIP "solo", fra-1 the VIP "web" alone. */
static inline void make_model(void)
{
	static const char *const names[] = { "ams-1", "ams-2", "fra-1", "fra-2", "mail", "none" };
	static const char *const apis[] = { "https://a1", "https://a2", "https://f1",
		                            "https://f2", "https://m",  "https://n" };

	for (size_t i = 0; i < COUNT(nodes); i++) {
		nodes[i] = (struct model_node){ .name = names[i], .api = apis[i] };
		nodes[i].announce.daemon = MODEL_DAEMON_BIRD;
	}
	nodes[0].announce.vips = both;
	nodes[0].announce.n_vips = 2;
	nodes[0].announce.dns = nodes[1].announce.dns = ns_addresses;
	nodes[0].announce.n_dns = nodes[1].announce.n_dns = 1;
	for (size_t i = 1; i < 3; i++) {
		nodes[i].announce.vips = both;
		nodes[i].announce.n_vips = 1;
	}
	nodes[5].announce = (struct model_announce){ .vips = both, .n_vips = 2 };
	m = (struct model){
		.cluster = "shop", .nodes = nodes, .n_nodes = COUNT(nodes), .self = &nodes[0]
	};
}

static inline void show_own_page(void)
{
	announced_publish(page, &head, rows, COUNT(rows), NULL, 0, fake_ms);
}

static inline int setup(void **state)
{
	static const char *const texts[] = { NS, WEB4, SOLO, WEB6 };

	(void)asked_setup(state);
	assert_int_equal(addr_parse(WEB4, &web_addresses[0]), 0);
	assert_int_equal(addr_parse(WEB6, &web_addresses[1]), 0);
	assert_int_equal(addr_parse(SOLO, &solo_addresses[0]), 0);
	assert_int_equal(addr_parse(NS, &ns_addresses[0]), 0);
	make_model();
	memset(&own, 0, sizeof(own));
	own.run_dir = this_node.dirs.run;
	own.node = this_node.dirs.node;
	this_node.announce_questions = &own;
	fake_model = &m;
	fake_document = 1;
	fake_ms = START_MS;
	answer_takes_ms = own_takes_ms = 0;
	own_answer = "{\"ok\":true}";
	refused_text = NULL;
	n_lines = 0;
	head = (struct announced_node){ .incarnation = 0xabcd };
	for (size_t i = 0; i < COUNT(rows); i++) {
		rows[i] = (struct announced_address){ .table = ANNOUNCE_NORMAL,
			                              .in_kernel = 1 << ANNOUNCE_NORMAL,
			                              .exported = 1 };
		assert_int_equal(addr_parse(texts[i], &rows[i].address), 0);
	}
	fixture_write(asked_place.conf, "peer.token", "0123456789abcdef\n");
	assert_int_equal(announced_create(asked_place.root, &page), 0);
	show_own_page();
	return 0;
}

static inline int teardown(void **state)
{
	announced_close(page);
	announce_own_close(&own.own);
	for (size_t i = 0; i < 2; i++) {
		hear_words(i, NULL, 0);
		heard_words[i].is_silent = false;
	}
	free(own.shared);
	return asked_teardown(state);
}

#endif
