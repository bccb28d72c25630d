/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/store_claim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "base/random.h"
#include "base/reason.h"

static const char *how_word(int value)
{
	static const char *const words[] = { "begun", "accepted", "rebuilt" };

	return words[value];
}

static bool is_claim_sound(const void *record)
{
	const struct store_claim *c = record;

	return store_conf_is_id(c->id) && c->epoch < SHARED_NUMBER_END && c->epoch && *c->nonce &&
	       clock_is_time(c->time_ms) && plain_is(c->nonce) && plain_is(c->node) &&
	       plain_is(c->author) && plain_is(c->reason) && plain_is(c->principal);
}

const struct record_kind store_claim_record = RECORD_OF(
        struct store_claim, "store", is_claim_sound, RECORD_TEXT(struct store_claim, id),
        RECORD_VALUE(struct store_claim, epoch, FIELD_U64), RECORD_TEXT(struct store_claim, nonce),
        RECORD_VALUE(struct store_claim, unfinished, FIELD_BOOL),
        RECORD_WORD(struct store_claim, how, how_word, STORE_CLAIM_REBUILT + 1),
        RECORD_TEXT(struct store_claim, node), RECORD_TEXT(struct store_claim, author),
        RECORD_TEXT(struct store_claim, reason), RECORD_TEXT(struct store_claim, principal),
        RECORD_VALUE(struct store_claim, time_ms, FIELD_I64));

int store_claim_new_id(char id[STORE_ID_MAX])
{
	return random_hex(id, (STORE_ID_MAX - 1) / 2);
}

int store_claim_new_nonce(char nonce[ORIGIN_NONCE_MAX])
{
	return random_hex(nonce, (ORIGIN_NONCE_MAX - 1) / 2);
}

int store_claim_read(const struct shared_records *l, struct store_claim *out, int64_t *revision)
{
	const struct shared_record *r = shared_records_find(l, STORE_CLAIM_RECORD);

	*out = (struct store_claim){ 0 };
	if (revision)
		*revision = r ? r->revision : 0;
	return r && record_from_text(&store_claim_record, r->text, out, NULL) ? -EBADMSG : 0;
}

int store_claim_look(const struct etcd_settings *settings, const char *prefix,
                     struct store_claim *out, size_t *n_records, char reason[ETCD_REASON_MAX])
{
	struct shared_records l = { 0 };
	struct shared_etcd *e;
	int err = shared_etcd_open(settings, prefix, NULL, &e, reason);

	if (err)
		return err;
	err = shared_etcd_list(e, &l);
	if (err)
		snprintf(reason, ETCD_REASON_MAX, "%s", shared_etcd_reason(e));
	else if ((err = store_claim_read(&l, out, NULL)) != 0)
		snprintf(reason, ETCD_REASON_MAX,
		         "the record " STORE_CLAIM_RECORD " below the prefix is not Weir's");
	if (n_records)
		*n_records = l.n;
	shared_records_fini(&l);
	shared_etcd_close(e);
	return err;
}

static int judge_claim(const struct shared_answer *a, const char *unclear,
                       char reason[ETCD_REASON_MAX])
{
	struct store_claim c = { 0 };

	if (a->result == SHARED_DONE)
		return 0;
	if (a->result == SHARED_UNKNOWN)
		return reason_write(reason, ETCD_REASON_MAX, -EINPROGRESS, "%s", unclear);
	bool is_ours =
	        a->now[0].text && !record_from_text(&store_claim_record, a->now[0].text, &c, NULL);

	return reason_write(reason, ETCD_REASON_MAX, -EEXIST, "a store is there already (%s)",
	                    is_ours ? c.id : "of something else");
}

int store_claim_make(const struct etcd_settings *settings, const char *prefix, const char *id,
                     bool is_again, char reason[ETCD_REASON_MAX])
{
	struct shared_answer a = { 0 };
	struct shared_change c;
	struct shared_etcd *e;
	struct store_claim claim = { .epoch = 1,
		                     .unfinished = is_again,
		                     .time_ms = clock_realtime_ms() };
	int err = store_claim_new_nonce(claim.nonce);

	if (err)
		snprintf(reason, ETCD_REASON_MAX, "no random numbers: %s", strerror(-err));
	else
		err = shared_etcd_open(settings, prefix, NULL, &e, reason);
	if (err)
		return err;
	snprintf(claim.id, sizeof(claim.id), "%s", id);
	shared_change_begin(&c, claim.nonce);
	shared_change_see(&c, STORE_CLAIM_RECORD, 0);
	shared_change_put(&c, STORE_CLAIM_RECORD, &store_claim_record, &claim);
	err = shared_etcd_write(e, &c, &a);
	if (err)
		snprintf(reason, ETCD_REASON_MAX, "%s", shared_etcd_reason(e));
	else
		err = judge_claim(&a, shared_etcd_reason(e), reason);
	shared_answer_fini(&a);
	shared_change_fini(&c);
	shared_etcd_close(e);
	return err;
}
