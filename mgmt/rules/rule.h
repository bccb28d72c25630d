/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The table of rules: a row for each condition by which management refuses, holds, warns or calls a node less than well. What
 * a rule is called, what it means and what to do about it stand here alone; tables in documents are printed from here
 * (tests/check/check_rules.py).
 *
 * Whether a rule applies is decided where its facts are: mgmt/judge/judge.c (status), mgmt/rules/risk_*.c (change),
 * mgmt/operations/guards.c (operation), tick_hold() in mgmt/operations/ (step), mgmt/overrides/guard.c (override),
 * mgmt/observe/node_drain.c (drain), mgmt/sync/inforce_judge.c (version). A finding names its row, and adds subject and figures.
 *
 * Constant data, without dependency; any thread may read it. Implemented in mgmt/rules/rule.c.
 */
#ifndef WEIR_MGMT_RULES_RULE_H
#define WEIR_MGMT_RULES_RULE_H

#include <stdbool.h>

#define RULE_NAMES_MAX 160u /**< bytes of the names of a scope in a sentence */

/**
 * X(id, name, scope, level, means, more). The name is what people meet: in JSON, in metrics, in options. It is unique within
 * its scope; rows of one scope stand together. `more` is what else the row has of struct rule_row, by name.
 */
#define RULES(X)                                                                                   \
	OPERATION_RULES(X)                                                                         \
	STEP_RULES(X)                                                                              \
	OVERRIDE_RULES(X) DRAIN_RULES(X) STATUS_RULES(X) VERSION_RULES(X) CHANGE_RULES(X)

/* clang-format off */
/**
 * An operation does not begin, or is held: guards, in the order in which they are asked. A person may override by name what is
 * NAMED; for what is FIXED another command is meant. Fields of records have an item for each: they stand first (OPERATION_GUARD_COUNT).
 */
#define OPERATION_RULES(X) \
	X(OPERATION_GUARD_LAST_SITE, "last-site", OPERATION, NAMED, \
	  "no site that is up would be left, or (of a drain, not a shift) one of the services would be left without a site", \
	  .cure = "do not override this; drain the service's other sites back first") \
	X(OPERATION_GUARD_MAX_SITES_OUT, "max-sites-out", OPERATION, NAMED, \
	  "more sites would be drained, held or down, or are to be drained by the clock meanwhile, than `cluster.max_sites_out` (1)", .cure = "return the other site first") \
	X(OPERATION_GUARD_ROOM, "room", OPERATION, NAMED, "another site would have more than 85 % of its stated capacity, or its load is not known", \
	  .cure = "add capacity, wait for a quieter hour and `resume`; or stay at this level") \
	X(OPERATION_GUARD_RECEIVERS, "receivers", OPERATION, NAMED, "another site suffers: its VIP checks fail, repeated SYNs or drops have risen, a pool is below `min_healthy`", \
	  .cure = "`weir status` and `weir why site` there; `resume` when it is well, or `abort`") \
	X(OPERATION_GUARD_FRESH, "fresh", OPERATION, NAMED, "a measurement that is needed is too old or missing. Missing is never taken for 0", \
	  .cure = "`weir why` on the node that is named") \
	X(OPERATION_GUARD_UNCONFIRMED, "unconfirmed", OPERATION, NAMED, "a change of the configuration waits to be confirmed", \
	  .cure = "`weir confirm` or `weir rollback`, then `resume`") \
	X(OPERATION_GUARD_MAJORITY, "majority", OPERATION, FIXED, "no majority of the nodes is reached", \
	  .cure = "repair them; or, if they are dead for sure, `resume --without NODE,...`") \
	X(OPERATION_GUARD_BACKUP, "backup", OPERATION, NAMED, "a backup pool would not serve late clients, or a node does not say whether it would", \
	  .cure = "the detail says why; `--override backup` drains without it") \
	X(OPERATION_GUARD_NO_DNS, "no-dns", OPERATION, NAMED, "no DNS name chooses the site any more, so no client can be sent elsewhere", \
	  .cure = "`weir diff` of the last versions; `abort`, or bring the name back and `resume`") \
	X(OPERATION_GUARD_CLOCK, "clock", OPERATION, FIXED, "the clock is not believed", .cure = "`weir clock`") \
	X(OPERATION_GUARD_SHARE, "share", OPERATION, NAMED, "clients do not follow the answers", \
	  .cure = "`weir why site NAME` shows who still comes, by prefix; long TTLs or fixed addresses are common causes") \
	X(OPERATION_GUARD_OTHER, "operation", OPERATION, FIXED, "another operation moves clients, and is older", \
	  .cure = "wait until it has ended or is at rest (`weir operations`), then `resume`")

