/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-dns counts of an answer, word by word, and which words go with a document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/answer/answer.h"
#include "dns/counters.h"
#include "dns/generation.h"
#include "dns/zone/image.h"
#include "dns/serving.h"
#include "dns/tally.h"
#include "dns/zone/zone.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

#include "tests/unit/dns/counters_scene.h"

static struct tally tally;

static void count_answer(bool tcp, struct answer_info info, const struct serving *from)
{
	counters_answer(&c, &tally, from, tcp, &info);
	tally_flush(&tally);
}

static void each_answer_is_counted_by_what_it_is(void **state)
{
	static const struct {
		uint16_t type;
		const char *labels;
	} types[] = { { 1, "type=\"a\"" },      { 2, "type=\"ns\"" },    { 5, "type=\"cname\"" },
		      { 6, "type=\"soa\"" },    { 12, "type=\"ptr\"" },  { 15, "type=\"mx\"" },
		      { 16, "type=\"txt\"" },   { 28, "type=\"aaaa\"" }, { 43, "type=\"ds\"" },
		      { 65, "type=\"https\"" }, { 255, "type=\"any\"" }, { 99, "type=\"other\"" } };
	static const struct {
		enum dns_rcode rcode;
		const char *labels;
	} rcodes[] = {
		{ DNS_NOERROR, "rcode=\"noerror\"" },   { DNS_FORMERR, "rcode=\"formerr\"" },
		{ DNS_SERVFAIL, "rcode=\"servfail\"" }, { DNS_NXDOMAIN, "rcode=\"nxdomain\"" },
		{ DNS_NOTIMP, "rcode=\"notimp\"" },     { DNS_REFUSED, "rcode=\"refused\"" },
		{ DNS_YXDOMAIN, "rcode=\"yxdomain\"" }, { DNS_BADVERS, "rcode=\"badvers\"" }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		count_answer(false,
		             (struct answer_info){
		                     .has_question = true, .type = types[i].type, .dynamic = -1 },
		             NULL);
		assert_int_equal(read_value("weir_dns_queries_by_type_total", types[i].labels), 1);
	}
	assert_int_equal(read_value("weir_dns_answers_total", rcodes[0].labels), 12);
	for (size_t i = 1; i < sizeof(rcodes) / sizeof(rcodes[0]); i++) {
		count_answer(true, (struct answer_info){ .rcode = rcodes[i].rcode, .dynamic = -1 },
		             NULL);
		assert_int_equal(read_value("weir_dns_answers_total", rcodes[i].labels), 1);
	}
	assert_int_equal(read_value("weir_dns_queries_by_type_total", "type=\"other\""), 1);
	assert_int_equal(read_value("weir_dns_queries_total", "transport=\"udp\""), 12);
	assert_int_equal(read_value("weir_dns_queries_total", "transport=\"tcp\""), 7);
	assert_int_equal(read_value("weir_dns_edns_total", ""), 0);
	count_answer(true, (struct answer_info){ .has_edns = true, .dynamic = -1 }, NULL);
	count_answer(true,
	             (struct answer_info){ .has_edns = true, .has_subnet = true, .dynamic = -1 },
	             NULL);
	count_answer(true, (struct answer_info){ .truncated = true, .dynamic = -1 }, NULL);
	assert_int_equal(read_value("weir_dns_edns_total", ""), 2);
	assert_int_equal(read_value("weir_dns_client_subnet_total", ""), 1);
	assert_int_equal(read_value("weir_dns_truncated_total", ""), 1);
}

static void connections_of_a_process_that_ended_are_not_open(void **state)
{
	(void)state;
	stats_add(c.tcp_open, 5);
	stats_add(c.tcp_accepted, 9);
	counters_close(&c);
	assert_int_equal(counters_open(&c, dir), 0);
	assert_int_equal(read_value("weir_dns_tcp_open", ""), 0);
	assert_int_equal(read_value("weir_dns_tcp_accepted_total", ""), 9);
}

#define PLACED "weir_dns_placed_total"
#define CLASS  "weir_dns_placed_by_class_total"

