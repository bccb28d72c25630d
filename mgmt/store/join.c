/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A provisional version is recognised by its record alone (number 1, author and reason of a first
 * start), so peers and earlier releases' stores need nothing further to agree on it. The table
 * above join_relate() is the whole decision. While a node waits, its own file is kept read but
 * makes no version.
 */
#include "mgmt/store/join.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/proc.h"
#include "mgmt/store/base.h"
#include "mgmt/store/gather.h"
#include "mgmt/store/intent_internal.h"

/* The marks of a provisional version: peers compare them, so they must never change. */
#define FIRST_AUTHOR     "first start"
#define FIRST_REASON     "read from the configuration directory"
#define BOOTSTRAP_AUTHOR "bootstrap"
#define BOOTSTRAP_REASON "started with --bootstrap"

bool join_is_provisional(const struct version *v)
{
	return v->number == 1 && !*v->parent && !v->n_supersedes &&
	       !strcmp(v->author, FIRST_AUTHOR) && !strcmp(v->reason, FIRST_REASON);
}

/*
 *   ours         theirs       digests   theirs is
 *   provisional  applied      any       ahead: it is taken, the record of an equal one too
 *   applied      provisional  differ    behind: it takes ours
 *   any          any          equal     one version: agreed; under another number the higher one goes on
 *   provisional  provisional  differ    not decided here: diverged
 */
bool join_relate(const struct version *ours, const struct version *theirs,
                 enum intent_relation *out)
{
	bool we_may_go = join_is_provisional(ours), they_may_go = join_is_provisional(theirs);
	bool equal = !strcmp(ours->digest, theirs->digest);

	if (we_may_go && !they_may_go)
		*out = INTENT_AHEAD;
	else if (they_may_go && !we_may_go && !equal)
		*out = INTENT_BEHIND;
	else if (equal)
		*out = theirs->number == ours->number  ? INTENT_AGREED
		       : theirs->number > ours->number ? INTENT_AHEAD
		                                       : INTENT_BEHIND;
	else
		return false;
	return true;
}

static bool has_peers(const struct model *m)
{
	for (size_t i = 0; i < m->n_nodes; i++)
		if (&m->nodes[i] != m->self && *m->nodes[i].api)
			return true;
	return false;
}

/* Read this node's own file to find its peers. @return whether there are any */
static bool find_peers(struct intent *in)
{
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	char base[BASE_TEXT_MAX];
	int err = gather_files(in->conf_dir, PROC_CONF_FILE, &in->join.files);

	base_extract_line(&in->join.files, base);
	if (!err)
		err = gather_model(&in->join.files, in->state_dir, in->conf_dir, in->node, &m,
		                   &errors);
	model_errors_free(&errors); /* make_first_version() reports them if this file is used */
	if (!err && has_peers(m)) {
		in->join.model = m;
		return true;
	}
	model_free(m);
	files_fini(&in->join.files);
	return false;
}

/* Keep the first error as a sentence for the status, and log all of them. */
static void keep_first_error(struct intent *in, const struct model_errors *errors)
{
	const struct model_error *m = errors->items;

	intent_log_errors(PROC_CONF_FILE, errors);
	snprintf(in->join.refusal, sizeof(in->join.refusal), "the file is refused");
	if (errors->n_items && m->line)
		snprintf(in->join.refusal, sizeof(in->join.refusal), "line %u: %s: %s", m->line,
		         m->field, m->message);
	else if (errors->n_items)
		snprintf(in->join.refusal, sizeof(in->join.refusal), "%s: %s", m->field,
		         m->message);
}

/* Make CONF/weir.conf version 1, provisional unless @p bootstrap; errors are logged. */
static void make_first_version(struct intent *in, bool bootstrap, int64_t now_ms)
{
	struct intent_changed changed = { 0 };
	struct files files = { 0 };
	struct intent_change change = { .files = &files,
		                        .author = bootstrap ? BOOTSTRAP_AUTHOR : FIRST_AUTHOR,
		                        .reason = bootstrap ? BOOTSTRAP_REASON : FIRST_REASON,
		                        .provisional = true };
	char base[BASE_TEXT_MAX];
	int err = gather_files(in->conf_dir, PROC_CONF_FILE, &files);

	base_extract_line(&files, base);
	if (!err)
		err = intent_change(in, &change, now_ms, &changed);
	if (err == -EINVAL)
		keep_first_error(in, &changed.errors);
	else if (err)
		log_error("no-configuration", "dir=%s error=\"%s\"", in->conf_dir, strerror(-err));
	intent_changed_fini(&changed);
	files_fini(&files);
}

