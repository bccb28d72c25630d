/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading what the dataplane has proved. The page is a seqlock: the writer makes `seq` odd while it
 * writes, so a reader copies and compares. Row counts are checked against the page's size, since a
 * reader must not trust the writer. Each reader turns facts that are too old into unknown ones, so
 * that no caller can forget to.
 *
 * The page is copied whole: a look at each row alone would cost two system calls, and a writer that
 * died within a write would be waited for at each. There are two copies, so that a try that fails
 * leaves the one before whole.
 */
#include "weir/proof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/page.h"
#include "weir/fwd/reason.h"

/* Without a wait: when the second one fails too, the copy before does. */
#define COPY_TRIES 2

/* The whole page as it was at one moment. */
struct proof_snapshot {
	struct proof_vip *rows; /* [n_rows_max] */
	size_t n_rows_max;
	struct proof_node node; /* its n_vips is at most n_rows_max */
	uint32_t seq;
};

struct proof {
	struct page *page;
	struct proof_snapshot copies[2];
	unsigned at;       /* the copy that is read; the other one is written */
	uint64_t alive_ms; /* the writer's sign of life under that copy */
	uint64_t writer_pid;
	bool is_copied;
};

int proof_open(const char *run_dir, struct proof **out)
{
	static const struct page_form form = { PROOF_PAGE_FILE, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT,
		                               sizeof(struct proof_page), "dataplane" };
	struct proof *p = calloc(1, sizeof(*p));
	int err = p ? page_open_in(run_dir, &form, &p->page) : -ENOMEM;

	if (err) {
		proof_close(p);
		return err;
	}
	*out = p;
	return 0;
}

void proof_close(struct proof *p)
{
	if (!p)
		return;
	page_close(p->page);
	for (size_t i = 0; i < 2; i++)
		free(p->copies[i].rows);
	free(p);
}

int proof_vip_compare(const struct proof_vip *a, const struct proof_vip *b)
{
	if (a->vip != b->vip)
		return a->vip < b->vip ? -1 : 1;
	return addr_compare(&a->address, &b->address);
}

static int by_vip(const void *a, const void *b)
{
	return proof_vip_compare(a, b);
}

/* Where the rows are, and how many. */
struct extents {
	const struct proof_vip *vips;
	uint32_t n_vips;
};

