#include "app/report_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "report/report.h"

static struct err *write_both(const char *directory, const char *run, const struct json *report)
{
    AUTO_BUF html = {0};
    report_write_html(report, &html);
    AUTO_FREE char *json = js_write_pretty(report);
    AUTO_FREE char *html_path = mem_format("%s/%s.html", directory, run);
    AUTO_FREE char *json_path = mem_format("%s/%s.json", directory, run);
    struct err *err = fs_write(html_path, html.data, html.size, 0600);
    return err != NULL ? err : fs_write(json_path, json, strlen(json), 0600);
}

void report_file_write(
    struct journal *journal, const char *directory, const char *run, const struct log *log)
{
    AUTO_FREE char *probe_directory = mem_format("%s/probe/%s", directory, run);
    AUTO_JSON report = NULL;
    AUTO_ERR err = report_build(journal, run, probe_directory, &report);
    if (err == NULL) {
        err = write_both(directory, run, report);
    }
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        log_event(log, LOG_WARNING, "report_failed", "error", text, "next",
            "`upshift report` can be run at any time", NULL);
    }
}
