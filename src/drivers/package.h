/*
 * drivers/package.h - where the programs of a version come from.
 *
 * Implemented by drivers/suite/ (trees unpacked from Debian suites, several versions side by side)
 * and drivers/sim/. Fetching is idempotent; a tree that was made ready once stays.
 */
#ifndef UPSHIFT_DRIVERS_PACKAGE_H
#define UPSHIFT_DRIVERS_PACKAGE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "model/facts.h"
#include "model/inventory.h"
#include "model/version.h"

struct package;

/* Told what is going on: "fetching valkey from trixie (3 of 12 MB)". May be NULL. */
typedef void package_progress(void *context, const char *text);

struct package_ops {
    const char *name; /* as written in the inventory: "suite" */

    /* Makes the programs of `version` ready on this machine: fetched, signatures checked, unpacked,
     * able to run. Fills every member of the artefact. Owns: `arena`.
     * Errors: ERR_UNREACHABLE the archive cannot be reached; ERR_INVALID not in the suite, or the
     * suite has another version than asked for (hint names the one it has); ERR_REFUSED signature,
     * disk full. Blocks: minutes on a slow line; to the call's deadline. */
    struct err *(*prepare)(const struct call *call, struct package *package,
        const struct inv_version *version, const struct rules *rules, package_progress *progress,
        void *progress_context, struct arena *arena, struct fact_artefact *ret_artefact);

    void (*close)(struct package *package);
};

struct package {
    const struct package_ops *ops;
};

MUST_USE static inline struct err *package_prepare(const struct call *call, struct package *package,
    const struct inv_version *version, const struct rules *rules, package_progress *progress,
    void *progress_context, struct arena *arena, struct fact_artefact *ret_artefact)
{
    return package->ops->prepare(
        call, package, version, rules, progress, progress_context, arena, ret_artefact);
}

static inline void package_close(struct package *package)
{
    if (package != NULL) {
        package->ops->close(package);
    }
}

#endif
