/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All arithmetic is on the boot clock. due_ms is the deadline while the boot lasts; left_ms is what
 * a record holds for the next boot. A record is stored every few seconds, so a reboot lengthens the
 * deadline by so much at most, besides the time that the machine was off.
 */
#include "mgmt/store/pending.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

void pending_clock_read(struct pending_clock *out)
{
	FILE *f = fopen(BOOT_ID_FILE, "re");

	*out = (struct pending_clock){ .now_ms = (int64_t)clock_mono_ms() };
	if (f && fgets(out->boot, sizeof(out->boot), f))
		out->boot[strcspn(out->boot, "\n")] = '\0';
	if (f)
		fclose(f);
}

void pending_start(struct pending *p, uint64_t number, const char *digest, int64_t left_ms,
                   const struct pending_clock *clock)
{
	*p = (struct pending){ .number = number,
		               .due_ms = clock->now_ms + left_ms,
		               .left_ms = left_ms,
		               .noted_ms = -1 };
	snprintf(p->digest, sizeof(p->digest), "%s", digest);
	snprintf(p->boot, sizeof(p->boot), "%s", clock->boot);
}

void pending_resume(struct pending *p, const struct pending_clock *clock)
{
	p->noted_ms = -1;
	if (p->left_ms > PENDING_LEFT_MAX_MS)
		p->left_ms = PENDING_LEFT_MAX_MS;
	/* of this boot, and no further off than when it was noted: else the record is damaged */
	if (*clock->boot && !strcmp(p->boot, clock->boot) &&
	    p->due_ms <= clock->now_ms + p->left_ms)
		return;
	snprintf(p->boot, sizeof(p->boot), "%s", clock->boot);
	p->due_ms = clock->now_ms + p->left_ms;
}

bool pending_is_of(const struct pending *p, uint64_t number, const char *digest)
{
	return p->number != 0 && p->number == number && !strcmp(p->digest, digest);
}

int64_t pending_left_ms(const struct pending *p, const struct pending_clock *clock)
{
	return p->due_ms > clock->now_ms ? p->due_ms - clock->now_ms : 0;
}
