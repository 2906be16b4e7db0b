/*
 * drivers/suite/mirror.h - which Debian archive this machine uses.
 *
 * Other suites come from the same place as the machine's own packages: its administrator chose that
 * mirror, and its firewall lets it through. Read from apt's source files, one-line and deb822.
 */
#ifndef UPSHIFT_DRIVERS_SUITE_MIRROR_H
#define UPSHIFT_DRIVERS_SUITE_MIRROR_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"

struct mirror {
    const char *uri;     /* "http://mirror.example/debian" */
    const char *keyring; /* file with the archive's keys, or NULL: apt's trusted ones */
};

/* Finds the archive in `folder` ("/etc/apt"). An entry signed by Debian's own keyring wins over
 * others that only look like Debian. Owns: `arena`.
 * Errors: ERR_INVALID mirror_unknown. */
MUST_USE struct err *mirror_find(
    struct arena *arena, const char *folder, struct mirror *ret_mirror);

#endif
