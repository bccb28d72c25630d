/* SPDX-License-Identifier: BSD-2-Clause */
/* The words for what the backend agent does with a packet, and with the MSS in a SYN-ACK. Any thread. */
#include "weir/agent.h"

static const struct {
	const char *word, *help;
	bool is_drop;
} reasons[] = {
#define REASON(name, word, is_drop, help) [DECAP_##name] = { word, help, is_drop },
	DECAP_REASONS(REASON)
#undef REASON
};

static const struct {
	const char *word, *help;
} ends[] = {
#define END(name, word, help) [MSS_##name] = { word, help },
	MSS_ENDS(END)
#undef END
};

const char *agent_reason_name(enum decap_reason reason)
{
	return reasons[reason].word;
}

const char *agent_reason_help(enum decap_reason reason)
{
	return reasons[reason].help;
}

bool agent_reason_is_drop(enum decap_reason reason)
{
	return reasons[reason].is_drop;
}

const char *agent_mss_end_name(enum mss_end end)
{
	return ends[end].word;
}

const char *agent_mss_end_help(enum mss_end end)
{
	return ends[end].help;
}
