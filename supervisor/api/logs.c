/* GET /containers/ID/logs, and an attach with logs=1: sends what the log has and, to a client that
 * follows it, what is added. */
#include <errno.h>
#include <stdlib.h>

#include "api.h"
#include "base/number.h"
#include "supervisor/containers/logs.h"

#define BACKLOG_MAX (SERVER_OUTPUT_MAX / 2) /* where on_drain is called again */

struct log_answer {
    struct log_client client;
    struct log_stream *log;
    struct request *request;
};

static bool on_bytes(struct log_client *client, const void *bytes, size_t length)
{
    struct log_answer *answer = (struct log_answer *)(void *)client;

    stream_write(answer->request, bytes, length);
    return stream_backlog(answer->request) < BACKLOG_MAX;
}

static void on_ended(struct log_client *client)
{
    struct log_answer *answer = (struct log_answer *)(void *)client;

    stream_end(answer->request);
}

static void on_close(struct request *request)
{
    struct log_answer *answer = request->context;

    logs_close(answer->log);
    free(answer);
}

static void on_drain(struct request *request)
{
    struct log_answer *answer = request->context;

    logs_resume(answer->log);
}

static int read_query(const struct request *request, bool is_attach, struct log_query *query,
                      struct error *err)
{
    const char *tail = request_query(request, "tail");

    *query = (struct log_query){
        .wants_stdout = request_query_bool(request, "stdout"),
        .wants_stderr = request_query_bool(request, "stderr"),
        .has_timestamps = request_query_bool(request, "timestamps"),
        .has_details = request_query_bool(request, "details"),
        .follows = request_query_bool(request, is_attach ? "stream" : "follow"),
        .tail = -1,
    };
    /* "all", and what is no number, is all. */
    if (tail != NULL)
        number_parse(tail, 0, INT64_MAX, &query->tail);
    if (!query->wants_stdout && !query->wants_stderr)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "Bad parameters: you must choose at least one stream");
    if (request_query_time(request, "since", &query->since_ns) < 0 ||
        request_query_time(request, "until", &query->until_ns) < 0)
        return error_set(err, ERROR_INVALID, EINVAL, "since, until: not a timestamp");
    return 0;
}

void api_serve_logs(struct managed_container *container, struct request *request, bool is_attach)
{
    const char *content_type = container->definition->config.has_terminal
                                   ? "application/vnd.docker.raw-stream"
                                   : "application/vnd.docker.multiplexed-stream";
    struct log_answer *answer = memory_new_one(struct log_answer);
    struct log_query query;
    struct error err = {0};
    int result = read_query(request, is_attach, &query, &err);

    answer->client = (struct log_client){on_bytes, on_ended};
    answer->request = request;
    if (result == 0)
        result = logs_open(container, &query, &answer->client, &answer->log, &err);
    if (result < 0) {
        free(answer);
        respond_error(request, &err);
        return;
    }
    request->context = answer;
    request->on_close = on_close;
    request->on_drain = on_drain;
    if (is_attach)
        stream_begin_raw(request, content_type);
    else
        stream_begin(request, content_type);
}

static void serve_container_logs(struct api *api, struct request *request,
                                 const struct route_match *match)
{
    struct managed_container *container;
    struct error err = {0};

    if (container_find(api->containers, request->actor.tenant, match->name, &container, &err) < 0)
        respond_error(request, &err);
    else
        api_serve_logs(container, request, false);
}

const struct route log_routes[] = {
    {"GET", "/containers/{id}/logs", serve_container_logs, PERMISSION_READ, NULL},
    {.method = NULL},
};
