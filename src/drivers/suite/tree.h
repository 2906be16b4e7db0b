/*
 * drivers/suite/tree.h - the unpacked programs of one package version.
 *
 * A tree holds a package with all that it needs, libc included, so that programs of any suite run
 * on this machine: their loader and library path are rewritten to point into the tree. These paths
 * are absolute, so a tree works only where it was made for. It is built under a temporary name,
 * renamed, tried, and then gets its marker; without a marker it does not count.
 */
#ifndef UPSHIFT_DRIVERS_SUITE_TREE_H
#define UPSHIFT_DRIVERS_SUITE_TREE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "model/facts.h"

/* The machine's architecture in the words of those who need it. */
struct tree_platform {
    const char *machine;      /* uname(2) */
    const char *architecture; /* Debian: "amd64" */
    const char *libraries;    /* "x86_64-linux-gnu" */
    const char *loader;       /* "ld-linux-x86-64.so.2" */
};

/* Errors: ERR_INVALID platform_unknown. The result is static. */
MUST_USE struct err *tree_find_platform(const struct tree_platform **ret_platform);

struct tree {
    const char *folder; /* final place, absolute, without ':' */
    const char *binary; /* server program inside: "usr/bin/redis-server" */
    const char *product;
    const struct tree_platform *platform;
};

/* Is patchelf there? Asked before anything is fetched. Errors: ERR_INVALID tool_missing. */
MUST_USE struct err *tree_check_tools(const struct call *call);

/* Unpacks the packages of `archives` and puts the tree into place, still without a marker;
 * replaces what an interrupted attempt left there. Errors: as command_run(). */
MUST_USE struct err *tree_build(
    const struct call *call, const struct tree *tree, const char *archives);

/* Asks the server program for its version: "7.0.15". Owns: `arena`.
 * Errors: ERR_REFUSED program_unusable. */
MUST_USE struct err *tree_read_version(const struct call *call, struct arena *arena,
    const struct tree *tree, const char **ret_version);

/* Makes the tree count. Everything of it is on the disk before. */
MUST_USE struct err *tree_write_marker(
    const struct tree *tree, const struct fact_artefact *artefact);

/* Reads the marker of a tree that counts. False: none, damaged, or the tree was moved.
 * Owns: `arena`. */
bool tree_read_marker(struct arena *arena, const char *folder, struct fact_artefact *ret_artefact);

#endif