static void answers_of_dynamic_names_are_counted_by_site_and_class(void **state)
{
	static struct scene s, next;
	uint64_t steered;

	(void)state;
	make_scene(&s);
	s.g.n_earlier = 1;
	struct counters_services *words = counters_services_new(&c, &s.g);
	const struct serving from = { .generation = &s.g, .counters = words };

	assert_non_null(words);
	assert_int_equal(read_value("weir_dns_image_stale", ""), 1);
	count_answer(false, (struct answer_info){ .dynamic = 0, .choice = { .site = 1 } }, &from);
	count_answer(false,
	             (struct answer_info){ .dynamic = 0,
	                                   .choice = { .site = 0, .class = STEERING_DRAINED } },
	             &from);
	count_answer(false,
	             (struct answer_info){ .dynamic = 0,
	                                   .choice = { .site = -1, .class = STEERING_NONE } },
	             &from);
	count_answer(false, (struct answer_info){ .dynamic = 1, .choice = { .site = 0 } }, &from);
	assert_int_equal(read_value(PLACED, "service=\"web\",site=\"ams\""), 1);
	assert_int_equal(read_value(PLACED, "service=\"web\",site=\"fra\""), 1);
	assert_int_equal(read_value(PLACED, "service=\"web\",site=\"\""), 1);
	assert_int_equal(read_value(PLACED, "service=\"mail\",site=\"ams\""), 1);
	assert_int_equal(read_value(PLACED, "service=\"mail\",site=\"\""), 0);
	for (unsigned i = 0; i < 5; i++) /* by service and site, and without one */
		for (unsigned n = 0; n <= i; n++)
			count_answer(
			        false,
			        (struct answer_info){
			                .dynamic = i > 2,
			                .choice = { .site = i == 2 || i == 4 ? -1 : (int)i % 3 } },
			        &from);
	for (unsigned i = 0; i < 5; i++) {
		uint64_t n = 77;

		assert_false(counters_steered(NULL, &s.p, i / 3, i % 3, &n));
		assert_int_equal(n, 77);
		assert_true(counters_steered(words, &s.p, i / 3, i % 3, &n));
		assert_int_equal(n, (i < 4) + i + 1);
	}
	words->by_site[3] = NULL; /* there was no room for it */
	steered = 77;
	assert_false(counters_steered(words, &s.p, 1, 0, &steered));
	assert_int_equal(steered, 77);
	assert_int_equal(read_value(CLASS, "service=\"web\",class=\"serving\""), 7);
	assert_int_equal(read_value(CLASS, "service=\"web\",class=\"drained\""), 1);
	assert_int_equal(read_value(CLASS, "service=\"web\",class=\"none\""), 1);
	assert_int_equal(read_value(CLASS, "service=\"mail\",class=\"serving\""), 10);
	assert_int_equal(read_value(CLASS, "service=\"mail\",class=\"none\""), 0);
	make_scene(&next);
	next.p.n_services = 1; /* mail is gone */
	counters_drop(&c, &s.g, &next.g);
	assert_int_equal(read_value(PLACED, "service=\"web\",site=\"fra\""), 3);
	assert_int_equal(read_value(CLASS, "service=\"web\",class=\"drained\""), 1);
	assert_int_equal(read_value(PLACED, "service=\"mail\",site=\"ams\""), -1);
	assert_int_equal(read_value(PLACED, "service=\"mail\",site=\"\""), -1);
	assert_int_equal(read_value(CLASS, "service=\"mail\",class=\"serving\""), -1);
	assert_int_equal(read_value(CLASS, "service=\"mail\",class=\"none\""), -1);
	counters_services_free(words);
	words = counters_services_new(&c, &next.g);
	assert_int_equal(read_value("weir_dns_image_stale", ""), 0);
	counters_services_free(words);
}

#define SERIAL "weir_dns_zone_serial"
static void fail_on_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	print_error("%s:%u: %s\n", m->file, m->line, m->text);
}

