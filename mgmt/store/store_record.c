/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For which request a change was made: kept in the transaction of the change itself.
 *
 * A request leaves a row in `replies` with status 0 and what was made; later the answer replaces that
 * row. If the process dies between change and answer, the row says that the request was carried out.
 */
#include <stdio.h>

#include "mgmt/store/store_internal.h"

void store_for(struct store *s, const struct store_request *r)
{
	s->request = r ? *r : (struct store_request){ .key = "" };
}

int store_record_request(struct store *s, const char *what)
{
	if (!s->request.key[0])
		return 0;
	return sql_run(s->db, "INSERT OR REPLACE INTO replies VALUES(?,?,0,?,?)", "ttti",
	               s->request.key, s->request.digest, what, s->request.now_ms);
}

int store_note_operation(struct store *s, const char *id)
{
	char what[MODEL_ID_MAX + 32];

	snprintf(what, sizeof(what), "{\"operation\":\"%s\"}", id);
	return store_noted(s, store_record_request(s, what));
}

int store_record_version(struct store *s, uint64_t number)
{
	char what[48];

	snprintf(what, sizeof(what), "{\"version\":%llu}", (unsigned long long)number);
	return store_record_request(s, what);
}
