/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A simulated world for the rules of owners: clients, balancers that run the real rules
 * (weir/fwd/owner.h, dataplane/owners/owners.c), backends, and a management that changes them.
 *
 * sim_world.c: management, backends, balancers. sim_flows.c: clients. sim_main.c: scenarios.
 * One thread; time is simulated; everything follows from the seed.
 */
#ifndef WEIR_TESTS_SIM_H
#define WEIR_TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/owners/owners.h"
#include "weir/fwd/owner.h"

#define SIM_BACKENDS        12u
#define SIM_BALANCERS       2u
#define SIM_FLOWS_MAX       65536u
#define SIM_EVENTS_MAX      (1u << 19)
#define SIM_SLOTS           512u
#define SIM_SETTLE_S        180u
#define SIM_IDLE_S          30u
#define SIM_UDP_IDLE_S      10u
#define SIM_SETS_MAX        5u /* that a document has of a pool without agents, the next one counted */
#define SIM_AGENTS_SETTLE_S 1800u /* longer than a flow lives */

/** What is going on in the world. */
struct sim_options {
	uint64_t seed;
	uint32_t seconds;
	double change_every_s; /**< between changes of any kind, on average; 0: none */
	double starts_per_s;   /**< new flows */
	double udp_share;      /**< of the new flows */
	uint32_t sets;         /**< of exceptions in each balancer */
	bool floods;           /**< of ten times the table's places */
	bool restarts;         /**< of the control process, with pauses */
	double roaming; /**< share of flows that change the balancer at each segment with 1/8 */
	uint32_t balancers;
	bool agents; /**< the backends run the agent: second chance instead of exceptions for TCP */
	bool views; /**< each balancer sees deaths in its own time; balancers die, and miss what happens */
};

/** What came of it. */
struct sim_result {
	uint64_t flows, udp_flows, roaming_flows;
	uint64_t broken;         /**< established or completing, by another backend's segment */
	uint64_t broken_udp;     /**< moved though its policy keeps it */
	uint64_t stayed;         /**< UDP segments that went where the policy has them go no more */
	uint64_t broken_roaming; /**< of flows that change balancers */
	uint64_t killed;         /**< on a backend that died */
	uint64_t refused;        /**< never answered: given up before established */
	uint64_t segments, quoted, flood, changes, deaths, restarts, begun_on_leavers;
	uint64_t passed_on;       /**< segments that an agent sent to the next owner */
	uint64_t migrated, reset; /**< UDP flows that moved as their policy says */
	uint32_t most_exceptions, places;
	uint32_t disagreeing_slots; /**< between balancers, at the end, settled */
	uint32_t looking_at_end;    /**< slots that still look further when all is long over */
	uint64_t events[OWNER_EVENT_COUNT];
};

struct sim_balancer {
	struct fwd_slots *slots;
	struct owner_cold *colds;
	struct fwd_exceptions *sets;
	struct owners_memory *memory;
	struct owners *owners;
	uint64_t tick_at_ms;
	uint64_t started_at_ms; /**< its control process */
	uint64_t down_until_ms; /**< the control process is dead until then; packets flow on */
	bool stale;             /**< it has not taken the last document or verdicts */
	bool is_out;            /**< no packet goes there */
	uint64_t knows_from_ms; /**< its tables have lived through all since then */
	uint64_t told_at_ms, learns_at_ms;
	struct owners_handover *told; /**< [SIM_SLOTS], what it tells others */
	size_t n_told;
	uint8_t state[SIM_BACKENDS + 1]; /**< as it sees them */
	uint64_t sees_at_ms[SIM_BACKENDS + 1];
};

struct sim_backend {
	uint32_t weight; /**< 0: drained */
	bool is_member;
	bool is_dead;
	uint64_t returns_at_ms;
	uint64_t leaves_at_ms; /**< since when no new flow should come; UINT64_MAX: it takes them */
	uint64_t rejoins_at_ms; /**< when it last stopped to be drained */
	uint64_t drained_ms;    /**< when that drain's time is over */
	uint64_t lease_ms;      /**< until when it holds migrating UDP flows that it lost */
};

struct sim_document {
	struct owners_member members[OWNERS_SETS_MAX][SIM_BACKENDS];
	struct owners_set sets[OWNERS_SETS_MAX];
	size_t n_sets;
};

enum sim_phase { SIM_FREE, SIM_CONNECTING, SIM_OPEN, SIM_CLOSING };

struct sim_flow {
	uint64_t hash;
	uint64_t end_ms;
	uint32_t iss, seq, life;
	uint32_t half_open; /**< backends that hold a half-open connection of it, by bit */
	uint16_t backend;
	uint16_t rtt_ms;
	uint8_t phase;
	uint8_t protocol;
	uint8_t policy; /**< enum fwd_udp_policy */
	uint8_t balancer;
	uint8_t n_sent;
	bool roams;
	bool is_again; /**< its ports were used before */
};

enum sim_event_kind { SIM_START, SIM_SYN, SIM_SYN_ACK, SIM_SEGMENT };

struct sim_event {
	uint64_t at_ms;
	uint32_t flow;
	uint32_t life; /**< the flow's when the event was made; another one: it is void */
	uint8_t kind;
	uint8_t backend, attempt;
};

struct sim {
	struct sim_options options;
	struct owners_times times;
	struct sim_result result;
	uint64_t rng;
	uint64_t now_ms;
	struct sim_balancer balancer[SIM_BALANCERS];
	struct sim_backend backend[SIM_BACKENDS + 1];
	uint8_t state[SIM_BACKENDS + 1];
	struct sim_document document;
	uint64_t next_change_ms, next_flood_ms, flood_until_ms, next_restart_ms, next_start_ms;
	struct sim_event *heap;
	uint32_t n_heap;
	struct sim_flow *flows;
	uint32_t *free_flows;
	uint32_t n_free;
	bool quiet; /**< no more changes, floods or new flows */
};

/** A pseudo-random number. */
uint64_t sim_random(struct sim *sim);
/** Below @p n. */
uint32_t sim_below(struct sim *sim, uint32_t n);
/** Uniform in [0, 1). */
double sim_unit(struct sim *sim);

/** Make the world and its first document. */
void sim_world_init(struct sim *sim);
void sim_world_fini(struct sim *sim);
/** Changes, floods, restarts and ticks that are due. */
void sim_world_tick(struct sim *sim);
/** What balancer @p b does with a packet. @return the backend, 0 nobody */
uint16_t sim_route(struct sim *sim, uint8_t b, const struct fwd_flow *f, uint8_t policy);
/** With agents: the owners that a TCP packet names, the current one first. @return how many */
uint32_t sim_owners(struct sim *sim, uint8_t b, const struct fwd_flow *f,
                    uint16_t owners[1 + SECOND_OWNERS_MAX]);
/** Whether the flow's slot is settled in all balancers. */
bool sim_is_settled(const struct sim *sim, uint64_t hash);
/** Look at what is left at the end. */
void sim_world_judge(struct sim *sim);

void sim_flows_init(struct sim *sim);
void sim_flows_fini(struct sim *sim);
/** All flow events up to now_ms. */
void sim_flows_run(struct sim *sim);
/** A backend has died: its flows end. */
void sim_flows_kill(struct sim *sim, uint16_t backend);
/** How many flows live. */
uint32_t sim_flows_living(const struct sim *sim);

/** Run a world to its end. */
struct sim_result sim_run(const struct sim_options *options);

#endif
