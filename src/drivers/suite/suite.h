/*
 * drivers/suite/suite.h - server programs from Debian suites, several versions side by side.
 *
 * Each version is a tree below <cache>/suite/<suite>/<package>/<package version>/ that runs beside
 * all others with its own libc; nothing is installed and no privileges are needed. Debian's own
 * tools fetch, check and unpack (apt-get, dpkg-deb), from the machine's own mirror. A version that
 * is there already is used without asking the network.
 */
#ifndef UPSHIFT_DRIVERS_SUITE_SUITE_H
#define UPSHIFT_DRIVERS_SUITE_SUITE_H

#include "base/attr.h"
#include "base/err.h"
#include "drivers/package.h"

struct suite_places {
    const char *cache;       /* NULL: $XDG_CACHE_HOME/upshift or ~/.cache/upshift */
    const char *apt_sources; /* NULL: /etc/apt */
};

/* Opens the package driver. Nothing is made or fetched yet; close with package_close().
 * Errors: ERR_INVALID cache_folder_unusable. */
MUST_USE struct err *suite_open(const struct suite_places *places, struct package **ret_package);

#endif
