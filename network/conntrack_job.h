/* Which connections end, and the process that ends them: what davitd writes for it is one JSON
 * object, and what it answers is CONNTRACK_DONE or why it could not. */
#ifndef DAVIT_NETWORK_CONNTRACK_JOB_H
#define DAVIT_NETWORK_CONNTRACK_JOB_H

#include "base/json_table.h"
#include "conntrack.h"

#define CONNTRACK_DONE "done"
#define CONNTRACK_JOB_MAX (64 << 20) /* bytes of the object */

/* Rules of a container have changed: what it began ends unless they let it through. */
struct conntrack_change {
    struct string_list addresses; /* the container's */
    struct string_list allowed;   /* egress rules that name no names */
};

/* A port of the host that leads to a container now. */
struct conntrack_port {
    uint32_t protocol; /* IPPROTO_* */
    uint32_t port;
};

struct conntrack_job {
    struct string_list ended; /* addresses that are nobody's now */
    /* What lies in `networks` and is not in `held` is nobody's either. */
    struct string_list networks;
    struct string_list held;
    LIST_OF(struct conntrack_change) changes;
    /* Who has sent to them before, and was led to the host itself, is led there as long as it goes
     * on sending. */
    LIST_OF(struct conntrack_port) ports;
};
extern const struct json_struct conntrack_job_type;

/* A job, read. */
struct conntrack_order;
int conntrack_job_read(struct arena *arena, const char *text, size_t length,
                       struct conntrack_order **order, struct error *err);

/* Whether the connection ends by it. */
bool conntrack_order_ends(const struct conntrack_order *order, const struct conntrack_flow *flow);

/* In a child of the spawner, in davitd's network namespace. It does nothing any more once nobody
 * listens: addresses may have become somebody else's. */
_Noreturn void conntrack_job_run(int job_fd, int report_fd);

#endif
