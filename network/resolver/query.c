/* A question until its answer: see resolver.h. What containers are called is answered at once;
 * other questions go to the container's servers as they came, one server after the other. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "network/egress.h"
#include "resolver.h"

#define CLASS_IN 1
#define OWN_TTL_S 5 /* containers come and go */
#define ROUNDS 2    /* how often each server is asked at most */

struct query {
    struct watch watch;
    struct query *next;
    struct asker asker;
    struct dns_question question;
    struct buffer message; /* behind its length, as by TCP */
    struct buffer input;   /* by TCP */
    size_t sent;           /* by TCP */
    uint16_t upstream_id;  /* random, so that nobody else can forge the answer */
    size_t attempts;
    uint64_t attempt_deadline_ms;
    uint64_t deadline_ms;
};

static bool is_allowed(const struct resolver_container *container, const char *name)
{
    for (size_t i = 0; i < container->allowed.count; i++) {
        if (dns_name_matches(container->allowed.items[i], name))
            return true;
    }
    return false;
}

/* Gives an answer. If it has addresses that a limited container may reach by this name, davitd has
 * to let them through first; if davitd cannot be asked, the answer is a failure. */
static void answer_or_hold(const struct asker *asker, const struct dns_question *question,
                           bool is_member, const uint8_t *message, size_t length)
{
    const struct resolver_container *container = &asker->served->container;
    struct dns_addresses found = {0};

    if (container->is_limited && is_allowed(container, question->name))
        dns_read_addresses(message, length, &found);
    if (found.count == 0) {
        asker_answer(asker, message, length);
    } else if (!hold_answer(asker, &(struct grant_order){question->name, &found, is_member},
                            message, length)) {
        uint8_t out[DNS_UDP_SIZE];
        const struct dns_answer failure = {.code = DNS_SERVER_FAILURE};

        asker_answer(asker, out, dns_write_answer(message, question, &failure, out, sizeof(out)));
    }
}

static void answer_with(const struct asker *asker, const uint8_t *message,
                        const struct dns_question *question, const struct dns_answer *said)
{
    static uint8_t out[DNS_MESSAGE_MAX];
    size_t room = asker->connection != NULL ? sizeof(out) : question->udp_size;

    answer_or_hold(asker, question, true, out,
                   dns_write_answer(message, question, said, out, room));
}

static void answer_code(const struct asker *asker, const uint8_t *message,
                        const struct dns_question *question, enum dns_code code)
{
    answer_with(asker, message, question, &(struct dns_answer){.code = code});
}

static void rotate(struct address *addresses, size_t count, size_t by)
{
    struct address copy[DNS_ADDRESSES_MAX];

    memcpy(copy, addresses, count * sizeof(*copy));
    for (size_t i = 0; i < count; i++)
        addresses[i] = copy[(i + by) % count];
}

/* A name of a container that has no address of the family exists all the same: "no data", and
 * nobody else is asked. */
static bool answer_name(const struct asker *asker, const uint8_t *message,
                        const struct dns_question *question)
{
    struct address found[DNS_ADDRESSES_MAX];
    struct dns_answer said = {.addresses = found, .ttl_s = OWN_TTL_S};
    int family = question->type == DNS_TYPE_AAAA ? AF_INET6 : AF_INET;

    if (!names_find(asker->served, question->name, family, found, &said.address_count))
        return false;
    if (question->type != DNS_TYPE_A && question->type != DNS_TYPE_AAAA)
        said.address_count = 0;
    if (said.address_count > 1)
        rotate(found, said.address_count, asker->served->resolver->turns++);
    answer_with(asker, message, question, &said);
    return true;
}

static bool answer_reverse(const struct asker *asker, const uint8_t *message,
                           const struct dns_question *question)
{
    char name[DNS_NAME_SIZE];
    struct address address;

    if (question->type != DNS_TYPE_PTR || dns_parse_reverse(question->name, &address) < 0 ||
        !names_find_reverse(asker->served, &address, name))
        return false;
    answer_with(asker, message, question, &(struct dns_answer){.name = name, .ttl_s = OWN_TTL_S});
    return true;
}

