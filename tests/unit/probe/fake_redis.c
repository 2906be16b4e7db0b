#include "fake_redis.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "wire/resp.h"

enum { NODE_COUNT = 2, CLIENT_COUNT_MAX = 512, STORE_SIZE = 65536, KEY_SIZE = 64, ARG_COUNT = 16 };

struct client {
    int fd;
    int node;
    bool is_mute;
    bool is_asking;
    bool is_closing;
    bool is_known; /* by AUTH */
    struct buf in, out;
};

struct entry {
    char key[KEY_SIZE];
    char *value; /* NULL: empty or deleted */
    bool has_ttl;
};

struct fake_redis {
    pthread_t thread;
    pthread_mutex_t mutex;
    atomic_bool is_stopping;
    atomic_bool is_down;
    const char *password;
    int listeners[NODE_COUNT];
    int ports[NODE_COUNT];
    struct client clients[CLIENT_COUNT_MAX];
    struct entry *store;
    int key_count;
    enum fake_fault fault;
    int at, times;
    int set_count, get_count, accept_count;
    char fault_key[KEY_SIZE];
};

static struct entry *find_entry(struct fake_redis *fake, struct str key)
{
    uint32_t hash = 5381;
    for (size_t i = 0; i < key.size; i++) {
        hash = hash * 33 + (unsigned char)key.data[i];
    }
    for (;; hash++) {
        struct entry *entry = &fake->store[hash % STORE_SIZE];
        if (entry->key[0] == '\0') {
            assert(key.size < KEY_SIZE);
            memcpy(entry->key, key.data, key.size);
        }
        if (str_is(key, entry->key)) {
            return entry;
        }
    }
}

static void store_value(struct fake_redis *fake, struct entry *entry, char *value)
{
    fake->key_count += (value != NULL ? 1 : 0) - (entry->value != NULL ? 1 : 0);
    free(entry->value);
    entry->value = value;
    entry->has_ttl = false;
}

static bool is_fault(const struct fake_redis *fake, enum fake_fault fault, int count)
{
    return fake->fault == fault && count == fake->at;
}

/* An error for one key as often as asked for. */
static bool is_error(struct fake_redis *fake, struct str key)
{
    if (fake->fault != FAKE_ERROR || fake->times == 0 ||
        (fake->set_count != fake->at && !str_is(key, fake->fault_key))) {
        return false;
    }
    fake->times--;
    return true;
}

/* Answers the SET that meets the fault; false when it is to be answered as usual. */
static bool misbehave(struct fake_redis *fake, struct client *client, struct str key)
{
    if (fake->set_count == fake->at) {
        memcpy(fake->fault_key, key.data, key.size);
        fake->fault_key[key.size] = '\0';
    }
    const unsigned slot = 1;
    if (is_error(fake, key)) {
        buf_append_text(&client->out, "-CLUSTERDOWN The cluster is down\r\n");
    } else if (is_fault(fake, FAKE_MOVED, fake->set_count)) {
        buf_printf(&client->out, "-MOVED %u 127.0.0.1:%d\r\n", slot, fake->ports[1]);
    } else if (is_fault(fake, FAKE_ASK, fake->set_count)) {
        buf_printf(&client->out, "-ASK %u 127.0.0.1:%d\r\n", slot, fake->ports[1]);
    } else if (is_fault(fake, FAKE_CLOSE, fake->set_count)) {
        client->is_closing = true;
    } else if (is_fault(fake, FAKE_ODD, fake->set_count)) {
        buf_append_text(&client->out, ":5\r\n");
    } else if (is_fault(fake, FAKE_GARBAGE, fake->set_count)) {
        buf_append_text(&client->out, "HTTP/1.1 400 Bad Request\r\n\r\n");
    } else {
        return false;
    }
    return true;
}

static void answer_set(struct fake_redis *fake, struct client *client, const struct resp *args)
{
    const struct str key = args[1].text;
    fake->set_count++;
    if (misbehave(fake, client, key)) {
        return;
    }
    if (client->node == 1 && fake->fault == FAKE_ASK && !client->is_asking) {
        buf_append_text(&client->out, "-ERR without ASKING\r\n");
        return;
    }
    if (is_fault(fake, FAKE_STALL, fake->set_count)) {
        clock_wait_ms(clock_system(), 300);
    }
    struct entry *entry = find_entry(fake, key);
    store_value(fake, entry, mem_format(STR_FMT, STR_ARG(args[2].text)));
    if (is_fault(fake, FAKE_DELETE, fake->set_count)) {
        store_value(fake, entry, NULL);
    } else if (is_fault(fake, FAKE_CHANGE, fake->set_count)) {
        store_value(fake, entry, mem_strdup("other"));
    }
    buf_append_text(&client->out, "+OK\r\n");
}

