/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-dns states: the level, the subject and the text, at and around each limit. */
#include "tests/unit/dns/conditions_scene.h"

static void what_is_well_is_not_blamed(void **state)
{
	(void)state;
	assert_int_equal(state_conditions(), 0);
	assert_int_equal(stated.document, 42);
	assert_int_equal(w.s.conditions_ms, time_ms);
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
	time_ms += 14999;
	assert_int_equal(state_conditions(), 0);
	time_ms++;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("threads-few", "", "2 of dns.threads = 3"), CONDITION_DEGRADED);
	w.s.n_threads = 3; /* as many as are asked for */
	assert_int_equal(state_conditions(), 0);
	w.s.n_threads = 2; /* and again: they have their time again */
	time_ms += 14999;
	assert_int_equal(state_conditions(), 0);
	time_ms++;
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

static void the_majority_is_lost_at_one_half_and_warned_of_before(void **state)
{
	static const struct {
		uint32_t n, n_heard;
		const char *code;
	} cases[] = {
		{ 3, 3, NULL },
		{ 3, 2, "site-removal-impossible" },
		{ 3, 1, "sites-majority-lost" },
		{ 4, 4, NULL },
		{ 4, 3, "site-removal-impossible" },
		{ 4, 2, "sites-majority-lost" },
		{ 5, 4, NULL },
		{ 5, 3, "site-removal-impossible" },
		{ 5, 2, "sites-majority-lost" },
		{ 5, 0, "sites-majority-lost" },
	};

	(void)state;
	w.views.votes = true;
	for (size_t i = 0; i < COUNT(cases); i++) {
		heard = (struct peer_health_sites){ cases[i].n, cases[i].n_heard, 6 };
		assert_int_equal(state_conditions(), cases[i].code ? 1 : 0);
		if (cases[i].code)
			assert_int_equal(level_of(cases[i].code, "", "fra, lon"),
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
	w.g.n_earlier = w.g.n_broken = w.g.n_signed = 0;
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
		w.g.n_signed += (states[i] & IMAGE_ZONE_SIGNED) != 0;
	}
	w.g.image = &image.head;
}

static void each_zone_that_lacks_is_named_with_its_trouble(void **state)
{
	static const uint32_t states[] = { 0, IMAGE_ZONE_BROKEN, IMAGE_ZONE_EARLIER,
		                           IMAGE_ZONE_SIGNED,
		                           IMAGE_ZONE_EARLIER | IMAGE_ZONE_SIGNED };

	(void)state;
	make_zones(5, states);
	assert_int_equal(state_conditions(), 4);
	assert_int_equal(level_of("zones-refused", "zb",
	                          "the zone's file cannot be used, so the zone answers SERVFAIL: "
	                          "correct the file, then weir zone reload"),
	                 CONDITION_DEGRADED);
	assert_int_equal(level_of("zones-refused", "zc",
	                          "the zone's file cannot be used, so its last good image is "
	                          "served: correct the file"),
	                 CONDITION_DEGRADED);
	assert_int_equal(level_of("zone-signed", "zd", "served without signatures"),
	                 CONDITION_DEGRADED);
	assert_int_equal(level_of("zones-refused", "ze", "last good image"), CONDITION_DEGRADED);
	assert_int_equal(level_of("zones-refused", "za", NULL), -1);
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
	static char mistake[] = "weir.conf:3: what";

	(void)state;
	w.g.stale = true;
	assert_int_equal(state_conditions(), 1);
	assert_string_equal(stated.items[0].text,
	                    "the zone files are refused, an earlier image is served");
	w.s.load.errors[0] = mistake;
	w.s.load.n_errors = 1;
	assert_int_equal(state_conditions(), 1);
	assert_int_equal(level_of("zones-refused", "", "image is served: weir.conf:3: what"),
	                 CONDITION_DEGRADED);
}

int main(void)
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
		WITH(each_zone_that_lacks_is_named_with_its_trouble),
		WITH(without_any_zone_that_answers_it_is_down),
		WITH(the_mistake_is_that_of_the_zone),
		WITH(of_many_zones_eight_are_named_and_the_rest_is_counted),
		WITH(a_whole_image_that_is_an_earlier_one_is_told),
	};

	return cmocka_run_group_tests_name("dns conditions", tests, make_page, remove_page);
}
