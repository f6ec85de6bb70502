/* Answers about a transfer: see transfer.h. */
#include "base/clock.h"
#include "base/socket.h"
#include "transfer.h"
#include <string.h>

#define PROGRESS_INTERVAL_US 100000

void transfer_send_answer(const struct transfer *transfer, const struct fetch_answer *answer)
{
    struct json_writer *writer = json_writer_new(false);
    const char *text;

    json_encode(writer, &fetch_answer_type, answer);
    text = json_writer_text(writer);
    /* If nobody reads answers any more, the channel is closed, and the loop of davit-fetch.c ends.
     */
    socket_send(transfer->fetcher->channel_fd, text, strlen(text), NULL, 0);
    json_writer_free(writer);
}

void transfer_report_progress(struct transfer *transfer)
{
    uint64_t now = clock_monotonic_us();

    if (transfer->is_manifest || now - transfer->reported_us < PROGRESS_INTERVAL_US)
        return;
    transfer->reported_us = now;
    transfer_send_answer(
        transfer, &(struct fetch_answer){.id = transfer->id, .received = transfer->received});
}

size_t transfer_give_up(struct transfer *transfer, enum error_code code, int errnum,
                        const char *why)
{
    error_set(&transfer->failure, code, errnum, "%s", why);
    return 0;
}
