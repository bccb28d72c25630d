/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-dns states: the level, the subject and the text, at and around each limit. */
#include "dns/zone/image.h"
#include "tests/unit/dns/conditions_scene.h"
#include "tests/unit/suite.h"

static void what_is_well_is_not_blamed(void **state)
{
	(void)state;
	assert_int_equal(state_conditions(), 0);
	assert_int_equal(stated.document, 42);
	assert_int_equal(w.s.conditions_ms, simulated.now_ms);
	w.s.now = NULL;
	w.s.load.last_result = -ENOENT; /* no document yet */
	assert_int_equal(state_conditions(), 0);
	assert_int_equal(stated.document, 0);
}

static void a_refused_document_is_down_only_where_nothing_is_served(void **state)
{
	(void)state;
	w.s.load.last_result = -EINVAL;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("document-refused", "", "the one before is served"),
	                 CONDITION_DEGRADED);
	assert_int_equal(level_of("document-refused", "", strerror(EINVAL)), CONDITION_DEGRADED);
	w.s.load.errors[0] = (char *)(uintptr_t) "effective.conf:7: what";
	w.s.load.n_errors = 1;
	(void)state_conditions();
	assert_int_equal(level_of("document-refused", "", "effective.conf:7: what"),
	                 CONDITION_DEGRADED);
	w.s.load.running = true; /* the list is the thread's now */
	(void)state_conditions();
	assert_int_equal(level_of("document-refused", "", "effective.conf:7: what"), -1);
	w.s.now = NULL;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("document-refused", "", "nothing is answered"), CONDITION_DOWN);
}

static void threads_that_lack_have_their_time_to_come(void **state)
{
	(void)state;
	w.m.dns_threads = 3;
	w.s.n_threads = 2;
	assert_int_equal(state_conditions(), 0);
	simulated.now_ms += 14999;
	assert_int_equal(state_conditions(), 0);
	simulated.now_ms++;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("threads-few", "", "2 of dns.threads = 3"), CONDITION_DEGRADED);
	w.s.n_threads = 3; /* as many as are asked for */
	assert_int_equal(state_conditions(), 0);
	w.s.n_threads = 2; /* and again: they have their time again */
	simulated.now_ms += 14999;
	assert_int_equal(state_conditions(), 0);
	simulated.now_ms++;
	assert_int_equal(state_conditions(), 1);
	w.m.dns_threads = 0; /* "as many as there are CPUs": any number is right */
	assert_int_equal(state_conditions(), 0);
}

static void a_key_that_is_not_the_clusters_is_told(void **state)
{
	(void)state;
	w.m.key_fault = "no such file";
	w.m.key_state = MODEL_KEY_KEPT;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("hash-key-mismatch", "weir-dns", "the key in use stays"),
	                 CONDITION_DEGRADED);
	w.m.key_state = MODEL_KEY_NONE;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("hash-key-mismatch", "weir-dns", "another site here"),
	                 CONDITION_DEGRADED);
}

static struct model_site many[64];

/* A document of @p n sites, site-00 and on, each with a node: those of @p lost are not heard. */
static void hear_sites(unsigned n, uint64_t lost)
{
	static char names[64][16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "site-%02u", i);
		many[i] = (struct model_site){ .name = names[i], .index = 63 - i };
		w.nodes[i] = (struct node_health){ .site = &many[i], .fresh = !(lost >> i & 1) };
	}
	w.m.sites = many;
	w.m.n_sites = w.views.n = n;
}

static void the_majority_is_lost_at_one_half_and_warned_of_before(void **state)
{
	static const struct {
		unsigned n, n_lost;
		const char *code;
	} cases[] = {
		{ 3, 0, NULL },
		{ 3, 1, "site-removal-impossible" },
		{ 3, 2, "sites-majority-lost" },
		{ 4, 0, NULL },
		{ 4, 1, "site-removal-impossible" },
		{ 4, 2, "sites-majority-lost" },
		{ 5, 1, NULL },
		{ 5, 2, "site-removal-impossible" },
		{ 5, 3, "sites-majority-lost" },
		{ 5, 5, "sites-majority-lost" },
	};

	(void)state;
	w.views.votes = true;
	for (size_t i = 0; i < COUNT(cases); i++) {
		hear_sites(cases[i].n, (UINT64_C(1) << cases[i].n_lost) - 1);
		assert_int_equal(state_conditions(), cases[i].code ? 1 : 0);
		if (cases[i].code)
			assert_int_equal(
			        level_of(cases[i].code, "",
			                 cases[i].n_lost > 1 ? "site-00, site-01" : "site-00 is"),
			        CONDITION_DEGRADED);
	}
	w.views.votes = false; /* nobody votes: nothing is lost */
	assert_int_equal(state_conditions(), 0);
}

