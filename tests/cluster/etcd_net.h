/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The members of etcd, reached over links: stands in for mgmt/etcd/transfer.h. All have one store (etcd_model.h). A member can
 * be stopped (nobody listens), or cut off from the others (it answers nothing, and its watches are silent).
 */
#ifndef TESTS_CLUSTER_ETCD_NET_H
#define TESTS_CLUSTER_ETCD_NET_H

#include <stdbool.h>

#include "tests/cluster/etcd_model.h"

#define ETCD_NET_MEMBERS 3u
#define ETCD_NET_FIRST   8u /* the first member's number, as the links know it */

enum etcd_net_state { ETCD_NET_RUNS, ETCD_NET_STOPPED, ETCD_NET_APART };

/* Begin with an empty store. */
void etcd_net_begin(void);
struct etcd_model *etcd_net_model(void);
/* "https://10.8.0.1:2379" */
const char *etcd_net_endpoint(unsigned member);
void etcd_net_set(unsigned member, enum etcd_net_state state);
/* All members are restored from a backup, as etcd_model_restore(). */
void etcd_net_restore(int64_t revision, bool is_new_cluster);
/* Of the answers to writes so many are lost, once they are carried out. */
void etcd_net_lose_answers(unsigned per_mille);
/* The host of that number is dead: nobody waits for its requests. */
void etcd_net_forget(unsigned from);

#endif
