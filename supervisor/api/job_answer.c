/* Answers that tell of a job: see api.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/base64.h"
#include "base/cleanup.h"
#include "base/log.h"

#define BAR_WIDTH 50
#define BACKLOG_MAX (SERVER_OUTPUT_MAX / 2) /* where on_drain is called again */

void job_answer_say(struct job_answer *answer, struct json_writer *writer)
{
    if (!answer->has_answered)
        stream_begin(answer->request, "application/json");
    answer->has_answered = true;
    stream_write_message(answer->request, json_writer_text(writer), "\r\n");
    json_writer_free(writer);
}

void job_answer_say_stream(struct job_answer *answer, const char *text)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "stream", text);
    json_object_close(writer);
    job_answer_say(answer, writer);
}

void job_answer_say_status(struct job_answer *answer, const char *text, const char *id)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "status", text);
    if (id != NULL)
        json_member_string(writer, "id", id);
    json_object_close(writer);
    job_answer_say(answer, writer);
}

/* "[=====>    ]  1.05MB/2.1MB" */
static void write_bar(struct json_writer *writer, int64_t current, int64_t total)
{
    char bar[BAR_WIDTH + 1];
    char text[128];
    int filled = (int)(current * BAR_WIDTH / total);

    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '=', (size_t)filled);
    if (filled < BAR_WIDTH)
        bar[filled] = '>';
    bar[BAR_WIDTH] = '\0';
    snprintf(text, sizeof(text), "[%s]  %.4gMB/%.4gMB", bar, (double)current / 1e6,
             (double)total / 1e6);
    json_member_string(writer, "progress", text);
}

void job_answer_say_progress(struct job_answer *answer, const struct image_report *report)
{
    struct json_writer *writer;
    bool has_bar = report->total > 0 && report->current >= 0 && report->current <= report->total;

    /* A client that does not read misses some. */
    if (answer->has_answered && stream_backlog(answer->request) >= BACKLOG_MAX)
        return;
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "status", report->status);
    json_key(writer, "progressDetail");
    json_object_open(writer);
    if (has_bar) {
        json_member_integer(writer, "current", report->current);
        json_member_integer(writer, "total", report->total);
    }
    json_object_close(writer);
    if (has_bar)
        write_bar(writer, report->current, report->total);
    if (report->id != NULL)
        json_member_string(writer, "id", report->id);
    json_object_close(writer);
    job_answer_say(answer, writer);
}

static void say_error(struct job_answer *answer, const struct error *err)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_key(writer, "errorDetail");
    json_object_open(writer);
    json_member_string(writer, "message", err->message);
    json_object_close(writer);
    json_member_string(writer, "error", err->message);
    json_object_close(writer);
    job_answer_say(answer, writer);
}

static void release_answer(struct job_answer *answer)
{
    if (answer->on_release != NULL)
        answer->on_release(answer);
    else
        free(answer);
}

static struct job_answer *answer_of(struct job_client *client)
{
    return (struct job_answer *)(void *)client;
}

static void on_progress(struct job_client *client, const struct image_report *report)
{
    struct job_answer *answer = answer_of(client);
    cleanup_free char *base64 = NULL;

    if (answer->kind == ANSWER_PROGRESS) {
        job_answer_say_progress(answer, report);
        return;
    }
    /* `docker cp` reads what the report says of a path from this header. */
    base64 = base64_encode(report->path_stat != NULL ? report->path_stat : "{}");
    answer->request->response_header =
        arena_printf(&answer->request->arena, "X-Docker-Container-Path-Stat: %s", base64);
}

static bool on_bytes(struct job_client *client, const void *bytes, size_t length)
{
    struct job_answer *answer = answer_of(client);

    if (!answer->has_answered)
        stream_begin(answer->request, answer->content_type);
    answer->has_answered = true;
    stream_write(answer->request, bytes, length);
    return stream_backlog(answer->request) < BACKLOG_MAX;
}

static void on_taken(struct job_client *client)
{
    request_resume_body(answer_of(client)->request);
}

static void answer_failure(struct job_answer *answer, const struct error *err)
{
    struct request *request = answer->request;

    if (!answer->has_answered && answer->is_login && err->code == ERROR_DENIED) {
        respond_failure(request, 401, err->message);
    } else if (!answer->has_answered) {
        respond_error(request, err);
    } else if (answer->kind == ANSWER_BYTES) {
        log_warning("%s: %s", request->path, err->message);
        stream_abort(request);
    } else {
        say_error(answer, err);
        stream_end(request);
    }
}

static void answer_end(struct job_answer *answer)
{
    if (answer->on_done != NULL) {
        answer->on_done(answer);
    } else if (answer->kind == ANSWER_EMPTY) {
        respond_empty(answer->request, 200);
    } else {
        if (!answer->has_answered)
            stream_begin(answer->request,
                         answer->kind == ANSWER_BYTES ? answer->content_type : "application/json");
        stream_end(answer->request);
    }
}

static void on_ended(struct job_client *client, const struct error *err)
{
    struct job_answer *answer = answer_of(client);

    request_forget(answer->request);
    if (err != NULL)
        answer_failure(answer, err);
    else
        answer_end(answer);
    release_answer(answer);
}

static void on_client_gone(struct request *request)
{
    struct job_answer *answer = request->context;

    image_job_abandon(answer->job);
    release_answer(answer);
}

static void on_drain(struct request *request)
{
    struct job_answer *answer = request->context;

    image_job_resume(answer->job);
}

static int on_body(struct request *request, const char *bytes, size_t length)
{
    struct job_answer *answer = request->context;

    /* One read of the connection may bring several pieces: what stopped after one of them has to go
     * on if the worker has taken it with the next. */
    if (image_job_feed(answer->job, bytes, length))
        request_resume_body(request);
    else
        request_pause_body(request);
    return 0;
}

void job_answer_init(struct job_answer *answer, struct request *request, enum answer_kind kind)
{
    answer->request = request;
    answer->kind = kind;
    answer->client.actor = request->actor;
    if (answer->client.progress == NULL)
        answer->client.progress = on_progress;
    answer->client.bytes = on_bytes;
    answer->client.taken = on_taken;
    answer->client.ended = on_ended;
}

void job_answer_after_start(struct job_answer *answer, int result, const struct error *err)
{
    struct request *request = answer->request;

    if (result < 0) {
        release_answer(answer);
        respond_error(request, err);
        return;
    }
    request->context = answer;
    request->on_close = on_client_gone;
    request->on_drain = on_drain;
}

void job_answer_take_body(struct job_answer *answer)
{
    answer->request->on_body = on_body;
}