/** What else holds or ends an operation: a step, the record, the document, a person. */
#define STEP_RULES(X) \
	X(OPERATION_HOLD_NODE_LOST, "node-lost", STEP, HOLDS, "a node that took part is not reached", .cure = "repair it; or, if it is dead for sure, `resume --without NODE,...`") \
	X(OPERATION_HOLD_NOT_IN_FORCE, "not-in-force", STEP, HOLDS, "a name server does not report the step, or does not tell a new owner its level", \
	  .cure = "`weir why` on that node; is `weir-dns` running? If the node is dead for sure: `resume --without NODE`") \
	X(OPERATION_HOLD_LEVELS, "levels", STEP, HOLDS, \
	  "name servers have more of the clients elsewhere than the owner wrote: another owner moved them behind a cut, or they were away during a turn. They keep that level; the " \
	  "detail names them and both levels", \
	  .cure = "look which level is right. On a way back `resume` goes back in steps from the highest level, `abort` sends the others out again. On a way out `resume` goes on, " \
	  "and who is ahead stays; `abort` goes back from the highest level") \
	X(OPERATION_HOLD_RECORD_BEHIND, "record-behind", STEP, HOLDS, \
	  "nodes have levels of a later change than the record, and the store does not have it: a backup of the store was restored", \
	  .cure = "decide again: `resume` goes on from the levels, `abort` or `undrain` goes back from them. What was ordered last is lost") \
	X(OPERATION_HOLD_OWNER_REMOVED, "owner-removed", STEP, HOLDS, "the owner was removed from the configuration while it runs: no other node listens to it", \
	  .cure = "`weir operation ID take` at another node") \
	X(OPERATION_HOLD_NEW_OWNER, "taken", STEP, HOLDS, \
	  "a new owner reads the levels of all nodes; it goes on by itself. A node that does not say its level for 30 s holds it by `not-in-force`", \
	  .cure = "wait; if a node stays silent: `resume --without NODE`") \
	X(OPERATION_HOLD_PERSON, "person", STEP, HOLDS, "somebody held it", .cure = "ask them, then `resume`") \
	X(OPERATION_HOLD_KEY_CHANGED, "key-changed", STEP, HOLDS, "the hash key changed: other clients would move", \
	  .cure = "*The hash key* in the handbook; then `resume` or `abort`") \
	X(OPERATION_HOLD_SITE_GONE, "site-gone", STEP, HOLDS, "the configuration has the site no more", .cure = "`abort`; or bring it back (`weir versions`), then `resume`") \
	X(OPERATION_HOLD_SERVICE_GONE, "service-gone", STEP, HOLDS, "the site has the service no more", .cure = "`abort`; or bring it back (`weir versions`), then `resume`") \
	X(OPERATION_HOLD_POOLS, "pools", STEP, HOLDS, "a return waits for the site's own pools. All of them are waited for, also one that was empty or down before the drain", \
	  .cure = "`weir why site NAME`. If the site serves well without it: `weir undrain site NAME --scheduled --reason TEXT` returns by the clock, without waiting") \
	X(OPERATION_HOLD_ANNOUNCE, "announce", STEP, HOLDS, "a return waits until the site's VIPs are announced, with proof", .cure = "as of `pools`") \
	X(OPERATION_HOLD_SITE_DOWN, "site-down", STEP, HOLDS, "the site to return to is not up as seen from outside; a site that is not up gets no clients back", \
	  .cure = "as of `pools`") \
	X(OPERATION_HOLD_BACKUP_LEAVES, "backup-leaves", STEP, HOLDS, "a return waits until backup pools take no more flows of the site", .cure = "as of `pools`") \
	X(OPERATION_HOLD_EPOCH, "epoch", STEP, HOLDS, "its `--until` has passed, and no higher epoch is left to return in", \
	  .cure = "`weir undrain site NAME --scheduled --reason TEXT` returns by the clock") \
	X(OPERATION_END_EXPIRED, "expired", STEP, ENDS, "ended: its `--until` passed before it began", .cure = "begin another one") \
	X(OPERATION_END_COMMAND, "command", STEP, ENDS, "ended: a person's command at the site overrules it", .cure = "nothing")

