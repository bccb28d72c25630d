/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes that announce the same addresses: ams-1 among six. Its page, its document and the thread that carries questions are
 * real; other nodes, what the exchange heard of them, the own weir-announce and the clock are in the test's hands. A test
 * includes this once.
 */
#ifndef WEIR_TESTS_MGMT_ANNOUNCE_SCENE_H
#define WEIR_TESTS_MGMT_ANNOUNCE_SCENE_H

#include "lone_node.h"
#include "told_curl.h"
#include "ctl_server.h"
#include "told_turns.h"

#include "mgmt/peers/announce_questions.h"
#include "mgmt/peers/exchange_internal.h"
#include "weir/announce.h"

#define START_MS 1000000u
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define WEB4     "203.0.113.10"
#define WEB6     "2001:db8::10"
#define SOLO     "203.0.113.20"
#define NS       "192.0.2.53"

/* What the own weir-announce was sent, and what it answers. */
#define LINES_MAX 32
static char lines[LINES_MAX][CTL_LINE_MAX];
static size_t n_lines;
static const char *own_answer;   /* NULL: it does not answer */
static const char *refused_text; /* a line with it is refused; NULL: none is */
static uint64_t own_takes_ms;

static struct ctl_server own_process;

static inline const char *answer_as_announce(const char *line)
{
	assert_false(lone_node_is_locked());
	snprintf(lines[n_lines % LINES_MAX], sizeof(lines[0]), "%s", line);
	n_lines++;
	told_ms += own_takes_ms;
	return own_answer && refused_text && strstr(line, refused_text) ? "{\"ok\":false}"
	                                                                : own_answer;
}

/* What the exchange heard of ams-2 and fra-1. */
static struct exchange exchange;
static struct exchange_peer heard[2];

/* Peer @p i says @p words, true @p age_ms ago; NULL: it never said any. */
static inline void hear_words(size_t i, const char *words, uint64_t age_ms)
{
	struct exchange_word *w = &heard[i].words[EXCHANGE_ANNOUNCED];

	if (words) {
		json_t *body = json_loads(words, 0, NULL);

		assert_non_null(body);
		(void)exchange_word_set(w, body, told_ms - age_ms);
	} else {
		exchange_word_fini(w);
	}
}

/* Whether it gives no answer of any kind, for long. */
static inline void hear_silence(size_t i, bool is_silent)
{
	heard[i].silent_ms = is_silent;
}

static inline void make_heard(void)
{
	exchange = (struct exchange){ .core = &this_node, .n = 2 };
	for (size_t i = 0; i < 2; i++) {
		heard[i] = (struct exchange_peer){ .exchange = &exchange, .is_chosen = true };
		snprintf(heard[i].node, sizeof(heard[i].node), "%s", i ? "fra-1" : "ams-2");
		exchange.peers[i] = &heard[i];
	}
	this_node.exchange = &exchange;
}

static struct announced_page *page;
static struct announced_address rows[4];
static const struct announced_node head = { .incarnation = 0xabcd };

#define NODE(name, number, announce)                                                               \
	"{ name = \"" name "\"; site = \"ams\"; api = \"https://10.9.0." number ":8443\"; "        \
	"tunnel_source = [ \"10.1." number ".0/24\" ]; dns_listen = [ \"" NS "\" ]; "              \
	"ports = ( { interface = \"eth1\"; } ); announce = { " announce " }; }"
#define BIRD(vips, dns) "daemon = \"bird\"; vips = [ " vips " ]; dns = [ " dns " ];"
#define DOCUMENT(nodes, vips)                                                                      \
	"schema = 1;\n"                                                                            \
	"cluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"    \
	"sites = ( { name = \"ams\"; } );\n"                                                       \
	"nodes = ( " nodes " );\nvips = ( " vips " );\n"
#define OF_1 NODE("ams-1", "1", BIRD("\"web\", \"solo\"", "\"" NS "\""))
/* Of six nodes, ams-2 shares all but the VIP "solo", fra-1 and fra-2 the VIP "web" alone; fra-2 cannot be asked. */
#define OF_ALL                                                                                          \
	OF_1 ", " NODE("ams-2", "2", BIRD("\"web\"", "\"" NS "\"")) ", " NODE(                          \
	        "fra-1", "3",                                                                           \
	        BIRD("\"web\"",                                                                         \
	             "")) ", { name = \"fra-2\"; site = \"ams\"; tunnel_source = [ \"10.1.4.0/24\" ]; " \
	                  "ports = ( { interface = \"eth1\"; } ); announce = { " BIRD(                  \
	                          "\"web\"",                                                            \
	                          "") " }; }, " NODE("mail", "5",                                       \
	                                             BIRD("",                                           \
	                                                  "")) ", " NODE("none", "6",                   \
	                                                                 "vips = [ \"web\", \"solo\" ];")
#define VIPS                                                                                       \
	"{ name = \"web\"; site = \"ams\"; addresses = [ \"" WEB4 "\", \"" WEB6 "\" ]; }, "        \
	"{ name = \"solo\"; site = \"ams\"; addresses = [ \"" SOLO "\" ]; }"
#define AT_2 ".2:8443/v1/peer/exchange withdrawals"
#define AT_3 ".3:8443/v1/peer/exchange withdrawals"

static inline void show_own_page(void)
{
	announced_publish(page, &head, rows, COUNT(rows), NULL, 0, told_ms);
}

/* Another document comes into force. */
static inline void take_document(const char *text)
{
	struct files files = { 0 };
	struct intent_change change = {
		.files = &files, .author = "jw", .reason = "x", .pending = INTENT_PENDING_IGNORE
	};
	struct intent_changed changed = { 0 };

	assert_int_equal(files_add(&files, FILES_MAIN, text, strlen(text)), 0);
	assert_int_equal(intent_change(this_node.intent, &change, NOW_MS, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
}

static inline int setup(void **state)
{
	static const char *const texts[] = { NS, WEB4, SOLO, WEB6 };

	(void)state;
	told_ms = START_MS;
	told_wall_ms = NOW_MS;
	told_takes_ms = own_takes_ms = 0;
	told_rows = NULL;
	n_asked = n_lines = 0;
	own_answer = "{\"ok\":true}";
	refused_text = NULL;
	lone_node_open_with(false, DOCUMENT(OF_ALL, VIPS));
	assert_non_null(intent_model(this_node.intent));
	make_heard();
	for (size_t i = 0; i < COUNT(rows); i++) {
		rows[i] = (struct announced_address){ .table = ANNOUNCE_NORMAL,
			                              .in_kernel = 1 << ANNOUNCE_NORMAL,
			                              .exported = 1 };
		assert_int_equal(addr_parse(texts[i], &rows[i].address), 0);
	}
	fixture_write(place.conf, "peer.token", "0123456789abcdef\n");
	assert_int_equal(announced_create(place.root, &page), 0);
	show_own_page();
	ctl_server_start(&own_process, place.root, "announce");
	own_process.answer_to = answer_as_announce;
	turns_begin();
	assert_int_equal(announce_questions_start(&this_node), 0);
	await_turn();
	return 0;
}

static inline int teardown(void **state)
{
	core_lock(&this_node);
	this_node.stopping = true;
	core_unlock(&this_node);
	sem_post(&turn_begins);
	announce_questions_stop(&this_node);
	ctl_server_stop(&own_process);
	announced_close(page);
	for (size_t i = 0; i < 2; i++)
		hear_words(i, NULL, 0);
	return lone_node_close(state);
}

#endif
