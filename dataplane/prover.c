/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A turn each 100 ms: follow the document, read pools and ports back when that is due, run probe
 * packets, write the page. The page is written when a fact changed, and then wakes its readers;
 * else once a second, for the counters and times on it. It is a seqlock: `seq` is odd while the rows
 * are copied.
 *
 * A process that starts says `unknown` before its driver is open: what an earlier process has proved
 * may be over.
 */
#include "dataplane/prover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/page.h"
#include "base/proc.h"
#include "dataplane/process.h"
#include "dataplane/prover_internal.h"
#include "weir/model.h"

#define ROWS_MIN      64u  /* of VIPs: room on a page without a document */
#define READ_BACK_MS  500u /* between two looks at ports: each asks the driver for its counters */
#define READ_POOLS_MS 1000u
#define WRITE_MS      1000u

static uint32_t rows_room(size_t n)
{
	uint32_t room = ROWS_MIN;

	while (room < n && room < 1u << 31)
		room <<= 1;
	return room;
}

/* Make the page, again if it is too small: readers then open the new one. */
static int make_proof_page(struct prover *r)
{
	uint32_t vips = rows_room(r->rows.n);
	char path[PATH_MAX];
	int err;

	if (r->page && vips <= r->max_vips)
		return 0;
	page_close(r->page);
	r->page = NULL;
	err = proc_path(r->process->dirs.run, PROOF_PAGE_FILE, path);
	if (!err)
		err = page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT, proof_page_bytes(vips),
		                  &r->page);
	if (err && !r->is_page_failed)
		log_error("proof-page-failed", "error=\"%s\"", strerror(-err));
	r->is_page_failed = err != 0;
	if (err)
		return err;
	r->max_vips = vips;
	return 0;
}

static void copy_rows(const struct prover *r, struct proof_page *to)
{
	struct proof_vip *vips;

	to->max_vips = r->max_vips;
	to->node = r->node;
	vips = proof_page_vips(to);
	for (size_t i = 0; i < r->rows.n; i++)
		vips[i] = r->rows.rows[i].shown;
}

static void write_proof_page(struct prover *r, uint64_t now_ms)
{
	struct proof_page *to;
	uint32_t seq;

	if (make_proof_page(r))
		return;
	if (!r->is_changed && now_ms - r->written_ms < WRITE_MS) {
		page_alive(r->page, now_ms);
		return;
	}
	page_repair(r->page);
	to = page_payload(r->page);
	seq = page_rows_begin(&to->seq);
	r->node.n_vips = (uint32_t)r->rows.n;
	copy_rows(r, to);
	page_rows_end(&to->seq, seq);
	page_alive(r->page, now_ms);
	if (r->is_changed)
		page_publish(r->page);
	r->is_changed = false;
	r->written_ms = now_ms;
}

/* New rows for a new document or driver, once no batch needs the old ones. */
static void follow_document(struct prover *r, uint64_t now_ms)
{
	const struct compiler *n = &r->process->node;
	bool same_driver = r->driver == r->process->driver;
	struct prover_rows rows;

	if (r->plan == n->plan && same_driver && r->document == n->model->meta.document)
		return;
	if (r->batch.n || prover_rows_make(n, &r->rows, same_driver, now_ms, &rows))
		return;
	prover_rows_free(&r->rows);
	r->rows = rows;
	r->plan = n->plan;
	r->driver = r->process->driver;
	r->document = r->node.document = n->model->meta.document;
	snprintf(r->node.driver, sizeof(r->node.driver), "%s", r->process->ops->name);
	if (!same_driver)
		r->node.stopping = r->process->is_stopping;
	r->is_changed = true;
	r->pools_ms = 0;
	prover_read_ports(r, now_ms);
}

/* Read the pools after a decision about their backends or ports, and once a second. */
static void follow_pools(struct prover *r, uint64_t now_ms)
{
	const struct compiler *n = &r->process->node;
	const struct leaving *leaving = &r->process->leaving;
	uint64_t decisions =
	        n->counters.deaths + n->counters.returns + n->counters.held + leaving->changes;
	uint8_t state_arrived = n->learning ? PROOF_NO : PROOF_YES;

	r->is_changed |= state_arrived != r->node.state_arrived;
	r->node.state_arrived = state_arrived;
	if (r->decisions == decisions && r->pools_ms && now_ms - r->pools_ms < READ_POOLS_MS)
		return;
	r->decisions = decisions;
	r->pools_ms = now_ms;
	r->is_changed |= prover_rows_read_pools(&r->rows, n, leaving, &r->node);
}

/* Rows of another document than the one in force lead to a plan that is gone: they are not used. */
static void prove_document(struct prover *r, uint64_t now_ms)
{
	prover_collect_batch(r, now_ms);
	follow_document(r, now_ms);
	if (r->plan != r->process->node.plan || r->driver != r->process->driver)
		return;
	follow_pools(r, now_ms);
	if (now_ms - r->ports_ms >= READ_BACK_MS)
		prover_read_ports(r, now_ms);
	prover_run_batch(r, now_ms);
}

static void on_prover_turn(void *arg)
{
	struct prover *r = arg;
	const struct process *p = r->process;
	uint64_t now_ms = loop_now_ms(p->loop);

	if (r->driver != p->driver)
		prover_drop_batch(r);
	if (p->driver && p->node.plan && p->node.model->self)
		prove_document(r, now_ms);
	write_proof_page(r, now_ms);
	loop_timer_set(p->loop, &r->turn, now_ms + PROVER_TURN_MS);
}

void prover_links_changed(struct prover *r)
{
	const struct process *p = r->process;

	if (!p->driver || !p->node.model || !p->node.model->self)
		return;
	prover_read_ports(r, loop_now_ms(p->loop));
	write_proof_page(r, loop_now_ms(p->loop));
}

void prover_say_stopping(struct prover *r)
{
	r->node.stopping = 1;
	r->is_changed = true;
	write_proof_page(r, loop_now_ms(r->process->loop));
}

bool prover_is_blocked(const struct prover *r)
{
	for (size_t i = 0; i < r->rows.n; i++)
		if (r->rows.rows[i].is_announced && r->rows.rows[i].is_blocked)
			return true;
	return false;
}

void prover_count_states(const struct prover *r, size_t n[PROOF_STATE_REFUSED + 1])
{
	for (int i = 0; i <= PROOF_STATE_REFUSED; i++)
		n[i] = 0;
	for (size_t i = 0; i < r->rows.n; i++)
		n[r->rows.rows[i].shown.state]++;
}

int prover_open(struct process *p, struct prover **out)
{
	struct prover *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->process = p;
	r->turn = (struct loop_timer){ .cb = on_prover_turn, .arg = r };
	r->node.started_ms = loop_now_ms(p->loop);
	r->is_changed = true;
	write_proof_page(r, r->node.started_ms);
	loop_timer_set(p->loop, &r->turn, r->node.started_ms + PROVER_TURN_MS);
	*out = r;
	return 0;
}

void prover_close(struct prover *r)
{
	if (!r)
		return;
	loop_timer_cancel(r->process->loop, &r->turn);
	page_close(r->page);
	prover_rows_free(&r->rows);
	free(r);
}