/** A drain or disable by command does not begin. A person may override each by name, `unsettled` also by not waiting (`now`). */
#define OVERRIDE_RULES(X) \
	X(GUARD_LAST_SITE, "last-site", OVERRIDE, NAMED, "a service at the site has no other site, not drained or disabled, that is not seen down", \
	  .cure = "return another site of the service first") \
	X(GUARD_LAST_BACKEND, "last-backend", OVERRIDE, NAMED, "the pool would keep no backend that takes new flows and is not seen down", \
	  .cure = "return or repair another backend of the pool first") \
	X(GUARD_LAST_ANNOUNCER, "last-announcer", OVERRIDE, NAMED, \
	  "no other node announces a VIP of this node, or an address of DNS that it announces: the document names none, the others are drained, or they say that they do not, or " \
	  "that no neighbour gets it", .cure = "undrain or repair another node. `--override last-announcer` drains all the same: these addresses stay in graceful shutdown") \
	X(GUARD_ROOM, "room", OVERRIDE, NAMED, \
	  "a site or node that gets the traffic would have more than 85 % of its stated capacity: bits, and at sites new flows (of a node: `nodes[].capacity`, else the speed of " \
	  "its ports)", .cure = "wait for a quiet hour, or add capacity") \
	X(GUARD_UNSETTLED, "unsettled", OVERRIDE, NAMED, "a pool without agents has unsettled slots, or connections at earlier owners of slots that have settled", \
	  .cure = "wait until they end, or `--now`")

/** Where a node is on its way out and back, by its announcements, and whether it may be switched off without harm: it GOES or STAYS. */
#define DRAIN_RULES(X) \
	X(NODE_IS_SERVING, "serving", DRAIN, STAYS, "its addresses are announced, or it has none to announce", .cure = "`weir drain node NAME` takes it out") \
	X(NODE_IS_DRAINING, "draining", DRAIN, STAYS, "it is drained, and an address is still announced, in graceful shutdown, or known to routers", \
	  .cure = "wait; `weir why node NAME` shows what is left") \
	X(NODE_IS_DRAINED, "drained", DRAIN, GOES, "it is drained, and all its addresses are withdrawn", .cure = "`weir undrain node NAME` brings it back") \
	X(NODE_IS_RETURNING, "returning", DRAIN, STAYS, "its drain has ended, and not all addresses are proved and announced since", \
	  .cure = "wait; `weir why node NAME` shows what is missing") \
	X(NODE_IS_OUT, "out", DRAIN, STAYS, "nothing is announced, for reasons of its own", .cure = "`weir status` on the node says why") \
	X(NODE_IS_UNKNOWN, "unknown", DRAIN, STAYS, "`weir-announce`, or its routing daemon, does not say where the addresses are", .cure = "`weir status` on the node")

/**
 * A node is less than well, in the order in which reasons are shown. *Down* means that nothing serves packets or queries
 * that this node should serve. Everything else that is less than the configuration says, or that is not known, is *degraded*.
 */