void join_begin(struct intent *in, enum intent_start start, int64_t now_ms)
{
	if (start == INTENT_JOIN && find_peers(in)) {
		log_note("joining",
		         "doing=\"asking the peers that weir.conf names for a version\"");
		return;
	}
	make_first_version(in, start == INTENT_BOOTSTRAP, now_ms);
}

void join_bootstrap(struct intent *in, int64_t now_ms)
{
	int err = join_settle(in, BOOTSTRAP_AUTHOR, BOOTSTRAP_REASON, now_ms);

	if (err && err != -EALREADY)
		log_error("bootstrap-failed", "error=\"%s\"", strerror(-err));
}

void join_end(struct intent *in)
{
	model_free(in->join.model);
	in->join.model = NULL;
	files_fini(&in->join.files);
}

const char *join_refused(const struct intent *in)
{
	return in->n_recent ? "" : in->join.refusal;
}

bool join_waits(const struct intent *in)
{
	return in->join.model && in->n_recent == 0;
}

const struct model *join_model(const struct intent *in)
{
	return join_waits(in) ? in->join.model : intent_model(in);
}

bool join_wants(const struct intent *in, const struct version *v)
{
	char digest[DIGEST_TEXT_MAX];

	return !join_waits(in) || !join_is_provisional(v) ||
	       !strcmp(files_digest(&in->join.files, digest), v->digest);
}

void join_start_alone(struct intent *in, int64_t now_ms)
{
	if (!join_waits(in) || shared_has_head(in)) /* then its files come from another node */
		return;
	join_end(in);
	make_first_version(in, false, now_ms);
}

int join_settle(struct intent *in, const char *author, const char *reason, int64_t now_ms)
{
	struct recent *head = in->n_recent ? &in->recent[in->n_recent - 1] : NULL;
	struct version v;

	if (!head)
		return -ENOENT;
	if (!join_is_provisional(&head->version))
		return -EALREADY;
	v = head->version;
	snprintf(v.author, sizeof(v.author), "%s", author);
	snprintf(v.reason, sizeof(v.reason), "%s", reason);
	snprintf(v.principal, sizeof(v.principal), "%s", intent_principal(in));
	if (join_is_provisional(&v)) /* an author who is called "first start" */
		snprintf(v.author, sizeof(v.author), "%s", BOOTSTRAP_AUTHOR);
	if (!in->store || in->failing || head->files.n_items == 0 ||
	    intent_stored(in, store_put_version(in->store, &v, &head->files), now_ms))
		return -EROFS;
	head->version = v;
	log_note("version-settled", "number=1 digest=%.16s", v.digest);
	journal_add(in->journal, now_ms, "version", "versions",
	            "%s made the provisional version 1 the first version", author);
	return 0;
}

bool join_has(struct intent *in, const struct version *v)
{
	const struct version *head = intent_head(in);
	struct version own;

	if (head && join_is_provisional(head))
		return false;
	return !intent_version(in, v->number, &own, NULL) && !strcmp(own.digest, v->digest);
}

void join_give_way(struct intent *in, const struct intent_offer *first,
                   const struct intent_offer *last, int64_t now_ms)
{
	const struct version *head = intent_head(in);

	if (!head || !join_is_provisional(head))
		return;
	if (!strcmp(first->version.parent, head->digest))
		return; /* the peer's versions follow on from ours, which stays as their parent */
	if (first->version.number > 1)
		intent_stored(in,
		              store_lose_version(in->store, head,
		                                 "provisional: a peer had an applied version",
		                                 now_ms),
		              now_ms);
	if (!strcmp(head->digest, last->version.digest))
		return;
	log_note("provisional-replaced", "digest=%.16s by=%" PRIu64 " digest=%.16s", head->digest,
	         last->version.number, last->version.digest);
	journal_add(in->journal, now_ms, "version", "versions",
	            "the provisional version 1 (%.16s) from this node's own weir.conf gave way to "
	            "version %" PRIu64 " by %s",
	            head->digest, last->version.number, last->version.author);
}
