/* Networks whose devices are made by plugins: see plugins.h. */
#include "plugins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "membership.h"
#include "network/cni_config.h"
#include "network/cni_job.h"
#include "supervisor/spawn/spawner.h"

#define RECORD_FILE "cni.jsonl" /* in the container's directory; davit-cni's */
#define REPORT_MAX (1 << 20)

/* davit-cni at work. */
struct plugins_run {
    struct networks *networks;
    char id[IDENTIFIER_SIZE];
    struct completion *waiter; /* NULL: plugins take devices back */
    int report_fd;
    sd_event_source *source;
    struct buffer report;
};

int plugins_take(struct network *network, const struct network_order *order, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct cni_config config;

    if (order->ipam.pools.count > 0 || order->has_ipv6 || order->is_internal)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "IPAM.Config, EnableIPv6, Internal: a network of driver cni is what its "
                         "configuration list says");
    if (network->conflist == NULL &&
        cni_config_find(&network->arena, network->name, &network->conflist, err) < 0)
        return -err->errnum;
    return cni_config_read(&arena, network->conflist, &config, err);
}

int plugins_check_address(const char *text, const struct network *network, struct error *err)
{
    struct address address;

    if (address_parse(text, &address) == 0 && address.family == AF_INET)
        return 0;
    return error_set(err, ERROR_INVALID, EINVAL,
                     "IPAMConfig: \"%.64s\" is not an IPv4 address, which alone can be asked for "
                     "on network %s (cni)",
                     text, network->name);
}

static struct network *plugin_network(const struct membership *member, size_t index)
{
    struct network *network = membership_network(member, index);

    return network != NULL && network->driver == NETWORK_DRIVER_CNI ? network : NULL;
}

static bool has_plugin_networks(const struct membership *member)
{
    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        if (plugin_network(member, i) != NULL)
            return true;
    }
    return false;
}

bool plugins_publish(const struct membership *member)
{
    return membership_address(member, AF_INET) == NULL && has_plugin_networks(member);
}

static void describe_ports(struct arena *arena, const struct membership *member,
                           struct cni_network *network)
{
    network->ports.items = arena_new(arena, member->ports.count, sizeof(*network->ports.items));
    for (size_t i = 0; i < member->ports.count; i++) {
        const struct published_port *port = &member->ports.items[i];

        network->ports.items[network->ports.count++] =
            (struct cni_port){.host_port = port->host_port,
                              .container_port = port->container_port,
                              .protocol = port->protocol,
                              .host = port->host[0] != '\0' ? port->host : NULL};
    }
}

/* Published ports go to the first network of plugins. */
static void describe_networks(struct arena *arena, const struct membership *member,
                              struct cni_job *job)
{
    size_t count = member->definition->endpoints.count;

    job->networks.items = arena_new(arena, count, sizeof(*job->networks.items));
    for (size_t i = 0; i < count; i++) {
        const struct network *network = plugin_network(member, i);
        const char *address = member->definition->endpoints.items[i].ipam.ipv4_address;
        struct cni_network *said = &job->networks.items[job->networks.count];
        char name[IFNAMSIZ];

        if (network == NULL)
            continue;
        lease_device_name(&member->leases[i], name);
        said->config = network->conflist;
        said->interface = arena_strdup(arena, name);
        said->address = address != NULL && address[0] != '\0' ? address : NULL;
        if (job->networks.count++ == 0 && plugins_publish(member))
            describe_ports(arena, member, said);
    }
}

/* Opens the record and locks it if nobody has. The lock goes with the descriptor to davit-cni: runs
 * take place in the order in which davitd asked for them. */