#define STATUS_RULES(X) \
	X(JUDGE_RULE_FORWARDING_STOPPED, "forwarding-stopped", STATUS, DOWN, \
	  "weir-dataplane is dead, hangs or (XDP) has not run yet, and forwards nothing: with DPDK its workers are not seen to forward, with XDP no port has a program", \
	  .harm = "no packets are forwarded", .cure = "start it") \
	X(JUDGE_RULE_NO_PORT, "no-port", STATUS, DOWN, "ports are configured and none carries the program", .harm = "no packet reaches the forwarding tables", \
	  .cure = "the log of weir-dataplane says why") \
	X(JUDGE_RULE_ANSWERING_STOPPED, "answering-stopped", STATUS, DOWN, "weir-dns is dead or hangs, on a node that forwards nothing by its configuration", \
	  .harm = "answering is all that this node does", .cure = "start it") \
	X(JUDGE_RULE_STATED_DOWN, "stated-down", STATUS, DOWN, "a process states a condition of level down", \
	  .harm = "the process that does the work says that the work is not done", .cure = "what the condition says") \
	X(JUDGE_RULE_POOL_FORWARDS_NOTHING, "pool-forwards-nothing", STATUS, DOWN, "the tables send to no backend of a pool that has backends", \
	  .harm = "all packets for its services are dropped", .cure = "see weir why pool NAME") \
	X(JUDGE_RULE_POOL_ALL_DOWN, "pool-all-down", STATUS, DOWN, "the checks of all backends of a pool fail", .harm = "packets that a guard still sends to it are not answered", \
	  .cure = "weir health shows why") \
	X(JUDGE_RULE_PROCESS_SILENT, "process-silent", STATUS, DEGRADED, "a process is dead, or has shown no sign of life for 2 s", \
	  .harm = "the others go on with the last state; nothing new takes effect", .cure = "see its log") \
	X(JUDGE_RULE_SUPERVISOR_SILENT, "supervisor-silent", STATUS, DEGRADED, "weir run was started here, and is dead or has shown no sign of life for 2 s", \
	  .harm = "nothing restarts a process that dies or hangs", .cure = "start it (running processes continue)") \
	X(JUDGE_RULE_DOCUMENT_REFUSED, "document-refused", STATUS, DEGRADED, \
	  "a process refused the newest document (for want of memory, a descriptor or a right it tries again by itself)", .harm = "the applied configuration is not in force", \
	  .cure = "its log says why") \
	X(JUDGE_RULE_DOCUMENT_PENDING, "document-pending", STATUS, DEGRADED, "a running process has not taken a document for 3 s", \
	  .harm = "the applied configuration is not in force yet", .cure = "see its log") \
	X(JUDGE_RULE_STATED_DEGRADED, "stated-degraded", STATUS, DEGRADED, "a process states a condition of level degraded", \
	  .harm = "the process that does the work says that part of it is not done", .cure = "what the condition says") \
	X(JUDGE_RULE_CONDITIONS_UNREAD, "conditions-unread", STATUS, DEGRADED, "a running process's conditions cannot be read, or did not all fit", \
	  .harm = "problems of that process may be hidden", .cure = "if this lasts, restart it (systemctl restart weir)") \
	X(JUDGE_RULE_PORTS_MISSING, "ports-missing", STATUS, DEGRADED, "fewer ports carry the program than are configured", \
	  .harm = "packets that arrive by the others are not forwarded", .cure = "its log says why") \
	X(JUDGE_RULE_EFFECT_UNKNOWN, "effect-unknown", STATUS, DEGRADED, "weir-dataplane runs, but its tables cannot be read, or it has no document yet", \
	  .harm = "the effect of the configuration is unknown", .cure = "see its log") \
	X(JUDGE_RULE_CONNECTIONS_PENDING, "connections-pending", STATUS, DEGRADED, "weir-dataplane started on empty tables and waits for a peer's connection state", \
	  .harm = "connections that moved while it was away would break", .cure = "routers should not send it packets yet") \
	X(JUDGE_RULE_NO_CONFIGURATION, "no-configuration", STATUS, DEGRADED, "there is no version", .harm = "the node serves nothing, although it may be meant to", \
	  .cure = "apply one (weir apply FILE)") \
	X(JUDGE_RULE_STORE_FAILING, "store-failing", STATUS, DEGRADED, "the store cannot be read or written", .harm = "changes are refused or not kept", \
	  .cure = "check the disk and store.db (handbook)") \
	X(JUDGE_RULE_DOCUMENT_UNWRITTEN, "document-unwritten", STATUS, DEGRADED, "the effective document cannot be written", .harm = "changes do not reach the processes", \
	  .cure = "free disk space, or let weir-mgmt write its directory") \
	X(JUDGE_RULE_VERSION_UNCONFIRMED, "version-unconfirmed", STATUS, DEGRADED, "a version waits to be confirmed", .harm = "it will be rolled back unless a person acts", \
	  .cure = "run weir confirm to keep it, else it is rolled back") \
	X(JUDGE_RULE_BACKEND_NO_NEXT_HOP, "backend-no-next-hop", STATUS, DEGRADED, "a backend is meant to serve and owns slots, but has no next hop", \
	  .harm = "packets of its slots are dropped", .cure = "ip route get ADDRESS") \
	X(JUDGE_RULE_SLOTS_EMPTY, "slots-empty", STATUS, DEGRADED, "slots of a pool have no owner", .harm = "packets of these slots are dropped", \
	  .cure = "weir status --pool NAME shows its backends") \
	X(JUDGE_RULE_BACKEND_DOWN, "backend-down", STATUS, DEGRADED, "a backend's check fails", .harm = "its pool has less capacity than intended", .cure = "weir health shows why") \
	X(JUDGE_RULE_BACKEND_OUT, "backend-out", STATUS, DEGRADED, "a backend is meant to serve and is up, but the tables do not send to it", \
	  .harm = "its pool has less capacity than intended", .cure = "weir why backend POOL/BACKEND shows why") \
	X(JUDGE_RULE_CHECKS_SILENT, "checks-silent", STATUS, DEGRADED, "a backend has no verdict of its check", .harm = "whether it serves is unknown", \
	  .cure = "weir health shows why") \
	X(JUDGE_RULE_CHECKS_INCONCLUSIVE, "checks-inconclusive", STATUS, DEGRADED, "the checks of all backends of a pool are inconclusive", \
	  .harm = "the verdicts are old: whether they serve is unknown", .cure = "weir health shows which") \
	X(JUDGE_RULE_POOL_ALL_DRAINED, "pool-all-drained", STATUS, DEGRADED, "all backends of a pool are drained by overrides", \
	  .harm = "they keep serving, against the intent and with equal weights, since no other is left", .cure = "weir undrain backend POOL/BACKEND") \
	X(JUDGE_RULE_SITE_DOWN, "site-down", STATUS, DEGRADED, "all services of a site are seen down", .harm = "its clients have to be served elsewhere", \
	  .cure = "see weir why site NAME") \
	X(JUDGE_RULE_DRAIN_HELD, "drain-held", STATUS, DEGRADED, "a site's drain has expired, and the site is not seen up", .harm = "the scheduled return does not happen", \
	  .cure = "weir undrain site NAME --scheduled --now ends it anyway") \
	X(JUDGE_RULE_PEER_TOKEN_MISSING, "peer-token-missing", STATUS, DEGRADED, "the configuration names other nodes, and there is no peer.token", \
	  .harm = "nothing is exchanged: versions, drains and observations stay on this node", .cure = "put the same file on every node") \
	X(JUDGE_RULE_PEER_TOKEN_REFUSED, "peer-token-refused", STATUS, DEGRADED, "a peer refuses our peer.token", .harm = "nothing is exchanged with this peer", \
	  .cure = "put the same file on both nodes") \
	X(JUDGE_RULE_PEER_NEVER_HEARD, "peer-never-heard", STATUS, DEGRADED, "a configured node has not answered since weir-mgmt started", \
	  .harm = "its version, its drains and what it sees are unknown", .cure = "the reason says why it was not reached") \
	X(JUDGE_RULE_PEER_UNREACHABLE, "peer-unreachable", STATUS, DEGRADED, "a peer does not answer any more", .harm = "its version, its drains and what it sees are unknown", \
	  .cure = "the reason says why it was not reached") \
	X(JUDGE_RULE_PEER_BEHIND, "peer-behind", STATUS, DEGRADED, "a peer has not taken this node's version or overrides for 15 s", \
	  .harm = "the nodes run different configurations; the peer cannot take the newer one", .cure = "weir status on that node shows why") \
	X(JUDGE_RULE_PEER_DIFFERS, "peer-differs", STATUS, DEGRADED, "a peer runs another configuration", .harm = "the nodes run different configurations; a person has to choose", \
	  .cure = "weir store status on each")

