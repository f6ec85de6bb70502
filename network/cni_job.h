/* What davitd writes to the standard input of davit-cni, and what that answers: one JSON object
 * each.
 */
#ifndef DAVIT_NETWORK_CNI_JOB_H
#define DAVIT_NETWORK_CNI_JOB_H

#include "base/json_table.h"

#define CNI_JOB_MAX (256 << 10) /* bytes of the object */

/* A port of the host that is to lead to the container (capability portMappings). */
struct cni_port {
    uint32_t host_port;
    uint32_t container_port;
    const char *protocol;
    const char *host; /* NULL: any address */
};

struct cni_network {
    const char *config;    /* file of its configuration list */
    const char *interface; /* inside */
    const char *address;   /* that it wants (IPv4); NULL: any */
    LIST_OF(struct cni_port) ports;
};

struct cni_job {
    bool is_removal; /* removes all networks of the record; `networks` and `netns` are not read */
    const char *container;
    const char *netns; /* path */
    LIST_OF(struct cni_network) networks;
    struct string_list plugin_directories;
};

extern const struct json_struct cni_network_type;
extern const struct json_struct cni_job_type;

/* An address that an interface has got, "10.1.2.3/24", and its gateway or NULL. */
struct cni_address {
    const char *address;
    const char *gateway;
};

struct cni_attached {
    const char *mac; /* or NULL */
    LIST_OF(struct cni_address) addresses;
};

/* What davit-cni answers: the networks in the order of the job, or an error. */
struct cni_report {
    const char *error;
    LIST_OF(struct cni_attached) networks;
};

extern const struct json_struct cni_report_type;

#endif
