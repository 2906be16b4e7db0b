/*
 * report/judge.h - is it proved, and what was looked at and what was not.
 */
#ifndef UPSHIFT_REPORT_JUDGE_H
#define UPSHIFT_REPORT_JUDGE_H

#include "base/json.h"

/* Adds "verdict" ("passed", "rolled back", "not proved") and "reasons" (why not) to the report's
 * summary, and writes its members "checked" and "not_checked" (sentences). The figures must be
 * there. */
void judge_write(struct json *report);

#endif
