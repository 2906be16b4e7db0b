/*
 * app/claim_file.h - what stands in a claim file, and reading it from every node.
 *
 * The file names the run by where its journal began (the hash of its first record), because two
 * state directories may both call their run "demo-1". It holds no secrets.
 */
#ifndef UPSHIFT_APP_CLAIM_FILE_H
#define UPSHIFT_APP_CLAIM_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "base/json.h"
#include "drivers/world.h"
#include "model/inventory.h"

enum claim_state {
    CLAIM_LIVE,
    CLAIM_PARKED,   /* nothing is done until somebody says so; does not expire */
    CLAIM_RELEASED, /* a tombstone: only its epoch still counts */
};

struct claim_owner {
    const char *host;
    const char *boot;
    int64_t pid;
    const char *user;
    const char *journal; /* the folder of its journal on its host */
};

enum { CLAIM_FORMAT = 1 };

struct claim_file {
    int64_t format; /* CLAIM_FORMAT */
    const char *cluster;
    const char *origin; /* hash of the run's first record; "": cleared by hand */
    const char *run;
    int64_t epoch;
    struct claim_owner owner;
    int state;              /* enum claim_state */
    const char *run_status; /* "RUNNING"; for people */
    int64_t ttl_ms;
    int64_t seq; /* the last journal record when this was written, and its hash */
    const char *head;
    int64_t changed_wall_ms; /* by the owner's clock; for people */
    struct json *scopes;     /* [{step, kind, args, before}] */
};

/* One node's claim as it was read. */
struct claim_seen {
    const struct inv_node *node;
    struct err *err;        /* the host could not be asked; or what is there is no claim file */
    const char *text;       /* NULL: there is none, or it could not be read */
    bool is_parsed;         /* `file` is filled */
    const char *complaint;  /* there is a text and it is no claim: why */
    struct claim_file file; /* texts in the arena */
};

struct claim_survey {
    struct arena arena;
    struct claim_seen *nodes; /* in the order of the nodes' names */
    size_t count;
};
void claim_survey_release(struct claim_survey *survey);
#define AUTO_CLAIM_SURVEY CLEANUP(claim_survey_release) struct claim_survey

/* Reads every node's claim; what goes wrong is in the nodes. */
void claim_survey_read(
    const struct call *call, const struct world *world, struct claim_survey *ret_survey);

/* Reads one node's claim again. */
void claim_seen_read(const struct call *call, const struct world *world, struct arena *arena,
    struct claim_seen *seen);

/* Writes the file as it stands on disk. Owns: caller frees. */
MUST_USE RETURNS_NONNULL char *claim_file_write(const struct claim_file *file);

/* This process as an owner. Owns: `arena`; `journal` is borrowed. */
struct claim_owner claim_owner_here(struct arena *arena, const char *journal);

/* Replaces what was seen by `file`. On success `seen` has the new text.
 * Errors: as host_claim_swap(); ERR_REFUSED, code "claim_contested", it changed meanwhile. */
MUST_USE struct err *claim_seen_swap(const struct call *call, const struct world *world,
    const struct claim_file *file, struct arena *arena, struct claim_seen *seen);

/* "node-1 is claimed by alice on db-admin (pid 4711) for run demo-1, ..."; in `arena`. */
const char *claim_seen_describe(const struct claim_seen *seen, struct arena *arena);

#endif
