/* The HTTP server, over its socket: what a client sends at once, and how fast it reads. */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "supervisor/http/server.h"

#define STREAM_BYTES (UINT64_C(96) << 20)
#define PIECE_BYTES (64 << 10)
#define DEADLINE_US (UINT64_C(60) * 1000000)

/* A server, a client in a thread of its own, and what the two have seen. */
struct conversation {
    sd_event *loop;
    struct server *server;
    char path[64];
    const char *said;   /* by the client, at once */
    uint64_t heard;     /* bytes of answers */
    char head[4096];    /* the first of them */
    uint64_t left;      /* of a stream, to be written */
    unsigned int depth; /* of handlers on the stack */
    unsigned int deepest;
    unsigned int requests;
    struct request *waiting;
    unsigned int closed; /* handlers that have seen their client go */
    uint64_t taken;      /* bytes of bodies that stream */
};

/* Like clients that do not look for an answer before all is said. */
static bool say(int fd, const char *text)
{
    while (*text != '\0') {
        ssize_t count = send(fd, text, strnlen(text, PIECE_BYTES), MSG_NOSIGNAL);

        if (count <= 0)
            return false;
        text += count;
    }
    return true;
}

static void *run_client(void *context)
{
    struct conversation *conversation = context;
    int fd = socket_connect(AT_FDCWD, conversation->path, SOCK_STREAM, NULL);
    bool has_said = fd >= 0 && say(fd, conversation->said);
    static char bytes[PIECE_BYTES];
    ssize_t count;

    while (has_said && (count = read(fd, bytes, sizeof(bytes))) > 0) {
        if (conversation->heard < sizeof(conversation->head) - 1)
            snprintf(conversation->head + conversation->heard,
                     sizeof(conversation->head) - conversation->heard, "%.*s", (int)count, bytes);
        conversation->heard += (uint64_t)count;
    }
    close(fd);
    return NULL;
}

static void pump(struct conversation *conversation, struct request *request)
{
    static const char piece[PIECE_BYTES];

    while (conversation->left > 0 && stream_backlog(request) < SERVER_OUTPUT_MAX / 2) {
        stream_write(request, piece, sizeof(piece));
        conversation->left -= sizeof(piece);
    }
    if (conversation->left == 0)
        stream_end(request);
}

static void on_drain(struct request *request)
{
    pump(request->context, request);
}

static int on_answer_turn(sd_event_source *source, void *context)
{
    struct conversation *conversation = context;

    sd_event_source_disable_unref(source);
    conversation->depth++;
    respond_text(conversation->waiting, 200, "later");
    conversation->depth--;
    return 0;
}

static void on_close(struct request *request)
{
    struct conversation *conversation = request->context;

    conversation->closed++;
}

static int on_body(struct request *request, const char *bytes, size_t length)
{
    struct conversation *conversation = request->context;

    (void)bytes;
    conversation->taken += length;
    return 0;
}

/* "/stream", "/later" (answered by the loop), "/upload" (takes a body and never answers), or
 * another, which is answered at once. */
static void handle(void *context, struct request *request)
{
    struct conversation *conversation = context;
    sd_event_source *turn;

    conversation->requests++;
    if (conversation->depth > conversation->deepest)
        conversation->deepest = conversation->depth;
    if (strcmp(request->path, "/stream") == 0) {
        request->context = conversation;
        request->on_drain = on_drain;
        stream_begin(request, "text/plain");
        pump(conversation, request);
    } else if (strcmp(request->path, "/later") == 0) {
        conversation->waiting = request;
        sd_event_add_defer(conversation->loop, &turn, on_answer_turn, conversation);
    } else if (strcmp(request->path, "/upload") == 0) {
        request->context = conversation;
        request->on_body = on_body;
        request->on_close = on_close;
    } else {
        respond_text(request, 200, "last");
    }
}

static bool streams_body(void *context, const struct request *request)
{
    (void)context;
    return strcmp(request->path, "/upload") == 0 || strcmp(request->path, "/unwanted") == 0;
}

static int on_look(sd_event_source *source, uint64_t usec, void *context)
{
    (void)usec;
    if (pthread_tryjoin_np(*(pthread_t *)context, NULL) == 0)
        sd_event_exit(sd_event_source_get_event(source), 0);
    sd_event_source_set_time_relative(source, 2000);
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *context)
{
    (void)usec;
    (void)context;
    sd_event_exit(sd_event_source_get_event(source), 1);
    return 0;
}

