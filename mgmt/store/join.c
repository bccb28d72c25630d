/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A provisional version is recognised by its record alone (number 1, author and reason of a first
 * start). While a node waits, its own file is kept read but makes no version.
 */
#include "mgmt/store/join.h"

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

/* Keep the first error as a sentence for the status, and log all of them. */
static void keep_first_error(struct intent *in, const struct model_errors *errors)
{
	const struct model_error *m = errors->items;

	gather_log_errors(PROC_CONF_FILE, errors);
	snprintf(in->join.refusal, sizeof(in->join.refusal), "the file is refused");
	if (errors->n_items && m->line)
		snprintf(in->join.refusal, sizeof(in->join.refusal), "line %u: %s: %s", m->line,
		         m->field, m->message);
	else if (errors->n_items)
		snprintf(in->join.refusal, sizeof(in->join.refusal), "%s: %s", m->field,
		         m->message);
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

void join_begin(struct intent *in, int64_t now_ms)
{
	if (in->shares && read_own_file(in))
		log_note("joining",
		         "doing=\"asking the store that store.conf names for a version\"");
	else
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
	if (!join_waits(in))
		return;
	join_end(in);
	join_use_own_file(in, now_ms);
}
