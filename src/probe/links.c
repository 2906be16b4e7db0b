#include "probe/links.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    READ_SIZE = 16384,
    POOL_COUNT = 16384,        /* CLUSTER SLOTS of some 1,200 ranges; MOVED serves beyond */
    ANSWER_LIMIT_US = 2000000, /* twice the life of an operation: then nobody waits any more */
    PENDING_COUNT_MIN = 16,    /* a power of two */
};

enum link_state { LINK_CLOSED, LINK_OPENING, LINK_READY, LINK_BROKEN };

struct link {
    struct link *next;
    struct stream *stream;
    enum link_state state;
    enum stream_want want;
    int node;
    bool is_fresh;
    bool is_done;     /* fresh and answered or abandoned: to be freed */
    bool is_greeting; /* the next answer is that to AUTH */
    bool was_ready;
    char *reason; /* why it broke; owned */
    struct buf out, in;
    struct request *pending; /* ring; owned */
    size_t pending_first, pending_count, pending_capacity;
    int64_t heard_us; /* last byte received, or when the oldest request was queued */
};

void links_init(struct links *links, struct slots *slots, struct tls *tls)
{
    *links = (struct links){.slots = slots, .tls = tls};
    links->pool = mem_alloc_array(POOL_COUNT, sizeof(*links->pool));
}

void links_set_password(struct links *links, const char *user, const struct secret *password)
{
    secret_release(&links->greeting);
    if (password->size == 0) {
        return;
    }
    struct buf command = {0};
    const struct str words[] = {
        STR("AUTH"), str_of(user), (struct str){password->bytes, password->size}};
    const struct str without_user[] = {words[0], words[2]};
    *buf_reserve(&command, password->size * 2 + 256) = '\0'; /* never moved: no copy stays */
    if (user == NULL) {
        resp_append_command(&command, without_user, ARRAY_COUNT(without_user));
    } else {
        resp_append_command(&command, words, ARRAY_COUNT(words));
    }
    links->greeting.size = command.size;
    links->greeting.bytes = buf_detach(&command);
}

static void link_close(struct link *link)
{
    stream_close(link->stream);
    link->stream = NULL;
    link->state = LINK_CLOSED;
    buf_clear(&link->in);
    buf_clear(&link->out);
}

static void link_free(struct link *link)
{
    link_close(link);
    if (link->out.data != NULL) {
        explicit_bzero(link->out.data, link->out.capacity);
    }
    buf_release(&link->out);
    buf_release(&link->in);
    free(link->pending);
    free(link->reason);
    free(link);
}

void links_release(struct links *links)
{
    while (links->all != NULL) {
        struct link *link = links->all;
        links->all = link->next;
        link_free(link);
    }
    secret_release(&links->greeting);
    free(links->pool);
    free(links->polled);
    free(links->polled_links);
    *links = (struct links){0};
}

static void link_break(struct link *link, const char *reason)
{
    if (link->state != LINK_BROKEN) {
        free(link->reason);
        link->reason = mem_strdup(reason);
        link->was_ready = link->state == LINK_READY;
        link->state = LINK_BROKEN;
    }
}

/* Owns: takes `err`, whose innermost line is the system's own word. */
static void link_break_by(struct link *link, struct err *err)
{
    const struct err *innermost = err;
    while (innermost->cause != NULL) {
        innermost = innermost->cause;
    }
    link_break(link, innermost->what);
    err_free(err);
}

static void link_open(struct links *links, struct link *link)
{
    const struct slot_node *node = &links->slots->nodes[link->node];
    const struct endpoint endpoint = {.host = node->host, .port = node->port, .tls = links->tls};
    link->heard_us = clock_now_us();
    link->state = LINK_OPENING;
    link->want = STREAM_WANT_WRITE;
    link->is_greeting = links->greeting.size > 0;
    buf_append(&link->out, links->greeting.bytes, links->greeting.size);
    struct err *err = stream_open(&endpoint, &link->stream);
    if (err != NULL) {
        link_break_by(link, err);
    }
}

static struct link *link_new(struct links *links, int node, bool is_fresh)
{
    struct link *link = mem_alloc(sizeof(*link));
    link->node = node;
    link->is_fresh = is_fresh;
    link->next = links->all;
    links->all = link;
    links->link_count++;
    return link;
}

