/*
 * tests/unit/report/sample_internal.h - what the journal's half and the probe's half share.
 */
#ifndef UPSHIFT_TESTS_REPORT_SAMPLE_INTERNAL_H
#define UPSHIFT_TESTS_REPORT_SAMPLE_INTERNAL_H

#include "sample.h"

enum { SAMPLE_BOOT_MS = 5000000, SAMPLE_SWITCHOVERS_MAX = 128 };

/* When things happened, for the probe to suffer from. */
struct sample_times {
    int64_t switchovers_ms[SAMPLE_SWITCHOVERS_MAX];
    int switchover_count;
    int64_t soak_ms, failover_ms, end_ms;
};

void sample_write_journal(struct sample *sample, struct sample_times *ret_times);
void sample_write_logs(struct sample *sample, const struct sample_times *times);
void sample_must(struct err *err);

#endif