/* An image of zones; the first letter of a zone is its serial. */
static struct image *make_zones(const char *const *names, size_t n)
{
	static char paths[8][32];
	struct zone_source zones[8];
	struct zone_input in = { .zones = zones, .n_zones = n };
	struct image *image = NULL;

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++) {
		int fd = memfd_create("zone", 0);

		assert_true(fd >= 0);
		dprintf(fd,
		        "$TTL 60\n@ SOA ns root %u 1 1 1 1\n@ NS ns\nns A 192.0.2.1\nb A 192.0.2.2\n",
		        (unsigned)names[i][0]);
		snprintf(paths[i], sizeof(paths[i]), "/proc/self/fd/%d", fd);
		zones[i] = (struct zone_source){ names[i], paths[i] };
	}
	assert_int_equal(zone_compile(&in, fail_on_report, NULL, &image), 0);
	for (size_t i = 0; i < n; i++)
		close(atoi(paths[i] + strlen("/proc/self/fd/")));
	return image;
}

static void each_zone_has_its_serial_as_long_as_it_is_served(void **state)
{
	static const char *const first[] = { "a.test", "b.a.test", "c.test", "q\"x.test",
		                             "x.a.test" };
	static const char *const then[] = { "c.test", "a.test", "d.test" };
	struct image *before = make_zones(first, 5), *after = make_zones(then, 3);
	struct steering none = { 0 };
	struct generation old = { .image = before, .steering = &none },
	                  next = { .image = after, .steering = &none };

	(void)state;
	counters_services_free(counters_services_new(&c, &old));
	assert_int_equal(read_value("weir_dns_zones", ""), 5);
	assert_int_equal(read_value("weir_dns_image_bytes", ""), before->size_bytes);
	assert_int_equal(read_value(SERIAL, "zone=\"a.test\""), 'a');
	assert_int_equal(read_value(SERIAL, "zone=\"b.a.test\""), 'b');
	assert_int_equal(read_value(SERIAL, "zone=\"c.test\""), 'c');
	assert_int_equal(read_value(SERIAL, "zone=\"q\"x.test\""),
	                 -1); /* a label ends at a quote */
	counters_drop_zones(&c, &old, &next);
	assert_int_equal(read_value(SERIAL, "zone=\"a.test\""), 'a');
	assert_int_equal(read_value(SERIAL, "zone=\"c.test\""), 'c');
	/* a name that is there and is no zone any more, and one that is not there */
	assert_int_equal(read_value(SERIAL, "zone=\"b.a.test\""), -1);
	assert_int_equal(read_value(SERIAL, "zone=\"x.a.test\""), -1);
	counters_services_free(counters_services_new(&c, &next));
	assert_int_equal(read_value(SERIAL, "zone=\"d.test\""), 'd');
	assert_int_equal(read_value("weir_dns_zones", ""), 3);
	/*
	 * the next process has other zones: it forgets those of this one, and keeps what is
	 * counted
	 */
	stats_add(c.queries[0], 5);
	counters_close(&c);
	assert_int_equal(counters_open(&c, dir), 0);
	assert_int_equal(read_value(SERIAL, "zone=\"a.test\""), -1);
	assert_int_equal(read_value(SERIAL, "zone=\"d.test\""), -1);
	assert_int_equal(read_value("weir_dns_queries_total", "transport=\"udp\""), 5);
	free(before);
	free(after);
}

