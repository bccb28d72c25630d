/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The model: the parsed intent, which every process reads from the effective document.
 *
 * A model lives in one arena, is complete and checked when it is handed out, and is const from then
 * on, so any thread may read it. Names resolve to pointers. Arrays are sorted by name where a name
 * is their key. Implemented in model/: read.c and build.c read, check.c checks, write.c writes,
 * model.c answers questions.
 */
#ifndef WEIR_MODEL_H
#define WEIR_MODEL_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct arena;

#define MODEL_NAME_MAX 64 /**< with the NUL: [a-z0-9][a-z0-9._-]{0,62} */
#define MODEL_SETS_MAX 64 /**< member sets kept for a pool, the next one not counted */
/** Members of all sets of all pools together: twice the backends of the largest configuration, and a quarter more. */
#define MODEL_MEMBERS_MAX   524288u
#define MODEL_OVERRIDES_MAX 4096u /**< that are kept, tombstones too */
#define MODEL_ID_MAX        32    /**< an override's id in text, with the NUL */
#define MODEL_PCI_MAX       13    /**< "0000:01:00.0" with the NUL */
#define MODEL_TIME_NEVER    INT64_MAX

enum model_mode { MODEL_MODE_IPIP, MODEL_MODE_GUE, MODEL_MODE_L2 };
enum model_protocol { MODEL_TCP = 6, MODEL_UDP = 17 };
enum model_hash { MODEL_HASH_FLOW, MODEL_HASH_SOURCE };
enum model_check_type { MODEL_CHECK_TCP, MODEL_CHECK_HTTP, MODEL_CHECK_EXTERNAL };
enum model_via { MODEL_VIA_DIRECT, MODEL_VIA_TUNNEL };
enum model_all_down { MODEL_ALL_DOWN_LAST_GOOD, MODEL_ALL_DOWN_FAIL_CLOSED };
enum model_driver { MODEL_DRIVER_AUTO, MODEL_DRIVER_XDP, MODEL_DRIVER_DPDK };
/** The routing daemon by which a node announces its addresses. */
enum model_daemon { MODEL_DAEMON_NONE, MODEL_DAEMON_BIRD, MODEL_DAEMON_FRR };
/** How many services of a VIP need a backend for new flows while the VIP is announced. */
enum model_announce_when { MODEL_ANNOUNCE_ANY, MODEL_ANNOUNCE_ALL };
enum model_clock { MODEL_CLOCK_SYNCHRONISED, MODEL_CLOCK_TRUSTED };
enum model_samples { MODEL_SAMPLES_KEPT, MODEL_SAMPLES_NONE };
enum model_policy { MODEL_POLICY_WEIGHTED, MODEL_POLICY_FAILOVER };
/** What becomes of a registered backend whose ttl has ended. */
enum model_on_expiry {
	MODEL_EXPIRY_KEEP, /**< it stays while its checks say up: lost information removes nothing */
	MODEL_EXPIRY_DRAIN,
};
enum model_udp_policy { MODEL_UDP_KEEP, MODEL_UDP_MIGRATE, MODEL_UDP_RESET };

/** A datacenter. */
struct model_site {
	const char *name;
	const char *region;      /**< labels.region, or "" */
	uint32_t weight;         /**< base weight for the placing of traffic */
	uint64_t capacity_flows; /**< new flows a second; 0: not stated */
	uint64_t capacity_bits;  /**< bits a second; 0: not stated */
	uint32_t index;          /**< place in model.sites */
};

enum model_hugepages { MODEL_HUGEPAGES_AUTO, MODEL_HUGEPAGES_YES, MODEL_HUGEPAGES_NO };

#define MODEL_CORES_MAX 32u
#define MODEL_MEMORY_MB 256u /**< where nothing is said */

/** Where packets for VIPs come in. */
/** A MAC address of one host. */
struct model_mac {
	uint8_t bytes[6];
};