static void end_query(struct query *query)
{
    struct served *served = query->asker.served;

    for (struct query **link = &served->queries; *link != NULL; link = &(*link)->next) {
        if (*link == query) {
            *link = query->next;
            break;
        }
    }
    served->query_count--;
    served->resolver->query_count--;
    watch_end(&query->watch);
    buffer_release(&query->message);
    buffer_release(&query->input);
    resolver_bury(served->resolver, query);
}

static const uint8_t *message_of(const struct query *query)
{
    return (const uint8_t *)query->message.data + 2;
}

/* Ends the query and then gives its answer, because giving it may end the connection with all its
 * queries. */
static void query_end_with_answer(struct query *query, uint8_t *message, size_t length)
{
    struct buffer input = query->input; /* `message` may lie in it */
    struct dns_question question = query->question;
    struct asker asker = query->asker;

    query->input = (struct buffer){0};
    dns_set_id(message, question.id);
    end_query(query);
    /* Nobody may take an answer for longer than it is let through. */
    if (asker.served->container.is_limited)
        dns_limit_ttls(message, length, EGRESS_TTL_MAX_S);
    answer_or_hold(&asker, &question, false, message, length);
    buffer_release(&input);
}

static void query_end_with_failure(struct query *query)
{
    uint8_t out[DNS_UDP_SIZE];
    const struct dns_answer said = {.code = DNS_SERVER_FAILURE};
    size_t length = dns_write_answer(message_of(query), &query->question, &said, out, sizeof(out));

    query_end_with_answer(query, out, length);
}

