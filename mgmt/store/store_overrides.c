/* SPDX-License-Identifier: BSD-2-Clause */
/* Overrides in the store: each is a record. All that are written together are in one transaction. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mgmt/store/records.h"
#include "mgmt/store/store_internal.h"

static int write_override(sqlite3 *db, const struct override *o)
{
	char *text = record_to_text(&override_record, o);
	int err = text ? sql_run(db, "INSERT OR REPLACE INTO overrides VALUES(?,?)", "tt", o->id,
	                         text)
	               : -ENOMEM;

	free(text);
	return err;
}

int store_put_overrides(struct store *s, const struct overrides *overrides)
{
	int err = sql_begin(s->db);

	if (!err)
		err = sql_run(s->db, "DELETE FROM overrides", "");
	for (size_t i = 0; !err && i < overrides->n_items; i++)
		err = write_override(s->db, &overrides->items[i]);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

int store_put_some(struct store *s, const struct override *list, size_t n)
{
	char what[MODEL_ID_MAX + 32] = "";
	int err = sql_begin(s->db);

	for (size_t i = 0; !err && i < n; i++) {
		err = write_override(s->db, &list[i]);
		if (!what[0]) /* the first is what the command was about */
			snprintf(what, sizeof(what), "{\"override\":\"%s\"}", list[i].id);
	}
	if (!err && what[0])
		err = store_record_request(s, what);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

struct merging {
	struct overrides *overrides;
	int64_t now_ms;
};

/* A row is checked like an override of a peer: a damaged one must not come into force. */
static int merge_row(sqlite3_stmt *q, void *arg)
{
	const struct merging *m = arg;
	struct override o;
	int err = sql_record(q, 0, &override_record, &o);

	if (!err)
		err = overrides_merge(m->overrides, &o, m->now_ms);
	return err < 0 ? err : 0;
}

int store_overrides(struct store *s, struct overrides *overrides, int64_t now_ms)
{
	struct merging m = { overrides, now_ms };
	int n = store_each(s, sql_prepare(s->db, "SELECT text FROM overrides", ""), merge_row, &m);

	return n < 0 ? n : 0;
}
