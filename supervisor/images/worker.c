/* Image workers: see worker.h. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "collect.h"
#include "images/image_job.h"

#define BAR_WIDTH 50
#define REPORT_MAX (4 << 20) /* of one line */

void image_worker_say(struct image_worker *worker, struct json_writer *writer)
{
    if (worker->request != NULL) {
        if (!worker->has_answered)
            stream_begin(worker->request, "application/json");
        worker->has_answered = true;
        stream_write_message(worker->request, json_writer_text(writer), "\r\n");
    }
    json_writer_free(writer);
}

void image_worker_respond(struct image_worker *worker, int status, struct json_writer *writer)
{
    struct request *request = worker->request;

    worker->request = NULL;
    request->on_close = NULL;
    request->context = NULL;
    respond_written(request, status, writer);
}

void image_worker_say_stream(struct image_worker *worker, const char *text)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "stream", text);
    json_object_close(writer);
    image_worker_say(worker, writer);
}

void image_worker_say_status(struct image_worker *worker, const char *text, const char *id)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "status", text);
    if (id != NULL)
        json_member_string(writer, "id", id);
    json_object_close(writer);
    image_worker_say(worker, writer);
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

void image_worker_say_progress(struct image_worker *worker, const struct image_report *report)
{
    struct json_writer *writer = json_writer_new(false);
    bool has_bar = report->total > 0 && report->current >= 0 && report->current <= report->total;

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
    image_worker_say(worker, writer);
}

static int add_name(struct image_worker *worker, const struct image_report *report,
                    const char *name, const char *repo_digest)
{
    struct string_pair annotation = {ANNOTATION_LAYERS, report->layers};
    const struct image_descriptor descriptor = {
        .media_type = report->media_type != NULL ? report->media_type : MEDIA_TYPE_MANIFEST,
        .digest = report->digest,
        .size = report->size,
        .annotations = {&annotation, 1},
    };
    struct image_reference reference;
    struct image *image = NULL;
    char full[512];
    int result = 0;

    if (name != NULL)
        result = image_reference_parse(name, &reference, &worker->err);
    if (result == 0 && name != NULL)
        snprintf(full, sizeof(full), "%s:%s", reference.name,
                 reference.tag[0] != '\0' ? reference.tag : "latest");
    if (result == 0)
        result = image_store_add(&worker->daemon->images, name != NULL ? full : NULL, repo_digest,
                                 &descriptor, &image, &worker->err);
    if (result == 0)
        worker->on_image(worker, report, image, name != NULL ? full : NULL);
    return result;
}

static int add_image(struct image_worker *worker, const struct image_report *report)
{
    cleanup_free char *repo_digest =
        worker->repository != NULL && report->repo_digest != NULL
            ? memory_printf("%s@%s", worker->repository, report->repo_digest)
            : NULL;
    int result = 0;

    worker->has_result = true;
    if (report->names.count == 0)
        return add_name(worker, report, NULL, repo_digest);
    for (size_t i = 0; result == 0 && i < report->names.count; i++)
        result = add_name(worker, report, report->names.items[i], repo_digest);
    return result;
}

static bool is_valid(const struct image_report *report)
{
    return report->digest != NULL && digest_is_valid(report->digest) && report->layers != NULL &&
           (report->repo_digest == NULL || digest_is_valid(report->repo_digest));
}

/* The worker has handled bytes from outside: its report is checked like a stranger's. */
static void handle_line(struct image_worker *worker, const char *line, size_t length)
{
    cleanup_arena struct arena arena = {0};
    struct image_report report = {0};

    if (worker->err.errnum != 0)
        return;
    if (json_decode_text(&arena, line, length, &image_report_type, &report, &worker->err) < 0)
        return;
    if (report.error != NULL)
        error_set(&worker->err, error_code_by_name(report.code), EINVAL, "%s", report.error);
    else if (report.status != NULL && worker->on_status != NULL)
        worker->on_status(worker, &report);
    else if (is_valid(&report))
        add_image(worker, &report);
    else
        error_set(&worker->err, ERROR_CORRUPT, EINVAL, "the image worker's report is not valid");
}

