/*
 * drivers/sim/sim_internal.h - the model behind sim.h, shared by the files of this folder.
 *
 *   sim.c          life of a simulation, its clock, what tests may do to it
 *   sim_events.c   the loop of time: next event, what each does
 *   sim_repl.c     roles, replication, promotion
 *   sim_view.c     what nodes believe of each other
 *   sim_write.c    the writing client and the stream to the replicas
 *   sim_fault.c    entering and leaving a call: lock, deadline, faults
 *   sim_files.c    what is in a node's directory, and changing it
 *   sim_host.c, sim_service.c, sim_settings.c, sim_facts.c   the capabilities
 *
 * All functions here expect the mutex to be held. A node's own belief about itself (role, primary,
 * epoch) is the truth of the model; views of others are delayed copies of it. The keys of a shard
 * are numbers 1..n in the order of acknowledgement, so a data set is the count of its keys.
 */
#ifndef UPSHIFT_DRIVERS_SIM_SIM_INTERNAL_H
#define UPSHIFT_DRIVERS_SIM_SIM_INTERNAL_H

#include <pthread.h>

#include "base/call.h"
#include "base/err.h"
#include "base/random.h"
#include "drivers/cutover.h"
#include "drivers/host.h"
#include "drivers/package.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "drivers/sim/sim.h"
#include "drivers/topology.h"
#include "drivers/world.h"

#define SIM_NEVER INT64_MAX

enum {
    SIM_KEY_BYTES = 150,      /* of the replication stream, per key */
    SIM_ROOM_BYTES = 1 << 30, /* of memory and disk, on every host */
    SIM_ID_SIZE = 41,         /* cluster node id: 40 hex digits */
    SIM_SETTINGS_MAX = 16,    /* known to the simulated servers */
    SIM_SETTING_SIZE = 64,    /* longest value */
    SIM_SCRIPT_MAX = 16,      /* scripted faults that wait */
    SIM_RESTART_MS_MIN = 150, /* measured: 0.15-0.5 s from start to PING */
    SIM_RESTART_MS_MAX = 500,
    SIM_STOP_MS_MIN = 40,
    SIM_STOP_MS_MAX = 300,
    SIM_REJOIN_MS = 2000, /* measured: a restarted primary refuses service, whatever node-timeout */
    SIM_VIEW_MS_MIN = 40, /* measured: all views agree 40-60 ms after a change */
    SIM_VIEW_MS_MAX = 60,
    SIM_RESYNC_RETRY_MS = 1000,   /* measured: a refused full copy is tried every ~1 s */
    SIM_FAILOVER_LIMIT_MS = 5000, /* documented: a manual failover gives up by itself */
    SIM_CLIENTS_LINGER_MS = 1000, /* stragglers on an old primary */
    SIM_DISKLESS_VERSION = 7,     /* full copies wait repl-diskless-sync-delay since 7.0 */
    SIM_FAULT_DELAY_MS_MAX = 500,
};

enum sim_phase { SIM_DOWN, SIM_STARTING, SIM_LOADING, SIM_UP };

enum sim_sync { SIM_SYNC_NONE, SIM_SYNC_PARTIAL, SIM_SYNC_FULL };

/* What may happen to a node later; one due time each. */
enum sim_timer {
    SIM_TIMER_ANSWER,   /* starting: its port answers, it loads */
    SIM_TIMER_READY,    /* loading: serves */
    SIM_TIMER_DIE,      /* starting: gives up, cannot read its files */
    SIM_TIMER_STOPPED,  /* asked to end: ends */
    SIM_TIMER_REJOIN,   /* restarted primary: serves again */
    SIM_TIMER_LEARN,    /* hears who owns its slots now */
    SIM_TIMER_SYNC,     /* replica: its link comes up, or its full copy ends */
    SIM_TIMER_SWITCH,   /* replica: takes over as asked */
    SIM_TIMER_FAIL,     /* down: the others agree that it failed */
    SIM_TIMER_FAILOVER, /* failed primary: a replica takes over unasked */
    SIM_TIMER_COUNT,
};

struct sim_view { /* one node's belief about another */
    enum fact_role role;
    int primary; /* index; -1 of a primary */
    int64_t epoch;
    bool has_slots;
    bool is_linked;
    bool is_failing;
    int64_t due_ms; /* when the belief is brought up to date; SIM_NEVER: nothing new */
};

struct sim_setting {
    char live[SIM_SETTING_SIZE];
    char file[SIM_SETTING_SIZE];
};

struct sim_node {
    const struct inv_node *inv;
    char id[SIM_ID_SIZE];
    char *link;                        /* where its server link points; owned */
    char *claim;                       /* text of its claim file, or NULL; owned */
    const struct sim_program *program; /* that runs, or ran last */
    const struct series_rule *rule;    /* of that program */
    enum sim_phase phase;
    int64_t pid;
    int64_t started_ms;
    int64_t start_count;

    bool has_appendonly_dir; /* files of a multi-part log are in its directory */
    bool has_old_log;        /* the one file of an older log is */
    int64_t rdb_version;     /* newest RDB header in its directory; 0: no dump */
    struct sim_file *files;  /* owned */
    size_t file_count;

    enum fact_role role;
    int shard;
    int primary; /* index; -1 of a primary */
    int64_t epoch;
    bool is_rejoining;
    bool is_failed;
    int64_t demoted_ms;

