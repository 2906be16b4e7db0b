/*
 * drivers/suite/apt.h - a private apt tree for one suite.
 *
 * apt resolves, fetches and checks; it works on folders of ours with an empty list of installed
 * packages, so that it resolves the whole closure, libc included, and never touches the system's
 * packages. Works without privileges. Signatures are checked by apt as usual.
 */
#ifndef UPSHIFT_DRIVERS_SUITE_APT_H
#define UPSHIFT_DRIVERS_SUITE_APT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "drivers/suite/mirror.h"

struct apt {
    const char *folder;       /* where the private tree is; absolute */
    const char *suite;        /* "bookworm" */
    const char *architecture; /* "amd64" */
    const char *config;       /* filled by apt_prepare() */
};

/* The newest version of a package in the suite. */
struct apt_package {
    const char *name;
    const char *version; /* "5:7.0.15-1~deb12u7" */
    const char *digest;  /* SHA-256 of the package file, hex */
};

/* Writes the private tree's configuration and fetches the suite's package lists. Owns: `arena`,
 * which keeps `apt->config`. Errors: as command_run(). Blocks: a few seconds. */
MUST_USE struct err *apt_prepare(
    const struct call *call, struct arena *arena, struct apt *apt, const struct mirror *mirror);

/* Looks a package up in the lists. Owns: `arena`. Errors: ERR_INVALID package_not_in_suite. */
MUST_USE struct err *apt_find(const struct call *call, struct arena *arena, const struct apt *apt,
    const char *name, struct apt_package *ret_package);

/* Fetches a package and all that it needs into `folder` as .deb files. */
MUST_USE struct err *apt_fetch(const struct call *call, const struct apt *apt,
    const struct apt_package *package, const char *folder);

#endif
