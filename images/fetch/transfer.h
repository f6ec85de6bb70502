/* What transfer.c and upload.c know of a transfer. Internal to images/fetch/. */
#ifndef DAVIT_IMAGES_FETCH_TRANSFER_H
#define DAVIT_IMAGES_FETCH_TRANSFER_H

#include "fetch.h"

/* A blob takes three requests: HEAD (has the registry got it?), POST (where shall it go?) and PUT.
 * A manifest takes only the PUT. */
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
    char *path;       /* see struct fetch_request; NULL: none */
    char *repository; /* NULL: the setup's */
    int64_t size;     /* of a blob */
    int pipe_fd;      /* -1: nobody reads any more */
    size_t endpoint;
    unsigned int attempts;
    unsigned int challenges;
    uint64_t due_us; /* when to try again; 0: under way */
    uint64_t reported_us;

    /* of the request under way */
    CURL *easy;
    struct curl_slist *headers;
    long status;
    int64_t to_skip; /* bytes that the server sends again */
    int64_t retry_after_s;
    char challenge[2048];
    struct buffer error_text;
    struct error failure; /* why transfer_give_up() ended the transfer */

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

/* transfer_report.c */

void transfer_send_answer(const struct transfer *transfer, const struct fetch_answer *answer);
void transfer_report_progress(struct transfer *transfer);
/* Notes why the transfer fails. Returns 0, which makes curl abort when its write callback returns
 * it. */
size_t transfer_give_up(struct transfer *transfer, enum error_code code, int errnum,
                        const char *why);

/* upload.c */

/* Sets method, URL and body of the step. False if the registry's Location for the blob cannot be
 * used. */
bool upload_set_request(struct transfer *transfer, struct error *err);
/* True if the status is one that ends the step well; for the HEAD that is also 404. */
bool upload_is_answered(const struct transfer *transfer);
/* Goes to the next step after a good answer. False if there is none. */
bool upload_start_next_step(struct transfer *transfer);
/* Resumes the request if the pipe has bytes to send again. */
void upload_resume_if_readable(struct transfer *transfer);

#endif
