/*
 * report/page.h - the parts of the HTML page that are shared by its files.
 */
#ifndef UPSHIFT_REPORT_PAGE_H
#define UPSHIFT_REPORT_PAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

extern const char page_css[]; /* page.css, embedded */

/* What stands around the data in the page; report_load() looks for it. */
#define PAGE_DATA_BEGIN "<script type=\"application/json\" id=\"upshift-report\">"
#define PAGE_DATA_END "</script>"

struct page {
    struct buf *out;
    struct arena *arena;
    const struct json *report, *run, *summary;
};

void page_open_section(const struct page *page, const char *title, const char *note);
void page_close_section(const struct page *page);

void page_write_stalls(const struct page *page);
void page_write_scope(const struct page *page); /* checked, not checked */
void page_write_parts(const struct page *page);
void page_write_failovers(const struct page *page); /* that the run did not make */
void page_write_revisions(const struct page *page); /* changes of the plan */
void page_write_steps(const struct page *page);
void page_write_events(const struct page *page);
void page_write_errors(const struct page *page);
void page_write_stock(const struct page *page);
void page_write_way_back(const struct page *page);

#endif
