/* Jobs whose output is bytes for the client: an archive, a list. They come through a pipe, as fast
 * as the client takes them; that they are complete, or why not, is in the worker's report. See
 * job.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job.h"

#define CHUNK_BYTES (256 << 10)

struct download {
    struct image_job job;
    int body_fd;
    sd_event_source *body;
};

static void on_release(struct image_job *job)
{
    struct download *download = (struct download *)(void *)job;

    sd_event_source_disable_unref(download->body);
    fd_close(&download->body_fd);
    image_job_close(job);
    free(download);
}

static void on_resume(struct image_job *job)
{
    struct download *download = (struct download *)(void *)job;

    if (download->body != NULL)
        sd_event_source_set_enabled(download->body, SD_EVENT_ON);
}

/* After the report of a path its content follows in the pipe. davitd reads on in the report when
 * the content is over. */
static void on_status(struct image_job *job, const struct image_report *report)
{
    struct download *download = (struct download *)(void *)job;

    job->has_result = strcmp(report->status, REPORT_DONE) == 0;
    if (strcmp(report->status, REPORT_PATH) != 0 || download->body == NULL)
        return;
    image_job_progress(job, report);
    sd_event_source_set_enabled(download->body, SD_EVENT_ON);
    sd_event_source_set_enabled(job->output, SD_EVENT_OFF);
}

/* The report says whether that was all of it. */
static void end_body(struct download *download)
{
    download->body = sd_event_source_disable_unref(download->body);
    sd_event_source_set_enabled(download->job.output, SD_EVENT_ON);
}

static int on_body(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct download *download = context;
    struct job_client *client = download->job.client;
    cleanup_free char *bytes = memory_new(CHUNK_BYTES, 1);
    ssize_t count = read(fd, bytes, CHUNK_BYTES);

    (void)events;
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count <= 0)
        end_body(download);
    else if (!client->bytes(client, bytes, (size_t)count))
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return 0;
}

static int begin_download(struct download *download, const struct download_order *order,
                          struct error *err)
{
    cleanup_close int write_fd = -1;
    int result;

    download->body_fd = spawner_open_report(&write_fd, err);
    if (download->body_fd < 0)
        return download->body_fd;
    fcntl(write_fd, F_SETPIPE_SZ, 1 << 20);
    result = sd_event_add_io(download->job.images->loop, &download->body, download->body_fd,
                             EPOLLIN, on_body, download);
    if (result < 0)
        return error_errno(err, -result, "watch the image worker");
    result = image_job_start(&download->job, order->command, order->type, order->parameters,
                             write_fd, err);
    if (result == 0)
        sd_event_source_set_enabled(order->has_path_stat ? download->body : download->job.output,
                                    SD_EVENT_OFF);
    return result;
}

int image_download(struct images *images, const struct download_order *order,
                   struct job_client *client, struct image_job **job, struct error *err)
{
    struct download *download = memory_new_one(struct download);
    int result;

    download->body_fd = -1;
    download->job = (struct image_job){.images = images,
                                       .client = client,
                                       .actor = client->actor,
                                       .output_fd = -1,
                                       .process_fd = order->process_fd,
                                       .on_status = on_status,
                                       .on_resume = on_resume,
                                       .on_release = on_release};
    image_job_note_container(&download->job, order->container_id);
    result = begin_download(download, order, err);
    if (result < 0)
        on_release(&download->job);
    else
        *job = &download->job;
    return result;
}