static void a_site_is_out_when_all_its_families_are_down(void **state)
{
	struct steering_site_state *web_fra = &w.state->sites[1], *web_ams = &w.state->sites[0];

	(void)state;
	web_fra->words[0] = down;
	assert_int_equal(state_conditions(), 0); /* IPv4 is not */
	web_fra->words[1] = down;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("site-out", "fra", "1 of its 2 services"), CONDITION_DEGRADED);
	w.services[0].one_vip = true;
	assert_int_equal(state_conditions(), 0); /* ams gives the same addresses */
	w.services[0].one_vip = false;
	web_fra->words[0] = up;
	w.at[0][1].n_addresses[0] = 0; /* IPv4 is all that it has */
	assert_int_equal(state_conditions(), 1);
	web_fra->forced_up = true;
	assert_int_equal(state_conditions(), 0); /* a person has brought it back */
	web_fra->forced_up = false;
	web_fra->disabled = true;
	assert_int_equal(state_conditions(), 0); /* a person has taken it out, not the checks */
	web_fra->disabled = false;
	web_ams->disabled = true;
	assert_int_equal(state_conditions(), 0); /* nobody else is left: fra is answered */
	web_ams->disabled = false;
	web_ams->words[0] = web_ams->words[1] = down;
	assert_int_equal(state_conditions(), 0); /* so are both */
	w.at[0][1].n_addresses[1] = 0; /* a site without addresses is not down, it is not there */
	assert_int_equal(level_of("site-out", "fra", NULL), -1);
}

static void the_own_site_may_be_out_only_for_others(void **state)
{
	(void)state;
	outside[0] = outside[1] = (struct majority){ .n_up = 1, .n_down = 1 };
	assert_int_equal(state_conditions(), 0); /* they disagree */
	outside[0].n_down = outside[1].n_down = 2;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("site-out", "ams", "checks of other sites or its own"),
	                 CONDITION_DEGRADED);
	assert_int_equal(level_of("site-out", "ams", "1 of its 2 services"), CONDITION_DEGRADED);
	outside[0].n_up = 2; /* one family is seen */
	assert_int_equal(state_conditions(), 0);
	outside[0].n_up = 1;
	w.state->sites[0].forced_up = true;
	assert_int_equal(state_conditions(), 0);
	w.state->sites[0].forced_up = false;
	w.services[0].n_sites = 1; /* there is no other site to answer with */
	assert_int_equal(state_conditions(), 0);
	w.services[0].n_sites = 2;
	w.self.site = &w.sites[2]; /* what others see of their own is theirs to tell */
	assert_int_equal(state_conditions(), 0);
}

static void each_trouble_of_the_clock_has_its_own_words(void **state)
{
	(void)state;
	w.s.clock = WALL_CLOCK_UNSYNCHRONISED;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("clock-unsynchronised", "", "no time server"),
	                 CONDITION_DEGRADED);
	w.s.clock = WALL_CLOCK_STEPPED;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("clock-stepped", "", "weir clock accept"), CONDITION_DEGRADED);
	w.s.clock = WALL_CLOCK_BOOTED; /* known from the peers in a moment */
	assert_int_equal(state_conditions(), 0);
}

/* All codes, levels and subjects that are stated. */
static const char *stated_text(void)
{
	static char text[1024];
	size_t at = 0;

	text[0] = '\0';
	(void)state_conditions();
	for (unsigned i = 0; i < stated.n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %d %s: %s",
		                       i ? "\n" : "", stated.items[i].code, stated.items[i].level,
		                       stated.items[i].subject, stated.items[i].text);
	assert_true(at < sizeof(text));
	return text;
}

static char mistake[] = "weir.conf:3: what";

