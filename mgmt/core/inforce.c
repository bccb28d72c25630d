/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/core/inforce.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "mgmt/core/core.h"
#include "record/fields.h"
#include "weir/json.h"

static const char *const texts[] = { "unknown", "pending", "in_force", "refused", "late" };

const char *inforce_text(int state)
{
	return texts[state];
}

const char *inforce_trouble(const struct core *core)
{
	const struct judgements *own = &core->judged;
	bool is_new = own->trouble_known && clock_mono_ms() < own->trouble_ms + INFORCE_TROUBLE_MS;

	return is_new ? own->trouble : NULL;
}

const struct inforce *inforce_of(const struct core *core, uint64_t number)
{
	for (size_t i = 0; i < INFORCE_KEPT; i++)
		if (core->judged.versions[i].number == number)
			return &core->judged.versions[i];
	return NULL;
}

json_t *inforce_detail(const struct inforce *f)
{
	if (!*f->process)
		return json_string("");
	char text[sizeof(f->process) + sizeof(f->subject) + sizeof(f->reason) + 16];

	snprintf(text, sizeof(text), "weir-%s%s%s: %s", f->process, *f->subject ? ": " : "",
	         f->subject, f->reason);
	return json_text(text);
}

static const struct record_kind inforce_shown =
        RECORD_OF(struct inforce, "judgement", NULL, SHOW(struct inforce, number),
                  SHOW(struct inforce, digest),
                  SHOW_WORD(struct inforce, "state", state, inforce_text, INFORCE_LATE + 1),
                  SHOW(struct inforce, process), SHOW(struct inforce, code),
                  SHOW(struct inforce, subject), SHOW_AS(struct inforce, "detail", reason));

json_t *inforce_to_json(const struct inforce *f)
{
	return f->number ? record_shown(&inforce_shown, f) : json_null();
}

static void copy_text(const json_t *object, const char *name, char *out, size_t size)
{
	const char *text = json_get_text(object, name);

	plain_copy(out, size, text ? text : "");
}

struct inforce inforce_from_json(const json_t *object)
{
	const char *state = json_get_text(object, "state");
	json_int_t number = json_integer_value(json_object_get(object, "number"));
	struct inforce f = { 0 };

	for (size_t i = 0; state && i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(state, texts[i]))
			f.state = (enum inforce_state)i;
	if (f.state == INFORCE_UNKNOWN || number < 1)
		return (struct inforce){ 0 };
	f.number = (uint64_t)number;
	copy_text(object, "digest", f.digest, sizeof(f.digest));
	copy_text(object, "process", f.process, sizeof(f.process));
	copy_text(object, "code", f.code, sizeof(f.code));
	copy_text(object, "subject", f.subject, sizeof(f.subject));
	copy_text(object, "detail", f.reason, sizeof(f.reason));
	return f;
}
