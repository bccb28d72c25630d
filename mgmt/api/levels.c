/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request and its answer, which is read as strictly as any other input: an answer that is
 * malformed anywhere says nothing.
 */
#include "mgmt/api/levels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctl.h"
#include "base/proc.h"
#include "weir/json.h"

#define GENERATION_END ((json_int_t)1 << 53)
#define TTL_END        ((json_int_t)1 << 31) /* seconds; RFC 2181, section 8 */

static bool read_level(const json_t *object, struct level *out)
{
	const char *id;
	json_int_t generation, epoch, step, level, ttl;
	int arrived;

	if (json_unpack((json_t *)(uintptr_t)object, "{s:s, s:I, s:I, s:I, s:I, s:I, s:b}",
	                "override", &id, "generation", &generation, "epoch", &epoch, "step", &step,
	                "level_ppm", &level, "longest_ttl_s", &ttl, "arrived", &arrived) ||
	    strlen(id) >= sizeof(out->id) || generation < 1 || generation >= GENERATION_END ||
	    epoch < 0 || epoch > UINT32_MAX || step < 0 || step > UINT32_MAX || level < 0 ||
	    level > MODEL_PPM_ALL || ttl < 0 || ttl >= TTL_END)
		return false;
	*out = (struct level){ .generation = (uint64_t)generation,
		               .epoch = (uint32_t)epoch,
		               .step = (uint32_t)step,
		               .level_ppm = (uint32_t)level,
		               .longest_ttl_s = (uint32_t)ttl,
		               .arrived = arrived };
	strcpy(out->id, id);
	return true;
}

/* @return 0, or -EPROTO: @p out is untouched */
static int read_levels(const json_t *answer, struct levels *out)
{
	struct levels levels = { 0 };
	const json_t *list = json_object_get(answer, "levels");

	if (!json_is_array(list) || json_array_size(list) > LEVELS_MAX)
		return -EPROTO;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!read_level(json_array_get(list, i), &levels.items[levels.n++]))
			return -EPROTO;
	*out = levels;
	return 0;
}

int levels_request(const char *run_dir, int timeout_ms, struct levels *out)
{
	char path[PATH_MAX], *line = NULL;
	int err = proc_path(run_dir, "dns.ctl", path);
	json_t *answer = NULL;

	if (!err)
		err = ctl_request(path, "{\"do\":\"levels\"}", timeout_ms, &line);
	if (!err) {
		answer = json_read(line, strlen(line), 0, NULL);
		err = answer ? read_levels(answer, out) : -EPROTO;
	}
	json_decref(answer);
	free(line);
	return err;
}

bool levels_has_dns(int err)
{
	return err != -ENOENT && err != -ECONNREFUSED;
}

const struct level *levels_find(const struct levels *levels, const char *id)
{
	for (size_t i = 0; i < levels->n; i++)
		if (!strcmp(levels->items[i].id, id))
			return &levels->items[i];
	return NULL;
}