/* An error is that of the last load, if it is over and has one. */
static void the_reason_of_a_refusal_is_the_first_error_if_there_is_one(void **state)
{
	(void)state;
	w.s.load.last_result = -EINVAL;
	w.s.load.errors[0] = mistake; /* of an earlier load */
	assert_non_null(strstr(stated_text(), ": Invalid argument"));
	w.s.load.n_errors = 1;
	assert_non_null(strstr(stated_text(), ": weir.conf:3: what"));
	w.s.load.errors[0] = NULL; /* there was no memory for it */
	assert_non_null(strstr(stated_text(), ": Invalid argument"));
	w.s.load.last_result = -ENOENT;
	assert_string_equal(stated_text(), "");
	w.s.load.last_result = 0;
	assert_string_equal(stated_text(), "");
}

#define OUT(site, whose, n, of, see)                                                               \
	"site-out 1 " site ": checks" whose " have taken site " site " out of the answers for " n  \
	" of its " of " services: clients get other sites. See " see ", and weir dns explain NAME"
#define OUT_HERE(n)                                                                                \
	OUT("ams", " of other sites or its own", n, "2",                                           \
	    "weir health, the routes to its VIPs from outside")
#define OUT_THERE(n) OUT("fra", "", n, "2", "weir why on that site's nodes, the routes to its VIPs")