static void each_word_of_the_server_is_its_own(void **state)
{
	const struct {
		uint64_t *word;
		const char *name, *labels;
	} words[] = {
		{ c.drops[COUNTERS_DROP_MALFORMED], "weir_dns_dropped_total",
		  "reason=\"malformed\"" },
		{ c.drops[COUNTERS_DROP_PORT], "weir_dns_dropped_total", "reason=\"port\"" },
		{ c.drops[COUNTERS_DROP_SEND], "weir_dns_dropped_total", "reason=\"send\"" },
		{ c.tcp_closed[COUNTERS_CLOSE_CLIENT], "weir_dns_tcp_closed_total",
		  "reason=\"client\"" },
		{ c.tcp_closed[COUNTERS_CLOSE_IDLE], "weir_dns_tcp_closed_total",
		  "reason=\"idle\"" },
		{ c.tcp_closed[COUNTERS_CLOSE_UNREAD], "weir_dns_tcp_closed_total",
		  "reason=\"unread\"" },
		{ c.tcp_closed[COUNTERS_CLOSE_CROWDED], "weir_dns_tcp_closed_total",
		  "reason=\"crowded\"" },
		{ c.tcp_closed[COUNTERS_CLOSE_BAD], "weir_dns_tcp_closed_total", "reason=\"bad\"" },
		{ c.tcp_accepted, "weir_dns_tcp_accepted_total", "" },
		{ c.tcp_open, "weir_dns_tcp_open", "" },
		{ c.tcp_paused, "weir_dns_tcp_accept_paused_total", "" },
		{ c.threads, "weir_dns_threads", "" },
		{ c.loads, "weir_dns_loads_total", "result=\"ok\"" },
		{ c.load_failures, "weir_dns_loads_total", "result=\"refused\"" },
		{ c.load_ms, "weir_dns_load_milliseconds", "" },
		{ c.image_bytes, "weir_dns_image_bytes", "" },
		{ c.zones, "weir_dns_zones", "" },
		{ c.stale, "weir_dns_image_stale", "" },
		{ c.clock_held, "weir_dns_clock_held", "" },
		{ c.clock_stepped, "weir_dns_clock_stepped", "" },
		{ c.clock_unsynchronised, "weir_dns_clock_unsynchronised", "" },
		{ c.ramps_held[0], "weir_dns_ramps_held", "by=\"clock\"" },
		{ c.ramps_held[1], "weir_dns_ramps_held", "by=\"site\"" },
		{ counters_thread(&c, 0), "weir_dns_thread_queries_total", "thread=\"1\"" },
		{ counters_thread(&c, 7), "weir_dns_thread_queries_total", "thread=\"8\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_non_null(words[i].word);
		stats_set(words[i].word, 100 + i);
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_int_equal(read_value(words[i].name, words[i].labels), 100 + i);
}

/* Without a page nothing is counted, and nothing is needed. */
static void without_a_page_nothing_is_counted(void **state)
{
	struct counters none = { 0 };
	static struct scene s;
	struct image image = { 0 };
	const struct answer_info info = { .dynamic = 0, .has_question = true };

	(void)state;
	make_scene(&s);
	s.g.image = &image;
	assert_null(counters_services_new(&none, &s.g));
	counters_answer(&none, &tally, NULL, false, &info);
	counters_drop(&none, &s.g, &s.g);
	counters_drop_zones(&none, &s.g, &s.g);
	counters_services_free(NULL);
}

/* A site that leaves one service: that service's other rows stay, and the same site's of another service. */
static void the_word_of_a_site_goes_with_it(void **state)
{
	static struct scene s, next;
	struct steering_site alone[] = { { .name = "fra" } };

	(void)state;
	make_scene(&s);
	counters_services_free(counters_services_new(&c, &s.g));
	make_scene(&next);
	next.services[0].sites = alone;
	next.services[0].n_sites = 1;
	counters_drop(&c, &s.g, &next.g);
	assert_int_equal(read_value(PLACED, "service=\"web\",site=\"ams\""), -1);
	assert_int_equal(read_value(PLACED, "service=\"web\",site=\"fra\""), 0);
	assert_int_equal(read_value(PLACED, "service=\"web\",site=\"\""), 0);
	assert_int_equal(read_value(CLASS, "service=\"web\",class=\"serving\""), 0);
	assert_int_equal(read_value(PLACED, "service=\"mail\",site=\"ams\""), 0);
}

static size_t n_entries(const char *name)
{
	struct stats_reader *r;
	size_t n = 0;

	assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		n += e->used && !strcmp(e->name, name);
	}
	stats_reader_close(r);
	return n;
}

/* As many services as a document may have, of names that begin with @p first. */
static void name_services(struct steering_service *services, char (*names)[12], size_t n,
                          char first)
{
	static struct steering_site at[] = { { .name = "ams" }, { .name = "fra" } };

	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "%c%zu", first, i);
		services[i] = (struct steering_service){
			.name = names[i], .n_sites = 2, .sites = at, .first_state = 2 * i
		};
	}
}