struct model_port {
	const char *interface; /**< kernel name */
	/** DPDK's: a PCI address or "net_NAME0,…"; "": AF_PACKET on interface */
	const char *device;
	const struct model_mac *macs; /**< beside its interface's, and those stacked on it */
	size_t n_macs;
};

/** What DPDK may use. */
struct model_dpdk {
	uint16_t cores[MODEL_CORES_MAX]; /**< a worker each, rising */
	uint32_t n_cores;                /**< 0: one worker on the last CPU */
	enum model_hugepages hugepages;
	uint32_t memory_mb;
};

#define MODEL_ANNOUNCE_TABLE       177u /**< where nothing is said */
#define MODEL_ANNOUNCE_GSHUT_TABLE 178u
#define MODEL_ANNOUNCE_MAX         4096u /**< addresses that a node may announce */

/** What a node announces to routers, and how; nothing without a daemon, whatever the rest says. */
struct model_announce {
	enum model_daemon daemon;
	uint32_t table, gshut_table; /**< the kernel's tables: as usual, and graceful shutdown */
	bool lists_vips;             /**< vips is what the document lists, not all of the site */
	const struct model_vip *const *vips; /**< sorted by name, all at the node's site */
	size_t n_vips;
	const struct addr *dns; /**< each is one of dns_listen */
	size_t n_dns;
	const char *socket; /**< the daemon's, absolute; "": the usual one */
};

/** A host that runs Weir. */
struct model_node {
	const char *name;
	const struct model_site *site;
	enum model_driver driver;
	const struct model_port *ports;
	size_t n_ports;
	struct model_dpdk dpdk;
	struct prefix tunnel_source4,
	        tunnel_source6; /**< outer source addresses; bits 0 and addr ::: none */
	uint16_t mtu; /**< largest outer IP packet between the node and its backends, bytes */
	const struct addr *dns_listen; /**< port 53 */
	size_t n_dns_listen;
	const char *api;             /**< "https://ADDRESS:PORT", or "" */
	enum model_clock clock;      /**< whether one that is not synchronised holds ramps */
	enum model_samples samples;  /**< of new flows, for what-if */
	const struct addr *controls; /**< health's control targets: gateway and the like */
	size_t n_controls;
	uint64_t capacity_bits; /**< bits a second that it may forward; 0: not stated */
	struct model_announce announce;
};

/**
 * An external check probes nothing: it looks at the verdicts that programs give (mgmt/overrides/verdict.h). These are its times.
 */
#define MODEL_EXTERNAL_INTERVAL_MS 500u
#define MODEL_EXTERNAL_FAST_MS     100u

/** How a target is probed; times in ms. */
struct model_check {
	const char *name;
	enum model_check_type type;
	uint16_t port;    /**< 0: the backend's own, or the service's */
	const char *path; /**< HTTP: request target */
	const char *host; /**< HTTP: Host, or "" for the address */
	uint16_t expect;  /**< HTTP: status */
	enum model_via via;
	uint32_t interval_ms, fast_interval_ms, timeout_ms;
	uint16_t rise, fall;
	uint16_t damp_turns; /**< turns to down from which a target is held down; 0: never */
	uint32_t damp_half_life_ms, damp_max_ms;
	uint32_t detect_worst_ms; /**< computed: the longest time from death to verdict */
};

/** A real server. */
struct model_backend {
	const char *name;
	uint64_t id; /**< model_backend_id(): the identity everywhere */
	struct addr address;
	uint16_t port;   /**< 0: the service's */
	uint32_t weight; /**< 0..65535 as configured */
	bool registered; /**< a program put it there: no version has it, only effective documents */
	const struct model_pool *pool;
};

/** A member of a set, whose backend may no longer be configured. */
struct model_member {
	uint64_t id;
	struct addr address;
	uint16_t port;
	uint32_t weight; /**< 0: takes no new flows */
};

/** What a pool's members were from one instant to the next (wall time). */
struct model_set {
	int64_t from_ms;
	int64_t until_ms; /**< its claim on existing flows ends: settle time, or the drain's deadline */
	const struct model_member *members; /**< sorted by id */
	size_t n_members;
};