/* Each state of two services at two sites, and what is said of all. */
static void a_site_is_out_by_its_services(void **state)
{
	static const struct {
		const char *why;
		/* web at ams and fra, then mail: u up, d down, f down and forced up, x disabled, D down and
		 * disabled, 4 down with IPv4 alone, o has IPv4 alone, n nothing there, N nothing and down */
		const char *states;
		/* what others see of web and mail here: - nothing, d down, 4 IPv4 alone is down, = as many */
		const char *outside;
		const char *text;
	} cases[] = {
		{ "all is up", "uuuu", "--", "" },
		{ "the first service there", "uduu", "--", OUT_THERE("1") },
		{ "the second service there", "uuud", "--", OUT_THERE("1") },
		{ "both there", "udud", "--", OUT_THERE("2") },
		{ "both here", "dudu", "--", OUT_HERE("2") },
		{ "one here, one there", "duud", "--", OUT_HERE("1") "\n" OUT_THERE("1") },
		{ "nobody else is left", "dddd", "--", "" },
		{ "nobody else is left of one", "ddud", "--", OUT_THERE("1") },
		{ "the other one is disabled", "xdud", "--", OUT_THERE("1") },
		{ "forced up", "ufuu", "--", "" },
		{ "disabled", "uDuu", "--", "" },
		{ "one family", "u4uu", "--", "" },
		{ "nothing is there", "unuN", "--", "" },
		{ "others see it down", "uuuu", "d-", OUT_HERE("1") },
		{ "others see the second down", "uuuu", "-d", OUT_HERE("1") },
		{ "both", "uuuu", "dd", OUT_HERE("2") },
		{ "one family of it", "uuuu", "4-", "" },
		{ "the only family of it", "ouuu", "4-", OUT_HERE("1") },
		{ "as many see it up", "uuuu", "==", "" },
		{ "forced up here", "fuuu", "d-", "" },
		{ "disabled here", "xuuu", "d-", "" },
		{ "the second forced up", "uufu", "-d", "" },
		{ "nothing here", "nuNu", "dd", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		memset(outside, 0, sizeof(outside));
		for (unsigned k = 0; k < 4; k++) {
			char is = cases[i].states[k];
			struct steering_site_state *now = &w.state->sites[k];
			bool empty = is == 'n' || is == 'N';

			w.at[k / 2][k % 2].n_addresses[0] = !empty && is != 'o';
			w.at[k / 2][k % 2].n_addresses[1] = !empty;
			*now = (struct steering_site_state){
				.words = { strchr("dfDN", is) ? down : up,
				           strchr("dfDN4", is) ? down : up },
				.forced_up = is == 'f',
				.disabled = is == 'x' || is == 'D'
			};
		}
		for (unsigned k = 0; k < 4; k++) { /* of ams, by family */
			char is = cases[i].outside[k / 2];

			if (is == 'd' || (is == '4' && k % 2))
				outside[k / 2 * 4 + k % 2] = (struct majority){ .n_down = 1 };
			if (is == '=')
				outside[k / 2 * 4 + k % 2] =
				        (struct majority){ .n_down = 2, .n_up = 2 };
		}
		assert_string_equal(stated_text(), cases[i].text);
	}
	memset(outside, 0, sizeof(outside));
	w.self.site = &w.sites[1]; /* a node of the other site */
	for (unsigned k = 0; k < 4; k++) {
		w.at[k / 2][k % 2].n_addresses[0] = w.at[k / 2][k % 2].n_addresses[1] = 1;
		w.state->sites[k].words[0] = w.state->sites[k].words[1] = up;
	}
	outside[6] = outside[7] = (struct majority){ .n_down = 1 };
	assert_string_equal(stated_text(), OUT("fra", " of other sites or its own", "1", "2",
	                                       "weir health, the routes to its VIPs from outside"));
	w.m.self = NULL; /* a node that the document does not name looks at its own sites alone */
	w.state->sites[0].words[0] = w.state->sites[0].words[1] = down;
	w.at[0][0].n_addresses[0] = w.at[0][0].n_addresses[1] = 1;
	w.state->sites[0].forced_up = w.state->sites[0].disabled = false;
	w.services[0].n_sites = w.services[1].n_sites = 1;
	assert_string_equal(stated_text(), "");
}

/* Names are written as far as there is room, and each number is the one that it should be. */
static void sites_that_are_not_heard_are_named_as_far_as_there_is_room(void **state)
{
	(void)state;
	w.views.votes = true;
	hear_sites(5, 1 | 2 | 16);
	assert_string_equal(
	        stated_text(),
	        "sites-majority-lost 1 : 3 of 5 sites are not heard (site-00, site-01, site-04): "
	        "checks take no site out of the answers and bring none back. Restore the path, or "
	        "decide: weir disable site NAME --until +4h --reason TEXT [--offline]");
	hear_sites(3, 4);
	assert_string_equal(
	        stated_text(),
	        "site-removal-impossible 1 : site-02 is not heard: if one more site dies, "
	        "checks cannot take that one out of the answers. If it stays away: weir "
	        "drain site NAME --scheduled --until never --reason TEXT; then the others decide");
	for (unsigned n = 0; n <= 64; n++) {
		unsigned n_named = n < 7 ? n : 7;
		char whole[256];
		size_t at = (size_t)sprintf(whole, "%u of %u sites are not heard (", n, n);

		for (unsigned i = 0; i < n_named; i++)
			at += (size_t)sprintf(whole + at, "%ssite-%02u", i ? ", " : "", i);
		if (n > n_named)
			at += (size_t)sprintf(whole + at, " and %u more", n - n_named);
		sprintf(whole + at, "): checks");
		hear_sites(n, UINT64_MAX);
		assert_non_null(strstr(stated_text(), whole));
	}
	hear_sites(4, 1 | 8);
	assert_non_null(strstr(stated_text(), "2 of 4 sites are not heard (site-00, site-03)"));
}

/* Any of these means that nothing lacks. */
static void threads_lack_only_if_there_is_something_to_answer_on(void **state)
{
	static const struct {
		unsigned want, has, listens;
		bool few;
	} cases[] = {
		{ 3, 2, 2, true },  { 3, 2, 1, true },  { 3, 2, 0, false }, { 0, 2, 2, false },
		{ 0, 0, 2, false }, { 3, 3, 2, false }, { 3, 4, 2, false }, { 1, 0, 2, true },
	};

	(void)state;
	w.self.n_dns_listen = 0;
	for (size_t i = 0; i < COUNT(cases); i++) {
		w.m.dns_threads = cases[i].want;
		w.s.n_threads = cases[i].has;
		w.s.n_listens = cases[i].listens;
		w.s.few_ms = simulated.now_ms;
		simulated.now_ms += 20000;
		assert_int_equal(state_conditions(), cases[i].few);
		assert_int_equal(w.s.few_ms, simulated.now_ms - (cases[i].few ? 20000 : 0));
	}
}

static void without_a_page_nothing_is_stated(void **state)
{
	(void)state;
	(void)state_conditions();
	w.s.clock = WALL_CLOCK_STEPPED;
	w.s.counters.stats = NULL;
	simulated.now_ms++;
	state_now();
	assert_int_equal(w.s.conditions_ms, simulated.now_ms);
	assert_int_equal(conditions_read(dir, "dns", &stated), 0);
	assert_true(stated.n == 0 && stated.at_ms == simulated.now_ms - 1);
}

#define ZONES_MAX_ 12u

/* An image of zones z0. and on, in these states. */
static struct {
	struct image head;
	struct image_zone zones[ZONES_MAX_];
	_Alignas(4) uint8_t
	        names[ZONES_MAX_ + 1][20]; /* image_name with its label; the last is the root */
} image;

static void make_zones(uint32_t n, const uint32_t *states)
{
	uint32_t names_off = (uint32_t)((char *)image.names - (char *)&image);

	memset(&image, 0, sizeof(image));
	image.head.n_zones = n;
	image.head.zones_off = sizeof(image.head);
	w.g.n_earlier = w.g.n_broken = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct image_name *name = (struct image_name *)image.names[i];

		image.zones[i].state = states[i];
		image.zones[i].name_off = names_off + i * (uint32_t)sizeof(image.names[0]);
		name->parent_off = names_off + ZONES_MAX_ * (uint32_t)sizeof(image.names[0]);
		name->n_labels = 1;
		memcpy(name->label, "\2z", 2);
		name->label[2] = (uint8_t)('a' + i);
		w.g.n_earlier += (states[i] & IMAGE_ZONE_EARLIER) != 0;
		w.g.n_broken += (states[i] & IMAGE_ZONE_BROKEN) != 0;
	}
	w.g.image = &image.head;
}

