/*
 * tests/unit/report/sample.h - a run that looks real: a journal and probe logs made from a seed.
 */
#ifndef UPSHIFT_TESTS_REPORT_SAMPLE_H
#define UPSHIFT_TESTS_REPORT_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/journal.h"

/* What is special about the run; all zero is a run without a blemish. */
struct sample_wish {
    int shard_count; /* two nodes each; 0: three */
    int soak_s;      /* at the pause point; 0: 12 */
    int raw_failed;  /* in the first switchover */
    int failed;      /* in the second switchover */
    int lost;        /* acknowledged writes missing at the end */
    int lost_apart;  /* and in the failover that somebody else made while it soaked */
    bool has_failover;
    bool is_rolled_back; /* from the pause point */
    bool has_no_probe;
    bool is_read_only;
    bool is_probe_killed; /* at the pause point; a second one begins 1.4 s later */
    bool has_no_final;    /* killed near the end, too */
    bool is_paused;       /* a step failed and nobody resumed */
    bool is_stalled;      /* the host did not let the probe run for half a second */
    bool is_stalled_then; /* the same while operations fail */
    bool has_foreign;     /* somebody changed the first temporary setting meanwhile */
    bool has_stock;
    bool has_hostile_names;
};

struct sample {
    struct arena arena;
    char directory[64];
    const char *probe_directory;
    struct journal *journal;
    const char *run;
    /* while it is made */
    const struct sample_wish *wish;
    int64_t now_ms; /* since the begin */
    int64_t nodes_count;
};

extern const int64_t sample_begin_wall_ms;

void sample_make(struct sample *sample, const struct sample_wish *wish);
void sample_release(struct sample *sample);

#endif