/** A node refuses a version: conditions that a process has STATED since, and what weir-mgmt itself finds. */
#define VERSION_RULES(X) \
	X(REFUSED_DOCUMENT, "document-refused", VERSION, STATED, "a process cannot take the new document", .cure = "correct what the detail names, and apply again") \
	X(REFUSED_ZONES, "zones-refused", VERSION, STATED, "`weir-dns` cannot take a zone file", .cure = "correct the zone file that is named") \
	X(REFUSED_PORT_MISSING, "port-missing", VERSION, STATED, "the node has no interface of a port's name", .cure = "correct the node's `ports`, or set the interface up") \
	X(REFUSED_PORT_PROGRAM, "port-not-attached", VERSION, STATED, "a port cannot carry the forwarding program", .cure = "the detail says why") \
	X(REFUSED_PORT_DEVICE, "port-not-changed", VERSION, STATED, "a port cannot have the device that it is given", .cure = "the detail says why") \
	X(REFUSED_LISTEN, "listen-failed", VERSION, STATED, "`weir-dns` or `weir-mgmt` cannot listen on an address", \
	  .cure = "another server may have the port (`ss -lnutp`), or the host lacks the address") \
	X(REFUSED_KEY, "hash-key-mismatch", VERSION, REFUSES, "the file of the hash key that the version brings is not the right one here", \
	  .cure = "*The hash key* in the handbook") \
	X(REFUSED_WORSE, "canary-worse", VERSION, REFUSES, "clients suffer since a version is in force here that is tried (`--canary`, `--hold`)", \
	  .cure = "the detail says what has risen, by how much: correct the change")

