/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a file that a process keeps; the first says which. Refused, or taken within its
 * bounds.
 */
#include <assert.h>
#include <limits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proc.h"
#include "dns/steering/decided.h"
#include "healthcheck/keep.h"
#include "healthcheck/vips.h"
#include "tests/fuzz/fuzz_dir.h"
#include "tests/fuzz/fuzz_text.h"
#include "weir/conn_state.h"
#include "weir/model.h"
#include "weir/placement.h"
#include "weir/ramp.h"

static char dir[FUZZ_DIR_MAX];
static const char *const names[] = { "health.verdicts", "health.vips",   "dns.ramps",   "dns.sites",
	                             "hash.key",        CONN_STATE_FILE, PLACEMENT_FILE };
#define N_NAMES (sizeof(names) / sizeof(names[0]))

static void clean_up(void)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < N_NAMES; i++)
		if (!proc_path(dir, names[i], path))
			unlink(path);
	rmdir(dir);
}

static void check_ramps(void)
{
	static struct ramp_record list[RAMP_RECORDS_MAX];
	int n = ramp_read(dir, list);

	for (int i = 0; i < n; i++) {
		assert(list[i].how < RAMP_HOW_COUNT);
		assert(list[i].level_ppm <= 1000000);
		assert(strnlen(list[i].id, sizeof(list[i].id)) < sizeof(list[i].id));
	}
}

static void check_verdicts(const char *path)
{
	struct saved_word *words = NULL;
	struct vips vips = { 0 };
	size_t n = 0;

	if (keep_read(path, &words, &n) == 0)
		free(words);
	if (vips_read(path, &vips) == 0)
		assert(vips.n <= vips.room);
	vips_fini(&vips);
}

static void check_sites(void)
{
	struct decided d = { 0 };

	(void)decided_open(&d, dir);
	decided_close(&d);
}

static void check_connections(void)
{
	struct conn_state told;

	if (conn_state_read(dir, 0, &told))
		return;
	assert(*told.node && strnlen(told.node, sizeof(told.node)) < sizeof(told.node));
	assert(strlen(told.text) <= CONN_STATE_TEXT_MAX);
	free(told.text);
}

/* What is taken is what would be written. */
static void check_placement(const char *path)
{
	struct placement one, two;

	if (placement_read(path, &one))
		return;
	assert(!placement_write(path, &one) && !placement_read(path, &two));
	assert(!strcmp(one.derived_from, two.derived_from));
	assert(!memcmp(one.key, two.key, sizeof(one.key)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static bool ready;
	char path[PATH_MAX];
	uint64_t key[2];

	if (!ready) {
		fuzz_dir(dir, "/tmp", "kept");
		log_level(LOG_EMERG);
		atexit(clean_up);
		ready = true;
	}
	unsigned which = n ? (uint8_t)(bytes[0] - '0') % N_NAMES : 0;

	if (n == 0 || proc_path(dir, names[which], path))
		return 0;
	fuzz_write(path, bytes + 1, n - 1);
	switch (which) {
	case 2:
		check_ramps();
		break;
	case 3:
		check_sites();
		break;
	case 4:
		(void)model_key_read(path, dir, key);
		break;
	case 5:
		check_connections();
		break;
	case 6:
		check_placement(path);
		break;
	default:
		check_verdicts(path);
	}
	return 0;
}
