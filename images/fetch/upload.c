/* Uploads: distribution-spec "Pushing blobs" (POST, then PUT) and "Pushing manifests". */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "transfer.h"

static const struct fetch_endpoint *endpoint_of(const struct transfer *transfer)
{
    return &transfer->fetcher->setup->endpoints.items[transfer->endpoint];
}

static size_t on_read_manifest(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t left = transfer->body.length - (size_t)transfer->received;
    size_t length = left < size * count ? left : size * count;

    if (length > 0)
        memcpy(bytes, transfer->body.data + transfer->received, length);
    transfer->received += (int64_t)length;
    return length;
}

/* Bytes of a blob, as the pipe gives them. */
static size_t on_read(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t wanted = size * count;
    ssize_t length;

    if ((int64_t)wanted > transfer->size - transfer->received)
        wanted = (size_t)(transfer->size - transfer->received);
    if (wanted == 0)
        return 0;
    do
        length = read(transfer->pipe_fd, bytes, wanted);
    while (length < 0 && errno == EINTR);
    if (length < 0 && errno == EAGAIN) {
        transfer->waits_for_pipe = true;
        return CURL_READFUNC_PAUSE;
    }
    if (length <= 0) {
        transfer_give_up(transfer, ERROR_INTERNAL, EPIPE, "the content to send ends in the middle");
        return CURL_READFUNC_ABORT;
    }
    transfer->received += length;
    transfer_report_progress(transfer);
    return (size_t)length;
}

/* curl rewinds the body to send it again. That works only before the first byte: a pipe cannot be
 * read twice. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    const struct transfer *transfer = context;

    (void)origin;
    return offset == 0 && transfer->received == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

void upload_resume_if_readable(struct transfer *transfer)
{
    struct pollfd events = {.fd = transfer->pipe_fd, .events = POLLIN};

    if (poll(&events, 1, 0) <= 0)
        return;
    transfer->waits_for_pipe = false;
    if (transfer->easy != NULL)
        curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
}

static void set_body(struct transfer *transfer)
{
    transfer->received = 0;
    curl_easy_setopt(transfer->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(
        transfer->easy, CURLOPT_INFILESIZE_LARGE,
        (curl_off_t)(transfer->is_manifest ? (int64_t)transfer->body.length : transfer->size));
    curl_easy_setopt(transfer->easy, CURLOPT_READFUNCTION,
                     transfer->is_manifest ? on_read_manifest : on_read);
    curl_easy_setopt(transfer->easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(transfer->easy, CURLOPT_SEEKDATA, transfer);
    /* "100 Continue" is a round trip, and some registries do not send it. */
    transfer->headers = curl_slist_append(transfer->headers, "Expect:");
}

/* Sets the URL to which the registry wants the blob. Another host does not get our credentials. */
static bool set_place(struct transfer *transfer, struct error *err)
{
    const char *own = endpoint_of(transfer)->url;
    const char *location = transfer->location;
    cleanup_free char *url = NULL;

    if (location[0] != '/' && strncmp(location, "https://", 8) != 0 &&
        strncmp(location, "http://", 7) != 0) {
        error_set(err, ERROR_CORRUPT, EPROTO, "the registry does not say where to put blob %s",
                  transfer->reference);
        return false;
    }
    url = memory_printf("%s%s%sdigest=%s", location[0] == '/' ? own : "", location,
                        strchr(location, '?') != NULL ? "&" : "?", transfer->reference);
    if (location[0] != '/' &&
        (strncmp(location, own, strlen(own)) != 0 || location[strlen(own)] != '/')) {
        curl_easy_setopt(transfer->easy, CURLOPT_XOAUTH2_BEARER, NULL);
        curl_easy_setopt(transfer->easy, CURLOPT_USERNAME, NULL);
        curl_easy_setopt(transfer->easy, CURLOPT_PASSWORD, NULL);
        curl_easy_setopt(transfer->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_NONE);
    }
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    return true;
}

bool upload_set_request(struct transfer *transfer, struct error *err)
{
    const char *base = endpoint_of(transfer)->url;
    const char *repository = transfer->fetcher->setup->repository;
    cleanup_free char *url = NULL;

    if (transfer->is_manifest && strpbrk(transfer->sent_type, "\r\n") != NULL) {
        error_set(err, ERROR_CORRUPT, EPROTO, "the manifest's media type is none");
        return false;
    }
    if (transfer->is_manifest) {
        cleanup_free char *type = memory_printf("Content-Type: %s", transfer->sent_type);

        url = memory_printf("%s/v2/%s/manifests/%s", base, repository, transfer->reference);
        transfer->headers = curl_slist_append(NULL, type);
        set_body(transfer);
    } else if (transfer->step == UPLOAD_LOOK) {
        url = memory_printf("%s/v2/%s/blobs/%s", base, repository, transfer->reference);
        curl_easy_setopt(transfer->easy, CURLOPT_NOBODY, 1L);
    } else if (transfer->step == UPLOAD_POST) {
        url = transfer->repository != NULL
                  ? memory_printf("%s/v2/%s/blobs/uploads/?mount=%s&from=%s", base, repository,
                                  transfer->reference, transfer->repository)
                  : memory_printf("%s/v2/%s/blobs/uploads/", base, repository);
        curl_easy_setopt(transfer->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE, 0L);
        /* A redirect's answer would lose the place. */
        curl_easy_setopt(transfer->easy, CURLOPT_FOLLOWLOCATION, 0L);
        transfer->location[0] = '\0';
    } else {
        transfer->headers = curl_slist_append(NULL, "Content-Type: application/octet-stream");
        set_body(transfer);
        if (!set_place(transfer, err))
            return false;
    }
    if (url != NULL)
        curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    return true;
}

bool upload_is_answered(const struct transfer *transfer)
{
    switch (transfer->step) {
    case UPLOAD_LOOK:
        return transfer->status == 200 || transfer->status == 404;
    case UPLOAD_POST:
        /* 202 in place of 201: the registry would take the bytes, which are not here. */
        return transfer->status == (transfer->repository != NULL ? 201 : 202);
    case UPLOAD_PUT:
        return transfer->status == 201 || transfer->status == 204 || transfer->status == 200;
    }
    return false;
}

bool upload_start_next_step(struct transfer *transfer)
{
    if (transfer->step == UPLOAD_PUT)
        return false;
    transfer->was_there = transfer->step == UPLOAD_LOOK && transfer->status == 200;
    if (transfer->was_there || (transfer->step == UPLOAD_POST && transfer->repository != NULL))
        return false;
    transfer->step = transfer->step == UPLOAD_LOOK ? UPLOAD_POST : UPLOAD_PUT;
    return true;
}