/**
 * A change of the configuration is risky, from the figure of the level on: any part at all, a share (0 to 1), or so many times the
 * value before. The limits of shares: half of a pool is what its other half can be expected to carry; a third of a name's answers
 * is one site of three. Of times: what a person changes at one time without a thought is a factor of two.
 */
#define CHANGE_RULES(X) \
	X(RISK_FLOWS_REHASHED, "flows-rehashed", CHANGE, ANY, "connections go to backends that do not know them, and break") \
	X(RISK_POOL_EXCHANGED, "pool-exchanged", CHANGE, ANY, "connections go to backends that do not know them, and break") \
	X(RISK_ENCAPSULATION, "encapsulation-changed", CHANGE, ANY, "backends that do not expect these packets drop them") \
	X(RISK_MEMBERS_LEAVE, "members-leave", CHANGE, SHARE, "the load of these members moves to fewer, or to untried, backends", .limit = 0.5) \
	X(RISK_REGISTRATION, "registration-narrowed", CHANGE, ANY, "registered backends that fit no prefix any more stop being backends") \
	X(RISK_LEFT_OUT, "registered-left-out", CHANGE, ANY, "registered backends lose their flows, and get none while the version is in force") \
	X(RISK_LOAD_GATHERS, "load-gathers", CHANGE, TIMES, "one backend gets several times its load", .limit = 2) \
	X(RISK_OVERRIDE_LOST, "override-lost", CHANGE, ANY, \
	  "an override goes by the backend's name: what was taken out of service gets traffic again, what was forced up may get none") \
	X(RISK_UNCHECKED_MEMBERS, "unchecked-members", CHANGE, ANY, "backends without a check get traffic even if they are dead") \
	X(RISK_CHECK_REMOVED, "check-removed", CHANGE, ANY, "dead targets are never detected") \
	X(RISK_CHECK_TARGET, "check-target", CHANGE, ANY, "the check probes something else: good targets may fail, dead targets may pass") \
	X(RISK_CHECK_SLOWER, "check-slower", CHANGE, TIMES, "dead targets keep their traffic for longer", .limit = 3) \
	X(RISK_CHECK_HASTY, "check-hasty", CHANGE, TIMES, "slow targets are taken for dead", .limit = 3) \
	X(RISK_CHECK_RETURN, "check-return", CHANGE, TIMES, "targets that have recovered stay out for longer", .limit = 5) \
	X(RISK_CHECK_RATE, "check-rate", CHANGE, TIMES, "probes put a load on the targets", .limit = 5) \
	X(RISK_DAMPING, "damping", CHANGE, ANY, "targets are held down, or flap without a limit") \
	X(RISK_GUARD_LOWERED, "guard-lowered", CHANGE, SHARE, "checks may take more of the pool out of service at once", .limit = 0.15) \
	X(RISK_REMOVAL_BLOCKED, "removal-blocked", CHANGE, SHARE, "dead backends keep their traffic, because the guard lets too few be removed", .limit = 0.5) \
	X(RISK_REMOVAL_SLOWED, "removal-slowed", CHANGE, TIMES, "dead backends are removed one after another", .limit = 4) \
	X(RISK_ALL_DOWN, "on-all-down", CHANGE, ANY, "the pool acts differently when all its backends are down") \
	X(RISK_BACKUP, "backup-changed", CHANGE, ANY, "late clients of a drained site, and clients of a pool that is down, are not served, or their connections break") \
	X(RISK_FLOW_MEMORY, "flow-memory", CHANGE, SHARE, "idle flows are forgotten, and break at the next change of members", .limit = 0.5) \
	X(RISK_UDP_POLICY, "udp-policy", CHANGE, ANY, "UDP flows move to other backends at the next change of members") \
	X(RISK_ENTRIES_GONE, "entries-gone", CHANGE, ANY, "clients of these addresses get no answer any more") \
	X(RISK_SERVICE_RENAMED, "service-renamed", CHANGE, ANY, "verdicts, and drains of the service alone, go by its name: a site that is down or so drained gets clients") \
	X(RISK_VIP_SITES, "vip-sites-changed", CHANGE, ANY, "routers move connections to another site, whose backends do not know them, and these break") \
	X(RISK_ANNOUNCE_STOPPED, "announce-stopped", CHANGE, ANY, "routers send no packets for these addresses to the node any more") \
	X(RISK_ANNOUNCE_MOVED, "announce-moved", CHANGE, ANY, "a routing daemon that is not set up for it withdraws the node's addresses") \
	X(RISK_ANNOUNCE_WHEN, "announce-when", CHANGE, ANY, "nodes withdraw the VIP, or keep announcing it, in other cases than before") \
	X(RISK_PORTS_GONE, "ports-gone", CHANGE, ANY, "packets that arrive at the port are not forwarded") \
	X(RISK_PORT_DEVICE, "port-device", CHANGE, ANY, "frames arrive at another device, or are not accepted") \
	X(RISK_DRIVER, "driver-changed", CHANGE, ANY, "the forwarding program is replaced under traffic") \
	X(RISK_NEXT_START, "next-start", CHANGE, ANY, "the change takes effect, or fails, only at the next start of weir-dataplane") \
	X(RISK_TUNNEL_SOURCE, "tunnel-source", CHANGE, ANY, "backends drop tunnels from source addresses that they do not know") \
	X(RISK_MTU, "mtu-changed", CHANGE, ANY, "large packets are refused, or lost on links that do not carry them") \
	X(RISK_LISTENERS_GONE, "listeners-gone", CHANGE, ANY, "DNS queries to these addresses are not answered any more") \
	X(RISK_NODE_GONE, "node-gone", CHANGE, ANY, "the node stops forwarding and answering") \
	X(RISK_NODE_MOVED, "node-moved", CHANGE, ANY, "the node forwards another site's services") \
	X(RISK_API_MOVED, "api-moved", CHANGE, ANY, "peers do not find this node: no exchange of files and peer health, nor of drains without the store") \
	X(RISK_CONTROLS_CHANGED, "controls-changed", CHANGE, ANY, "a failing network is taken for failing backends, or the other way round") \
	X(RISK_CLOCK_GUARD, "clock-guard", CHANGE, ANY, "ramps follow a clock that may be wrong") \
	X(RISK_CAPACITY_GUARD, "capacity-guard", CHANGE, TIMES, "the guard `room` allows drains whose traffic the others cannot carry", .limit = 2) \
	X(RISK_SITES_OUT, "sites-out", CHANGE, ANY, "the guard `max-sites-out` lets operations take more sites out at a time") \
	X(RISK_CLUSTER_RENAMED, "cluster-renamed", CHANGE, ANY, "the node finds its tables and its peers by the cluster's name: it starts without both") \
	X(RISK_TABLES_SMALLER, "tables-smaller", CHANGE, SHARE, "fewer flows are remembered during changes, or the tables do not fit", .limit = 0.5) \
	X(RISK_SITE_GONE, "site-gone", CHANGE, ANY, "the site is not configured any more") \
	X(RISK_SITE_EMPTIED, "site-emptied", CHANGE, ANY, "all clients of the site move at once: use weir drain, which moves them in steps") \
	X(RISK_ANSWERS_MOVE, "answers-move", CHANGE, SHARE, "clients move to other sites at once: use weir drain, which moves them in steps", .limit = 0.3) \
	X(RISK_ANSWERS_UNPROVEN, "answers-unproven", CHANGE, ANY, "clients go to addresses that no node checks") \
	X(RISK_TTL_LONGER, "ttl-longer", CHANGE, TIMES, "clients keep a dead site's address for longer", .limit = 5) \
	X(RISK_TTL_SHORTER, "ttl-shorter", CHANGE, TIMES, "resolvers send many times more queries", .limit = 10) \
	X(RISK_NAMES_GONE, "names-gone", CHANGE, ANY, "the name is not answered any more") \
	X(RISK_ZONES_GONE, "zones-gone", CHANGE, ANY, "the zone is not answered any more") \
	X(RISK_RECORDS_GONE, "records-gone", CHANGE, SHARE, "names of the zone are not answered any more", .limit = 0.2) \
	X(RISK_RECORDS_CHANGE, "records-change", CHANGE, SHARE, "names of the zone point elsewhere", .limit = 0.5) \
	X(RISK_ZONE_SERVERS, "zone-servers", CHANGE, ANY, "resolvers ask other servers for the whole zone") \
	X(RISK_ZONE_UNREAD, "zone-unread", CHANGE, ANY, "which records the zone loses is unknown")
