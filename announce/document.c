/* SPDX-License-Identifier: BSD-2-Clause */
/* While the thread runs, `result` is the thread's; see base/loop_job.h. */
#include "announce/document.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop_job.h"

struct document_thread {
	struct loop_job *job;
	const char *path, *node;
	document_done *done;
	void *arg;
	bool again; /* after the present one, or after a try that failed */
	struct document_read result;
};

static void free_result(struct document_read *d)
{
	model_errors_free(&d->errors);
	model_free(d->model);
	*d = (struct document_read){ 0 };
}

static void read_document(void *arg)
{
	struct document_thread *d = arg;
	struct document_read *to = &d->result;

	to->err = model_read_without_key(d->path, d->node, &to->model, &to->errors);
}

int document_start(struct document_thread *d)
{
	d->again = loop_job_runs(d->job);
	if (d->again)
		return 0;
	d->result = (struct document_read){ 0 };
	int err = loop_job_start(d->job);

	d->again = err != 0;
	return err;
}

void document_tick(struct document_thread *d)
{
	if (d->again && !loop_job_runs(d->job) && !document_start(d))
		log_info("document-read-again", "path=%s", d->path);
}

static void accept_document(void *arg)
{
	struct document_thread *d = arg;
	struct document_read result = d->result; /* a copy: the next thread writes there */
	int err = d->again ? document_start(d) : 0;

	if (err)
		log_error("document-not-read", "path=%s error=\"%s\"", d->path, strerror(-err));
	err = d->done(d->arg, &result);
	if (!loop_job_runs(d->job) && model_may_pass(err)) /* else the reading that runs decides */
		d->again = true;
	free_result(&result);
}

int document_open(struct loop *l, const char *path, const char *node, document_done *done,
                  void *arg, struct document_thread **out)
{
	struct document_thread *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct document_thread){ .path = path, .node = node, .done = done, .arg = arg };
	int err = loop_job_open(l, read_document, accept_document, d, &d->job);

	if (err)
		free(d);
	else
		*out = d;
	return err;
}

void document_close(struct document_thread *d)
{
	if (!d)
		return;
	if (loop_job_close(d->job))
		free_result(&d->result);
	free(d);
}
