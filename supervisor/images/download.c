/* Downloads: see download.h. */
#include "download.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"

#define CHUNK_BYTES (256 << 10)
#define BACKLOG_MAX (SERVER_OUTPUT_MAX / 2) /* where on_drain is called again */

struct download {
    struct image_worker worker;
    const char *content_type;
    int body_fd;
    sd_event_source *body;
};

static void download_free(struct download *download)
{
    sd_event_source_disable_unref(download->body);
    fd_close(&download->body_fd);
    image_worker_release(&download->worker);
    free(download);
}

static void on_end(struct image_worker *worker)
{
    download_free(worker->context);
}

static void on_client_gone(struct request *request)
{
    struct download *download = request->context;

    image_worker_lose_client(&download->worker, true);
}

static void on_drain(struct request *request)
{
    struct download *download = request->context;

    if (download->body != NULL)
        sd_event_source_set_enabled(download->body, SD_EVENT_ON);
}

void set_path_stat(struct request *request, const struct image_report *report)
{
    cleanup_free char *base64 = base64_encode(report->path_stat != NULL ? report->path_stat : "{}");

    request->response_header =
        arena_printf(&request->arena, "X-Docker-Container-Path-Stat: %s", base64);
}

/* What comes after the report of a path is its content; the report goes on when that is over. */
static void on_status(struct image_worker *worker, const struct image_report *report)
{
    struct download *download = worker->context;

    worker->has_result = strcmp(report->status, REPORT_DONE) == 0;
    if (strcmp(report->status, REPORT_PATH) != 0 || download->body == NULL)
        return;
    set_path_stat(worker->request, report);
    sd_event_source_set_enabled(download->body, SD_EVENT_ON);
    sd_event_source_set_enabled(worker->output, SD_EVENT_OFF);
}

static void begin(struct download *download)
{
    if (!download->worker.has_answered)
        stream_begin(download->worker.request, download->content_type);
    download->worker.has_answered = true;
}

/* The report says whether that was all of it. */
static void end_body(struct download *download)
{
    download->body = sd_event_source_disable_unref(download->body);
    sd_event_source_set_enabled(download->worker.output, SD_EVENT_ON);
}

static int on_body(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct download *download = context;
    cleanup_free char *bytes = memory_new(CHUNK_BYTES, 1);
    ssize_t count = read(fd, bytes, CHUNK_BYTES);

    (void)events;
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count <= 0) {
        end_body(download);
        return 0;
    }
    begin(download);
    stream_write(download->worker.request, bytes, (size_t)count);
    if (stream_backlog(download->worker.request) >= BACKLOG_MAX)
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return 0;
}

static int start(struct download *download, const struct download_order *order, struct error *err)
{
    cleanup_close int write_fd = -1;
    int pair[2];
    int result;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    download->body_fd = pair[0];
    write_fd = pair[1];
    fcntl(download->body_fd, F_SETFL, O_NONBLOCK);
    fcntl(write_fd, F_SETPIPE_SZ, 1 << 20);
    result = sd_event_add_io(download->worker.daemon->loop, &download->body, download->body_fd,
                             EPOLLIN, on_body, download);
    if (result < 0)
        return error_errno(err, -result, "watch the image worker");
    result = image_worker_start(&download->worker, order->command, order->job_type, order->job,
                                write_fd, err);
    if (result == 0)
        sd_event_source_set_enabled(order->has_path_stat ? download->body : download->worker.output,
                                    SD_EVENT_OFF);
    return result;
}

void image_download(struct daemon *daemon, struct request *request,
                    const struct download_order *order)
{
    struct download *download = memory_new_one(struct download);
    struct error err = {0};

    download->content_type = order->content_type;
    download->body_fd = -1;
    download->worker = (struct image_worker){.daemon = daemon,
                                             .request = request,
                                             .context = download,
                                             .output_fd = -1,
                                             .process_fd = order->process_fd,
                                             .is_download = true,
                                             .on_status = on_status,
                                             .on_end = on_end};
    if (start(download, order, &err) < 0) {
        download_free(download);
        respond_error(request, &err);
        return;
    }
    request->context = download;
    request->on_close = on_client_gone;
    request->on_drain = on_drain;
}
