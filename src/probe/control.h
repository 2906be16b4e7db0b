/*
 * probe/control.h - how the controller speaks to a running probe: datagrams, one way.
 *
 * The socket is <directory>/sock. Messages: {"alive":true} at least every linger_s; {"rate":N};
 * {"mark":{"step","boundary"}}, after the fact; {"stop":true,"reason":text}. Nothing answers: what
 * the probe did is in its log.
 */
#ifndef UPSHIFT_PROBE_CONTROL_H
#define UPSHIFT_PROBE_CONTROL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"

/* Sends one message. Errors: ERR_UNREACHABLE "probe_unreachable": no probe listens there. */
MUST_USE struct err *probe_control_send(const char *directory, const struct json *message);

/* The probe's side. Errors: ERR_REFUSED "probe_control_bind". */
MUST_USE struct err *probe_control_open(const char *directory, int *ret_fd);

/* The next message that waits, or NULL; what is not JSON is dropped. Owns: the caller frees. */
struct json *probe_control_next(int fd);

#endif
