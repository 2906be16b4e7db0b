/*
 * report/build.h - the data of a report as it stands now, or as it stood when another was made.
 */
#ifndef UPSHIFT_REPORT_BUILD_H
#define UPSHIFT_REPORT_BUILD_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/json.h"
#include "engine/journal.h"

enum { REPORT_FORMAT = 1 };

/* Where the data comes from. */
struct build_source {
    struct journal *journal;
    const char *run;
    const char *probe_directory; /* may be NULL */
    const struct json *as_of;    /* an earlier report: read no further than it did; NULL: all */
};

/* Collects the data members; figures are added by summary_write(). */
MUST_USE struct err *build_data(const struct build_source *source, struct json **ret_report);

#endif
