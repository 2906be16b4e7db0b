/*
 * tests/unit/report/make_sample.c - writes sample reports, to look at while changing the page.
 *
 *     make_sample FOLDER
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "report/report.h"
#include "sample.h"

static const struct {
    const char *name;
    struct sample_wish wish;
} samples[] = {
    {"passed", {.raw_failed = 3, .has_stock = true}},
    {"gap", {.raw_failed = 2, .is_probe_killed = true, .is_stalled = true}},
    {"failed", {.raw_failed = 5, .failed = 17, .lost = 2}},
    {"paused", {.is_paused = true, .raw_failed = 1}},
    {"large", {.shard_count = 60, .soak_s = 60, .raw_failed = 4}},
    {"no-probe", {.has_no_probe = true}},
    {"rolled-back", {.is_rolled_back = true, .raw_failed = 2}},
    {"failover", {.has_failover = true, .lost_apart = 7}},
};

static void must(struct err *err)
{
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        (void)fprintf(stderr, "make_sample: %s\n", text);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: make_sample FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        struct sample sample;
        sample_make(&sample, &samples[i].wish);
        AUTO_JSON report = NULL;
        must(report_build(sample.journal, sample.run, sample.probe_directory, &report));
        AUTO_BUF html = {0};
        AUTO_BUF text = {0};
        report_write_html(report, &html);
        report_write_text(report, &text);
        AUTO_FREE char *html_path = mem_format("%s/%s.html", argv[1], samples[i].name);
        AUTO_FREE char *text_path = mem_format("%s/%s.txt", argv[1], samples[i].name);
        must(fs_write(html_path, html.data, html.size, 0644));
        must(fs_write(text_path, text.data, text.size, 0644));
        sample_release(&sample);
    }
    return 0;
}