/* To the next server, from a port and with an id that are new. */
static int ask_server(struct query *query)
{
    const struct served *served = query->asker.served;
    const struct string_list *servers = &served->container.servers;
    bool by_tcp = query->asker.connection != NULL;
    const char *text = servers->items[query->attempts % servers->count];
    int type = (by_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    struct address server;
    cleanup_close int fd = address_parse(text, &server) == 0 ? socket(server.family, type, 0) : -1;
    struct sockaddr_storage address;
    socklen_t size = address_for_socket(&server, DNS_PORT, &address);

    query->attempts++;
    query->sent = 0;
    query->input.length = 0;
    query->attempt_deadline_ms = resolver_now_ms() + ATTEMPT_TIMEOUT_MS;
    if (fd < 0 || getrandom(&query->upstream_id, sizeof(query->upstream_id), 0) < 0)
        return -EIO;
    dns_set_id((uint8_t *)query->message.data + 2, query->upstream_id);
    if (connect(fd, (const struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS)
        return -errno;
    if (!by_tcp && send(fd, query->message.data + 2, query->message.length - 2, MSG_NOSIGNAL) < 0)
        return -errno;
    return watch_begin(served->resolver, &query->watch, take_fd(&fd), by_tcp ? EPOLLOUT : EPOLLIN);
}

static bool has_attempts(const struct query *query)
{
    return query->attempts < ROUNDS * query->asker.served->container.servers.count;
}

static void ask_next_server(struct query *query)
{
    watch_end(&query->watch);
    while (has_attempts(query)) {
        if (ask_server(query) == 0)
            return;
        watch_end(&query->watch);
    }
    query_end_with_failure(query);
}

static void handle_answer(struct query *query, uint8_t *message, size_t length)
{
    enum dns_code code = message[3] & 0x0f;

    /* Another may know better. */
    if ((code == DNS_SERVER_FAILURE || code == DNS_REFUSED) &&
        query->attempts < query->asker.served->container.servers.count)
        ask_next_server(query);
    else
        query_end_with_answer(query, message, length);
}

static void read_datagram(struct query *query)
{
    static uint8_t message[DNS_MESSAGE_MAX];
    ssize_t length = recv(query->watch.fd, message, sizeof(message), MSG_DONTWAIT);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length < 0)
        ask_next_server(query);
    else if (dns_answer_matches(message, (size_t)length, &query->question, query->upstream_id))
        handle_answer(query, message, (size_t)length);
}

static void write_stream(struct query *query)
{
    ssize_t count = send(query->watch.fd, query->message.data + query->sent,
                         query->message.length - query->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count < 0) {
        ask_next_server(query);
        return;
    }
    query->sent += (size_t)count;
    if (query->sent == query->message.length)
        watch_change(query->asker.served->resolver, &query->watch, EPOLLIN);
}

static void read_stream(struct query *query)
{
    size_t room = 2 + DNS_MESSAGE_MAX - query->input.length;
    ssize_t count = recv(query->watch.fd, buffer_reserve(&query->input, room), room, MSG_DONTWAIT);
    uint8_t *bytes = (uint8_t *)query->input.data;
    size_t length;

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        ask_next_server(query);
        return;
    }
    query->input.length += (size_t)count;
    if (query->input.length < 2)
        return;
    length = (size_t)bytes[0] << 8 | bytes[1];
    if (query->input.length < 2 + length)
        return;
    if (dns_answer_matches(bytes + 2, length, &query->question, query->upstream_id))
        handle_answer(query, bytes + 2, length);
    else
        ask_next_server(query);
}

static void on_upstream(struct watch *watch, uint32_t events)
{
    struct query *query = (struct query *)(void *)watch;

    if (query->asker.connection == NULL)
        read_datagram(query);
    else if ((events & EPOLLOUT) != 0 && query->sent < query->message.length)
        write_stream(query);
    else
        read_stream(query);
}

static void query_forward(const struct asker *asker, const uint8_t *message, size_t length,
                          const struct dns_question *question)
{
    const uint8_t prefix[] = {(uint8_t)(length >> 8), (uint8_t)length};
    struct served *served = asker->served;
    struct query *query;

    if (served->query_count == QUERIES_MAX || served->resolver->query_count == QUERIES_TOTAL_MAX) {
        answer_code(asker, message, question, DNS_SERVER_FAILURE);
        return;
    }
    query = memory_new_one(struct query);
    query->watch = (struct watch){-1, on_upstream};
    query->asker = *asker;
    query->question = *question;
    buffer_append(&query->message, prefix, sizeof(prefix));
    buffer_append(&query->message, message, length);
    query->deadline_ms = resolver_now_ms() + QUERY_TIMEOUT_MS;
    query->next = served->queries;
    served->queries = query;
    served->query_count++;
    served->resolver->query_count++;
    ask_next_server(query);
}

bool query_begin(const struct asker *asker, const uint8_t *message, size_t length)
{
    struct dns_question question;

    if (dns_read_question(message, length, &question) < 0)
        return false;
    if (!dns_is_query(&question)) {
        /* An answer to an answer could go on forever. */
        if ((question.flags & 0x8000) != 0)
            return false;
        answer_code(asker, message, &question, DNS_NOT_IMPLEMENTED);
        return true;
    }
    if (question.record_class == CLASS_IN &&
        (answer_name(asker, message, &question) || answer_reverse(asker, message, &question)))
        return true;
    if (asker->served->container.is_limited &&
        !is_allowed(&asker->served->container, question.name))
        refusal_note(asker->served, question.name);
    else if (asker->served->container.servers.count > 0) {
        query_forward(asker, message, length, &question);
        return true;
    }
    /* C libraries that are told of a failure ask until their time is over. */
    answer_code(asker, message, &question, DNS_NO_SUCH_NAME);
    return true;
}

void queries_drop(struct served *served, const struct connection *connection)
{
    struct query *next;

    for (struct query *one = served->queries; one != NULL; one = next) {
        next = one->next;
        if (connection == NULL || one->asker.connection == connection)
            end_query(one);
    }
}

uint64_t queries_expire(struct served *served, uint64_t now_ms, uint64_t next_ms)
{
    struct query *next;

    for (struct query *one = served->queries; one != NULL; one = next) {
        next = one->next;
        if (one->deadline_ms <= now_ms)
            query_end_with_failure(one);
        else if (one->attempt_deadline_ms <= now_ms)
            ask_next_server(one);
    }
    for (struct query *one = served->queries; one != NULL; one = one->next) {
        if (one->attempt_deadline_ms < next_ms)
            next_ms = one->attempt_deadline_ms;
        if (one->deadline_ms < next_ms)
            next_ms = one->deadline_ms;
    }
    return next_ms;
}
