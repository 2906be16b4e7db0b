/*
 * model/progress.h - how far a run has come, as a strategy sees it when a plan must be changed.
 *
 * The engine writes it from the run's state; strategies read it together with fresh facts. It is
 * what the journal knows and the world cannot tell: which nodes this run has touched, and what was
 * there before.
 */
#ifndef UPSHIFT_MODEL_PROGRESS_H
#define UPSHIFT_MODEL_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/json.h"

/* One step of the run, of its present plan or of an earlier one, in the order of their intents. */
struct progress_step {
    const char *id;
    const char *kind;    /* "package.switch" */
    const char *node;    /* the node it acts on */
    const char *state;   /* a word of run_step_status_names: "pending", "intended", "done", ... */
    int64_t revision;    /* of the plan that it belongs to */
    int64_t attempt;     /* 0: never intended */
    struct json *args;   /* frozen, or of the plan when never bound; object */
    struct json *before; /* captured, or NULL when never intended; object */
};

struct progress {
    struct arena arena;
    int64_t revision; /* of the present plan; 0: the one the run was started with */
    struct progress_step *steps;
    size_t step_count;
};

extern const struct codec progress_codec;

void progress_release(struct progress *progress);
#define AUTO_PROGRESS CLEANUP(progress_release) struct progress

MUST_USE struct json *progress_to_json(const struct progress *progress);
MUST_USE struct err *progress_from_json(
    const struct json *value, const char *where, struct progress *ret_progress);

/* Has this run ever intended a step of that kind on the node? */
bool progress_has_touched(const struct progress *progress, const char *kind, const char *node);

#endif
