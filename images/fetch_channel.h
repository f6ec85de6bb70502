/*
 * The channel between the image worker, which has the store and no network, and the fetch worker
 * (davit-fetch), which has the network and no store: a SOCK_SEQPACKET socket on which every message
 * is one JSON object. The image worker sends a fetch_setup, then fetch_requests, each with the end
 * of a pipe that takes the content or, for an upload, gives it. The fetch worker sends
 * fetch_answers. Neither worker trusts the other's messages.
 */
#ifndef DAVIT_IMAGES_FETCH_CHANNEL_H
#define DAVIT_IMAGES_FETCH_CHANNEL_H

#include "base/json_table.h"

#define FETCH_MESSAGE_MAX 65536
#define FETCH_DOCUMENT_MAX (4 << 20) /* of manifests and indexes, as registries hold it */

/* A server that has the repository. Endpoints are tried in their order. */
struct fetch_endpoint {
    const char *url;  /* "https://HOST[:PORT]" or "http://..." */
    bool is_mirror;   /* gets no credentials */
    bool is_insecure; /* its certificate is not verified */
};

struct fetch_credentials {
    const char *username;
    const char *password;
    const char *identity_token; /* an OAuth2 refresh token, in place of a password */
};

struct fetch_setup {
    LIST_OF(struct fetch_endpoint) endpoints;
    const char *repository; /* "library/busybox" */
    const char *ca_pem;     /* certificates to trust in place of the system's; NULL: the system's */
    struct fetch_credentials credentials;
};

struct fetch_request {
    int32_t id;
    bool is_manifest;       /* or else a blob */
    bool is_tag_list;       /* the repository's tags after `reference`, which may be "" */
    bool is_upload;         /* the pipe gives the content that goes to the registry */
    const char *reference;  /* tag or digest */
    const char *path;       /* a document of the registry's own, "/v2/"; the reference names it in
                             * errors. NULL: one of the repository */
    const char *repository; /* where else: a manifest or blob that comes is there, and a blob that
                             * goes up may be taken from there, without its bytes (size 0). NULL:
                             * the setup's */
    const char *media_type; /* of a manifest that goes up */
    int64_t size;           /* of a blob, and of what goes up: no byte more or less */
};

/* Reports progress; the last answer to a request has is_done or error. The fetch worker closes the
 * pipe before it sends the last one. */
struct fetch_answer {
    int32_t id;
    int64_t received; /* bytes so far; of an upload: bytes sent */
    bool is_done;
    bool was_there; /* a blob that the registry has already */
    const char *error;
    const char *code; /* error_code_name() */
};

extern const struct json_struct fetch_setup_type;
extern const struct json_struct fetch_request_type;
extern const struct json_struct fetch_answer_type;

#endif