struct model_pool {
	const char *name;
	const struct model_site *site;
	const struct model_check *check; /**< NULL: never probed, always up */
	enum model_mode mode;
	bool agent; /**< all backends run the agent with second chance: GUE, one address family */
	uint32_t max_backends;
	uint32_t n_slots; /**< power of two, from max_backends; fixed when the pool is made */
	uint32_t min_healthy_percent;
	uint32_t max_remove_percent; /**< capacity that may be removed automatically in 10 s */
	uint32_t settle_ms, idle_ms;
	/** Where addresses of backends may lie that programs register; none: they may register none. */
	const struct prefix *prefixes;
	size_t n_prefixes;
	enum model_on_expiry on_expiry;
	uint32_t index;
	const struct model_backend *backends; /**< sorted by name */
	size_t n_backends;
	/**
	 * The member sets, oldest first; the last whose from_ms is past is the current one.
	 * A later one (from_ms in the future) is the next, announced ahead of time.
	 */
	const struct model_set *member_sets;
	size_t n_member_sets; /**< 1..MODEL_SETS_MAX + 1 */
};

struct model_vip {
	const char *name;
	/** Where it lives, sorted by name; several: all of them announce the same addresses. */
	const struct model_site *const *sites;
	size_t n_sites; /**< 1 or more */
	const struct addr *addresses;
	size_t n_addresses;
	enum model_announce_when announce_when;
};

/** Where a service lives. */
struct model_at {
	const struct model_site *site;
	const struct model_vip *vip;
	const struct model_pool *pool;
	uint32_t weight; /**< in DNS at this service; the site's weight if not given */
	const struct model_pool *backup; /**< another site's, for new flows; NULL: none */
	uint64_t backup_max_flows;       /**< new flows a second that go there at most */
	uint64_t backup_max_bits;        /**< the same in bits a second */
	uint16_t backup_mtu; /**< largest outer IP packet on the way there; 0: the node's mtu */
};

/** Pools of one site by what may stand in for them: each pair has slots of its own. */
struct model_table {
	const struct model_pool *pool;
	const struct model_pool *backup; /**< NULL: none */
	/** hash_text() of the pool's name; the pool's further tables have a digest of both names. */
	uint64_t id;
	/** Of all services that lead to this pair, added up. */
	uint64_t backup_max_flows, backup_max_bits;
	uint16_t backup_mtu; /**< the smallest that is given; 0: none is */
};

/** Where a service's check of its VIPs comes from. */
enum model_vip_check {
	/** not given, and no default: a UDP port, one site alone, or a VIP of several sites */
	MODEL_VIP_CHECK_ABSENT,
	MODEL_VIP_CHECK_OFF,     /**< "none" */
	MODEL_VIP_CHECK_DEFAULT, /**< not given: model_default_vip_check */
	MODEL_VIP_CHECK_GIVEN,
};

struct model_service {
	const char *name;
	enum model_protocol protocol;
	uint16_t port;
	enum model_hash hash;
	/** how other sites' VIPs are probed; NULL: not probed */
	const struct model_check *vip_check;
	enum model_vip_check vip_check_from;
	enum model_all_down on_all_down;
	uint32_t udp_idle_ms; /**< UDP only */
	enum model_udp_policy udp_policy;
	const struct model_at *at; /**< in order of the document: the order of failover */
	size_t n_at;
	uint32_t index;
};

struct model_zone {
	const char *name;   /**< lower case, without final dot */
	const char *file;   /**< path of the zone file as it is to be read by weir-dns */
	const char *digest; /**< SHA-256 of the file in hex, "" where not known */
	/** the file's name in the configuration; its path where that is not known */
	const char *given;
};

/** A name whose addresses depend on health and intent. */
struct model_dns_name {
	const char *name; /**< lower case, without final dot */
	const struct model_service *service;
	enum model_policy policy;
	uint32_t ttl_min_s, ttl_max_s;
};

