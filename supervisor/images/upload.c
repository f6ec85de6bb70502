/* Jobs that get bytes from the client: an archive that becomes images, or files. See job.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job.h"

struct upload {
    struct image_job job;
    int input_fd; /* to the worker; -1: nothing more is written */
    sd_event_source *input;
    struct buffer pending; /* of the body, when the worker does not keep up */
    bool is_body_over;
    void (*on_end)(struct images *images, void *context);
    void *context;
};

static void close_worker_input(struct upload *upload)
{
    upload->input = sd_event_source_disable_unref(upload->input);
    fd_close(&upload->input_fd);
}

static void on_release(struct image_job *job)
{
    struct upload *upload = (struct upload *)(void *)job;

    if (upload->on_end != NULL)
        upload->on_end(job->images, upload->context);
    close_worker_input(upload);
    image_job_close(job);
    buffer_release(&upload->pending);
    free(upload);
}

static void on_status(struct image_job *job, const struct image_report *report)
{
    job->has_result = strcmp(report->status, REPORT_DONE) == 0;
}

/* The worker sees its input end and gives up by itself. */
static void on_abandon(struct image_job *job)
{
    close_worker_input((struct upload *)(void *)job);
}

/* Writes what the worker takes now. Returns how many bytes are done with: all if it has closed. */
static size_t feed(struct upload *upload, const char *bytes, size_t length)
{
    size_t done = 0;

    while (upload->input_fd >= 0 && done < length) {
        ssize_t count = write(upload->input_fd, bytes + done, length - done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return done;
        /* The worker has closed its end early: the input is wrong. Its report says why. */
        if (count < 0)
            close_worker_input(upload);
        else
            done += (size_t)count;
    }
    return length;
}

/* Watches the pipe while bytes are pending, and closes it after the last byte of the body. */
static void upload_watch_or_close(struct upload *upload)
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
    struct job_client *client = upload->job.client;

    (void)source;
    (void)fd;
    (void)events;
    buffer_consume(&upload->pending, feed(upload, upload->pending.data, upload->pending.length));
    upload_watch_or_close(upload);
    if (upload->pending.length == 0 && client != NULL && client->taken != NULL &&
        !upload->is_body_over)
        client->taken(client);
    return 0;
}

static bool on_feed(struct image_job *job, const char *bytes, size_t length)
{
    struct upload *upload = (struct upload *)(void *)job;

    if (length == 0)
        upload->is_body_over = true;
    if (upload->input_fd < 0)
        return true;
    if (upload->pending.length == 0) {
        size_t taken = feed(upload, bytes, length);

        bytes += taken;
        length -= taken;
    }
    buffer_append(&upload->pending, bytes, length);
    upload_watch_or_close(upload);
    return upload->pending.length == 0 || upload->is_body_over;
}

static int begin_upload(struct upload *upload, const struct upload_order *order, struct error *err)
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
    result = sd_event_add_io(upload->job.images->loop, &upload->input, upload->input_fd, EPOLLOUT,
                             on_worker_takes, upload);
    if (result < 0)
        return error_errno(err, -result, "watch the image worker");
    sd_event_source_set_enabled(upload->input, SD_EVENT_OFF);
    return image_job_start(&upload->job, order->command, order->type, order->parameters, archive_fd,
                           err);
}

int image_upload(struct images *images, const struct upload_order *order, struct job_client *client,
                 struct image_job **job, struct error *err)
{
    struct upload *upload = memory_new_one(struct upload);
    int result;

    upload->job = (struct image_job){.images = images,
                                     .client = client,
                                     .actor = client->actor,
                                     .output_fd = -1,
                                     .outlives_client = true,
                                     .process_fd = order->process_fd,
                                     .on_status = order->makes_images ? NULL : on_status,
                                     .on_image = order->on_image,
                                     .on_abandon = on_abandon,
                                     .on_feed = on_feed,
                                     .on_release = on_release};
    image_job_note_container(&upload->job, order->container_id);
    upload->input_fd = -1;
    upload->on_end = order->on_end;
    upload->context = order->context;
    result = begin_upload(upload, order, err);
    if (result < 0)
        on_release(&upload->job);
    else
        *job = &upload->job;
    return result;
}