static void each_zone_that_lacks_is_named_with_its_trouble(void **state)
{
	static const uint32_t states[] = { 0, IMAGE_ZONE_BROKEN, IMAGE_ZONE_EARLIER };

	(void)state;
	make_zones(3, states);
	assert_int_equal(state_conditions(), 2);
	assert_int_equal(level_of("zones-refused", "zb",
	                          "the zone's file cannot be used, so the zone answers SERVFAIL: "
	                          "correct the file, then weir zone reload"),
	                 CONDITION_DEGRADED);
	assert_int_equal(level_of("zones-refused", "zc",
	                          "the zone's file cannot be used, so its last good image is "
	                          "served: correct the file"),
	                 CONDITION_DEGRADED);
	assert_int_equal(level_of("zones-refused", "za", NULL), -1);
}

/* Where a file could not be read for what may pass, nobody need correct it; beside it another one is wrong. */
static void a_file_that_may_be_read_later_is_told_apart(void **state)
{
	static const uint32_t states[] = { IMAGE_ZONE_BROKEN, IMAGE_ZONE_EARLIER,
		                           IMAGE_ZONE_BROKEN };
	struct generation_share share = {
		.errors = { { .zone = "zc", .error = -EINVAL },
		            { .zone = "zb", .error = -EACCES },
		            { .zone = "za", .error = -EMFILE } },
		.n_errors = 3,
	};

	(void)state;
	make_zones(3, states);
	w.g.share = &share;
	w.g.stale_error = -EMFILE;
	assert_int_equal(state_conditions(), 3);
	assert_int_equal(
	        level_of("zones-refused", "za",
	                 "the zone's file cannot be read now (Too many open files), so the "
	                 "zone answers SERVFAIL; tried again"),
	        CONDITION_DEGRADED);
	assert_int_equal(
	        level_of("zones-refused", "zb",
	                 "the zone's file cannot be read now (Permission denied), so its last "
	                 "good image is served; tried again"),
	        CONDITION_DEGRADED);
	assert_int_equal(level_of("zones-refused", "zc", "correct the file"), CONDITION_DEGRADED);
	share.n_errors = 2;
	(void)state_conditions();
	assert_int_equal(level_of("zones-refused", "za", "correct the file"), CONDITION_DEGRADED);
	while (share.n_errors < GENERATION_ERRORS_MAX) /* no more are kept: that of za may be one */
		share.errors[share.n_errors++] =
		        (struct zones_message){ .zone = "zd", .error = -EACCES };
	(void)state_conditions();
	assert_int_equal(level_of("zones-refused", "za", "SERVFAIL: the log of weir-dns says why"),
	                 CONDITION_DEGRADED);
	assert_int_equal(level_of("zones-refused", "zc", "correct the file"), CONDITION_DEGRADED);
}