enum model_override_kind {
	MODEL_OVERRIDE_DRAIN,    /**< no new flows, existing ones live */
	MODEL_OVERRIDE_DISABLE,  /**< nothing goes there */
	MODEL_OVERRIDE_FORCE_UP, /**< take it as up, whatever checks say */
	MODEL_OVERRIDE_HOLD,     /**< a running ramp stays where it is */
	MODEL_OVERRIDE_DRILL,    /**< new flows of some clients at a site go to backup pools */
};
enum model_target_kind { MODEL_TARGET_SITE, MODEL_TARGET_BACKEND, MODEL_TARGET_NODE };
/** What an operation wants routers to do with packets for VIPs of a site. */
enum model_vips {
	MODEL_VIPS_ANNOUNCED, /**< as usual */
	MODEL_VIPS_SHUTDOWN,  /**< prefer others that announce them (graceful shutdown) */
	MODEL_VIPS_WITHDRAWN  /**< send none */
};

/** A person's or an operation's word over configuration and checks. */
struct model_override {
	const char *id;
	enum model_override_kind kind;
	enum model_target_kind target;
	const char *pool; /**< of a backend; "" for a site or node */
	const char *name; /**< site, backend or node; need not be configured */
	/** When it was last commanded, by a clock that orders commands (mgmt/overrides/hlc.h): the later one holds. */
	uint64_t generation;
	/** Of a step of an operation, which has the generation of the operation's own command; else 0, 0. */
	uint32_t epoch, step;
	int64_t created_ms;
	int64_t from_ms;   /**< when the ramp starts */
	int64_t over_ms;   /**< the ramp's length; 0: at once */
	int64_t until_ms;  /**< when the return ramp starts; MODEL_TIME_NEVER */
	uint32_t from_ppm; /**< the level at from_ms: 0, or what a replaced override had reached */
	bool ended;        /**< kept as a tombstone, so that merging cannot bring it back */
	const char *author, *reason, *node;
	/**
	 * A drain of a site that ramps to to_ppm, and stays there; below from_ppm it is a return.
	 * false: it ramps to 1,000,000, and what follows is unset.
	 */
	bool is_step;
	uint32_t to_ppm;
	const char *service;   /**< this one alone (also of a drill); "" or NULL: all at the site */
	const char *operation; /**< id of the operation that wrote it; "" or NULL: a person did */
	int64_t late_from_ms;  /**< from when on backup pools serve late clients there; 0: never */
	enum model_vips own_vips;    /**< VIPs of this site alone */
	enum model_vips shared_vips; /**< VIPs of other sites, too */
	struct prefix clients;       /**< of a drill */
};

/** Drills of a site that can run at a time. */
#define MODEL_DRILLS_MAX 4u

/** Epochs of one owner of an operation: a turn takes the next one, another owner the next multiple. */
#define MODEL_STEP_OWNER_EPOCHS 64u

/** Where the document comes from. */
struct model_meta {
	uint64_t version;   /**< number of the configuration's version; 0 before the first */
	const char *digest; /**< SHA-256 of the configuration as it was given, hex */
	uint64_t document;  /**< counts effective documents of this node */
	int64_t written_ms;
	/** fingerprint of the key that the version was made with; "": not known */
	const char *hash_key;
	uint64_t newest; /**< the highest number of a version, which may have ended; 0: version's */
	int64_t confirm_by_ms; /**< the version ends then unless it is confirmed; 0: it stays */
	/** what is in force again then, with its digest and its key's fingerprint; 0: not known */
	uint64_t back_version;
	const char *back_digest, *back_hash_key;
};

struct model_limits {
	uint32_t services, backends, slots, exceptions; /**< sizes of the forwarding tables */
};

/** Room for a fingerprint of the hash key: 16 hexadecimal digits and the NUL. */
#define MODEL_FINGERPRINT_MAX 17

