/*
 * model/version.h - datastore versions and the rules between them.
 *
 * A version is a product and a number ("redis 7.0.15", "valkey 8.1.1"). Rules are by series: the
 * product and the first two numbers ("redis/7.0"). The rules themselves are data
 * (src/data/rules-*.yaml), loaded by config/rules.h into `struct rules`.
 */
#ifndef UPSHIFT_MODEL_VERSION_H
#define UPSHIFT_MODEL_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"

struct version {
    const char *product; /* "redis", "valkey" */
    const char *text;    /* "7.0.15": upstream version without a packaging suffix */
    int64_t parts[4];    /* 7, 0, 15, 0 */
    size_t part_count;
};

/* Parses "7.0.15" or "valkey/8.1.1"; a bare number gets `product`. Debian suffixes and epochs
 * ("5:7.0.15-1~deb12u7") are cut off. Errors: ERR_INVALID. Owns: `arena`. */
MUST_USE struct err *version_parse(
    struct arena *arena, const char *product, const char *text, struct version *ret_version);

/* Orders two versions of one product: <0, 0, >0; missing parts count as 0. */
int version_compare(const struct version *a, const struct version *b);

/* "redis/7.0". Owns: `arena`. */
MUST_USE const char *version_series(struct arena *arena, const struct version *version);

/* "valkey 8.1.1". Owns: `arena`. */
MUST_USE const char *version_title(struct arena *arena, const struct version *version);

/* What is known of one series. All texts are borrowed from the rules' arena. */
struct series_rule {
    const char *series;      /* "redis/7.0" */
    const char *product;     /* "redis" */
    int64_t rdb_version;     /* RDB header version it writes; it reads this and older ones */
    bool is_multi_part_aof;  /* keeps its append-only file in appendonlydir/ (since redis/7.0) */
    bool has_pause_write;    /* CLIENT PAUSE ms WRITE (since redis/6.2) */
    bool is_tested;          /* upshift's own tests run it */
    const char *binary;      /* server program inside its package tree: "usr/bin/redis-server" */
    const char *package;     /* Debian package: "redis-server" */
    const char *const *hops; /* series that a run may go to from here */
    size_t hop_count;
    const char *const *full_sync_from; /* series of a primary that a node of this series can copy */
    size_t full_sync_from_count;
};

struct rules {
    struct arena arena;
    const char *digest; /* of the rule files, hex; part of every plan */
    struct series_rule *series;
    size_t series_count;
};

void rules_release(struct rules *rules);

/* NULL when the series is unknown. Borrowed. */
const struct series_rule *rules_find(const struct rules *rules, const char *series);

/* May a run go from one series to another? Same series counts as yes. */
bool rules_allow_hop(const struct rules *rules, const char *from, const char *to);

/* Can a replica of `replica` load a full copy made by a primary of `primary`? */
bool rules_allow_full_sync(const struct rules *rules, const char *primary, const char *replica);

#endif