/* Zones of each two kinds. */
static void zones_of_several_kinds_are_all_named(void **state)
{
	static const uint32_t kinds[] = { IMAGE_ZONE_BROKEN, IMAGE_ZONE_EARLIER };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const uint32_t states[] = { kinds[i / 2], 0, kinds[i % 2] };

		make_zones(3, states);
		assert_int_equal(state_conditions(), 2);
		assert_string_equal(stated.items[0].subject, "za");
		assert_string_equal(stated.items[1].subject, "zc");
	}
}

static void without_any_zone_that_answers_it_is_down(void **state)
{
	static const uint32_t states[] = { IMAGE_ZONE_BROKEN, IMAGE_ZONE_BROKEN,
		                           IMAGE_ZONE_EARLIER };

	(void)state;
	make_zones(2, states);
	assert_int_equal(state_conditions(), 2);
	assert_int_equal(level_of("zones-refused", "za", NULL), CONDITION_DOWN);
	assert_int_equal(level_of("zones-refused", "zb", NULL), CONDITION_DOWN);
	make_zones(3, states); /* one answers */
	assert_int_equal(state_conditions(), 3);
	assert_int_equal(level_of("zones-refused", "za", NULL), CONDITION_DEGRADED);
	assert_int_equal(level_of("zones-refused", "zc", NULL), CONDITION_DEGRADED);
}

static void the_mistake_is_that_of_the_zone(void **state)
{
	static char texts[][16] = { "z:1: for all", "z:2: of b", "z:3: of a", "z:4: later" };
	static char zones[][4] = { "zb", "za", "zb" };
	static const uint32_t states[] = { IMAGE_ZONE_BROKEN, IMAGE_ZONE_EARLIER, IMAGE_ZONE_BROKEN,
		                           0 };

	(void)state;
	make_zones(4, states);
	for (unsigned i = 0; i < 4; i++)
		w.s.load.errors[i] = texts[i];
	for (unsigned i = 0; i < 3; i++)
		w.s.load.zones[i + 1] = zones[i];
	w.s.load.n_errors = 4;
	assert_int_equal(state_conditions(), 3);
	assert_int_equal(level_of("zones-refused", "za", "weir zone reload: z:3: of a"),
	                 CONDITION_DEGRADED);
	assert_int_equal(level_of("zones-refused", "zb", "weir zone reload: z:2: of b"),
	                 CONDITION_DEGRADED);
	assert_int_equal(level_of("zones-refused", "zc", "z:"), -1); /* it has none */
	w.s.load.n_errors = 2; /* those behind are of an earlier load */
	(void)state_conditions();
	assert_int_equal(level_of("zones-refused", "za", "z:3"), -1);
	assert_int_equal(level_of("zones-refused", "zb", "z:2: of b"), CONDITION_DEGRADED);
	w.s.load.errors[1] = NULL; /* there was no memory for it */
	(void)state_conditions();
	assert_int_equal(level_of("zones-refused", "zb", "z:"), -1);
	w.s.load.running = true;
	w.s.load.errors[1] = texts[1];
	(void)state_conditions();
	assert_int_equal(level_of("zones-refused", "zb", "z:"), -1);
}

static void of_many_zones_eight_are_named_and_the_rest_is_counted(void **state)
{
	static uint32_t states[ZONES_MAX_];

	(void)state;
	for (unsigned n = 7; n <= 10; n++) {
		char text[32];

		for (unsigned i = 0; i < ZONES_MAX_; i++)
			states[i] = i < n ? IMAGE_ZONE_EARLIER : 0;
		make_zones(ZONES_MAX_, states);
		assert_int_equal(state_conditions(), n < 9 ? n : 9);
		snprintf(text, sizeof(text), "%u more zones are", n - 8);
		assert_int_equal(level_of("zones-refused", "", text),
		                 n > 8 ? CONDITION_DEGRADED : -1);
	}
}

