#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return read_us(CLOCK_BOOTTIME);
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

static int64_t system_now_ms(struct clock *UNUSED(clock))
{
    return clock_now_us() / 1000;
}

static int64_t system_wall_ms(struct clock *UNUSED(clock))
{
    return clock_wall_us() / 1000;
}

static void system_wait_ms(struct clock *UNUSED(clock), int64_t duration_ms)
{
    if (duration_ms <= 0) {
        return;
    }
    const struct timespec duration = {
        .tv_sec = duration_ms / 1000, .tv_nsec = duration_ms % 1000 * 1000000};
    (void)clock_nanosleep(CLOCK_BOOTTIME, 0, &duration, NULL);
}

struct clock *clock_system(void)
{
    static const struct clock_ops ops = {system_now_ms, system_wall_ms, system_wait_ms};
    static struct clock clock = {&ops};
    return &clock;
}

struct timespec clock_deadline(int64_t after_ms)
{
    const int64_t us = read_us(CLOCK_MONOTONIC) + after_ms * 1000;
    return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
}

const char *clock_format_wall(int64_t wall_ms, char ret_text[CLOCK_TEXT_SIZE])
{
    const time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL) {
        memcpy(ret_text, "?", 2);
        return ret_text;
    }
    char text[CLOCK_TEXT_SIZE];
    const size_t size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    text[size] = '\0';
    (void)snprintf(ret_text, CLOCK_TEXT_SIZE, "%.19s.%03dZ", text, (int)(wall_ms % 1000));
    return ret_text;
}

static char boot_id[64];

static void read_boot_id(void)
{
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, boot_id, sizeof(boot_id) - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (size <= 1) {
        memcpy(boot_id, "unknown", sizeof("unknown"));
    } else {
        boot_id[strcspn(boot_id, "\n")] = '\0';
    }
}

const char *clock_boot_id(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* any thread may ask first */
    (void)pthread_once(&once, read_boot_id);
    return boot_id;
}