/** Whether model.hash_key is the key that the version was made with. */
enum model_key {
	MODEL_KEY_GOOD, /**< it is, as far as is known */
	MODEL_KEY_KEPT, /**< the file is another, or cannot be read: it is that of the model before */
	MODEL_KEY_NONE /**< the same, and there was none; or model_read_without_key(): it is zero, and nothing may be placed by it */
};

/** A time in which the configuration is not changed (mgmt/rules/gate.h). */
struct model_gate {
	const char *name;
	/** of the objects that it is about (weir/scope.h); "": of all changes */
	const char *scope;
	bool risky;                /**< only risky changes */
	uint32_t approvals;        /**< of other persons, with which they are made; 0: refused */
	int64_t from_ms, until_ms; /**< wall time; until 0: for good */
};

struct model {
	struct model_meta meta;
	const char *cluster;
	const char *hash_key_id;
	const char *hash_key_file; /**< absolute path */
	uint64_t hash_key[2];      /**< from hash_key_file; the same on all nodes */
	enum model_key key_state;
	const char *key_fault;  /**< what is wrong with hash_key_file, with its path; "" */
	uint32_t max_sites_out; /**< at a time, the one that an operation moves included */
	struct model_limits limits;
	const struct model_site *sites;
	size_t n_sites;
	const struct model_node *nodes;
	size_t n_nodes;
	const struct model_check *checks;
	size_t n_checks;
	const struct model_pool *pools;
	size_t n_pools;
	const struct model_vip *vips;
	size_t n_vips;
	const struct model_service *services;
	size_t n_services;
	const struct model_zone *zones;
	size_t n_zones;
	const struct model_dns_name *dns_names;
	size_t n_dns_names;
	const struct model_gate *gates;
	size_t n_gates;
	uint32_t dns_threads; /**< 0: not given, see model_dns_threads() */
	const struct model_override *overrides;
	size_t n_overrides;            /**< sorted by id */
	const struct model_node *self; /**< the node that this process is on */
	struct arena *arena;           /**< owns all of it */
};

/** One error in a document, in words for the person who wrote it. */
struct model_error {
	const char *file;
	unsigned line;     /**< 0: the file as a whole */
	const char *field; /**< "pools[2].backends[0].address" */
	/** what was found and what was expected, with a near name if there is one */
	const char *message;
};

/** Errors, in an arena of their own; at most 1,000 are kept, all are counted. */
struct model_errors {
	struct model_error *items;
	size_t n_items, n_total;
	bool denied; /**< this user may not read one of the files; another user might find no error */
	struct arena *arena;
};

/**
 * Read an operator's configuration file, with its includes; no overrides, one set a pool.
 *
 * @param path     of weir.conf; zone files, keys and includes are found below its directory
 * @param node     which node we are; NULL: any (self is NULL then)
 * @param out      given; untouched on failure
 * @param errors   given, also on success (empty then); free with model_errors_free()
 * @return 0, -EINVAL with errors, or -errno
 */
int model_read_config(const char *path, const char *node, struct model **out,
                      struct model_errors *errors);

/**
 * As model_read_config(), for a configuration that is not where its secrets are: the cluster's key
 * is found below @p key_dir; NULL: below the configuration's own directory.
 *
 * @param key_expected  fingerprint that the key must have: another key, or none, is no error then
 *                      (model.key_state); NULL or "": any key is right, and none is an error
 */
int model_read_laid_out(const char *path, const char *key_dir, const char *key_expected,
                        const char *node, struct model **out, struct model_errors *errors);

/**
 * Read a hash key's file.
 * @param below  the directory that it must be below, links resolved; NULL: any
 * @return 0; -EBADMSG (not 32 hexadecimal digits); -EXDEV (outside of @p below); -errno
 */
int model_key_read(const char *path, const char *below, uint64_t key[2]);
/** The first 8 bytes of a SHA-256 over the key: tells keys apart and shows nothing of them. */
void model_key_fingerprint(const uint64_t key[2], char out[MODEL_FINGERPRINT_MAX]);
/** Whether both hash flows by one key. */
bool model_has_same_key(const struct model *a, const struct model *b);
/**
 * Where @p m was read without its right key, give it that of @p before, the model in force (NULL:
 * none).
 * @return whether it has a key now
 */
