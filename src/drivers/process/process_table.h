/*
 * drivers/process/process_table.h - what the kernel's process table says of one number.
 */
#ifndef UPSHIFT_DRIVERS_PROCESS_PROCESS_TABLE_H
#define UPSHIFT_DRIVERS_PROCESS_PROCESS_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct process_entry {
    char state;         /* 'R', 'S', 'Z' ended but not yet reaped, ... */
    int64_t start_time; /* clock ticks since boot */
};

/* Reads the text of /proc/PID/stat: fields 3 and 22 (proc(5)). The second field, the program's
 * name, may hold spaces and parentheses; fields are counted from behind the last one. */
bool process_parse_stat(struct str stat, struct process_entry *ret_entry);

/* Looks a process up. `ret_is_alive` false: there is none, or only the remains of one. */
MUST_USE struct err *process_look(pid_t pid, bool *ret_is_alive, struct process_entry *ret_entry);

/* Does the process work in this directory? False also when it has ended meanwhile.
 * Errors: ERR_REFUSED we may not look. */
MUST_USE struct err *process_works_in(pid_t pid, const char *directory, bool *ret_yes);

/* Writes "<boot id>/<pid>/<start time>". */
void process_identify(
    pid_t pid, const struct process_entry *entry, char *ret_identity, size_t size);

/* The number inside an identity of this boot; false for another boot or another form. */
bool process_parse_identity(const char *identity, pid_t *ret_pid);

#endif
