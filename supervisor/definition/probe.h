/*
 * Probes of a container: Docker's HEALTHCHECK, and davit's own for liveness and readiness. What
 * they are made of and how a result is judged; containers/probes.h runs them.
 */
#ifndef DAVIT_SUPERVISOR_DEFINITION_PROBE_H
#define DAVIT_SUPERVISOR_DEFINITION_PROBE_H

#include "base/json_table.h"

#define PROBE_RESULTS_KEPT 5
#define PROBE_OUTPUT_MAX 4096 /* bytes that are kept of a run's output */

/* A connection to the container's own network. */
struct probe_tcp {
    int32_t port;
    const char *host; /* an address of the container; NULL: 127.0.0.1 */
};

struct probe_http {
    int32_t port;
    const char *host; /* as above */
    const char *path; /* NULL: "/" */
};

/* Times are nanoseconds; 0 is the default. */
struct probe_definition {
    struct string_list test; /* {"CMD", ...} or {"CMD-SHELL", command}; Docker's "NONE" is none */
    struct probe_tcp *tcp;
    struct probe_http *http; /* a status from 200 to 399 is good */
    int64_t interval_ns;
    int64_t timeout_ns;
    int64_t start_period_ns; /* failures in it do not count until the first success */
    int64_t start_interval_ns;
    int64_t retries;
};

/* Docker's Healthcheck, and what PUT /davit/v1/containers/ID/probes takes besides. */
extern const struct json_struct probe_healthcheck_type;
extern const struct json_struct probe_type;

/* True if there is anything to be run. */
bool probe_is_defined(const struct probe_definition *definition);

/* Refuses what cannot be run; `name` is for errors. NULL is fine. */
int probe_check(const struct probe_definition *definition, const char *name, struct error *err);

/* Fills in from the image's health check what the request leaves open. Either may be NULL. */
struct probe_definition *probe_merge(struct arena *arena, struct probe_definition *definition,
                                     const struct json *image);

enum probe_status {
    PROBE_STARTING,
    PROBE_HEALTHY,
    PROBE_UNHEALTHY,
    PROBE_STATUS_COUNT,
};

/* "starting", "healthy", "unhealthy" */
const char *probe_status_name(int32_t status);

/* What the runs so far have found. */
struct probe_record {
    int32_t status; /* enum probe_status */
    int32_t failing_streak;
};

extern const struct json_struct probe_record_type;

/* Takes a result that came `since_start_ns` after the container's start. Returns true if the status
 * has changed. */
bool probe_judge(const struct probe_definition *definition, struct probe_record *record,
                 bool is_good, int64_t since_start_ns);

/* How long from now the next run is due; how long a run may take. */
int64_t probe_interval_ns(const struct probe_definition *definition,
                          const struct probe_record *record, int64_t since_start_ns);
int64_t probe_timeout_ns(const struct probe_definition *definition);

#endif