bool model_key_keep(struct model *m, const struct model *before);

/**
 * Read a configuration's text from memory, as model_read_config() reads a file.
 *
 * @param text  borrowed for the call; @p n bytes, need not end in a NUL
 * @param name  what errors call the text, "weir.conf"
 * @param dir   where includes, zone files and keys are found
 */
int model_read_text(const char *text, size_t n, const char *name, const char *dir, const char *node,
                    struct model **out, struct model_errors *errors);

/** Bytes of the name of a file that a configuration names, without the NUL. */
#define MODEL_FILE_NAME_MAX 200u
/**
 * Whether a version can keep a file that is called @p name: relative, below its directory, of [A-Za-z0-9._-] and '/', no
 * part beginning with '.'.
 */
bool model_file_name_ok(const char *name);
/**
 * The name that a version has for a file that is laid out at @p path, .../config/DIGEST/NAME; within @p path. NULL: it is
 * no such path.
 */
const char *model_laid_out_name(const char *path);
/** A file that a configuration names, @p included by an `@include`. @return 0, or what ends the search */
typedef int model_named_file(void *arg, const char *name, bool included);
/**
 * Call @p found for each `@include "x"` and `file = "x"` in @p n bytes of a configuration, which may have errors: up to
 * the one behind which nothing can be read. @return 0 or what @p found gave
 */
int model_named_files(const char *text, size_t n, model_named_file *found, void *arg);

/**
 * Slots of a pool for at most @p max_backends backends: a power of two, 100 a backend or more up to
 * 2^20.
 */
uint32_t model_pool_slots(uint32_t max_backends);

/**
 * Read an effective document; as model_read_config(), but includes are refused. A process that could not start with this one
 * reads the last good one in its place (proc_document()).
 */
int model_read_effective(const char *path, const char *node, struct model **out,
                         struct model_errors *errors);
/**
 * What can be used of an effective document that is refused: its origin (meta) as far as it can be read, and the overrides
 * if none has an error; nothing else is set. @return 0; -EINVAL: it is no document at all; or -errno
 */
int model_read_remains(const char *path, struct model **out);
/**
 * As model_read_effective() for who places nothing: the cluster's key is not opened (model.key_state is
 * MODEL_KEY_NONE), so that it may be readable by fewer than the document.
 */
int model_read_without_key(const char *path, const char *node, struct model **out,
                           struct model_errors *errors);
/** As model_read_config(), and the cluster's key is not opened either. */
int model_read_config_without_key(const char *path, const char *node, struct model **out,
                                  struct model_errors *errors);

/**
 * Write @p m as an effective document to @p path: temporary file, fsync, rename.
 * Reading it back gives the same model. @return 0 or -errno (the old file stays); -EFBIG: it would
 * be larger than what a process reads
 */
int model_write_effective(const struct model *m, const char *path);

/**
 * Write the configuration part of @p m, normalised, as text from malloc(), given.
 * @return NULL when out of memory
 */
char *model_text(const struct model *m);

/** Add an error that was found elsewhere, such as in a zone file; texts are copied. */
void model_errors_add(struct model_errors *errors, const char *file, unsigned line,
                      const char *field, const char *message);
/**
 * Write the first error in one line: "FILE:LINE: FIELD: MESSAGE", and how many more there are. It
 * is cut to @p size. Without one @p out is "".
 */
void model_errors_summarise(const struct model_errors *errors, char *out, size_t size);
/**
 * Whether a document that could not be read or taken, with @p err, may be taken at another try although it is the
 * same: memory, descriptors, the disk or a right were missing.
 */