static void a_whole_image_that_is_an_earlier_one_is_told(void **state)
{
	(void)state;
	w.g.stale = true;
	w.g.stale_error = -ENOMEM; /* no file is wrong */
	assert_int_equal(state_conditions(), 1);
	assert_string_equal(stated.items[0].text,
	                    "the zone files cannot be compiled now (Cannot allocate memory), an "
	                    "earlier image is served; tried again");
	w.g.stale_error = -EINVAL;
	assert_int_equal(state_conditions(), 1);
	assert_string_equal(stated.items[0].text,
	                    "the zone files are refused, an earlier image is served");
	w.s.load.errors[0] = mistake;
	w.s.load.n_errors = 1;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("zones-refused", "", "image is served: weir.conf:3: what"),
	                 CONDITION_DEGRADED);
}

/* A command of a person at a site or node: all its VIPs are withdrawn from the routers. */
static void withdraw_vips(enum model_target_kind target, const char *name)
{
	bool is_site = target == MODEL_TARGET_SITE;

	w.overrides[w.m.n_overrides++] = (struct model_override){
		.kind = is_site ? MODEL_OVERRIDE_DRAIN : MODEL_OVERRIDE_DISABLE,
		.target = target,
		.name = name,
		.until_ms = MODEL_TIME_NEVER,
		.is_step = is_site,
		.own_vips = is_site ? MODEL_VIPS_WITHDRAWN : MODEL_VIPS_ANNOUNCED,
	};
}

/* www leads to web, mx to mail; each has ams and fra. */
static void name_both(void)
{
	w.names[0] = (struct steering_name){ .name = "www.test", .service = &w.services[0] };
	w.names[1] = (struct steering_name){ .name = "mx.test", .service = &w.services[1] };
	w.p.n_names = 2;
}

static void a_name_that_no_site_may_answer_is_down(void **state)
{
	struct steering_site_state *web = w.state->sites;

	(void)state;
	name_both();
	web[0].disabled = true;
	assert_int_equal(state_conditions(), 0); /* fra answers */
	web[1].disabled = true;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(
	        level_of("name-unanswered", "www.test",
	                 "2 of 2 sites of service web are disabled, and no other may serve "
	                 "it. Bring one back: weir enable site NAME"),
	        CONDITION_DOWN);
	web[1].disabled = false;
	w.at[0][1].n_addresses[0] = w.at[0][1].n_addresses[1] = 0; /* it has nothing to answer */
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("name-unanswered", "www.test", "1 of 2 sites"), CONDITION_DOWN);
	w.at[0][1].n_addresses[1] = 1; /* IPv4, and ams alone has IPv6 */
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("name-half-answered", "www.test", "one address family"),
	                 CONDITION_DEGRADED);
	web[0].disabled = false;
	assert_int_equal(state_conditions(), 0);
	w.p.n_names = 0; /* DNS is not asked for it */
	web[0].disabled = web[1].disabled = true;
	assert_int_equal(state_conditions(), 0);
}

static void a_service_that_fails_closed_may_leave_a_name_empty(void **state)
{
	struct steering_site_state *web = w.state->sites;

	(void)state;
	name_both();
	for (unsigned i = 0; i < 4; i++)
		web[i / 2].words[i % 2] = down;
	assert_int_equal(state_conditions(), 0); /* all are answered */
	w.services[0].fail_closed = true;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("name-unanswered", "www.test", "fails closed (on_all_down)"),
	                 CONDITION_DOWN);
}

static void a_name_whose_sites_are_all_drained_is_degraded(void **state)
{
	struct steering_site_state *web = w.state->sites;

	(void)state;
	name_both();
	web[0].drained_ppm = MODEL_PPM_ALL;
	assert_int_equal(state_conditions(), 0);
	web[1].drained_ppm = MODEL_PPM_ALL - 1;
	assert_int_equal(state_conditions(), 0);
	web[1].drained_ppm = MODEL_PPM_ALL;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("name-drained", "www.test", "weir undrain site NAME"),
	                 CONDITION_DEGRADED);
	web[1].drained_ppm = 0;
	web[1].disabled = true; /* ams is all that is left */
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("name-drained", "www.test", NULL), CONDITION_DEGRADED);
}

