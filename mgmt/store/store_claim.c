/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/store_claim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/** The record. */
struct store_claim {
	char id[STORE_ID_MAX];
};

static const struct field claim_fields[] = { RECORD_TEXT(struct store_claim, id) };
static const struct record_kind claim_record =
        RECORD_OF(struct store_claim, "store", claim_fields, NULL);

int store_claim_new_id(char id[STORE_ID_MAX])
{
	unsigned char bytes[(STORE_ID_MAX - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -errno;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* The id in the store's record. @return 0 or -EBADMSG */
static int read_claim(const char *text, char id[STORE_ID_MAX])
{
	struct store_claim c;

	if (record_from_text(&claim_record, text, &c, NULL) || !store_conf_is_id(c.id))
		return -EBADMSG;
	memcpy(id, c.id, STORE_ID_MAX);
	return 0;
}

int store_claim_of(const struct shared_records *l, char id[STORE_ID_MAX])
{
	id[0] = '\0';
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->records[i].name, STORE_CLAIM_RECORD))
			return read_claim(l->records[i].text, id);
	return 0;
}

int store_claim_find(const struct etcd_settings *settings, const char *prefix,
                     char id[STORE_ID_MAX], size_t *n_records, char reason[ETCD_REASON_MAX])
{
	struct shared_records l = { 0 };
	struct shared_etcd *e;
	int err = shared_etcd_open(settings, prefix, NULL, &e, reason);

	if (err)
		return err;
	err = shared_etcd_list(e, &l);
	if (err)
		snprintf(reason, ETCD_REASON_MAX, "%s", shared_etcd_reason(e));
	else if ((err = store_claim_of(&l, id)) != 0)
		snprintf(reason, ETCD_REASON_MAX,
		         "the record " STORE_CLAIM_RECORD " below the prefix is not Weir's");
	*n_records = l.n;
	shared_records_fini(&l);
	shared_etcd_close(e);
	return err;
}

static int judge_claim(const struct shared_answer *a, const char *unclear,
                       char reason[ETCD_REASON_MAX])
{
	char id[STORE_ID_MAX] = "";

	if (a->result == SHARED_DONE)
		return 0;
	if (a->result == SHARED_UNKNOWN) {
		snprintf(reason, ETCD_REASON_MAX, "%s", unclear);
		return -EINPROGRESS;
	}
	if (a->now[0].text && read_claim(a->now[0].text, id))
		strcpy(id, "of something else");
	snprintf(reason, ETCD_REASON_MAX, "a store is there already (%s)", id);
	return -EEXIST;
}

int store_claim_make(const struct etcd_settings *settings, const char *prefix, const char *id,
                     char reason[ETCD_REASON_MAX])
{
	struct shared_answer a = { 0 };
	struct shared_change c;
	struct shared_etcd *e;
	struct store_claim claim;
	int err = shared_etcd_open(settings, prefix, NULL, &e, reason);

	if (err)
		return err;
	snprintf(claim.id, sizeof(claim.id), "%s", id);
	shared_change_begin(&c, id);
	shared_change_see(&c, STORE_CLAIM_RECORD, 0);
	shared_change_put(&c, STORE_CLAIM_RECORD, &claim_record, &claim);
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