bool model_may_pass(int err);
/** Log the first errors of a document, each as "document-error". */
void model_errors_log(const struct model_errors *errors);
/** Bytes of why a process refuses the newest document, with the NUL. */
#define MODEL_REFUSAL_MAX 256
/**
 * Keep in @p refusal why the document @p path is refused: the first of @p errors, or the text of @p err. It is logged if it is
 * another reason than before: "document-refused", with each error.
 * @param err      -errno; 0: it is not refused; -ENOENT: it is not there yet, which is logged (document-missing)
 * @param refusal  in: of the document before; "": it was not refused
 */
void model_note_refusal(const char *path, int err, const struct model_errors *errors,
                        char refusal[MODEL_REFUSAL_MAX]);
/** Free a model with all that it points to; NULL is fine. */
void model_free(struct model *m);
void model_errors_free(struct model_errors *errors);

/** The word of a mode, as the configuration has it. */
const char *model_mode_text(enum model_mode mode);

#define MODEL_DNS_THREADS_MAX 8
/**
 * How many threads of weir-dns answer on @p m's own node, 1 to MODEL_DNS_THREADS_MAX: dns.threads,
 * else one for each CPU of @p allowed that no worker of DPDK has. `weir run` and weir-dns both ask.
 */
unsigned model_dns_threads(const struct model *m, const cpu_set_t *allowed);
/** Whether @p text is a name as an object of the configuration may have (MODEL_NAME_MAX). */
bool model_name_ok(const char *text);
/** A backend's identity: a digest of address and port alone, so a rename keeps it. */
uint64_t model_backend_id(const struct addr *address, uint16_t port);

/** Whether a port's device is a PCI address. */
bool model_device_is_pci(const char *device);
/**
 * The PCI device @p i that a port's device stands for: itself, or a bond's members in their order
 * ("net_bonding0,mode=4,slave=0000:01:00.0,slave=0000:02:00.0"). @return false: it has no more
 */
bool model_device_pci(const char *device, uint32_t i, char address[MODEL_PCI_MAX]);
/** Whether the kernel sees the frames of DPDK's port beside it: AF_PACKET on its own interface. */
bool model_port_shares_kernel(const struct model_port *port);

/**
 * Find by name, a backend within its pool.
 * @return NULL when there is none; borrowed from the model
 */
const struct model_site *model_site(const struct model *m, const char *name);
const struct model_node *model_node(const struct model *m, const char *name);
const struct model_pool *model_pool(const struct model *m, const char *name);
const struct model_backend *model_backend(const struct model_pool *pool, const char *name);
const struct model_service *model_service(const struct model *m, const char *name);

/** What services[].vip_check says where there is to be no check. */
#define MODEL_NO_CHECK "none"
/**
 * The check of a TCP service at several sites that names none; it votes on a node once it has
 * succeeded there.
 */
extern const struct model_check model_default_vip_check;
/**
 * The tables that a node of @p site needs: a pair for each pool and backup that a service there
 * names, and a pool alone where no service has it.
 * @param out  room for model_tables_max(); sorted by pool, then by backup, none first
 * @return their number
 */
size_t model_tables(const struct model *m, const struct model_site *site, struct model_table *out);
/** The one of @p pool with @p backup among @p n from model_tables(), or NULL. */
const struct model_table *model_table(const struct model_table *tables, size_t n,
                                      const struct model_pool *pool,
                                      const struct model_pool *backup);
/** No site of @p m has more tables than this. */
size_t model_tables_max(const struct model *m);
/** Whether @p vip has an address of the family: of each that it has, one is probed. */
bool model_vip_has_family(const struct model_vip *vip, bool ip4);
/** Whether @p vip lives at @p site, of the same model. */
bool model_vip_is_at(const struct model_vip *vip, const struct model_site *site);
/** Whether a service has a VIP that lives at several sites, so that none of its VIPs is probed. */
bool model_service_is_shared(const struct model_service *service);
/**
 * Whether a service has one VIP, at one site or at several: DNS gives the same answer whichever
 * site it chooses, and routers choose the site.
 */
bool model_service_has_one_vip(const struct model_service *service);
/**
 * Whether nobody looks from outside at a service that has several VIPs: UDP without a check,
 * "none", or a VIP that lives at several sites.
 */
