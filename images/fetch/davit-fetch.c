/*
 * davit-fetch: the fetch worker. davitd's spawner runs it with its channel as standard input; it
 * ends when that closes. Not for people.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "base/socket.h"
#include "fetch.h"

#define IDLE_TIMEOUT_MS 60000

/* Reads one message. Its size, 0 at the end, or a negative errno; *pipe_fd is -1 if none came. */
static ssize_t receive_message(struct fetcher *fetcher, char text[FETCH_MESSAGE_MAX], int *pipe_fd)
{
    int fds[SOCKET_MAX_FDS];
    size_t fd_count = SOCKET_MAX_FDS;
    ssize_t length = socket_receive(fetcher->channel_fd, text, FETCH_MESSAGE_MAX, fds, &fd_count);

    *pipe_fd = length > 0 && fd_count > 0 ? fds[0] : -1;
    for (size_t i = *pipe_fd >= 0 ? 1 : 0; length > 0 && i < fd_count; i++)
        close(fds[i]);
    return length;
}

/* Starts the transfer that a message asks for. False at the channel's end and for a bad message. */
static bool serve_request(struct fetcher *fetcher)
{
    cleanup_arena struct arena arena = {0};
    struct fetch_request request = {0};
    char text[FETCH_MESSAGE_MAX];
    int pipe_fd;
    ssize_t length = receive_message(fetcher, text, &pipe_fd);

    if (length <= 0)
        return false;
    if (json_decode_text(&arena, text, (size_t)length, &fetch_request_type, &request, NULL) < 0 ||
        pipe_fd < 0 || fetcher->transfer_count == FETCH_TRANSFERS_MAX)
        return false;
    transfer_start(fetcher, &request, pipe_fd);
    return true;
}

static void handle_ended(struct fetcher *fetcher)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        struct transfer *transfer = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        transfer_handle_end(transfer, code);
    }
}

static void run_transfers(struct fetcher *fetcher)
{
    for (;;) {
        struct curl_waitfd watched[FETCH_TRANSFERS_MAX + 1];
        unsigned int count;
        int timeout_ms;
        int running;

        curl_multi_perform(fetcher->multi, &running);
        handle_ended(fetcher);
        timeout_ms = transfer_run_due(fetcher);
        count = transfer_list_pipes(fetcher, watched);
        watched[count] =
            (struct curl_waitfd){.fd = fetcher->channel_fd, .events = CURL_WAIT_POLLIN};
        curl_multi_poll(fetcher->multi, watched, count + 1,
                        timeout_ms >= 0 ? timeout_ms : IDLE_TIMEOUT_MS, NULL);
        if (watched[count].revents != 0 && !serve_request(fetcher))
            return;
    }
}

int main(int argc, char **argv)
{
    static struct fetcher fetcher = {.channel_fd = STDIN_FILENO};
    cleanup_arena struct arena arena = {0};
    struct fetch_setup setup = {0};
    struct error err = {0};
    char text[FETCH_MESSAGE_MAX];
    int pipe_fd;
    ssize_t length;

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("davit-fetch version %s\n", davit_version);
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || sandbox_enter_fetch(&err) < 0) {
        fprintf(stderr, "davit-fetch: %s\n", err.message);
        return 1;
    }
    length = receive_message(&fetcher, text, &pipe_fd);
    if (length <= 0 ||
        json_decode_text(&arena, text, (size_t)length, &fetch_setup_type, &setup, &err) < 0 ||
        setup.endpoints.count == 0 || setup.endpoints.count > FETCH_ENDPOINTS_MAX) {
        fprintf(stderr, "davit-fetch: started by davitd alone%s%s\n", err.errnum != 0 ? ": " : "",
                err.message);
        return 2;
    }
    fetcher.setup = &setup;
    fetcher.multi = curl_multi_init();
    run_transfers(&fetcher);
    return 0;
}
