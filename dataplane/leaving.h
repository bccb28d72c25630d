/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether what is decided to leave by a port does: read back from what its driver did not take.
 *
 *     all   nothing is known to be lost
 *     some  more than 1 %, and at least 10 frames, in a second; until 3 s have none of that
 *     none  99 % or more of at least 10 frames in a second
 *
 * A port of which nothing leaves may get no packets any more, once routers have withdrawn what left
 * by it, so that silence proves nothing. It counts as whole again when frames of our own have left
 * by it for 3 s; where those cannot be sent, or nothing is known of them, 30 s after the last loss. A
 * frame of our own that did not leave is a loss, too: a port that is tried in vain does not come back
 * while a backend is behind it. Both times are doubled with each relapse, up to 10 minutes; of a port
 * that was tried, a relapse is that no packet left after it came back. Packets that leave prove it at
 * once.
 *
 * What cannot be known changes nothing. Implemented in leaving.c; the loop's thread calls it.
 */
#ifndef WEIR_DATAPLANE_LEAVING_H
#define WEIR_DATAPLANE_LEAVING_H

#include "dataplane/tables/compiler.h"

#define LEAVING_TICK_MS   200u
#define LEAVING_WINDOW_MS 1000u
#define LEAVING_READINGS  (LEAVING_WINDOW_MS / LEAVING_TICK_MS + 1u)
#define LEAVING_CLEAN_MS  3000u   /**< until some are all, and own frames prove a port */
#define LEAVING_HOLD_MS   30000u  /**< until a port that cannot be tried counts again */
#define LEAVING_HOLD_MAX  600000u /**< and how long it takes at most; a return is forgotten then */

enum leaving_state { LEAVING_ALL, LEAVING_SOME, LEAVING_NONE };

/** Frames that were to leave by a port, and those of them that did not, at a moment. */
struct leaving_reading {
	uint64_t at_ms, given, lost;
};

struct leaving_port {
	struct driver_port shown; /**< as last read */
	enum leaving_state state;
	uint64_t given, lost; /**< in the last whole window */
	struct leaving_reading readings[LEAVING_READINGS];
	unsigned n_readings;
	uint64_t bad_ms;      /**< when the state was last found so */
	uint64_t lost_ms;     /**< when a frame was last lost, one of our own included */
	uint64_t returned_ms; /**< when it last came back without a proof; 0: never */
	uint64_t hold_ms;     /**< how long it is to be silent for that */
	/** How long frames of our own are to leave until it comes back; 0: LEAVING_CLEAN_MS. */
	uint64_t prove_ms;
	struct leaving_reading proved; /**< when it came back by them; at 0: not the last time */
	uint64_t tried_from_ms; /**< since when each frame of our own has left; 0: not known */
	bool is_used;           /**< a backend was behind it when that was last read */
};

/** All zero before the first tick. */
struct leaving {
	struct leaving_port ports[DRIVER_PORTS_MAX];
	size_t n;
	uint64_t ticked_ms;
	uint64_t to_send; /**< frames to be sent by all ports until then */
	uint64_t changes; /**< of states, since the start */
};

/**
 * Read the ports of @p n, if that is due. Nothing happens before the first document.
 * @return whether a state changed
 */
bool leaving_tick(struct leaving *l, const struct compiler *n, uint64_t now_ms) NONNULL();
/** What is known of interface @p ifindex; of one that is no port: LEAVING_ALL. */
enum leaving_state leaving_of(const struct leaving *l, uint32_t ifindex) NONNULL();

#endif