bool model_service_is_unwatched(const struct model_service *service);
/**
 * How many probes @p vip receives in a thousand seconds while nothing is in doubt: from each node
 * of another site one an interval, for each service that is checked there and each address family
 * of the VIP.
 * @return the number of these nodes
 */
size_t model_probes(const struct model *m, const struct model_vip *vip, uint64_t *milli_per_s);

/** A level in parts per million: all clients are elsewhere. */
#define MODEL_PPM_ALL 1000000u
/**
 * How far an override of a site has come: 0 (nothing) to MODEL_PPM_ALL.
 * Goes from from_ppm at from_ms to MODEL_PPM_ALL (a step: to to_ppm) over over_ms, stays, falls from
 * until_ms on over the same time. DISABLE has no ramp. An ended one is 0.
 */
uint32_t model_override_ppm(const struct model_override *o, int64_t wall_clock_ms);
/**
 * The next instant after @p wall_clock_ms at which the level starts or stops to change;
 * MODEL_TIME_NEVER if none.
 */
int64_t model_override_next_ms(const struct model_override *o, int64_t wall_clock_ms);
/**
 * After the longest TTL, so long may answers that lead to a drained site still be used: they were under way, or a name
 * server had the drain a moment later.
 */
#define MODEL_AFTER_TTL_MS 5000
/**
 * Until when clients may come to the site of @p o by answers that were given before its rise ended: from then on for
 * the longest TTL that @p m allows to names of services there, and MODEL_AFTER_TTL_MS. A @p o that is written again counts
 * from its new instants. MODEL_TIME_NEVER if that is no instant.
 */
int64_t model_override_answers_ms(const struct model *m, const struct model_override *o);

/** Where @p service is at the site named @p site; NULL: it is not there. */
const struct model_at *model_service_at(const struct model_service *service, const char *site);
/** The longest TTL in seconds that @p m allows to names of services at the site named @p site; 0: there is none. */
uint32_t model_site_ttl_s(const struct model *m, const char *site);
/** Whether the document makes @p node announce @p vip, of the same model. */
bool model_node_announces(const struct model_node *node, const struct model_vip *vip);

/** What people want routers to do with packets for a node. */
enum model_node_drain {
	MODEL_NODE_SERVES,    /**< nothing is asked: send them as the node announces */
	MODEL_NODE_DRAINED,   /**< prefer other nodes; none once another announces the same */
	MODEL_NODE_WITHDRAWN, /**< none, whoever else announces the same */
};
/**
 * What the overrides ask of @p node (of @p m; NULL: nothing) at the instant of the document,
 * meta.written_ms. weir-mgmt writes another document at each instant at which that changes, so no
 * clock is needed, and a drain holds while weir-mgmt does not run.
 */
enum model_node_drain model_node_drain(const struct model *m, const struct model_node *node);
/**
 * The same for one VIP of @p node, with what operations ask of the node's site. A VIP that other sites have, too, is
 * never withdrawn at once: it leaves when another node confirms that it forwards it.
 */
enum model_node_drain model_vip_drain(const struct model *m, const struct model_node *node,
                                      const struct model_vip *vip);

/** Where a setting may differ from what it is elsewhere, at the smallest. */
enum model_extent {
	EXTENT_EVERYWHERE, /**< it may not */
	EXTENT_SITE,
	EXTENT_NODE,
};

/**
 * The schema: one row a field, from which the parser's limits, the errors and
 * docs/configuration.md come.
 */
struct model_field {
	const char *path; /**< "pools[].backends[].address" */
	/** "name", "address", "prefix", "duration", "rate", "percent", "enum a|b", ... */
	const char *type;
	const char *unit, *default_text, *limits, *help;
	bool restart; /**< takes effect at the next start only */
	bool required;
	/** at how small a place it may differ for a while (weir/canary.h) */
	enum model_extent extent;
	bool effective; /**< in effective documents only */
};
extern const struct model_field model_schema[];
extern const size_t model_schema_n;

#endif