/* Runs the server until the client has read all answers. False if that takes too long. */
static bool run_conversation(struct conversation *conversation)
{
    char directory[] = "/tmp/davit-http.XXXXXX";
    struct error err = {0};
    pthread_t client;
    int fd;
    int result;

    assert_non_null(mkdtemp(directory));
    snprintf(conversation->path, sizeof(conversation->path), "%s/socket", directory);
    fd = socket_listen(AT_FDCWD, conversation->path, SOCK_STREAM | SOCK_NONBLOCK, 0600, &err);
    assert_true(fd >= 0);
    assert_int_equal(sd_event_new(&conversation->loop), 0);
    assert_int_equal(server_start(conversation->loop, fd, handle, streams_body, conversation,
                                  &conversation->server, &err),
                     0);
    assert_int_equal(pthread_create(&client, NULL, run_client, conversation), 0);
    sd_event_add_time_relative(conversation->loop, NULL, CLOCK_MONOTONIC, 0, 0, on_look, &client);
    sd_event_add_time_relative(conversation->loop, NULL, CLOCK_MONOTONIC, DEADLINE_US, 0,
                               on_deadline, NULL);
    result = sd_event_loop(conversation->loop);
    server_stop(conversation->server);
    if (result != 0)
        pthread_join(client, NULL);
    sd_event_unref(conversation->loop);
    unlink(conversation->path);
    rmdir(directory);
    return result == 0;
}

/* A client that reads while the server writes makes room at any moment of that. */
static void a_stream_goes_on_whenever_there_is_room(void **state)
{
    struct conversation conversation = {
        .said = "GET /stream HTTP/1.1\r\nHost: davit\r\nConnection: close\r\n\r\n",
        .left = STREAM_BYTES,
    };

    (void)state;
    assert_true(run_conversation(&conversation));
    assert_true(conversation.heard > STREAM_BYTES);
}

/* Requests that come with others wait for the loop: no handler runs inside another's answer. */
static void requests_that_come_together_are_handled_one_by_one(void **state)
{
    struct conversation conversation = {
        .said = "GET /later HTTP/1.1\r\nHost: davit\r\n\r\n"
                "GET /later HTTP/1.1\r\nHost: davit\r\n\r\n"
                "GET /last HTTP/1.1\r\nHost: davit\r\nConnection: close\r\n\r\n",
    };
    const char *first;

    (void)state;
    assert_true(run_conversation(&conversation));
    assert_int_equal(conversation.requests, 3);
    assert_int_equal(conversation.deepest, 0);
    first = strstr(conversation.head, "later");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "later"));
    assert_non_null(strstr(first + 1, "last"));
}

/* A handler that takes a body which turns out to be none sees its client go; the client learns
 * why. */
static void a_broken_body_is_answered(void **state)
{
    struct conversation conversation = {
        .said = "POST /upload HTTP/1.1\r\nHost: davit\r\nTransfer-Encoding: chunked\r\n\r\n"
                "5\r\nhello\r\nthis is no size\r\n",
    };

    (void)state;
    assert_true(run_conversation(&conversation));
    assert_int_equal(conversation.taken, 5);
    assert_int_equal(conversation.closed, 1);
    assert_non_null(strstr(conversation.head, "HTTP/1.1 400"));
    assert_non_null(strstr(conversation.head, "not valid HTTP"));
}

/* A body that nobody takes does not keep its sender from reading the answer, which comes once. */
static void a_refused_body_is_answered_once(void **state)
{
    static const char head[] = "POST /unwanted HTTP/1.1\r\nHost: davit\r\n"
                               "Content-Length: 3000000\r\n\r\n";
    cleanup_free char *said = memory_new(1, sizeof(head) + 3000000);
    struct conversation conversation = {.said = said};
    const char *answer;

    (void)state;
    memset(said, 'x', sizeof(head) + 2999999);
    memcpy(said, head, sizeof(head) - 1);
    assert_true(run_conversation(&conversation));
    answer = strstr(conversation.head, "HTTP/1.1 200");
    assert_non_null(answer);
    assert_null(strstr(answer + 1, "HTTP/1.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_goes_on_whenever_there_is_room),
        cmocka_unit_test(requests_that_come_together_are_handled_one_by_one),
        cmocka_unit_test(a_broken_body_is_answered),
        cmocka_unit_test(a_refused_body_is_answered_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