static int open_record(const struct membership *member, int flags)
{
    cleanup_close int directory_fd = member->owner->open_directory(member);
    int fd;

    if (directory_fd < 0)
        return directory_fd;
    fd =
        openat(directory_fd, RECORD_FILE, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
    if (fd < 0)
        return -errno;
    flock(fd, LOCK_EX | LOCK_NB);
    return fd;
}

static void run_free(struct plugins_run *run)
{
    sd_event_source_disable_unref(run->source);
    fd_close(&run->report_fd);
    buffer_release(&run->report);
    free(run);
}

static void take_address(const struct cni_address *from, struct network_lease *lease)
{
    struct subnet subnet;
    struct address gateway = {0};
    bool is_ipv6;

    if (subnet_parse(from->address, &subnet) < 0)
        return;
    is_ipv6 = subnet.address.family == AF_INET6;
    if ((is_ipv6 ? &lease->address6 : &lease->address)->family != 0)
        return;
    if (from->gateway == NULL || address_parse(from->gateway, &gateway) < 0)
        gateway.family = 0;
    *(is_ipv6 ? &lease->address6 : &lease->address) = subnet.address;
    *(is_ipv6 ? &lease->by_plugin->prefix6 : &lease->by_plugin->prefix) = subnet.prefix;
    *(is_ipv6 ? &lease->by_plugin->gateway6 : &lease->by_plugin->gateway) = gateway;
}

static int take_report(struct membership *member, const struct cni_report *report,
                       struct error *err)
{
    size_t taken = 0;

    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        struct network_lease *lease = &member->leases[i];
        const struct cni_attached *attached = &report->networks.items[taken];

        if (lease->by_plugin == NULL || taken == report->networks.count)
            continue;
        taken++;
        if (attached->mac != NULL)
            snprintf(lease->by_plugin->mac, sizeof(lease->by_plugin->mac), "%s", attached->mac);
        for (size_t j = 0; j < attached->addresses.count; j++)
            take_address(&attached->addresses.items[j], lease);
        /* davitd describes a device by its IPv4 address: there has to be one. */
        if (lease->address.family == 0)
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "network %s: its plugins gave no IPv4 address",
                             member->definition->endpoints.items[i].network_name);
    }
    return 0;
}

static int read_report(const struct plugins_run *run, struct arena *arena,
                       struct cni_report *report, struct error *err)
{
    struct error problem = {0};

    if (json_decode_text(arena, buffer_text(&run->report), run->report.length, &cni_report_type,
                         report, &problem) < 0)
        return error_set(err, ERROR_INTERNAL, EPROTO, "davit-cni ended without a report");
    if (report->error != NULL)
        return error_set(err, ERROR_INTERNAL, EIO, "%.900s", report->error);
    return 0;
}

static void plugins_run_end(struct plugins_run *run)
{
    cleanup_arena struct arena arena = {0};
    struct membership *member = membership_find(run->networks, run->id);
    struct cni_report report = {0};
    struct error err = {0};
    int result = read_report(run, &arena, &report, &err);

    if (run->waiter == NULL && result < 0)
        log_warning("container %.12s: plugins of its networks: %s", run->id, err.message);
    if (run->waiter != NULL) {
        if (result == 0 && member != NULL && member->has_plugins)
            take_report(member, &report, &err);
        run->waiter->done(run->waiter, err.errnum != 0 ? &err : NULL);
    }
    run_free(run);
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct plugins_run *run = context;
    ssize_t count = read(fd, buffer_reserve(&run->report, 4096), 4096);

    (void)source;
    (void)events;
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count > 0 && run->report.length + (size_t)count <= REPORT_MAX) {
        run->report.length += (size_t)count;
        return 0;
    }
    plugins_run_end(run);
    return 0;
}

static int plugins_run_spawn(struct plugins_run *run, const struct cni_job *job, int record_fd,
                             struct error *err)
{
    cleanup_close int job_fd = spawner_open_job(&cni_job_type, job, CNI_JOB_MAX, err);
    cleanup_close int write_fd = -1;

    if (job_fd < 0)
        return job_fd;
    run->report_fd = spawner_open_report(&write_fd, err);
    if (run->report_fd < 0)
        return run->report_fd;
    if (sd_event_add_io(run->networks->loop, &run->source, run->report_fd, EPOLLIN, on_report,
                        run) < 0)
        return error_set(err, ERROR_INTERNAL, ENOMEM, "watch davit-cni");
    return spawner_request_worker(run->networks->spawner, WORKER_CNI,
                                  (const int[]){job_fd, write_fd, record_fd}, 3, err);
}

static int plugins_run_start(struct membership *member, struct cni_job *job, int record_fd,
                             struct completion *waiter, struct error *err)
{
    struct plugins_run *run = memory_new_one(struct plugins_run);
    int result;

