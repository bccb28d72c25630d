/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as an instant, a duration or a quantity: what is taken is within its bounds, and is the same when it is written and read again. */
#include <assert.h>

#include "base/clock.h"
#include "weir/when.h"
#include "model/quantity.h"
#include "tests/fuzz/fuzz_text.h"
#include "weir/model.h"

#define DAY_MS ((int64_t)86400000)

static void check_instants(const char *text)
{
	char written[CLOCK_TEXT_MAX];
	int64_t ms, again;

	if (clock_parse(text, &ms) == 0) {
		assert(clock_parse(clock_text(ms, written), &again) == 0);
		assert(again == ms);
	}
	if (when_duration(text, &ms) == 0)
		assert(ms >= 0 && ms <= 366 * DAY_MS);
	if (when_instant(text, 0, &ms) == 0 && text[0] == '+')
		assert(ms >= 0 && ms <= 366 * DAY_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const enum schema_kind kinds[] = { KIND_DURATION, KIND_RATE,    KIND_BITS,
		                                  KIND_PERCENT,  KIND_INTEGER, KIND_NUMBER };
	char *text = fuzz_text(bytes, n), written[QUANTITY_TEXT_MAX];
	uint64_t value, again;

	check_instants(text);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (quantity_parse(kinds[i], text, &value) == 0) {
			assert(quantity_parse(kinds[i], quantity_text(kinds[i], value, written),
			                      &again) == 0);
			assert(again == value);
		}
	free(text);
	return 0;
}
