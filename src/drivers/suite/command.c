#include "drivers/suite/command.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "transport/spawn.h"

#define HINT_SPACE "free space in the cache folder, or point XDG_CACHE_HOME at a larger disk"
#define HINT_NETWORK "check the network and the proxy settings of apt, then try again"
#define HINT_KEYS "update the archive's keys: apt-get install debian-archive-keyring"

enum { COMMAND_OUTPUT_SIZE_MAX = 4 << 20 };

/* The first phrase that a tool's complaint contains decides; the order is from specific to
 * general, because apt often prints several lines about one trouble. */
static const struct {
    const char *phrase;
    enum err_kind kind;
    const char *code;
    const char *hint;
} troubles[] = {
    {"No space left on device", ERR_REFUSED, "disk_full", HINT_SPACE},
    {"enough free space", ERR_REFUSED, "disk_full", HINT_SPACE},
    {"Disk quota exceeded", ERR_REFUSED, "disk_full", HINT_SPACE},
    {"Could not resolve", ERR_UNREACHABLE, "archive_unreachable", HINT_NETWORK},
    {"Temporary failure resolving", ERR_UNREACHABLE, "archive_unreachable", HINT_NETWORK},
    {"ould not connect", ERR_UNREACHABLE, "archive_unreachable", HINT_NETWORK},
    {"Unable to connect", ERR_UNREACHABLE, "archive_unreachable", HINT_NETWORK},
    {"Cannot initiate the connection", ERR_UNREACHABLE, "archive_unreachable", HINT_NETWORK},
    {"Connection failed", ERR_UNREACHABLE, "archive_unreachable", HINT_NETWORK},
    {"onnection timed out", ERR_UNREACHABLE, "archive_unreachable", HINT_NETWORK},
    {"Connection reset", ERR_UNREACHABLE, "archive_unreachable", HINT_NETWORK},
    {"NO_PUBKEY", ERR_REFUSED, "package_untrusted", HINT_KEYS},
    {"BADSIG", ERR_REFUSED, "package_untrusted",
        "the archive or a proxy on the way changed signed data: do not use it"},
    {"Hash Sum mismatch", ERR_REFUSED, "package_untrusted",
        "the archive or a proxy on the way changed the data, or is being updated: try later"},
    {"is not signed", ERR_REFUSED, "package_untrusted", HINT_KEYS},
    {"cannot be authenticated", ERR_REFUSED, "package_untrusted", HINT_KEYS},
    {"does not have a Release file", ERR_INVALID, "suite_unknown",
        "name a suite that the machine's Debian archive has, for example bookworm"},
    {"404  Not Found", ERR_UNREACHABLE, "archive_unreachable",
        "the archive changed meanwhile or lacks the file: try again, or use another mirror"},
    {"Failed to fetch", ERR_UNREACHABLE, "archive_unreachable", HINT_NETWORK},
    {"No packages found", ERR_INVALID, "package_not_in_suite", "name a suite that has the package"},
    {"Unable to locate package", ERR_INVALID, "package_not_in_suite",
        "name a suite that has the package"},
};

/* Which Debian package brings a tool. */
static const struct {
    const char *tool;
    const char *package;
} tool_packages[] = {
    {"apt-get", "apt"},
    {"apt-cache", "apt"},
    {"apt-config", "apt"},
    {"dpkg-deb", "dpkg"},
    {"patchelf", "patchelf"},
};

/* Finds the line that names the reason: apt marks errors with "E: ", other tools say one line. */
static struct str main_complaint(const char *errors)
{
    struct str rest = str_of(errors);
    struct str line;
    struct str last = {NULL, 0};
    while (str_cut(&rest, '\n', &line)) {
        line = str_trim(line);
        if (str_starts_with(line, "E: ")) {
            return (struct str){line.data + 3, line.size - 3};
        }
        if (line.size > 0) {
            last = line;
        }
    }
    return last.size > 0 ? last : STR("no reason given");
}

static struct err *explain_failure(const struct command *command, const struct spawn_result *result)
{
    const char *errors = buf_text(&result->errors);
    const struct str complaint = main_complaint(errors);
    for (size_t i = 0; i < ARRAY_COUNT(troubles); i++) {
        if (strstr(errors, troubles[i].phrase) == NULL) {
            continue;
        }
        struct err *err = err_new(
            troubles[i].kind, command->where, "%s: " STR_FMT, command->argv[0], STR_ARG(complaint));
        return err_hint(err_code(err, troubles[i].code), "%s", troubles[i].hint);
    }
    struct err *err = err_new(ERR_REFUSED, command->where, "%s failed with status %d: " STR_FMT,
        command->argv[0], result->exit_status, STR_ARG(complaint));
    return err_code(err, "package_tool_failed");
}

static struct err *explain_missing(const struct command *command, struct err *cause)
{
    for (size_t i = 0; i < ARRAY_COUNT(tool_packages); i++) {
        if (text_equal(tool_packages[i].tool, command->argv[0])) {
            struct err *err = err_wrap(cause, command->where, "%s cannot be run", command->argv[0]);
            return err_hint(err_code(err, "tool_missing"), "install it: apt-get install %s",
                tool_packages[i].package);
        }
    }
    return cause;
}

static struct err *explain_timeout(const struct call *call, const struct command *command)
{
    if (call->cancelled != NULL && atomic_load(call->cancelled)) {
        return err_new(ERR_CANCELLED, command->where, "%s was stopped", command->argv[0]);
    }
    struct err *err =
        err_new(ERR_UNREACHABLE, command->where, "%s did not end in time", command->argv[0]);
    return err_hint(
        err_code(err, "archive_unreachable"), "check the network; on a slow line allow more time");
}

struct err *command_run(
    const struct call *call, const struct command *command, struct buf *ret_output)
{
    AUTO_FREE char *config =
        command->apt_config == NULL ? NULL : mem_format("APT_CONFIG=%s", command->apt_config);
    /* LC_ALL: the phrases above are English. */
    const char *const environment[] = {"LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", config, NULL};
    struct spawn_request request = {
        .argv = command->argv,
        .environment = environment,
        .output_size_max = COMMAND_OUTPUT_SIZE_MAX,
    };
    struct spawn_result result = {0};
    struct err *err = spawn_run(call, &request, &result);
    if (err != NULL) {
        return explain_missing(command, err);
    }
    if (result.is_timeout) {
        err = explain_timeout(call, command);
    } else if (result.exit_status != 0) {
        err = explain_failure(command, &result);
    } else if (ret_output != NULL) {
        buf_append(ret_output, buf_text(&result.output), result.output.size);
    }
    spawn_result_release(&result);
    return err;
}