    run->networks = member->networks;
    run->waiter = waiter;
    run->report_fd = -1;
    strcpy(run->id, member->definition->id);
    job->container = member->definition->id;
    job->plugin_directories = member->networks->plugin_directories;
    result = plugins_run_spawn(run, job, record_fd, err);
    if (result < 0)
        run_free(run);
    return result;
}

/* Names the namespace by davitd's descriptor: the first process may not have entered it yet, and is
 * in the host's until then. */
static int attach(struct membership *member, int netns_fd, struct completion *waiter,
                  struct error *err)
{
    cleanup_arena struct arena arena = {0};
    cleanup_close int record_fd = open_record(member, O_CREAT);
    struct cni_job job = {.netns = arena_printf(&arena, "/proc/%d/fd/%d", (int)getpid(), netns_fd)};

    if (record_fd < 0)
        return error_errno(err, -record_fd, RECORD_FILE);
    describe_networks(&arena, member, &job);
    return plugins_run_start(member, &job, record_fd, waiter, err);
}

void plugins_attach(struct membership *member, int netns_fd, struct completion *waiter)
{
    struct error err = {0};

    if (has_plugin_networks(member)) {
        member->has_plugins = true;
        if (attach(member, netns_fd, waiter, &err) == 0)
            return;
    }
    waiter->done(waiter, err.errnum != 0 ? &err : NULL);
}

void plugins_release(struct membership *member)
{
    struct cni_job job = {.is_removal = true};
    struct error err = {0};
    cleanup_close int record_fd = -1;

    if (!member->has_plugins)
        return;
    member->has_plugins = false;
    record_fd = open_record(member, 0);
    if (record_fd >= 0 && plugins_run_start(member, &job, record_fd, NULL, &err) < 0)
        log_warning("container %s: plugins of its networks: %s", member->definition->name,
                    err.message);
}

void plugins_recover(struct membership *member)
{
    cleanup_close int record_fd = -1;

    if (!has_plugin_networks(member))
        return;
    record_fd = open_record(member, 0);
    /* An empty record that is locked is about to be written by davit-cni. */
    member->has_plugins = record_fd >= 0 && (lseek(record_fd, 0, SEEK_END) > 0 ||
                                             flock(record_fd, LOCK_EX | LOCK_NB) < 0);
}

static const struct json_field record_fields[] = {
    JSON_FIELD(struct plugin_record, prefix, "prefix", JSON_KIND_UINT32),
    JSON_FIELD(struct plugin_record, prefix6, "prefix6", JSON_KIND_UINT32),
    JSON_FIELD(struct plugin_record, gateway, "gateway", JSON_KIND_STRING),
    JSON_FIELD(struct plugin_record, gateway6, "gateway6", JSON_KIND_STRING),
    JSON_FIELD(struct plugin_record, mac, "mac", JSON_KIND_STRING),
};
const struct json_struct plugin_record_type = JSON_STRUCT(struct plugin_record, record_fields);

struct plugin_record *plugins_record(struct arena *arena, const struct plugin_lease *lease)
{
    struct plugin_record *record = arena_new(arena, 1, sizeof(*record));
    char text[ADDRESS_TEXT_SIZE];

    record->prefix = lease->prefix;
    record->prefix6 = lease->prefix6;
    address_format(&lease->gateway, text);
    record->gateway = arena_strdup(arena, text);
    address_format(&lease->gateway6, text);
    record->gateway6 = arena_strdup(arena, text);
    record->mac = lease->mac;
    return record;
}

static void parse_gateway(const char *text, struct address *address)
{
    if (text == NULL || address_parse(text, address) < 0)
        *address = (struct address){0};
}

struct plugin_lease *plugins_restore(const struct plugin_record *record)
{
    struct plugin_lease *lease = memory_new_one(struct plugin_lease);

    lease->prefix = record->prefix;
    lease->prefix6 = record->prefix6;
    parse_gateway(record->gateway, &lease->gateway);
    parse_gateway(record->gateway6, &lease->gateway6);
    snprintf(lease->mac, sizeof(lease->mac), "%s", record->mac != NULL ? record->mac : "");
    return lease;
}
