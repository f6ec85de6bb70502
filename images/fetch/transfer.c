/*
 * One manifest, blob or list of tags on its way between a registry and a pipe: distribution-spec
 * "Pulling manifests" and "Pulling blobs"; upload.c has what only uploads need. A download that
 * breaks goes on where it broke, at the next endpoint; after the last endpoint there is a pause,
 * which doubles, before the next attempt.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "transfer.h"

#define ATTEMPTS_MAX 5 /* in a row that brought no byte */
#define FIRST_PAUSE_MS 250
#define RETRY_AFTER_MAX_S 60
#define CHALLENGES_MAX 2
#define ERROR_TEXT_MAX 4096
#define TAGS_AT_ONCE 1000 /* wished for; registries give as many as they like */

static const char manifest_types[] =
    "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

static void release_request(struct transfer *transfer)
{
    if (transfer->easy != NULL) {
        curl_multi_remove_handle(transfer->fetcher->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    transfer->easy = NULL;
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    buffer_release(&transfer->error_text);
}

static void end_transfer(struct transfer *transfer, const struct error *err)
{
    struct fetcher *fetcher = transfer->fetcher;
    struct fetch_answer answer = {.id = transfer->id, .received = transfer->received};

    if (err != NULL) {
        answer.error = err->message;
        answer.code = error_code_name(err->code);
    } else {
        answer.is_done = true;
        answer.was_there = transfer->was_there;
        fetcher->endpoint = transfer->endpoint;
    }
    fd_close(&transfer->pipe_fd);
    transfer_send_answer(transfer, &answer);
    for (size_t i = 0; i < fetcher->transfer_count; i++) {
        if (fetcher->transfers[i] == transfer)
            fetcher->transfers[i] = fetcher->transfers[--fetcher->transfer_count];
    }
    release_request(transfer);
    buffer_release(&transfer->pending);
    free(transfer->reference);
    free(transfer->path);
    free(transfer->repository);
    free(transfer->sent_type);
    buffer_release(&transfer->body);
    free(transfer);
}

/* Of a header's value; 0 for what is none, as a date. */
static int64_t parse_seconds(const char *value, size_t length)
{
    cleanup_free char *text = memory_printf("%.*s", (int)length, value);
    const char *rest = text + strspn(text, " \t");
    uint64_t seconds = 0;

    if (!number_take(&rest, 10, INT32_MAX, &seconds) || strspn(rest, " \t\r\n") != strlen(rest))
        return 0;
    return (int64_t)seconds;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    static const struct {
        const char *name;
        size_t offset;
        size_t size;
    } kept[] = {
        {"www-authenticate:", offsetof(struct transfer, challenge), 2048},
        {"location:", offsetof(struct transfer, location), 2048},
    };
    struct transfer *transfer = context;
    size_t length = count;

    while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == '\n'))
        length--;
    /* A new response, after a redirect or "100 Continue". */
    if (length > 5 && strncmp(line, "HTTP/", 5) == 0)
        transfer->challenge[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        size_t name = strlen(kept[i].name);
        char *value = (char *)transfer + kept[i].offset;

        if (length <= name || strncasecmp(line, kept[i].name, name) != 0)
            continue;
        while (name < length && line[name] == ' ')
            name++;
        if (length - name >= kept[i].size)
            continue;
        memcpy(value, line + name, length - name);
        value[length - name] = '\0';
    }
    if (length > 12 && strncasecmp(line, "retry-after:", 12) == 0)
        transfer->retry_after_s = parse_seconds(line + 12, length - 12);
    return size * count;
}

/* Reads the status when an answer's first bytes come. 200 means that the server sends the content
 * from its start, even if a range was asked for: the bytes that came before are skipped. */
static void look_at_status(struct transfer *transfer)
{
    if (transfer->status != 0)
        return;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &transfer->status);
    if (transfer->status == 200)
        transfer->to_skip = transfer->received;
}

static bool has_content(const struct transfer *transfer)
{
    return !transfer->is_upload && (transfer->status == 200 || transfer->status == 206);
}

static int64_t bytes_expected(const struct transfer *transfer)
{
    return transfer->is_manifest ? FETCH_DOCUMENT_MAX : transfer->size;
}