struct link *links_get(struct links *links, enum link_lane lane, int node)
{
    struct link *link = links->lanes[lane][node];
    if (link == NULL) {
        link = link_new(links, node, /* is_fresh= */ false);
        links->lanes[lane][node] = link;
    }
    if (link->state == LINK_CLOSED) {
        link_open(links, link);
    }
    return link;
}

struct link *links_open_fresh(struct links *links, int node)
{
    struct link *link = link_new(links, node, /* is_fresh= */ true);
    link_open(links, link);
    return link;
}

void links_abandon(struct link *link)
{
    link->is_done = true;
}

int link_node(const struct link *link)
{
    return link->node;
}

void link_send(struct link *link, struct request request, const struct buf *command)
{
    if (link->pending_count == link->pending_capacity) {
        const size_t old = link->pending_capacity;
        const size_t capacity = old == 0 ? PENDING_COUNT_MIN : old * 2;
        struct request *pending = mem_alloc_array(capacity, sizeof(*pending));
        for (size_t i = 0; i < old; i++) {
            pending[i] = link->pending[(link->pending_first + i) & (old - 1)];
        }
        free(link->pending);
        link->pending = pending;
        link->pending_first = 0;
        link->pending_capacity = capacity;
    }
    if (link->pending_count == 0) {
        link->heard_us = clock_now_us();
    }
    const size_t end = (link->pending_first + link->pending_count) & (link->pending_capacity - 1);
    link->pending[end] = request;
    link->pending_count++;
    buf_append(&link->out, command->data, command->size);
}

static struct request pop_pending(struct link *link)
{
    const struct request request = link->pending[link->pending_first];
    link->pending_first = (link->pending_first + 1) & (link->pending_capacity - 1);
    link->pending_count--;
    return request;
}

/* Reports what a broken link still owed, and makes the link usable again. */
static void report_broken(struct links *links, struct link *link)
{
    slots_distrust(links->slots, link->node, (uint64_t)link->heard_us);
    AUTO_FREE char *reason = link->reason;
    link->reason = NULL;
    const struct link_loss loss = {reason, !link->was_ready};
    const struct link_events *events = links->events;
    link_close(link);
    link->is_done = link->is_fresh;
    for (size_t left = link->pending_count; left > 0; left--) {
        const struct request request = pop_pending(link);
        if (request.owner != OWNER_NOBODY) {
            events->lost(events->context, link, request, &loss);
        }
    }
}

static void link_write(struct links *links, struct link *link)
{
    if (link->state == LINK_OPENING) {
        struct err *err = stream_step(link->stream, &link->want);
        if (err != NULL) {
            link_break_by(link, err);
        } else if (link->want == STREAM_READY) {
            link->state = LINK_READY;
        }
    }
    if (link->state != LINK_READY || link->out.size == 0) {
        return;
    }
    size_t written;
    struct err *err =
        stream_write(link->stream, link->out.data, link->out.size, &written, &link->want);
    if (err != NULL) {
        link_break_by(link, err);
        return;
    }
    links->bytes_sent += (int64_t)written;
    buf_consume(&link->out, written);
    if (link->is_greeting && link->out.size == 0) {
        explicit_bzero(link->out.data, link->out.capacity); /* the password went through it */
    }
}

static void take_answer(struct links *links, struct link *link, const struct resp *value)
{
    if (value->is_push) {
        return;
    }
    if (link->is_greeting) {
        link->is_greeting = value->type == RESP_ERROR;
        if (link->is_greeting) {
            links->is_refused = true;
            AUTO_FREE char *text = mem_format(STR_FMT, STR_ARG(value->text));
            link_break(link, text);
        }
        return;
    }
    if (link->pending_count == 0) {
        link_break(link, "an answer that nobody asked for");
        return;
    }
    const struct request request = pop_pending(link);
    if (request.owner != OWNER_NOBODY) {
        link->is_done = link->is_fresh;
        links->events->answered(links->events->context, link, request, value);
    }
    if (value->type == RESP_ERROR && str_starts_with(value->text, "NOAUTH")) {
        links->is_refused = true; /* a password was set since: this link cannot give it any more */
        link_break(link, "the server wants a password now");
    }
}

