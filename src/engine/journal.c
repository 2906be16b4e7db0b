#include "engine/journal.h"

/* The order is that of enum journal_type; the words are stored, so they never change. */
const char *const journal_type_names[] = {
    [JOURNAL_RUN_CREATED] = "run_created",
    [JOURNAL_PLAN_BODY] = "plan_body",
    [JOURNAL_REPLAN] = "replan",
    [JOURNAL_PLAN_PROPOSED] = "plan_proposed",
    [JOURNAL_PLAN_REVISED] = "plan_revised",
    [JOURNAL_CLAIMED] = "claimed",
    [JOURNAL_RELEASED] = "released",
    [JOURNAL_STATE] = "state",
    [JOURNAL_PHASE] = "phase",
    [JOURNAL_INTENT] = "intent",
    [JOURNAL_APPLIED] = "applied",
    [JOURNAL_OUTCOME] = "outcome",
    [JOURNAL_FOUND] = "found",
    [JOURNAL_FOREIGN] = "foreign",
    [JOURNAL_SCOPE_OPEN] = "scope_open",
    [JOURNAL_SCOPE_CLOSED] = "scope_closed",
    [JOURNAL_GATE] = "gate",
    [JOURNAL_OPERATOR] = "operator",
    [JOURNAL_SOAK_TICK] = "soak_tick",
    [JOURNAL_WAY_BACK] = "way_back",
    [JOURNAL_MARK] = "mark",
    [JOURNAL_PROBE_GAP] = "probe_gap",
    [JOURNAL_RESUMED] = "resumed",
    [JOURNAL_FINISH] = "finish",
    NULL,
};

void journal_records_release(struct journal_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        js_free(records[i].body);
        records[i].body = NULL;
    }
}
