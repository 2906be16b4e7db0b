/*
 * tests/golden/revision.h - a run that has come some way, and its rest planned anew.
 *
 * The request of such a story has "plans": what the run was told to do so far, the first plan and
 * its revisions, each with "moment" and "facts" (a patch) as of a story, "why" (but the first), and
 * the steps that came to something: "done", "found", "intended", "failed", each a list of ids or of
 * names of phases. The story's own "why" and facts are those of the plan that is asked for.
 */
#ifndef UPSHIFT_TESTS_REVISION_H
#define UPSHIFT_TESTS_REVISION_H

#include "story.h"
#include "strategies/revise.h"

struct revision {
    bool is_planned;
    struct plan plan;
    struct revise_result result;
    struct plan_refusal refusal;
    struct progress progress;
    struct plan before; /* the plan that is replaced */
};

/* Ends the test when an earlier plan of the story cannot be made. */
void revision_make(struct revision *revision, struct story *story);
void revision_release(struct revision *revision);
#define AUTO_REVISION CLEANUP(revision_release) struct revision

#endif
