/* What transfer.c and upload.c know of a transfer. Internal to images/fetch/. */
#ifndef DAVIT_IMAGES_FETCH_TRANSFER_H
#define DAVIT_IMAGES_FETCH_TRANSFER_H

#include "fetch.h"

/* A blob is looked for, a place for it asked for, and it is put there; a manifest is just put. */
enum upload_step {
    UPLOAD_LOOK,
    UPLOAD_POST,
    UPLOAD_PUT,
};

struct transfer {
    struct fetcher *fetcher;
    int32_t id;
    bool is_manifest; /* or another document of no stated size */
    bool is_tag_list;
    char *reference;
    int64_t size; /* of a blob */
    int pipe_fd;  /* -1: nobody reads any more */
    size_t endpoint;
    unsigned int attempts;
    unsigned int challenges;
    uint64_t due_us; /* when to try again; 0: under way */
    uint64_t reported_us;

    /* of the request under way */
    CURL *easy;
    struct curl_slist *headers;
    long status;
    int64_t to_skip; /* bytes that came before, sent again */
    int64_t retry_after_s;
    char challenge[2048];
    struct buffer error_text;
    struct error failure; /* why the transfer was ended from here */

    int64_t received;
    struct buffer pending; /* bytes the pipe did not take; the request is paused */

    /* of an upload */
    bool is_upload;
    enum upload_step step;
    char *sent_type;    /* a manifest's */
    struct buffer body; /* the manifest */
    char location[2048];
    bool was_there;
    bool waits_for_pipe; /* for bytes to send */
};

/* Transfer.c */

void transfer_send_answer(const struct transfer *transfer, const struct fetch_answer *answer);
void transfer_report_progress(struct transfer *transfer);
/* Ends the transfer from here; the request under way fails with this. Returns 0. */
size_t transfer_give_up(struct transfer *transfer, enum error_code code, int errnum,
                        const char *why);

/* Upload.c */

/* Method, address and body of the step. False if the registry's word on where to put the blob is of
 * no use. */
bool upload_set_request(struct transfer *transfer, struct error *err);
/* True if the status is what the step is answered with. */
bool upload_is_answered(const struct transfer *transfer);
/* After an answer: true if another step follows. */
bool upload_go_on(struct transfer *transfer);
/* The pipe has bytes again. */
void upload_continue(struct transfer *transfer);

#endif