/*
 * Three documents with other names each, the third of another process: the first 1,792 services are
 * counted, nothing is known of the others, and each thread still finds its own words.
 */
static void the_largest_document_leaves_room_for_signs_of_life(void **state)
{
	enum { N = 4096, COUNTED = 1792 };
	struct steering_service *services[2] = { calloc(N, sizeof(*services[0])),
		                                 calloc(N, sizeof(*services[0])) };
	char(*names[2])[12] = { calloc(N, sizeof(*names[0])), calloc(N, sizeof(*names[0])) };
	struct steering p[2] = { { .n_services = N, .services = services[0], .n_states = 2 * N },
		                 { .n_services = N, .services = services[1], .n_states = 2 * N } };
	struct image image = { 0 };
	struct generation g[2] = { { .steering = &p[0], .image = &image },
		                   { .steering = &p[1], .image = &image } };
	struct counters_services *words;
	uint64_t n = 77;

	(void)state;
	assert_true(services[0] && services[1] && names[0] && names[1]);
	name_services(services[0], names[0], N, 'a');
	name_services(services[1], names[1], N, 'b');
	counters_services_free(counters_services_new(&c, &g[0]));
	words = counters_services_new(&c, &g[1]);
	assert_non_null(words);
	stats_turns(c.stats, "dns-1");
	assert_int_equal(n_entries(STATS_TURNS), 1);
	assert_true(counters_steered(words, &p[1], COUNTED - 1, 2, &n));
	assert_int_equal(n, 0);
	for (uint32_t k = 0; k < 3; k++)
		assert_false(counters_steered(words, &p[1], COUNTED, k, &n));
	counters_drop(&c, &g[0], &g[1]);
	assert_int_equal(n_entries(PLACED), 3 * COUNTED);
	counters_services_free(words);

	counters_close(&c);
	assert_int_equal(counters_open(&c, dir), 0);
	name_services(services[1], names[1], 2, 'c');
	services[1][2].sites++;
	services[1][2].n_sites = 1;
	counters_drop_left(&c, &g[1]);
	assert_int_equal(n_entries(PLACED), 3 * (COUNTED - 2) - 1);
	assert_int_equal(n_entries(CLASS), 5 * (COUNTED - 2));
	assert_int_equal(read_value(PLACED, "service=\"b2\",site=\"ams\""), -1);
	assert_int_equal(read_value(PLACED, "service=\"b2\",site=\"\""), 0);
	assert_int_equal(read_value("weir_stats_overflow_total", ""), 0);
	for (unsigned i = 0; i < 2; i++) {
		free(services[i]);
		free(names[i]);
	}
}

/* The page is full of other things: an answer is not counted, and what overflows is no service's. */
static void a_full_page_counts_for_nobody(void **state)
{
	static struct scene s;
	char labels[16];
	uint64_t n = 77;

	(void)state;
	make_scene(&s);
	for (unsigned i = 0; i < 32768; i++) {
		snprintf(labels, sizeof(labels), "i=\"%u\"", i);
		stats_get_counter(c.stats, STATS_COUNTER, "weir_dns_fill", labels, "");
	}
	stats_add(stats_get_counter(c.stats, STATS_COUNTER, "weir_dns_fill", "", ""), 5);
	struct counters_services *words = counters_services_new(&c, &s.g);
	const struct serving from = { .generation = &s.g, .counters = words };

	assert_non_null(words);
	count_answer(false, (struct answer_info){ .dynamic = 0 }, &from);
	assert_false(counters_steered(words, &s.p, 0, 0, &n));
	assert_int_equal(n, 77);
	assert_int_equal(read_value("weir_dns_queries_total", "transport=\"udp\""), 1);
	assert_int_equal(read_value("weir_stats_overflow_total", ""), 5);
	counters_services_free(words);
}

