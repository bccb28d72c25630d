/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why edits are refused: the first reason stays, and later ones are dropped.
 */
#include <stdio.h>
#include <stdlib.h>

#include "model/edit/internal.h"

static const char *const code_texts[] = {
	[EDIT_NOT_FOUND] = "not-found",
	[EDIT_EXISTS] = "exists",
	[EDIT_INVALID] = "invalid",
	[EDIT_REFERENCED] = "referenced",
	[EDIT_SHARED_INCLUDE] = "shared-include",
	[EDIT_NOT_EDITABLE] = "not-editable",
};

const char *edit_code_text(enum edit_code code)
{
	return code_texts[code];
}

bool edit_is_refused(const struct edit_work *w)
{
	return w->out->refusal.text != NULL;
}

int edit_refuse(struct edit_work *w, enum edit_code code, const char *format, ...)
{
	struct edit_refusal *r = &w->out->refusal;
	char text[1024];
	va_list args;

	if (r->text)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->code = code;
	r->edit = w->present;
	r->text = arena_strdup(w->out->arena, text);
	if (!r->text)
		r->text = code_texts[code];
	return -EINVAL;
}

/* The position of line @p line of @p file into the refusal. */
void edit_add_position(struct edit_work *w, const char *file, unsigned line)
{
	struct edit_position *at = ARENA_ARRAY(w->out->arena, struct edit_position, 1);

	if (!at || w->out->refusal.n_positions)
		return;
	*at = (struct edit_position){ arena_strdup(w->out->arena, file), line };
	w->out->refusal.positions = at;
	w->out->refusal.n_positions = 1;
}

int edit_refuse_token(struct edit_work *w, uint32_t i, const char *reason)
{
	const struct scan_mark *mark = edit_mark(w, i);
	const struct scan_source *s = edit_source(w, mark->source);
	unsigned line = 1;

	for (uint32_t at = 0; at < mark->begin; at++)
		line += s->bytes[at] == '\n';
	int err = edit_refuse(w, EDIT_NOT_EDITABLE, "%s:%u: %s; edit the whole text", s->name, line,
	                      reason);
	edit_add_position(w, s->name, line);
	return err;
}