static void answer_get(struct fake_redis *fake, struct client *client, const struct resp *args)
{
    const struct entry *entry = find_entry(fake, args[1].text);
    fake->get_count += entry->value != NULL ? 1 : 0;
    if (entry->value == NULL) {
        buf_append_text(&client->out, "$-1\r\n");
    } else if (is_fault(fake, FAKE_WRONG, fake->get_count)) {
        fake->fault = FAKE_FAULT_NONE;
        buf_append_text(&client->out, "$5\r\nother\r\n");
    } else {
        buf_printf(&client->out, "$%zu\r\n%s\r\n", strlen(entry->value), entry->value);
    }
}

static void answer_key_command(
    struct fake_redis *fake, struct client *client, const struct resp *args)
{
    if (fake->fault == FAKE_DOWN && fake->set_count >= fake->at) {
        atomic_store(&fake->is_down, true);
    }
    if (atomic_load(&fake->is_down)) {
        buf_append_text(&client->out, "-CLUSTERDOWN The cluster is down\r\n");
    } else if (str_is(args[0].text, "SET")) {
        answer_set(fake, client, args);
    } else if (str_is(args[0].text, "EXPIRE")) {
        struct entry *entry = find_entry(fake, args[1].text);
        entry->has_ttl = entry->value != NULL;
        buf_printf(&client->out, ":%d\r\n", entry->has_ttl ? 1 : 0);
    } else if (str_is(args[0].text, "GET")) {
        answer_get(fake, client, args);
    } else {
        struct entry *entry = find_entry(fake, args[1].text);
        buf_printf(&client->out, ":%d\r\n", entry->value != NULL ? 1 : 0);
        store_value(fake, entry, NULL);
    }
    client->is_asking = false;
}

static void answer(struct fake_redis *fake, struct client *client, const struct resp *command)
{
    const struct resp *args = command->items;
    const struct str name = args[0].text;
    if (str_is(name, "AUTH")) {
        client->is_known =
            fake->password != NULL && str_is(args[command->count - 1].text, fake->password);
        buf_append_text(
            &client->out, client->is_known ? "+OK\r\n" : "-WRONGPASS invalid password\r\n");
    } else if (fake->password != NULL && !client->is_known) {
        buf_append_text(&client->out, "-NOAUTH Authentication required.\r\n");
    } else if (str_is(name, "CLUSTER")) {
        buf_printf(&client->out,
            "*1\r\n*4\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$1\r\na\r\n"
            "*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$1\r\nb\r\n",
            fake->ports[0], fake->ports[1]);
    } else if (str_is(name, "ASKING")) {
        client->is_asking = true;
        buf_append_text(&client->out, "+OK\r\n");
    } else if (str_is(name, "SET") && command->count != 3) {
        buf_append_text(&client->out, "-ERR syntax error\r\n"); /* as PXAT at a 6.0 replica */
    } else {
        answer_key_command(fake, client, args);
    }
}

static void close_client(struct client *client)
{
    (void)close(client->fd);
    buf_release(&client->in);
    buf_release(&client->out);
    *client = (struct client){.fd = -1};
}

static void serve_client(struct fake_redis *fake, struct client *client)
{
    const ssize_t count = recv(client->fd, buf_reserve(&client->in, 65536), 65536, 0);
    if (count <= 0) {
        close_client(client);
        return;
    }
    buf_grow_used(&client->in, (size_t)count);
    struct resp pool[ARG_COUNT];
    struct resp command;
    size_t used;
    while (!client->is_mute && !client->is_closing &&
           resp_parse((struct str){client->in.data, client->in.size}, pool, ARG_COUNT, &command,
               &used) == RESP_DONE) {
        (void)pthread_mutex_lock(&fake->mutex);
        answer(fake, client, &command);
        (void)pthread_mutex_unlock(&fake->mutex);
        buf_consume(&client->in, used);
    }
    size_t sent = 0;
    while (sent < client->out.size) {
        const ssize_t part =
            send(client->fd, client->out.data + sent, client->out.size - sent, MSG_NOSIGNAL);
        if (part <= 0) {
            client->is_closing = true;
            break;
        }
        sent += (size_t)part;
    }
    buf_clear(&client->out);
    if (client->is_closing) {
        close_client(client);
    }
}