/* There was no memory for a generation's words. */
static void an_answer_without_words_is_counted_all_the_same(void **state)
{
	const struct serving from = { .counters = NULL };

	(void)state;
	count_answer(true, (struct answer_info){ .dynamic = 0 }, &from);
	assert_int_equal(read_value("weir_dns_queries_total", "transport=\"tcp\""), 1);
}

/*
 * Several services, of which the first, one amid and the last go: all of theirs is dropped, and
 * nothing of the others.
 */
static void words_go_with_their_service_wherever_it_stands(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	static struct steering_site at[] = { { .name = "ams" }, { .name = "fra" } };
	struct steering_service before[5], after[2];
	struct image image = { 0 };
	struct steering old = { .n_services = 5, .services = before, .n_states = 10 },
	                now = { .n_services = 2, .services = after, .n_states = 4 };
	struct generation was = { .steering = &old, .image = &image },
	                  is = { .steering = &now, .image = &image };
	char labels[64];

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		before[i] = (struct steering_service){
			.name = names[i], .n_sites = 2, .sites = at, .first_state = 2 * i
		};
	after[0] = before[3];
	after[1] = before[1];
	counters_services_free(counters_services_new(&c, &was));
	counters_drop(&c, &was, &is);
	for (unsigned i = 0; i < 5; i++) {
		static const char *const sites[] = { "ams", "fra", "" };
		static const char *const classes[] = { "serving", "drained", "unproven", "panic",
			                               "none" };
		int64_t expected = i == 1 || i == 3 ? 0 : -1;

		for (unsigned k = 0; k < 3; k++) {
			snprintf(labels, sizeof(labels), "service=\"%s\",site=\"%s\"", names[i],
			         sites[k]);
			assert_int_equal(read_value(PLACED, labels), expected);
		}
		for (unsigned k = 0; k < 5; k++) {
			snprintf(labels, sizeof(labels), "service=\"%s\",class=\"%s\"", names[i],
			         classes[k]);
			assert_int_equal(read_value(CLASS, labels), expected);
		}
	}
}

/* The longest name that a zone may have which has another one, root: it takes no other zone's place, and its label is whole. */
static void zones_of_the_longest_names_have_a_serial_each(void **state)
{
	static char names[2][249];
	const char *both[2] = { names[0], names[1] };
	struct steering none = { 0 };
	char labels[STATS_LABELS_MAX];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		memset(names[i], 'm', 248);
		for (unsigned dot = 62; dot < 248; dot += 63)
			names[i][dot] = '.';
		names[i][247] = (char)('1' + i);
	}
	struct image *image = make_zones(both, 2);
	struct generation g = { .image = image, .steering = &none };

	counters_services_free(counters_services_new(&c, &g));
	for (unsigned i = 0; i < 2; i++) {
		snprintf(labels, sizeof(labels), "zone=\"%.253s\"", names[i]);
		assert_int_equal(read_value(SERIAL, labels), 'm');
	}
	free(image);
}

/* A service and two sites of 63 characters, the sites differing in the last, and a short site. */
static void make_long_names(struct scene *s)
{
	static char service[64], sites[2][64];

	memset(service, 'w', 63);
	for (unsigned i = 0; i < 2; i++) {
		memset(sites[i], 's', 62);
		sites[i][62] = (char)('1' + i);
	}
	make_scene(s);
	s->at[0].name = sites[0];
	s->at[1].name = sites[1];
	s->at[2].name = "ams";
	s->services[0] = (struct steering_service){ .name = service, .n_sites = 3, .sites = s->at };
	s->p.n_services = s->p.n_names = 1;
}

