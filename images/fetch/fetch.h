/*
 * The fetch worker's parts: what speaks to registries (distribution-spec). It runs in a process of
 * its own, as nobody, with a read-only view of the host's files and few system calls: all it has is
 * the network, its channel (images/fetch_channel.h) and the pipes that come over it.
 */
#ifndef DAVIT_IMAGES_FETCH_FETCH_H
#define DAVIT_IMAGES_FETCH_FETCH_H

#include <curl/curl.h>

#include "base/buffer.h"
#include "base/error.h"
#include "images/fetch_channel.h"

#define FETCH_ENDPOINTS_MAX 16
#define FETCH_TRANSFERS_MAX 64

/* How requests to an endpoint are authorized, as its first challenge has asked. */
struct authorization {
    char *token;
    bool is_basic; /* the setup's credentials */
};

struct fetcher {
    int channel_fd;
    const struct fetch_setup *setup;
    struct authorization authorizations[FETCH_ENDPOINTS_MAX];
    size_t endpoint; /* the one that answered last; tried first */
    CURLM *multi;
    struct transfer *transfers[FETCH_TRANSFERS_MAX];
    size_t transfer_count;
};

/* transfer.c */

/* Starts a download into pipe_fd, or an upload from it, and owns pipe_fd from then on. */
void transfer_start(struct fetcher *fetcher, const struct fetch_request *request, int pipe_fd);

/* Handles the end of a transfer's request: finishes the transfer, tries again, or gives up. */
void transfer_handle_end(struct transfer *transfer, CURLcode code);

/* Does what is due: starts again those that waited, pushes bytes into pipes. Returns the
 * milliseconds until something is due, -1 if nothing is. */
int transfer_run_due(struct fetcher *fetcher);

/* Pipes that have to become writable, for curl_multi_poll(). Returns how many. */
unsigned int transfer_list_pipes(const struct fetcher *fetcher, struct curl_waitfd *pipes);

/* authorization.c */

/* Answers a "WWW-Authenticate" challenge of the endpoint (RFC 7235, distribution's token
 * specification): fills its authorization. ERROR_DENIED if there is nothing to answer with. */
int authorization_answer(struct fetcher *fetcher, size_t endpoint, const char *challenge,
                         struct error *err);

/* One parameter of a challenge; `value` of `size` bytes. False if it is not there. */
bool challenge_get(const char *challenge, const char *name, char *value, size_t size);

/* request.c: what every request has in common. */

/* Certificates, protocols, time bounds. */
void request_set_common(CURL *easy, const struct fetch_setup *setup,
                        const struct fetch_endpoint *endpoint);

/* Confinement. */

int sandbox_enter_fetch(struct error *err);

#endif