static void accept_client(struct fake_redis *fake, int node)
{
    const int fd = accept4(fake->listeners[node], NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    (void)pthread_mutex_lock(&fake->mutex);
    fake->accept_count++;
    const bool is_mute = is_fault(fake, FAKE_MUTE, fake->accept_count);
    const bool is_reset = is_fault(fake, FAKE_RESET, fake->accept_count);
    (void)pthread_mutex_unlock(&fake->mutex);
    if (is_reset) {
        const struct linger at_once = {.l_onoff = 1};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        (void)close(fd);
        return;
    }
    for (size_t i = 0; i < CLIENT_COUNT_MAX; i++) {
        if (fake->clients[i].fd < 0) {
            fake->clients[i] = (struct client){.fd = fd, .node = node, .is_mute = is_mute};
            return;
        }
    }
    (void)close(fd);
}

static void *serve(void *context)
{
    struct fake_redis *fake = context;
    while (!atomic_load(&fake->is_stopping)) {
        struct pollfd polled[NODE_COUNT + CLIENT_COUNT_MAX];
        for (size_t i = 0; i < NODE_COUNT; i++) {
            polled[i] = (struct pollfd){.fd = fake->listeners[i], .events = POLLIN};
        }
        for (size_t i = 0; i < CLIENT_COUNT_MAX; i++) {
            polled[NODE_COUNT + i] = (struct pollfd){.fd = fake->clients[i].fd, .events = POLLIN};
        }
        if (poll(polled, ARRAY_COUNT(polled), 20) <= 0) {
            continue;
        }
        for (size_t i = 0; i < CLIENT_COUNT_MAX; i++) {
            if (polled[NODE_COUNT + i].revents != 0) {
                serve_client(fake, &fake->clients[i]);
            }
        }
        for (int node = 0; node < NODE_COUNT; node++) {
            if (polled[node].revents != 0) {
                accept_client(fake, node);
            }
        }
    }
    return NULL;
}

struct fake_redis *fake_redis_start(const char *password)
{
    struct fake_redis *fake = mem_alloc(sizeof(*fake));
    fake->password = password;
    fake->store = mem_alloc_array(STORE_SIZE, sizeof(*fake->store));
    for (size_t i = 0; i < CLIENT_COUNT_MAX; i++) {
        fake->clients[i].fd = -1;
    }
    for (size_t i = 0; i < NODE_COUNT; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
            listen(fd, 128) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
            abort();
        }
        fake->listeners[i] = fd;
        fake->ports[i] = ntohs(address.sin_port);
    }
    (void)pthread_mutex_init(&fake->mutex, NULL);
    if (pthread_create(&fake->thread, NULL, serve, fake) != 0) {
        abort();
    }
    return fake;
}

void fake_redis_set_fault(struct fake_redis *fake, enum fake_fault fault, int at, int times)
{
    (void)pthread_mutex_lock(&fake->mutex);
    fake->fault = fault;
    fake->at = at;
    fake->times = times;
    (void)pthread_mutex_unlock(&fake->mutex);
}

int fake_redis_port(const struct fake_redis *fake, int node)
{
    return fake->ports[node];
}

int fake_redis_key_count(struct fake_redis *fake)
{
    (void)pthread_mutex_lock(&fake->mutex);
    const int count = fake->key_count;
    (void)pthread_mutex_unlock(&fake->mutex);
    return count;
}

int fake_redis_endless_key_count(struct fake_redis *fake)
{
    int count = 0;
    (void)pthread_mutex_lock(&fake->mutex);
    for (size_t i = 0; i < STORE_SIZE; i++) {
        count += fake->store[i].value != NULL && !fake->store[i].has_ttl ? 1 : 0;
    }
    (void)pthread_mutex_unlock(&fake->mutex);
    return count;
}

const char *fake_redis_fault_key(const struct fake_redis *fake)
{
    return fake->fault_key;
}

void fake_redis_set_password(struct fake_redis *fake, const char *password)
{
    (void)pthread_mutex_lock(&fake->mutex);
    fake->password = password;
    (void)pthread_mutex_unlock(&fake->mutex);
}

void fake_redis_set_down(struct fake_redis *fake, bool is_down)
{
    atomic_store(&fake->is_down, is_down);
}

void fake_redis_stop(struct fake_redis *fake)
{
    atomic_store(&fake->is_stopping, true);
    (void)pthread_join(fake->thread, NULL);
    for (size_t i = 0; i < CLIENT_COUNT_MAX; i++) {
        if (fake->clients[i].fd >= 0) {
            close_client(&fake->clients[i]);
        }
    }
    for (size_t i = 0; i < NODE_COUNT; i++) {
        (void)close(fake->listeners[i]);
    }
    for (size_t i = 0; i < STORE_SIZE; i++) {
        free(fake->store[i].value);
    }
    (void)pthread_mutex_destroy(&fake->mutex);
    free(fake->store);
    free(fake);
}