static void say_error(struct image_worker *worker)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_key(writer, "errorDetail");
    json_object_open(writer);
    json_member_string(writer, "message", worker->err.message);
    json_object_close(writer);
    json_member_string(writer, "error", worker->err.message);
    json_object_close(writer);
    image_worker_say(worker, writer);
}

static void answer(struct image_worker *worker)
{
    struct request *request = worker->request;

    if (request == NULL)
        return;
    request->on_close = NULL;
    request->on_body = NULL;
    request->context = NULL;
    if (worker->err.errnum != 0 && !worker->has_answered) {
        respond_error(request, &worker->err);
        return;
    }
    if (worker->err.errnum != 0 && worker->is_download) {
        log_warning("%s: %s", request->path, worker->err.message);
        stream_abort(request);
        return;
    }
    if (worker->answers_empty) {
        respond_empty(request, 200);
        return;
    }
    if (worker->err.errnum != 0)
        say_error(worker);
    stream_end(request);
}

static void finish(struct image_worker *worker)
{
    if (worker->err.errnum == 0 && !worker->has_result)
        error_set(&worker->err, ERROR_INTERNAL, ECHILD, "the image worker died");
    worker->daemon->images.worker_count--;
    images_collect(worker->daemon);
    answer(worker);
    worker->on_end(worker);
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct image_worker *worker = context;
    ssize_t count = read(fd, buffer_reserve(&worker->report, 65536), 65536);
    char *newline;

    (void)source;
    (void)events;
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count <= 0 || worker->report.length >= REPORT_MAX) {
        finish(worker);
        return 0;
    }
    worker->report.length += (size_t)count;
    while ((newline = memchr(worker->report.data, '\n', worker->report.length)) != NULL) {
        size_t length = (size_t)(newline - worker->report.data);

        handle_line(worker, worker->report.data, length);
        buffer_consume(&worker->report, length + 1);
    }
    return 0;
}

int image_worker_begin(struct image_worker *worker, struct error *err)
{
    int pair[2];
    int result;

    worker->output_fd = -1;
    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    worker->output_fd = pair[0];
    fcntl(worker->output_fd, F_SETFL, O_NONBLOCK);
    result = sd_event_add_io(worker->daemon->loop, &worker->output, worker->output_fd, EPOLLIN,
                             on_report, worker);
    if (result < 0) {
        close(pair[1]);
        return error_errno(err, -result, "watch the image worker");
    }
    return pair[1];
}

int image_worker_start(struct image_worker *worker, enum spawner_worker command,
                       const struct json_struct *job_type, const void *job, int fd,
                       struct error *err)
{
    struct daemon *daemon = worker->daemon;
    cleanup_close int input_fd = spawner_open_job(job_type, job, err);
    cleanup_close int output_fd = -1;
    int result;

    if (input_fd < 0)
        return input_fd;
    output_fd = image_worker_begin(worker, err);
    if (output_fd < 0)
        return output_fd;
    result = spawner_request_worker(
        &daemon->spawner, command,
        (const int[]){daemon->places.root_fd, input_fd, output_fd, fd, worker->process_fd},
        fd < 0                    ? 3
        : worker->process_fd <= 0 ? 4
                                  : 5,
        err);
    if (result == 0)
        image_worker_runs(worker);
    return result;
}

int image_worker_start_with_fetch(struct image_worker *worker, enum spawner_worker command,
                                  const struct json_struct *job_type, const void *job,
                                  struct error *err)
{
    cleanup_close int image_end = -1;
    cleanup_close int fetch_end = -1;
    int pair[2];
    int result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    image_end = pair[0];
    fetch_end = pair[1];
    result = spawner_request_worker(&worker->daemon->spawner, WORKER_FETCH, &fetch_end, 1, err);
    if (result == 0)
        result = image_worker_start(worker, command, job_type, job, image_end, err);
    return result;
}

void image_worker_runs(struct image_worker *worker)
{
    worker->daemon->images.worker_count++;
}

void image_worker_release(struct image_worker *worker)
{
    sd_event_source_disable_unref(worker->output);
    fd_close(&worker->output_fd);
    buffer_release(&worker->report);
}

void image_worker_lose_client(struct image_worker *worker, bool is_cancelled)
{
    worker->request = NULL;
    if (!is_cancelled)
        return;
    error_set(&worker->err, ERROR_CONFLICT, ECANCELED, "the client has gone");
    finish(worker);
}
