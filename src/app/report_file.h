/*
 * app/report_file.h - the report that a controller leaves when its run ends.
 */
#ifndef UPSHIFT_APP_REPORT_FILE_H
#define UPSHIFT_APP_REPORT_FILE_H

#include "base/log.h"
#include "engine/journal.h"

/* Writes <directory>/<run>.html and .json. A failure is logged: `upshift report` can be run later.
 */
void report_file_write(
    struct journal *journal, const char *directory, const char *run, const struct log *log);

#endif