    int64_t keys;          /* its data set: keys 1..n of the shard */
    int64_t replid;        /* history it follows; 0: none, only a full copy helps */
    int64_t replid_before; /* primary: the history it continued ... */
    int64_t keys_before;   /* ... up to here */
    bool is_link_up;
    int64_t link_down_ms;
    enum sim_sync sync;
    int64_t full_sync_count;
    int64_t paused_until_ms; /* primary: a manual failover holds its clients */

    struct sim_setting settings[SIM_SETTINGS_MAX];
    int64_t due_ms[SIM_TIMER_COUNT];
    struct sim_view views[SIM_NODES_MAX];
};

struct sim_shard {
    int owner;          /* who owns the slots by the highest epoch */
    int64_t slot_first; /* slots first..last */
    int64_t slot_last;
    int64_t keys_acked; /* keys at first and all acknowledged since */
    int64_t keys_lost;
    int64_t keys_fraction; /* thousandths of a key, carried over */
    int64_t stalled_ms;    /* without an acknowledgement, now */
};

struct sim_scripted {
    const char *op;   /* borrowed */
    const char *node; /* borrowed, or NULL for any */
    enum sim_fault fault;
    int64_t delay_ms;
};

/* One instance per capability, so that each finds the way to the simulation. */
#define SIM_CAPABILITY(capability)                                                                 \
    struct sim_##capability {                                                                      \
        struct capability base;                                                                    \
        struct sim *sim;                                                                           \
    }
SIM_CAPABILITY(clock);
SIM_CAPABILITY(cutover);
SIM_CAPABILITY(host);
SIM_CAPABILITY(package);
SIM_CAPABILITY(replication);
SIM_CAPABILITY(service);
SIM_CAPABILITY(settings);
SIM_CAPABILITY(topology);

struct sim {
    pthread_mutex_t mutex;
    struct sim_options options;
    struct random random;
    int64_t now_ms;
    struct sim_node *nodes;
    int node_count;
    struct sim_shard *shards;
    int shard_count;
    int64_t epoch;       /* highest config epoch */
    int64_t replid_last; /* names of histories, 1, 2, ... */
    int64_t pid_last;
    int64_t stall_ms_max;
    struct sim_scripted script[SIM_SCRIPT_MAX];
    size_t script_count;
    int64_t call_count;
    int64_t struck_call; /* the call with this number goes wrong so */
    enum sim_fault struck_fault;
    struct sim_cutover cutover;
    struct sim_host host;
    struct sim_service service;
    struct sim_package package;
    struct sim_settings settings;
    struct sim_replication replication;
    struct sim_topology topology;
    struct sim_clock clock;
    struct world world;
};

extern const struct cutover_ops sim_cutover_ops;
extern const struct host_ops sim_host_ops;
extern const struct service_ops sim_service_ops;
extern const struct package_ops sim_package_ops;
extern const struct settings_ops sim_settings_ops;
extern const struct replication_ops sim_replication_ops;
extern const struct topology_ops sim_topology_ops;

/* sim.c */
int64_t sim_draw(struct sim *sim, int64_t min, int64_t max); /* both included */
struct sim_node *sim_find(struct sim *sim, const char *name);
int sim_index(const struct sim *sim, const struct sim_node *node);
const struct sim_program *sim_find_program(const struct sim *sim, const char *path);
const struct series_rule *sim_program_rule(
    const struct sim *sim, const struct sim_program *program);

/* sim_settings.c */
const char *sim_setting_name(size_t index); /* NULL behind the last */
const char *sim_setting_text(const struct sim_node *node, const char *name);
void sim_setting_put(struct sim_node *node, const char *name, const char *value); /* live */
int64_t sim_setting_number(const struct sim_node *node, const char *name);
void sim_settings_init(struct sim *sim, struct sim_node *node);
void sim_settings_reload(struct sim_node *node); /* a restart: the file's values */

/* sim_host.c */
void sim_write_config(const struct sim_node *node, struct buf *ret_content);

/* sim_events.c */
void sim_advance(struct sim *sim, int64_t duration_ms);
void sim_start_process(struct sim *sim, struct sim_node *node);
void sim_end_process(struct sim *sim, struct sim_node *node);

/* sim_repl.c */
void sim_attach(struct sim *sim, struct sim_node *replica);
void sim_attach_all(struct sim *sim, const struct sim_node *primary);
void sim_cut_replicas(struct sim *sim, const struct sim_node *primary);
void sim_promote(struct sim *sim, struct sim_node *node);
void sim_on_learn(struct sim *sim, struct sim_node *node);
void sim_on_sync(struct sim *sim, struct sim_node *node);
void sim_on_switch(struct sim *sim, struct sim_node *node);
void sim_on_failover(struct sim *sim, struct sim_node *node);

/* sim_view.c */
void sim_announce(struct sim *sim, const struct sim_node *node); /* others hear of it soon */
void sim_listen(struct sim *sim, struct sim_node *node);         /* it hears of all others soon */
void sim_refresh_view(struct sim *sim, struct sim_node *observer, int subject);
/* Slots whose owner has failed, as this node believes. */
int64_t sim_slots_failing(const struct sim *sim, const struct sim_node *observer);

/* sim_write.c */
void sim_write(struct sim *sim, int64_t duration_ms);
void sim_account(struct sim *sim, const struct sim_node *primary); /* it serves: what is missing? */
int64_t sim_good_replicas(const struct sim *sim, const struct sim_node *primary);

#endif
