/*
 * steps/cluster_file.h - nodes.conf without what an older server does not understand.
 *
 * A server refuses to start on a field that it does not know, and without the file it comes back as
 * another node; so an old program gets the file with those fields cut out. All that is cut is heard
 * again from the other nodes.
 */
#ifndef UPSHIFT_STEPS_CLUSTER_FILE_H
#define UPSHIFT_STEPS_CLUSTER_FILE_H

#include "base/buf.h"
#include "base/str.h"

/* Appends `text` as a server of `series` ("redis/6.0") understands it; the same text when it does
 * already. */
void cluster_file_cut(struct str text, const char *series, struct buf *ret_text);

#endif