/* A label that is cut would make the whole page unreadable for Prometheus, and two sites one. */
static void services_and_sites_of_the_longest_names_are_counted_apart(void **state)
{
	static struct scene s;
	char labels[STATS_LABELS_MAX];
	const char *service;

	(void)state;
	make_long_names(&s);
	struct counters_services *words = counters_services_new(&c, &s.g);
	const struct serving from = { .generation = &s.g, .counters = words };

	service = s.services[0].name;
	for (int site = -1; site < 3; site++)
		for (int n = -2; n < site; n++)
			count_answer(false, (struct answer_info){ .choice = { .site = site } },
			             &from);
	for (int site = -1; site < 3; site++) {
		snprintf(labels, sizeof(labels), "service=\"%s\",site=\"%s\"", service,
		         site < 0 ? "" : s.at[site].name);
		assert_int_equal(read_value(PLACED, labels), site + 2);
	}
	snprintf(labels, sizeof(labels), "service=\"%s\",class=\"serving\"", service);
	assert_int_equal(read_value(CLASS, labels), 1 + 2 + 3 + 4);
	counters_services_free(words);
	counters_drop(&c, &s.g, &s.g);
}

#define TOLD 2000u /* zones whose serial is a metric */

/*
 * An image of TOLD + 1 zones, all with one file: z0000.test and on, but for the last two, which
 * may be exchanged.
 */
static struct image *make_many(bool exchanged)
{
	static char names[TOLD + 1][16];
	static struct zone_source zones[TOLD + 1];
	struct zone_input in = { .zones = zones, .n_zones = TOLD + 1 };
	struct image *image = NULL;
	int fd = memfd_create("zone", 0);
	char path[32];

	assert_true(fd >= 0);
	dprintf(fd, "$TTL 60\n@ SOA ns root 7 1 1 1 1\n@ NS ns.test.\n");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (unsigned i = 0; i <= TOLD; i++) {
		unsigned k = exchanged && i >= TOLD - 1 ? 2 * TOLD - 1 - i : i;

		snprintf(names[i], sizeof(names[i]), "z%04u.test", k);
		zones[i] = (struct zone_source){ names[i], path };
	}
	assert_int_equal(zone_compile(&in, fail_on_report, NULL, &image), 0);
	close(fd);
	return image;
}

/* The last one of those that are told is none of them any more: its serial would stay as it was. */
static void as_many_serials_are_told_as_there_is_room_for(void **state)
{
	struct steering none = { 0 };
	struct image *before = make_many(false), *after = make_many(true);
	struct generation old = { .image = before, .steering = &none },
	                  next = { .image = after, .steering = &none };

	(void)state;
	counters_services_free(counters_services_new(&c, &old));
	assert_int_equal(read_value(SERIAL, "zone=\"z0000.test\""), 7);
	assert_int_equal(read_value(SERIAL, "zone=\"z1999.test\""), 7);
	assert_int_equal(read_value(SERIAL, "zone=\"z2000.test\""), -1);
	assert_int_equal(read_value("weir_dns_zones", ""), TOLD + 1);
	counters_drop_zones(&c, &old, &next);
	counters_services_free(counters_services_new(&c, &next));
	assert_int_equal(read_value(SERIAL, "zone=\"z1999.test\""), -1);
	assert_int_equal(read_value(SERIAL, "zone=\"z2000.test\""), 7);
	assert_int_equal(read_value(SERIAL, "zone=\"z1998.test\""), 7);
	free(before);
	free(after);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(counters)
{
	const struct CMUnitTest tests[] = {
		WITH(each_answer_is_counted_by_what_it_is),
		WITH(connections_of_a_process_that_ended_are_not_open),
		WITH(answers_of_dynamic_names_are_counted_by_site_and_class),
		WITH(each_zone_has_its_serial_as_long_as_it_is_served),
		WITH(each_word_of_the_server_is_its_own),
		WITH(without_a_page_nothing_is_counted),
		WITH(an_answer_without_words_is_counted_all_the_same),
		WITH(the_word_of_a_site_goes_with_it),
		WITH(words_go_with_their_service_wherever_it_stands),
		WITH(zones_of_the_longest_names_have_a_serial_each),
		WITH(services_and_sites_of_the_longest_names_are_counted_apart),
		WITH(as_many_serials_are_told_as_there_is_room_for),
		WITH(the_largest_document_leaves_room_for_signs_of_life),
		WITH(a_full_page_counts_for_nobody),
	};

	return cmocka_run_group_tests_name("dns counters", tests, NULL, NULL);
}
