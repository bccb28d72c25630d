/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/core/command_records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/plain.h"
#include "mgmt/overrides/hlc.h"
#include "mgmt/store/copy.h"

static bool is_last_command_sound(const void *record)
{
	const struct last_command *l = record;

	return *l->id && l->generation < HLC_END && clock_is_time(l->time_ms) &&
	       plain_is(l->principal) && plain_is(l->node);
}

const struct record_kind last_command_record = RECORD_OF(
        struct last_command, "last_command", is_last_command_sound,
        RECORD_TEXT(struct last_command, id),
        RECORD_VALUE(struct last_command, generation, FIELD_U64),
        RECORD_TEXT(struct last_command, principal), RECORD_TEXT(struct last_command, node),
        RECORD_VALUE(struct last_command, time_ms, FIELD_I64));

const char *command_records_target(const struct override *o, char out[SHARED_NAME_MAX])
{
	snprintf(out, SHARED_NAME_MAX, "command/%s/%s%s%s", override_target_text(o->target),
	         o->pool, *o->pool ? "/" : "", o->name);
	return out;
}

const char *command_records_override(const char *id, char out[SHARED_NAME_MAX])
{
	snprintf(out, SHARED_NAME_MAX, "override/%s", id);
	return out;
}

bool command_records_copy(struct core *core, const char *name, struct shared_record *out)
{
	struct store *store = intent_store(core->intent);

	return store && !copy_read(store, name, out);
}

bool command_records_read(const struct shared_record *r, struct override *out)
{
	char error[RECORD_ERROR_MAX], name[SHARED_NAME_MAX];

	if (strncmp(r->name, "override/", strlen("override/")) != 0 || !r->text)
		return false;
	if (!record_from_text(&override_record, r->text, out, error) && !out->epoch &&
	    !strcmp(command_records_override(out->id, name), r->name))
		return true;
	log_info("override-not-read", "record=%.100s effect=\"ignored\"", r->name);
	return false;
}

bool command_records_have(struct core *core, const struct override *o)
{
	struct shared_record r = { 0 };
	char name[SHARED_NAME_MAX];
	struct override there;
	bool is_there = false;

	if (command_records_copy(core, command_records_override(o->id, name), &r))
		is_there = command_records_read(&r, &there) && override_compare(o, &there) <= 0;
	free(r.text);
	return is_there;
}

size_t command_records_list_new(struct core *core,
                                const struct override *out[COMMAND_RECORDS_NEW_MAX])
{
	const struct overrides *all = intent_overrides(core->intent);
	int64_t since_ms = clock_believed_ms() - COMMAND_RECORDS_NEW_MS;
	size_t n = 0;

	for (size_t i = 0; i < all->n_items && n < COMMAND_RECORDS_NEW_MAX; i++) {
		const struct override *o = &all->items[i];

		if (!o->epoch && hlc_ms(o->generation) >= since_ms &&
		    !strcmp(o->node, core->dirs.node) && !command_records_have(core, o))
			out[n++] = o;
	}
	return n;
}
