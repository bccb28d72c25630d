/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A provisional version is recognised by its record alone (number 1, author and reason of a first
 * start). While a node waits, its own file is kept read but makes no version.
 */
#include "mgmt/store/bootstrap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/proc.h"
#include "mgmt/store/base.h"
#include "mgmt/files/gather.h"
#include "mgmt/store/intent_internal.h"

/* The marks of a provisional version. */
#define FIRST_AUTHOR "first start"
#define FIRST_REASON "read from the configuration directory"

bool join_is_provisional(const struct version *v)
{
	return v->number == 1 && !*v->parent && !strcmp(v->author, FIRST_AUTHOR) &&
	       !strcmp(v->reason, FIRST_REASON);
}

bool join_has_peers(const struct model *m)
{
	for (size_t i = 0; m && i < m->n_nodes; i++)
		if (&m->nodes[i] != m->self && *m->nodes[i].api)
			return true;
	return false;
}

/* Read this node's own file, by which it is reached and reaches others while it waits. @return whether it is sound */
static bool read_own_file(struct intent *in)
{
	struct model_errors errors = { 0 };
	struct files files = { 0 };
	char base[BASE_TEXT_MAX];
	int err = gather_files(in->conf_dir, PROC_CONF_FILE, &files);

	base_extract_line(&files, base);
	if (!err)
		err = gather_model(&files, in->state_dir, in->conf_dir, in->node, &in->join.model,
		                   &errors);
	model_errors_free(&errors); /* join_use_own_file() reports them if this file is used */
	files_fini(&files);
	return !err;
}

/* Keep the first error for the status, and log all of them. */
static void keep_first_error(struct intent *in, const struct model_errors *errors)
{
	gather_log_errors(PROC_CONF_FILE, errors);
	gather_first_error(errors, in->join.refusal, sizeof(in->join.refusal));
}

void join_use_own_file(struct intent *in, int64_t now_ms)
{
	struct intent_changed changed = { 0 };
	struct files files = { 0 };
	struct intent_change change = {
		.files = &files, .author = FIRST_AUTHOR, .reason = FIRST_REASON, .provisional = true
	};
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

/* Whether the refused document is of this node's own file, which it reads at each start as long as nobody decides for all nodes. */
static bool is_of_own_file(const struct intent *in)
{
	const struct model_meta *said = recall_said(in);
	struct version v;

	return !history_head(in->history) && in->store &&
	       store_versions(in->store, 0, &v, 1) == 1 && join_is_provisional(&v) &&
	       (!said || !said->version || recall_is_of(said, &v));
}

/* Whether something else than the own file was in force, or is to be, and this program refuses it: a person decides then. */
static bool is_held(const struct intent *in)
{
	return (recall_is_refused(in) && !is_of_own_file(in)) || in->refused_number ||
	       (!in->shares && history_head(in->history));
}

void join_begin(struct intent *in, int64_t now_ms)
{
	if (in->shares && read_own_file(in))
		log_note("joining",
		         "doing=\"asking the store that store.conf names for a version\"");
	else if (!is_held(in))
		join_use_own_file(in, now_ms);
}

void join_end(struct intent *in)
{
	model_free(in->join.model);
	in->join.model = NULL;
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

void join_start_alone(struct intent *in, int64_t now_ms)
{
	if (!join_waits(in) || is_held(in))
		return;
	join_end(in);
	join_use_own_file(in, now_ms);
}
