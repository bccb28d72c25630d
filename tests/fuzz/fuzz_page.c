/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a page in shared memory: a writer of this host that has gone wrong misleads its
 * readers at most. The first byte says of which kind; from 128 on the file is made as long as a
 * page of health, with zeros.
 */
#include <assert.h>
#include <limits.h>
#include <unistd.h>

#include "base/believed.h"
#include "base/log.h"
#include "base/page.h"
#include "base/proc.h"
#include "tests/fuzz/fuzz_dir.h"
#include "tests/fuzz/fuzz_text.h"
#include "weir/condition.h"
#include "weir/effect.h"
#include "weir/health.h"
#include "weir/measure.h"
#include "weir/stats.h"
#include "weir/peer_page.h"

static char dir[FUZZ_DIR_MAX];

enum kind { HEALTH, STATS, VIEW, EFFECT, CLOCK, CONDITIONS, MEASURE, N_KINDS };
static const char *const names[N_KINDS] = { "health",         "stats.dns.page",
	                                    "view",           EFFECT_PAGE_FILE,
	                                    BELIEVED_PAGE,    "conditions.dns.page",
	                                    MEASURE_PAGE_FILE };
static char paths[N_KINDS][PATH_MAX];

static void clean_up(void)
{
	for (int i = 0; i < N_KINDS; i++)
		unlink(paths[i]);
	rmdir(dir);
}

static void check_stats(void)
{
	struct stats_reader *r;

	if (stats_reader_open(dir, "dns", &r) == 0) {
		for (size_t i = 0; i < stats_reader_n(r); i++) {
			const struct stats_entry *e = stats_reader_entry(r, i);

			if (e)
				assert(strnlen(e->name, sizeof(e->name)) < sizeof(e->name));
		}
		(void)stats_reader_alive_ms(r);
		stats_reader_close(r);
	}
}

static void check_conditions(void)
{
	static struct conditions c;

	if (conditions_read(dir, "dns", &c))
		return;
	assert(c.n <= CONDITIONS_MAX && c.worst <= CONDITION_DOWN);
	for (uint32_t i = 0; i < c.n; i++) {
		assert(strnlen(c.items[i].code, CONDITION_CODE_MAX) < CONDITION_CODE_MAX);
		assert(strnlen(c.items[i].subject, CONDITION_SUBJECT_MAX) < CONDITION_SUBJECT_MAX);
		assert(strnlen(c.items[i].text, CONDITION_TEXT_MAX) < CONDITION_TEXT_MAX);
		assert(c.items[i].level <= c.worst);
	}
}

static void read_health(const struct health_page *page)
{
	for (uint64_t id = 0; id < 3; id++)
		(void)health_read(page, health_find_index(page, id));
}

static void check_health(void)
{
	struct page *page;

	if (page_open(paths[HEALTH], HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, NULL, &page))
		return;
	if (page_size(page) >= sizeof(struct health_page))
		read_health(page_payload(page));
	page_close(page);
}

static void check_view(void)
{
	struct page *page;

	if (page_open(paths[VIEW], PEER_PAGE_KIND, PEER_PAGE_LAYOUT, NULL, &page))
		return;
	if (page_size(page) >= sizeof(struct peer_page)) {
		const struct peer_page *view = page_payload(page);

		(void)peer_page_good_until_ms(view);
		read_health(&view->health);
	}
	page_close(page);
}

static void check_effect(void)
{
	static struct effect_backend rows[64];
	struct effect_total total;
	struct effect_pool pool;
	struct effect *e;

	if (effect_open(dir, &e))
		return;
	(void)effect_total(e, &total);
	(void)effect_pool(e, "web", &pool);
	int n = effect_backends(e, "web", rows, sizeof(rows) / sizeof(rows[0]));
	for (int i = 0; i < n && i < (int)(sizeof(rows) / sizeof(rows[0])); i++)
		assert(effect_backend_text(&rows[i]) != NULL);
	(void)effect_backend(e, "web", 1, rows);
	effect_close(e);
}

static void check_measure(void)
{
	const struct measure_source *sources;
	char text[ADDR_LONG_TEXT_MAX];
	struct measure *m;
	uint32_t ppm;

	if (measure_open(dir, &m))
		return;
	if (!measure_read(m, 1)) {
		const struct measure_service *web = measure_service(m, "web");
		size_t n = measure_sources(m, &sources);

		assert(n <= MEASURE_SOURCES_MAX);
		for (size_t i = 0; i < n; i++)
			assert(prefix_text(&sources[i].prefix, text) == text);
		if (web && measure_silent_ppm(&web->recent, &ppm))
			assert(ppm <= 1000000);
		(void)measure_pool(m, "web");
		assert(measure_node(m));
	}
	measure_close(m);
}

static void check_clock(void)
{
	const struct wall_clock_now now = { .mono_ms = 1000000,
		                            .clock_ms = 1780000000000,
		                            .synchronised = true };
	struct believed b = { .boot = 1 }; /* of the page in the corpus, so that it is followed */

	(void)believed_step(&b, dir, &now);
	believed_close(&b);
}

static void prepare_page(void)
{
	fuzz_dir(dir, "/dev/shm", "page");
	for (int i = 0; i < N_KINDS; i++)
		if (proc_path(dir, names[i], paths[i]))
			abort();
	log_level(LOG_EMERG);
	atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static void (*const checks[N_KINDS])(void) = { check_health, check_stats, check_view,
		                                       check_effect, check_clock, check_conditions,
		                                       check_measure };

	if (!*paths[0])
		prepare_page();
	if (n == 0)
		return 0;
	const int kind = bytes[0] % 128 % N_KINDS;

	fuzz_write(paths[kind], bytes + 1, n - 1);
	if (bytes[0] >= 128 && n < sizeof(struct peer_page) &&
	    truncate(paths[kind], sizeof(struct page_header) + sizeof(struct peer_page)))
		abort();
	checks[kind]();
	return 0;
}
