/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/shared.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "weir/json.h"

/* A place for @p name in @p list; NULL, and c->err is set, if there is none. */
static struct shared_record *add_record(struct shared_change *c, struct shared_record *list,
                                        size_t *n, const char *name)
{
	size_t length = strlen(name);

	if (c->err)
		return NULL;
	for (size_t i = 0; i < *n && !c->err; i++)
		if (!strcmp(list[i].name, name))
			c->err = -EINVAL;
	if (*n == SHARED_CHANGE_MAX || length == 0 || length >= SHARED_NAME_MAX)
		c->err = -EINVAL;
	if (c->err)
		return NULL;
	struct shared_record *r = &list[(*n)++];

	*r = (struct shared_record){ 0 };
	memcpy(r->name, name, length);
	return r;
}

void shared_change_begin(struct shared_change *c, const char *id)
{
	size_t length = strlen(id);

	*c = (struct shared_change){ .err = length && length < SHARED_ID_MAX ? 0 : -EINVAL };
	if (!c->err)
		memcpy(c->id, id, length);
}

void shared_change_begin_new(struct shared_change *c)
{
	char id[SHARED_ID_MAX];

	if (random_hex(id, 16))
		abort(); /* it cannot be: the kernel is up */
	shared_change_begin(c, id);
}

void shared_change_see(struct shared_change *c, const char *name, int64_t revision)
{
	for (size_t i = 0; i < c->n_seen; i++)
		if (!strcmp(c->seen[i].name, name) && c->seen[i].revision == revision)
			return;
	struct shared_record *r = add_record(c, c->seen, &c->n_seen, name);

	if (r)
		r->revision = revision;
}

static void check_prefix(struct shared_change *c, const char *prefix)
{
	if (prefix[strlen(prefix) - 1] != '/')
		c->err = -EINVAL;
}

void shared_change_see_all(struct shared_change *c, const char *prefix, int64_t revision)
{
	struct shared_record *r = add_record(c, c->seen, &c->n_seen, prefix);

	if (!r)
		return;
	r->is_prefix = true;
	r->revision = revision;
	check_prefix(c, prefix);
}

/* Whether all who read @p json take it: what is refused everywhere must not be written. @return 0, -EINVAL or -ENOMEM */
static int check_readable(const struct record_kind *kind, const json_t *json)
{
	void *read = malloc(kind->size);
	int err = read ? record_from_json(kind, json, read, NULL) : -ENOMEM;

	free(read);
	return err;
}

/* Let @p r have @p json, which is given, with the change's id. */
static void put_text(struct shared_change *c, struct shared_record *r, json_t *json)
{
	if (!json)
		c->err = -ENOMEM;
	if (!c->err && !json_object_set_new(json, "change", json_string(c->id)))
		r->text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(json);
	if (!c->err && !r->text)
		c->err = -ENOMEM;
	else if (r->text && strlen(r->text) > SHARED_TEXT_MAX)
		c->err = -EINVAL;
}

void shared_change_put(struct shared_change *c, const char *name, const struct record_kind *kind,
                       const void *record)
{
	struct shared_record *r = add_record(c, c->puts, &c->n_puts, name);
	json_t *json = r ? record_to_json(kind, record) : NULL;

	if (!r)
		return;
	if (json)
		c->err = check_readable(kind, json);
	put_text(c, r, json);
}

void shared_change_put_json(struct shared_change *c, const char *name, const json_t *json)
{
	struct shared_record *r = add_record(c, c->puts, &c->n_puts, name);

	if (r)
		put_text(c, r, json_copy((json_t *)(uintptr_t)json));
}

void shared_change_put_leased(struct shared_change *c, const char *name,
                              const struct record_kind *kind, const void *record, int64_t lease)
{
	size_t n = c->n_puts;

	shared_change_put(c, name, kind, record);
	if (c->n_puts > n)
		c->puts[n].lease = lease;
}

void shared_change_remove(struct shared_change *c, const char *name)
{
	(void)add_record(c, c->puts, &c->n_puts, name);
}

void shared_change_remove_all(struct shared_change *c, const char *prefix)
{
	struct shared_record *r = add_record(c, c->puts, &c->n_puts, prefix);

	if (!r)
		return;
	r->is_prefix = true;
	check_prefix(c, prefix);
}

bool shared_change_rests_on(const struct shared_change *c, const char *name)
{
	for (size_t i = 0; i < c->n_seen; i++)
		if (!strcmp(c->seen[i].name, name))
			return true;
	return false;
}

bool shared_change_has_room(const struct shared_change *c, size_t n)
{
	return c->n_seen + n <= SHARED_CHANGE_MAX && c->n_puts + n <= SHARED_CHANGE_MAX;
}

void shared_free_texts(struct shared_record *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].text);
}

void shared_change_fini(struct shared_change *c)
{
	shared_free_texts(c->puts, c->n_puts);
	c->n_puts = 0;
}

void shared_answer_fini(struct shared_answer *a)
{
	shared_free_texts(a->now, a->n_now);
	a->n_now = 0;
}

bool shared_record_is_same(const struct shared_record *seen, const struct shared_record *now)
{
	return seen->is_prefix ? now->revision <= seen->revision : now->revision == seen->revision;
}

const struct shared_record *shared_answer_newer(const struct shared_answer *a,
                                                const struct shared_change *c, const char *name)
{
	for (size_t i = 0; i < a->n_now; i++)
		if (!strcmp(c->seen[i].name, name) &&
		    !shared_record_is_same(&c->seen[i], &a->now[i]))
			return &a->now[i];
	return NULL;
}

int shared_change_of(const char *text, char out[SHARED_ID_MAX])
{
	json_error_t error;
	json_t *json = json_read(text, strlen(text), JSON_REJECT_DUPLICATES, &error);
	const char *id = json_get_text(json, "change");

	if (!json && (json_error_code(&error) == json_error_out_of_memory ||
	              !strcmp(error.text, "out of memory")))
		return -ENOMEM;
	out[0] = '\0';
	if (id && strlen(id) < SHARED_ID_MAX)
		memcpy(out, id, strlen(id) + 1);
	json_decref(json);
	return 0;
}

const char *shared_numbered(const char *what, uint64_t number, char out[SHARED_NAME_MAX])
{
	snprintf(out, SHARED_NAME_MAX, "%s/%" PRIu64, what, number);
	return out;
}

uint64_t shared_number(const char *what, const char *name)
{
	size_t length = strlen(what);
	uint64_t number = 0;

	if (strncmp(name, what, length) != 0 || name[length] != '/')
		return 0;
	const char *digits = name + length + 1;
	size_t n = strspn(digits, "0123456789");

	if (n == 0 || n > 16 || digits[n] || *digits == '0')
		return 0;
	for (size_t i = 0; i < n; i++)
		number = number * 10 + (uint64_t)(digits[i] - '0');
	return number < SHARED_NUMBER_END ? number : 0;
}