/* Where answers lead, nobody may listen: a drain that is complete, or all nodes of a site disabled. */
static void a_name_whose_answers_lead_nowhere_is_down(void **state)
{
	struct steering_site_state *web = w.state->sites;

	(void)state;
	name_both();
	w.p.n_names = 1;
	withdraw_vips(MODEL_TARGET_SITE, "ams");
	withdraw_vips(MODEL_TARGET_NODE, "fra-1");
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("name-withdrawn", "www.test", "lead nowhere"), CONDITION_DOWN);
	w.overrides[1].name = "fra-2";
	assert_int_equal(state_conditions(), 0);
	web[1].disabled = true; /* ams alone answers */
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("name-withdrawn", "www.test", NULL), CONDITION_DOWN);
	w.overrides[0].service = "mail"; /* that one alone is drained */
	assert_int_equal(state_conditions(), 0);
	w.overrides[0].service = NULL;
	w.vips[0].n_sites = 2; /* other sites announce it, too */
	assert_int_equal(state_conditions(), 0);
	w.vips[0].n_sites = 1;
	w.overrides[0].ended = true;
	assert_int_equal(state_conditions(), 0);
	withdraw_vips(MODEL_TARGET_NODE, "ams-1");
	assert_int_equal(state_conditions(), 1);
	w.overrides[2].kind = MODEL_OVERRIDE_DRAIN; /* in graceful shutdown: it serves */
	assert_int_equal(state_conditions(), 0);
	w.overrides[2].kind = MODEL_OVERRIDE_DISABLE;
	w.announcers[0].announce.daemon = MODEL_DAEMON_NONE; /* others bring the packets */
	assert_int_equal(state_conditions(), 0);
}

static void of_many_names_eight_of_each_level_are_named(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		static char names[12][8];

		snprintf(names[i], sizeof(names[i]), "n%u", i);
		w.names[i] =
		        (struct steering_name){ .name = names[i], .service = &w.services[i < 3] };
	}
	w.p.n_names = 12;
	w.state->sites[0].disabled = w.state->sites[1].disabled = true;
	w.state->sites[2].drained_ppm = w.state->sites[3].drained_ppm = MODEL_PPM_ALL;
	assert_int_equal(state_conditions(), 3 + 8 + 1);
	assert_int_equal(level_of("names-unanswered", "", "1 more names"), CONDITION_DOWN);
	assert_int_equal(level_of("name-drained", "n0", NULL), CONDITION_DEGRADED);
}

SUITE(conditions)
{
	const struct CMUnitTest tests[] = {
		WITH(what_is_well_is_not_blamed),
		WITH(a_refused_document_is_down_only_where_nothing_is_served),
		WITH(threads_that_lack_have_their_time_to_come),
		WITH(a_key_that_is_not_the_clusters_is_told),
		WITH(the_majority_is_lost_at_one_half_and_warned_of_before),
		WITH(a_site_is_out_when_all_its_families_are_down),
		WITH(the_own_site_may_be_out_only_for_others),
		WITH(each_trouble_of_the_clock_has_its_own_words),
		WITH(the_reason_of_a_refusal_is_the_first_error_if_there_is_one),
		WITH(a_site_is_out_by_its_services),
		WITH(sites_that_are_not_heard_are_named_as_far_as_there_is_room),
		WITH(threads_lack_only_if_there_is_something_to_answer_on),
		WITH(without_a_page_nothing_is_stated),
		WITH(each_zone_that_lacks_is_named_with_its_trouble),
		WITH(a_file_that_may_be_read_later_is_told_apart),
		WITH(zones_of_several_kinds_are_all_named),
		WITH(without_any_zone_that_answers_it_is_down),
		WITH(the_mistake_is_that_of_the_zone),
		WITH(of_many_zones_eight_are_named_and_the_rest_is_counted),
		WITH(a_whole_image_that_is_an_earlier_one_is_told),
		WITH(a_name_that_no_site_may_answer_is_down),
		WITH(a_service_that_fails_closed_may_leave_a_name_empty),
		WITH(a_name_whose_sites_are_all_drained_is_degraded),
		WITH(a_name_whose_answers_lead_nowhere_is_down),
		WITH(of_many_names_eight_of_each_level_are_named),
	};

	answer_bind = own_bind;
	simulated_clock();
	return cmocka_run_group_tests_name("dns conditions", tests, make_page, remove_page);
}
