/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * While the writer of the page (weir-mgmt) lives, a follower takes the offset from the page. While
 * the writer is silent, the follower carries its last time on with a struct wall of its own, for
 * which the peers are unheard: so a step of the kernel's clock is not followed while weir-mgmt is
 * dead.
 *
 * The boot's id is stored last: a reader that finds the id of this boot also finds the words of the
 * first publication.
 */
#include "base/believed.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/page.h"

void believed_publish(struct believed_page *p, const struct wall_clock *w, uint64_t boot)
{
	int64_t offset_ms = w->at_ms - (int64_t)w->mono_ms;

	__atomic_store_n(&p->off_by_ms, w->off_by_ms, __ATOMIC_RELAXED);
	__atomic_store_n(&p->confirmed, w->confirmed, __ATOMIC_RELAXED);
	__atomic_store_n(&p->booted, w->booted, __ATOMIC_RELAXED);
	__atomic_store_n(&p->offset_ms, offset_ms, __ATOMIC_RELAXED);
	__atomic_store_n(&p->boot, boot, __ATOMIC_RELEASE);
}

bool believed_begin(const struct believed_page *p, uint64_t boot, uint64_t mono_ms,
                    struct wall_clock *w)
{
	if (!boot || __atomic_load_n(&p->boot, __ATOMIC_ACQUIRE) != boot)
		return false;
	int64_t offset_ms = __atomic_load_n(&p->offset_ms, __ATOMIC_RELAXED);
	bool confirmed = __atomic_load_n(&p->confirmed, __ATOMIC_RELAXED);

	if (offset_ms > CLOCK_END_MS || offset_ms < -CLOCK_END_MS) /* a damaged page */
		return false;

	wall_clock_begin(w, mono_ms, (int64_t)mono_ms + offset_ms, false, confirmed);
	w->booted = __atomic_load_n(&p->booted, __ATOMIC_RELAXED);
	w->off_by_ms = __atomic_load_n(&p->off_by_ms, __ATOMIC_RELAXED);
	return true;
}

/*
 * Map the page when it appears, and again when its writer has replaced it. It is looked for in each tick: until it is
 * there a process may believe a wrong time.
 */
static void map_clock_page(struct believed *b, const char *run_dir)
{
	static const struct page_form form = { BELIEVED_PAGE, BELIEVED_PAGE_KIND,
		                               BELIEVED_PAGE_LAYOUT, sizeof(struct believed_page),
		                               "mgmt" };
	struct page *page;

	if (b->page && !page_is_replaced(b->page))
		return;
	if (page_open_in(run_dir, &form, &page))
		return;
	page_close(b->page);
	b->page = page;
}

int64_t believed_step(struct believed *b, const char *run_dir, const struct wall_clock_now *now)
{
	map_clock_page(b, run_dir);
	if (!b->boot)
		b->boot = clock_boot();
	if (b->page) {
		const struct believed_page *p = page_payload(b->page);
		int64_t age_ms = (int64_t)(now->mono_ms - page_header(b->page)->alive_ms);
		bool lives = age_ms < (int64_t)BELIEVED_STALE_MS;

		if ((lives || !b->wall_clock.started) &&
		    believed_begin(p, b->boot, now->mono_ms, &b->wall_clock)) {
			b->heard = true;
			if (lives)
				return b->wall_clock.at_ms;
		}
	}
	return wall_clock_tick(&b->wall_clock, now);
}

void believed_not_before(struct believed *b, int64_t at_ms)
{
	if (b->heard || at_ms <= b->least_ms || at_ms > CLOCK_END_MS)
		return;
	b->least_ms = at_ms;
	if (b->wall_clock.at_ms < at_ms)
		wall_clock_begin(&b->wall_clock, b->wall_clock.mono_ms, at_ms, true, false);
}

int64_t believed_tick(struct believed *b, const char *run_dir)
{
	struct wall_clock_now now = { .mono_ms = clock_mono_ms(),
		                      .clock_ms = clock_realtime_ms(),
		                      .synchronised = clock_is_synchronised(),
		                      .peers = b->page ? WALL_CLOCK_PEERS_UNHEARD
		                                       : WALL_CLOCK_PEERS_NONE };
	int64_t at_ms = believed_step(b, run_dir, &now);

	clock_believe(at_ms - (int64_t)now.mono_ms);
	return at_ms;
}

void believed_once(const char *run_dir)
{
	struct believed b = { 0 };

	believed_tick(&b, run_dir);
	believed_close(&b);
}

void believed_close(struct believed *b)
{
	page_close(b->page);
	b->page = NULL;
}
