/* SPDX-License-Identifier: BSD-2-Clause */
#include "healthcheck/external.h"

#include <stddef.h>

#include "base/page.h"
#include "weir/external_page.h"

void external_source_refresh(struct external_source *s, const char *run_dir)
{
	struct page *page;

	external_source_close(s);
	if (!external_page_open(run_dir, &page))
		s->page = page;
}

void external_source_close(struct external_source *s)
{
	page_close(s->page);
	s->page = NULL;
}

/* A page that was cut short or overwritten says nothing. */
bool external_source_read(const struct external_source *s, uint64_t target, uint64_t now_ms,
                          enum health_state *out)
{
	enum health_state said;
	bool is_known =
	        external_page_read(s->page ? page_payload(s->page) : NULL, target, now_ms, &said);

	if (!is_known || !page_is_sound(s->page))
		return false;
	*out = said;
	return true;
}
