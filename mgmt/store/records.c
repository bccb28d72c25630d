/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/records.h"

#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/shared.h"

static const char *vips_word(int value)
{
	static const char *const texts[] = { "announced", "shutdown", "withdrawn" };

	return texts[value];
}

static bool is_override_sound(const void *record)
{
	return override_ok(record);
}

const struct record_kind override_record =
        RECORD_OF(struct override, "override", is_override_sound, RECORD_TEXT(struct override, id),
                  RECORD_VALUE(struct override, generation, FIELD_U64),
                  RECORD_VALUE(struct override, prior, FIELD_U64),
                  RECORD_VALUE(struct override, epoch, FIELD_U32),
                  RECORD_VALUE(struct override, step, FIELD_U32),
                  RECORD_WORD(struct override, kind, override_kind_text, MODEL_OVERRIDE_DRILL + 1),
                  RECORD_WORD(struct override, target, override_target_text, MODEL_TARGET_NODE + 1),
                  RECORD_TEXT(struct override, pool), RECORD_TEXT(struct override, name),
                  RECORD_VALUE(struct override, created_ms, FIELD_I64),
                  RECORD_VALUE(struct override, from_ms, FIELD_I64),
                  RECORD_VALUE(struct override, over_ms, FIELD_I64),
                  RECORD_VALUE(struct override, until_ms, FIELD_I64),
                  RECORD_VALUE(struct override, from_ppm, FIELD_U32),
                  RECORD_VALUE(struct override, ended, FIELD_BOOL),
                  RECORD_VALUE(struct override, is_step, FIELD_BOOL),
                  RECORD_VALUE(struct override, to_ppm, FIELD_U32),
                  RECORD_VALUE(struct override, late_from_ms, FIELD_I64),
                  RECORD_WORD(struct override, own_vips, vips_word, MODEL_VIPS_WITHDRAWN + 1),
                  RECORD_WORD(struct override, shared_vips, vips_word, MODEL_VIPS_WITHDRAWN + 1),
                  RECORD_TEXT(struct override, service), RECORD_TEXT(struct override, operation),
                  RECORD_VALUE(struct override, clients, FIELD_PREFIX),
                  RECORD_TEXT(struct override, author), RECORD_TEXT(struct override, reason),
                  RECORD_TEXT(struct override, node), RECORD_TEXT(struct override, principal));

static bool is_digest(const char *text)
{
	return plain_is_hex(text, DIGEST_TEXT_MAX - 1);
}

static bool are_digests_sound(const struct version *v)
{
	return is_digest(v->digest) && (!*v->parent || is_digest(v->parent)) &&
	       (!*v->hash_key || plain_is_hex(v->hash_key, MODEL_FINGERPRINT_MAX - 1));
}

static bool is_if_quiet(const char *text)
{
	return !*text || !strcmp(text, "back") || !strcmp(text, "go");
}

static bool is_version_sound(const void *record)
{
	const struct version *v = record;

	return v->number >= 1 && v->number < SHARED_NUMBER_END && are_digests_sound(v) &&
	       clock_is_time(v->time_ms) && clock_is_time(v->effective_ms) && v->base < v->number &&
	       v->rolled_back_to < v->number && v->confirm_within_ms >= 0 &&
	       v->confirm_within_ms <= INTENT_CONFIRM_MAX_MS && canary_is(v->canary) &&
	       v->well_for_ms >= 0 && v->well_for_ms <= INTENT_CONFIRM_MAX_MS &&
	       plain_is(v->author) && plain_is(v->reason) && plain_is(v->node) &&
	       plain_is(v->principal) && plain_is(v->without_gates) && plain_is(v->approved_by) &&
	       plain_is(v->proposed_by) && plain_is(v->proposal) && is_if_quiet(v->if_quiet);
}

const struct record_kind version_record = RECORD_OF(
        struct version, "version", is_version_sound,
        RECORD_VALUE(struct version, number, FIELD_U64), RECORD_TEXT(struct version, digest),
        RECORD_TEXT(struct version, parent), RECORD_TEXT(struct version, author),
        RECORD_TEXT(struct version, reason), RECORD_TEXT(struct version, node),
        RECORD_TEXT(struct version, principal), RECORD_VALUE(struct version, time_ms, FIELD_I64),
        RECORD_VALUE(struct version, effective_ms, FIELD_I64),
        RECORD_TEXT(struct version, hash_key), RECORD_VALUE(struct version, base, FIELD_U64),
        RECORD_VALUE(struct version, rolled_back_to, FIELD_U64),
        RECORD_VALUE(struct version, confirm_within_ms, FIELD_I64),
        RECORD_TEXT(struct version, canary), RECORD_VALUE(struct version, well_for_ms, FIELD_I64),
        RECORD_TEXT(struct version, if_quiet), RECORD_TEXT(struct version, without_gates),
        RECORD_TEXT(struct version, approved_by), RECORD_TEXT(struct version, proposed_by),
        RECORD_TEXT(struct version, proposal));
