/*
 * report/story.h - what the controller did, out of the journal: steps, phases, events, settings,
 * and what the servers said their versions are.
 */
#ifndef UPSHIFT_REPORT_STORY_H
#define UPSHIFT_REPORT_STORY_H

#include <stddef.h>

#include "base/json.h"
#include "engine/journal.h"
#include "report/axis.h"

/* Writes the members "run", "journal", "phases", "steps", "settings", "events", "snapshots",
 * "revisions", "way_back" and "policy" of a report. `plan` is the plan's JSON, or NULL. */
void story_write(const struct axis *axis, const char *run, const struct journal_record *records,
    size_t count, const struct json *plan, struct json *report);

#endif