/* clang-format on */

enum rule_id {
#define RULE_ID(id, ...) id,
	RULES(RULE_ID)
#undef RULE_ID
	        RULE_COUNT,
	RULE_NONE = RULE_COUNT
};

/** What a rule is about. */
enum rule_scope {
	RULE_OPERATION, /**< the next step of an operation */
	RULE_STEP,      /**< a running step, or the record of an operation */
	RULE_OVERRIDE,  /**< taking a site, backend or node out of service by a command */
	RULE_DRAIN,     /**< a node on its way out or back */
	RULE_STATUS,    /**< a node */
	RULE_VERSION,   /**< a version that is not in force on a node */
	RULE_CHANGE,    /**< a change of the configuration */
	RULE_SCOPE_COUNT
};

/** How much it weighs. */
enum rule_level {
	RULE_DEGRADED, /**< of status */
	RULE_DOWN,
	RULE_ANY, /**< of a change: what its figure counts */
	RULE_SHARE,
	RULE_TIMES,
	RULE_NAMED, /**< a person may override it by its name */
	RULE_FIXED, /**< nobody may */
	RULE_HOLDS, /**< it holds an operation */
	RULE_ENDS,  /**< it ends one */
	RULE_GOES,  /**< a node may be switched off */
	RULE_STAYS,
	RULE_STATED,  /**< a process states it as a condition */
	RULE_REFUSES, /**< it is found otherwise */
};

struct rule_row {
	const char *name;
	enum rule_scope scope;
	enum rule_level level;
	const char *means; /**< when it applies */
	const char *harm;  /**< what goes wrong: why it has this level */
	const char *cure;  /**< what to do; NAME: the subject */
	double limit;      /**< of a change: risky from this figure on; see risk_limit() */
};

/** All rows, by enum rule_id. */
extern const struct rule_row rule_rows[RULE_COUNT];

/** The row of a scope with this name. @return its enum rule_id, or -1 */
int rule_find(enum rule_scope scope, const char *name);
/** Whether @p name is that of the row. */
bool rule_is(enum rule_id id, const char *name);
/** Whether a person may override the rule by its name; not one that rule_find() did not find. */
bool rule_may_override(int id);
/** The names of a scope that a person may override: "a, b or c". @return @p out */
const char *rule_names(enum rule_scope scope, char out[RULE_NAMES_MAX]);

#endif