static uint32_t least_of(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The writer's counts are read once: it may change them at any time. @return 0 or -EPROTO */
static int read_extents(const struct proof *p, const struct proof_page *page, struct extents *out)
{
	uint32_t max_vips = __atomic_load_n(&page->max_vips, __ATOMIC_RELAXED);

	if (page_size(p->page) < proof_page_bytes(max_vips))
		return -EPROTO;
	out->vips = (const struct proof_vip *)(const void *)(page + 1);
	out->n_vips = least_of(__atomic_load_n(&page->node.n_vips, __ATOMIC_RELAXED), max_vips);
	return 0;
}

/* Whether @p at_ms is more than @p limit_ms before @p now_ms; both clocks are one machine's. */
static bool is_old(uint64_t at_ms, uint64_t now_ms, uint64_t limit_ms)
{
	return now_ms > at_ms && now_ms - at_ms > limit_ms;
}

/* What @p n counts for at @p now_ms, of a writer whose last sign of life was at its alive_ms. */
static void age_node(struct proof_node *n, uint64_t now_ms)
{
	n->driver[PROOF_DRIVER_MAX - 1] = 0;
	n->n_ports = n->n_ports < PROOF_PORTS_MAX ? n->n_ports : PROOF_PORTS_MAX;
	for (uint32_t i = 0; i < n->n_ports; i++)
		n->ports[i].interface[PROOF_INTERFACE - 1] = 0;
	if (!is_old(n->alive_ms, now_ms, PROOF_OLD_MS))
		return;
	n->document = 0;
	n->state_arrived = PROOF_UNKNOWN;
	n->hops_needed = n->hops_known = 0;
	for (uint32_t i = 0; i < n->n_ports; i++)
		n->ports[i].up = n->ports[i].attached = PROOF_UNKNOWN;
}

/* Likewise a row, of a writer whose last sign of life was at @p alive_ms. */
static void age_vip(struct proof_vip *v, uint64_t alive_ms, uint64_t now_ms)
{
	bool is_silent = is_old(alive_ms, now_ms, PROOF_OLD_MS);

	if (is_silent ||
	    (v->state == PROOF_STATE_FORWARDED && is_old(v->proved_ms, now_ms, PROOF_VIP_OLD_MS))) {
		v->state = PROOF_STATE_UNKNOWN;
		v->reason = PROOF_REASON_NONE;
	}
	if (is_silent)
		v->n_services = v->n_serving = v->n_reachable = 0;
}

/* @return 0, or -ENOMEM with the room as it was */
static int make_room(struct proof_snapshot *to, size_t n)
{
	struct proof_vip *rows = n > to->n_rows_max ? calloc(n, sizeof(*rows)) : NULL;

	if (n <= to->n_rows_max)
		return 0;
	if (!rows)
		return -ENOMEM;
	free(to->rows);
	to->rows = rows;
	to->n_rows_max = n;
	return 0;
}

static int copy_rows(const struct proof *p, const struct proof_page *page,
                     struct proof_snapshot *to)
{
	struct extents e;
	int err = read_extents(p, page, &e);

	if (err)
		return err;
	memcpy(&to->node, &page->node, sizeof(to->node));
	to->node.n_vips = e.n_vips;
	err = make_room(to, e.n_vips);
	if (!err && e.n_vips)
		memcpy(to->rows, e.vips, e.n_vips * sizeof(*to->rows));
	return err;
}

/* One try. @return 0, with p->at at the newest copy; -EAGAIN: the writer writes; -EPROTO, -ENOMEM */
static int copy_once(struct proof *p)
{
	const struct proof_page *page = page_payload(p->page);
	struct proof_snapshot *to = &p->copies[!p->at];
	uint32_t seq = page_rows_seq(&page->seq);
	int err;

	if (seq & 1)
		return -EAGAIN;
	if (p->is_copied && p->copies[p->at].seq == seq)
		return 0;
	err = copy_rows(p, page, to);
	if (!page_rows_whole(&page->seq, seq))
		return -EAGAIN;
	if (err)
		return err;
	to->seq = seq;
	p->at = !p->at;
	return 0;
}

/* The sign of life is read before the rows: what it vouches for is at least as new. */
int proof_copy(struct proof *p)
{
	const struct page_header *h = page_header(p->page);
	uint64_t alive_ms = __atomic_load_n(&h->alive_ms, __ATOMIC_ACQUIRE);
	uint64_t writer_pid = h->writer_pid;
	int err = page_is_replaced(p->page) ? -ESTALE : -EAGAIN;

	for (int i = 0; i < COPY_TRIES && err == -EAGAIN; i++)
		err = copy_once(p);
	if (err == -EAGAIN && p->is_copied)
		return 0;
	if (!err && !page_is_sound(p->page))
		err = -ESTALE;
	p->is_copied = !err;
	if (!err) {
		p->alive_ms = alive_ms;
		p->writer_pid = writer_pid;
	}
	return err;
}

int proof_node(const struct proof *p, uint64_t now_ms, struct proof_node *out)
{
	if (!p->is_copied)
		return -ENOENT;
	*out = p->copies[p->at].node;
	out->alive_ms = p->alive_ms;
	out->writer_pid = p->writer_pid;
	age_node(out, now_ms);
	return 0;
}

int proof_vip(const struct proof *p, uint64_t vip, const struct addr *address, uint64_t now_ms,
              struct proof_vip *out)
{
	const struct proof_snapshot *from = &p->copies[p->at];
	const struct proof_vip key = { .vip = vip, .address = *address }, *row = NULL;

	if (p->is_copied && from->node.n_vips)
		row = bsearch(&key, from->rows, from->node.n_vips, sizeof(key), by_vip);
	if (!row)
		return -ENOENT;
	*out = *row;
	age_vip(out, p->alive_ms, now_ms);
	return 0;
}

const char *proof_state_text(enum proof_state state)
{
	static const char *const texts[] = { "unknown", "forwarded", "refused" };

	return state <= PROOF_STATE_REFUSED ? texts[state] : texts[0];
}

const char *proof_fact_text(enum proof_fact fact)
{
	static const char *const texts[] = { "unknown", "no", "yes" };

	return fact <= PROOF_YES ? texts[fact] : texts[0];
}

const char *proof_reason_text(uint8_t reason)
{
	static const char *const labels[FWD_REASON_COUNT] = {
#define LABEL(name, kind, label, text) [FWD_REASON_##name] = label,
		FWD_REASONS(LABEL)
#undef LABEL
	};
	static const char *const own[] = {
		[PROOF_REASON_NONE - PROOF_REASON_NONE] = "",
		[PROOF_REASON_PROGRAM - PROOF_REASON_NONE] = "program",
		[PROOF_REASON_OUTPUT - PROOF_REASON_NONE] = "output",
		[PROOF_REASON_STALLED - PROOF_REASON_NONE] = "stalled",
	};

	if (reason < FWD_REASON_COUNT)
		return labels[reason];
	if (reason >= PROOF_REASON_NONE && reason <= PROOF_REASON_STALLED)
		return own[reason - PROOF_REASON_NONE];
	return "";
}