static void parse_answers(struct links *links, struct link *link)
{
    size_t used = 0;
    while (used < link->in.size && link->state == LINK_READY && !link->is_done) {
        struct resp value;
        size_t size;
        const struct str rest = {link->in.data + used, link->in.size - used};
        const enum resp_result result = resp_parse(rest, links->pool, POOL_COUNT, &value, &size);
        if (result == RESP_MORE) {
            break;
        }
        if (result == RESP_BAD) {
            link_break(link, "an answer that is not RESP");
            break;
        }
        used += size;
        take_answer(links, link, &value);
    }
    if (link->state == LINK_READY) {
        buf_consume(&link->in, used);
    }
}

static void link_read(struct links *links, struct link *link)
{
    enum stream_want want = STREAM_READY;
    while (link->state == LINK_READY && want == STREAM_READY && !link->is_done) {
        const size_t before = link->in.size;
        struct err *err = stream_read(link->stream, READ_SIZE, &link->in, &want);
        const size_t count = link->in.size - before;
        links->bytes_received += (int64_t)count;
        if (count > 0) {
            link->heard_us = clock_now_us();
            parse_answers(links, link);
        }
        if (err != NULL) {
            link_break_by(link, err);
        } else if (want == STREAM_END) {
            link_break(link, "the server closed the connection");
        } else if (count < READ_SIZE && links->tls == NULL) {
            break; /* a short read emptied the socket; the poller tells of more */
        }
    }
}

/* Reports and resets broken links, frees finished ones; true when something was lost. */
static bool sweep(struct links *links)
{
    bool was_any = false;
    for (struct link *link = links->all; link != NULL; link = link->next) {
        if (link->state == LINK_BROKEN && !link->is_done) {
            report_broken(links, link);
            was_any = true;
        }
    }
    struct link **slot = &links->all;
    while (*slot != NULL) {
        struct link *link = *slot;
        if (!link->is_done) {
            slot = &link->next;
            continue;
        }
        *slot = link->next;
        links->link_count--;
        link_free(link);
    }
    return was_any;
}

static short wanted_events(const struct link *link)
{
    if (link->state == LINK_OPENING) {
        return link->want == STREAM_WANT_READ ? POLLIN : POLLOUT;
    }
    return link->out.size > 0 ? POLLIN | POLLOUT : POLLIN;
}

/* Writes what can be written, and gives up links on which nothing comes any more. */
static void write_all(struct links *links)
{
    const int64_t now_us = clock_now_us();
    for (struct link *link = links->all; link != NULL; link = link->next) {
        if (link->is_done) {
            continue;
        }
        link_write(links, link);
        if (link->pending_count > 0 && now_us - link->heard_us > ANSWER_LIMIT_US) {
            link_break(link, "no answer for 2 s");
        }
    }
}

/* Lists what to wait for; returns how many. */
static size_t list_polled(struct links *links, int extra_fd)
{
    if (links->link_count + 1 > links->polled_capacity) {
        links->polled_capacity = (links->link_count + 1) * 2;
        links->polled = mem_resize(links->polled, links->polled_capacity * sizeof(*links->polled));
        links->polled_links =
            mem_resize(links->polled_links, links->polled_capacity * sizeof(struct link *));
    }
    size_t count = 0;
    links->polled[count++] = (struct pollfd){.fd = extra_fd, .events = POLLIN};
    for (struct link *link = links->all; link != NULL; link = link->next) {
        if (link->state == LINK_OPENING || link->state == LINK_READY) {
            links->polled_links[count] = link;
            links->polled[count++] =
                (struct pollfd){.fd = stream_fd(link->stream), .events = wanted_events(link)};
        }
    }
    return count;
}

void links_wait(struct links *links, int64_t until_us, int extra_fd)
{
    write_all(links);
    if (sweep(links)) {
        return; /* losses may have changed what there is to wait for */
    }
    const size_t count = list_polled(links, extra_fd);
    int64_t left_us = until_us - clock_now_us();
    left_us = left_us < 0 ? 0 : left_us;
    const struct timespec left = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
    const int ready = ppoll(links->polled, count, &left, NULL);
    links->events->woken(links->events->context);
    if (ready <= 0) {
        return;
    }
    for (size_t i = 1; i < count; i++) {
        if (links->polled[i].revents != 0) {
            link_write(links, links->polled_links[i]);
            link_read(links, links->polled_links[i]);
        }
    }
    (void)sweep(links);
}