/* Writes what the pipe takes; the number of bytes, or a negative errno if nobody reads. */
static ssize_t write_to_pipe(struct transfer *transfer, const char *bytes, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t count = write(transfer->pipe_fd, bytes + done, length - done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0)
            return -errno;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

static size_t on_content(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = count;
    ssize_t taken;

    if (transfer->pending.length > 0)
        return CURL_WRITEFUNC_PAUSE;
    look_at_status(transfer);
    if (!has_content(transfer)) {
        if (transfer->error_text.length + length <= ERROR_TEXT_MAX)
            buffer_append(&transfer->error_text, bytes, length);
        return size * count;
    }
    if (transfer->to_skip > 0) {
        size_t skipped = (int64_t)length < transfer->to_skip ? length : (size_t)transfer->to_skip;

        transfer->to_skip -= (int64_t)skipped;
        bytes += skipped;
        length -= skipped;
    }
    if (transfer->received + (int64_t)length > bytes_expected(transfer))
        return transfer_give_up(transfer, ERROR_TOO_LARGE, EFBIG,
                                transfer->is_manifest
                                    ? "the manifest is too large"
                                    : "the registry sends more than the manifest says");
    taken = write_to_pipe(transfer, bytes, length);
    if (taken < 0)
        return transfer_give_up(transfer, ERROR_INTERNAL, EPIPE,
                                "the content is not wanted any more");
    buffer_append(&transfer->pending, bytes + taken, length - (size_t)taken);
    transfer->received += (int64_t)length;
    if (length > 0)
        transfer->attempts = 0;
    transfer_report_progress(transfer);
    return size * count;
}

static void set_authorization(struct transfer *transfer)
{
    const struct fetcher *fetcher = transfer->fetcher;
    const struct authorization *authorization = &fetcher->authorizations[transfer->endpoint];

    if (authorization->token != NULL) {
        curl_easy_setopt(transfer->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(transfer->easy, CURLOPT_XOAUTH2_BEARER, authorization->token);
    } else if (authorization->is_basic) {
        curl_easy_setopt(transfer->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(transfer->easy, CURLOPT_USERNAME, fetcher->setup->credentials.username);
        curl_easy_setopt(transfer->easy, CURLOPT_PASSWORD, fetcher->setup->credentials.password);
    }
}

static char *download_url(const struct transfer *transfer)
{
    const struct fetch_setup *setup = transfer->fetcher->setup;
    const char *base = setup->endpoints.items[transfer->endpoint].url;

    if (transfer->path != NULL)
        return memory_printf("%s%s", base, transfer->path);
    if (!transfer->is_tag_list)
        return memory_printf("%s/v2/%s/%s/%s", base,
                             transfer->repository != NULL ? transfer->repository
                                                          : setup->repository,
                             transfer->is_manifest ? "manifests" : "blobs", transfer->reference);
    return memory_printf("%s/v2/%s/tags/list?n=%d%s%s", base, setup->repository, TAGS_AT_ONCE,
                         transfer->reference[0] != '\0' ? "&last=" : "", transfer->reference);
}

/* Sets the URL, and the range if bytes have come before. */
static void set_download(struct transfer *transfer)
{
    cleanup_free char *url = download_url(transfer);

    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    if (transfer->is_manifest && !transfer->is_tag_list && transfer->path == NULL)
        transfer->headers = curl_slist_append(NULL, manifest_types);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    if (transfer->received > 0) {
        char range[32];

        snprintf(range, sizeof(range), "%lld-", (long long)transfer->received);
        curl_easy_setopt(transfer->easy, CURLOPT_RANGE, range);
    }
}

static void send_request(struct transfer *transfer)
{
    struct fetcher *fetcher = transfer->fetcher;
    struct error err = {0};

    release_request(transfer);
    transfer->due_us = 0;
    transfer->status = 0;
    transfer->to_skip = 0;
    transfer->retry_after_s = 0;
    transfer->challenge[0] = '\0';
    transfer->failure = (struct error){0};
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL)
        abort();
    request_set_common(transfer->easy, fetcher->setup,
                       &fetcher->setup->endpoints.items[transfer->endpoint]);
    curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(transfer->easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, on_content);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
    set_authorization(transfer);
    if (transfer->is_upload && !upload_set_request(transfer, &err)) {
        end_transfer(transfer, &err);
        return;
    }
    if (!transfer->is_upload)
        set_download(transfer);
    curl_multi_add_handle(fetcher->multi, transfer->easy);
}

static void describe_path_status(const struct transfer *transfer, const char *message,
                                 struct error *err)
{
    const char *url = transfer->fetcher->setup->endpoints.items[transfer->endpoint].url;
    int path_length = (int)strcspn(transfer->path, "?");

    if (transfer->status == 401 || transfer->status == 403)
        error_set(err, ERROR_DENIED, EACCES, "%s: unauthorized: %.256s", url,
                  message != NULL ? message : "incorrect username or password");
    else if (transfer->status == 404)
        error_set(err, ERROR_NOT_FOUND, ENOENT, "%s has no %.*s: is it a registry?", url,
                  path_length, transfer->path);
    else
        error_set(err, ERROR_INTERNAL, EPROTO, "%s%.*s was answered with status %ld%s%.256s", url,
                  path_length, transfer->path, transfer->status, message != NULL ? ": " : "",
                  message != NULL ? message : "");
}

/* What the registry says itself: distribution-spec "Error Codes". */
static void describe_status(const struct transfer *transfer, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json = NULL;
    const struct json *errors = NULL;
    const char *message = NULL;
    const char *what = transfer->is_tag_list   ? "list of tags"
                       : transfer->is_manifest ? "manifest"
                                               : "blob";

    if (json_parse(&arena, buffer_text(&transfer->error_text), transfer->error_text.length,
                   &json_default_limits, &json, NULL) == 0)
        errors = json_get(json, "errors");
    if (errors != NULL && errors->type == JSON_ARRAY && errors->count > 0)
        message = json_get_string(&errors->items[0], "message");
    if (transfer->path != NULL)
        describe_path_status(transfer, message, err);
    else if (transfer->status == 404)
        error_set(err, ERROR_NOT_FOUND, ENOENT, "%s for %s%s%s not found: %.256s", what,
                  transfer->fetcher->setup->repository,
                  strchr(transfer->reference, ':') != NULL ? "@" : ":", transfer->reference,
                  message != NULL ? message : "the registry has no such thing");
    else if (transfer->status == 401 || transfer->status == 403)
        error_set(err, ERROR_DENIED, EACCES,
                  "access denied for %s, repository does not exist or may require a login: "
                  "%.256s",
                  transfer->fetcher->setup->repository, message != NULL ? message : "denied");
    else
        error_set(err, ERROR_INTERNAL, EPROTO,
                  "the registry answered %s %s with status %ld%s%.256s", what, transfer->reference,
                  transfer->status, message != NULL ? ": " : "", message != NULL ? message : "");
}

/* 0 if all has come. *is_final: trying again would not help. */
static int check_request_end(struct transfer *transfer, CURLcode code, bool *is_final,
                             struct error *err)
{
    *is_final = false;
    if (transfer->failure.errnum != 0) {
        *is_final = true;
        *err = transfer->failure;
        return -err->errnum;
    }
    if (code != CURLE_OK) {
        *is_final = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
                    code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_URL_MALFORMAT ||
                    code == CURLE_UNSUPPORTED_PROTOCOL;
        return error_set(err, ERROR_INTERNAL, EIO, "%s/v2/%s: %s",
                         transfer->fetcher->setup->endpoints.items[transfer->endpoint].url,
                         transfer->fetcher->setup->repository, curl_easy_strerror(code));
    }
    look_at_status(transfer);
    if (transfer->is_upload && upload_is_answered(transfer))
        return 0;
    if (!has_content(transfer)) {
        *is_final = transfer->status != 408 && transfer->status != 429 && transfer->status < 500;
        describe_status(transfer, err);
        return -err->errnum;
    }
    if (!transfer->is_manifest && transfer->received < transfer->size)
        return error_set(err, ERROR_CORRUPT, EBADMSG, "blob %s is cut off: %lld of %lld bytes came",
                         transfer->reference, (long long)transfer->received,
                         (long long)transfer->size);
    return 0;
}

/* Answers a 401's challenge and sends the request again. False if that is not possible. */
static bool answer_challenge(struct transfer *transfer, struct error *err)
{
    if (transfer->status != 401 || transfer->challenge[0] == '\0' ||
        transfer->challenges == CHALLENGES_MAX)
        return false;
    transfer->challenges++;
    if (authorization_answer(transfer->fetcher, transfer->endpoint, transfer->challenge, err) < 0)
        return false;
    send_request(transfer);
    return true;
}

static uint64_t pause_us(const struct transfer *transfer)
{
    uint64_t pause_ms = (uint64_t)FIRST_PAUSE_MS << (transfer->attempts - 1);
    int64_t asked_s = transfer->retry_after_s;

    if (asked_s > 0)
        pause_ms = (uint64_t)(asked_s < RETRY_AFTER_MAX_S ? asked_s : RETRY_AFTER_MAX_S) * 1000;
    return pause_ms * 1000;
}

static void try_again_or_fail(struct transfer *transfer, bool is_final, const struct error *err)
{
    size_t endpoint_count = transfer->fetcher->setup->endpoints.count;
    const struct fetch_endpoint *endpoint =
        &transfer->fetcher->setup->endpoints.items[transfer->endpoint];
    /* The registry itself stands twice if it may be plain: who has answered by TLS is not asked
     * again without. */
    bool is_last_endpoint =
        transfer->endpoint + 1 == endpoint_count || (transfer->status != 0 && !endpoint->is_mirror);

    /* What has been read from the pipe does not come again. */
    if (transfer->is_upload && transfer->step == UPLOAD_PUT && !transfer->is_manifest)
        is_final = true;
    /* Another endpoint may have what this one has not. */
    else if (transfer->failure.errnum == 0 && !is_last_endpoint) {
        transfer->endpoint++;
        transfer->challenges = 0;
        send_request(transfer);
        return;
    }
    /* Somebody waits for the answer to a question. */
    if (is_final || ++transfer->attempts == ATTEMPTS_MAX || transfer->path != NULL) {
        end_transfer(transfer, err);
        return;
    }
    transfer->endpoint = transfer->fetcher->endpoint;
    transfer->due_us = clock_monotonic_us() + pause_us(transfer);
}

void transfer_handle_end(struct transfer *transfer, CURLcode code)
{
    struct error err = {0};
    bool is_final;

    if (check_request_end(transfer, code, &is_final, &err) == 0) {
        if (transfer->is_upload && upload_start_next_step(transfer)) {
            send_request(transfer);
            return;
        }
        /* Bytes in `pending` may still wait for the pipe's reader. */
        if (transfer->pending.length == 0)
            end_transfer(transfer, NULL);
        else
            release_request(transfer);
        return;
    }
    if (answer_challenge(transfer, &err))
        return;
    try_again_or_fail(transfer, is_final, &err);
}

void transfer_start(struct fetcher *fetcher, const struct fetch_request *request, int pipe_fd)
{
    struct transfer *transfer = memory_new_one(struct transfer);

    transfer->fetcher = fetcher;
    transfer->id = request->id;
    transfer->is_manifest = request->is_manifest || request->is_tag_list || request->path != NULL;
    transfer->is_tag_list = request->is_tag_list;
    transfer->reference = memory_strdup(request->reference);
    transfer->path = request->path != NULL ? memory_strdup(request->path) : NULL;
    transfer->repository = request->repository != NULL ? memory_strdup(request->repository) : NULL;
    transfer->size = request->size;
    transfer->is_upload = request->is_upload;
    transfer->step = request->is_manifest ? UPLOAD_PUT : UPLOAD_LOOK;
    transfer->sent_type = request->media_type != NULL ? memory_strdup(request->media_type) : NULL;
    transfer->pipe_fd = pipe_fd;
    transfer->endpoint = fetcher->endpoint;
    /* A manifest is small, and may have to be sent again when the registry wants another token. */
    if (request->is_upload && request->is_manifest)
        file_read_fd(pipe_fd, FETCH_DOCUMENT_MAX, &transfer->body);
    fcntl(pipe_fd, F_SETFL, O_NONBLOCK);
    fetcher->transfers[fetcher->transfer_count++] = transfer;
    send_request(transfer);
}

/* Returns false if the transfer is gone. */
static bool push_pending(struct transfer *transfer)
{
    ssize_t taken = write_to_pipe(transfer, transfer->pending.data, transfer->pending.length);
    struct error err = {0};

    if (taken < 0) {
        error_set(&err, ERROR_INTERNAL, EPIPE, "the content is not wanted any more");
        end_transfer(transfer, &err);
        return false;
    }
    buffer_consume(&transfer->pending, (size_t)taken);
    if (transfer->pending.length > 0)
        return true;
    if (transfer->easy == NULL && transfer->due_us == 0) {
        end_transfer(transfer, NULL);
        return false;
    }
    if (transfer->easy != NULL)
        curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    return true;
}

int transfer_run_due(struct fetcher *fetcher)
{
    uint64_t now = clock_monotonic_us();
    int timeout_ms = -1;

    for (size_t i = fetcher->transfer_count; i > 0; i--) {
        struct transfer *transfer = fetcher->transfers[i - 1];

        if (transfer->pending.length > 0 && !push_pending(transfer))
            continue;
        if (transfer->waits_for_pipe)
            upload_resume_if_readable(transfer);
        if (transfer->due_us == 0)
            continue;
        if (transfer->due_us <= now) {
            send_request(transfer);
        } else {
            int wait_ms = (int)((transfer->due_us - now) / 1000) + 1;

            timeout_ms = timeout_ms < 0 || wait_ms < timeout_ms ? wait_ms : timeout_ms;
        }
    }
    return timeout_ms;
}

unsigned int transfer_list_pipes(const struct fetcher *fetcher, struct curl_waitfd *pipes)
{
    unsigned int count = 0;

    for (size_t i = 0; i < fetcher->transfer_count; i++) {
        const struct transfer *transfer = fetcher->transfers[i];

        if (transfer->pending.length > 0)
            pipes[count++] =
                (struct curl_waitfd){.fd = transfer->pipe_fd, .events = CURL_WAIT_POLLOUT};
        else if (transfer->waits_for_pipe)
            pipes[count++] =
                (struct curl_waitfd){.fd = transfer->pipe_fd, .events = CURL_WAIT_POLLIN};
    }
    return count;
}
