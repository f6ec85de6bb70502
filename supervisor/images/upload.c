/* Uploads: see upload.h. */
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"

struct upload {
    struct image_worker worker;
    int input_fd; /* to the worker; -1: all of the body is in it */
    sd_event_source *input;
    struct buffer pending; /* of the body, when the worker does not keep up */
    bool is_body_over;
    void (*on_end)(struct daemon *daemon, void *context);
    void *context;
};

static void close_worker_input(struct upload *upload)
{
    upload->input = sd_event_source_disable_unref(upload->input);
    fd_close(&upload->input_fd);
}

static void upload_free(struct upload *upload)
{
    if (upload->on_end != NULL)
        upload->on_end(upload->worker.daemon, upload->context);
    close_worker_input(upload);
    image_worker_release(&upload->worker);
    buffer_release(&upload->pending);
    free(upload);
}

static void on_end(struct image_worker *worker)
{
    upload_free(worker->context);
}

static void on_status(struct image_worker *worker, const struct image_report *report)
{
    worker->has_result = strcmp(report->status, REPORT_DONE) == 0;
}

/* The worker sees its input end and gives up by itself. */
static void on_client_gone(struct request *request)
{
    struct upload *upload = request->context;

    image_worker_lose_client(&upload->worker, false);
    close_worker_input(upload);
}

/* Gives the worker what it takes now; the number of bytes. */
static size_t feed(struct upload *upload, const char *bytes, size_t length)
{
    size_t done = 0;

    while (upload->input_fd >= 0 && done < length) {
        ssize_t count = write(upload->input_fd, bytes + done, length - done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return done;
        /* It has read enough to know that it is wrong; its report says why. */
        if (count < 0)
            close_worker_input(upload);
        else
            done += (size_t)count;
    }
    return length;
}

/* What it has not taken waits for it, and the end waits for that. */
static void settle(struct upload *upload)
{
    if (upload->input_fd < 0)
        return;
    sd_event_source_set_enabled(upload->input,
                                upload->pending.length > 0 ? SD_EVENT_ON : SD_EVENT_OFF);
    if (upload->pending.length == 0 && upload->is_body_over)
        close_worker_input(upload);
}

static int on_worker_takes(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct upload *upload = context;

    (void)source;
    (void)fd;
    (void)events;
    buffer_consume(&upload->pending, feed(upload, upload->pending.data, upload->pending.length));
    settle(upload);
    if (upload->pending.length == 0 && upload->worker.request != NULL && !upload->is_body_over)
        request_resume_body(upload->worker.request);
    return 0;
}

static int on_body(struct request *request, const char *bytes, size_t length)
{
    struct upload *upload = request->context;

    if (length == 0)
        upload->is_body_over = true;
    if (upload->input_fd < 0)
        return 0;
    if (upload->pending.length == 0) {
        size_t taken = feed(upload, bytes, length);

        bytes += taken;
        length -= taken;
    }
    buffer_append(&upload->pending, bytes, length);
    settle(upload);
    /* One read of the connection may bring several pieces: what stopped after one of them has to go
     * on if the worker has taken it with the next. */
    if (upload->pending.length > 0 && !upload->is_body_over)
        request_pause_body(request);
    else
        request_resume_body(request);
    return 0;
}

static int start(struct upload *upload, const struct upload_order *order, struct error *err)
{
    cleanup_close int archive_fd = -1;
    int input[2];
    int result;

    if (pipe2(input, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    archive_fd = input[0];
    upload->input_fd = input[1];
    fcntl(upload->input_fd, F_SETFL, O_NONBLOCK);
    fcntl(upload->input_fd, F_SETPIPE_SZ, 1 << 20);
    result = sd_event_add_io(upload->worker.daemon->loop, &upload->input, upload->input_fd,
                             EPOLLOUT, on_worker_takes, upload);
    if (result < 0)
        return error_errno(err, -result, "watch the image worker");
    sd_event_source_set_enabled(upload->input, SD_EVENT_OFF);
    return image_worker_start(&upload->worker, order->command, order->job_type, order->job,
                              archive_fd, err);
}

void image_upload(struct daemon *daemon, struct request *request, const struct upload_order *order)
{
    struct upload *upload = memory_new_one(struct upload);
    struct error err = {0};

    upload->worker = (struct image_worker){.daemon = daemon,
                                           .request = request,
                                           .context = upload,
                                           .output_fd = -1,
                                           .process_fd = order->process_fd,
                                           .answers_empty = order->answers_empty,
                                           .on_status = order->answers_empty ? on_status : NULL,
                                           .on_image = order->on_image,
                                           .on_end = on_end};
    upload->input_fd = -1;
    upload->on_end = order->on_end;
    upload->context = order->context;
    if (start(upload, order, &err) < 0) {
        upload_free(upload);
        respond_error(request, &err);
        return;
    }
    request->context = upload;
    request->on_close = on_client_gone;
    request->on_body = on_body;
}
