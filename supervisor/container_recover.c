/* At davitd's start: what has become of the containers while it was away. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "container_internal.h"
#include "network/firewall.h"
#include "network_plugins.h"
#include "networks.h"
#include "trash.h"

/* The lock of one that was killed may outlive it by as much. */
#define PREDECESSOR_MS 2000
#define PREDECESSOR_IDLE_MS 100 /* where only leftovers are at stake */

struct state_record {
    int32_t status;
    int32_t pid;
    int32_t exit_code;
    int64_t started_ns;
    int64_t finished_ns;
    bool is_oom_killed;
    bool is_paused;
    bool is_held_back;
    int32_t restart_count;
    bool is_restart_wanted;
    const char *error;
    LIST_OF(struct lease_record) leases;
    const char *resolver; /* instance that has its sockets */
    struct published_ports ports;
    LIST_OF(struct probe_record) probes;
};

static const struct json_field lease_fields[] = {
    JSON_FIELD(struct lease_record, address, "address", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct lease_record, address6, "address6", JSON_KIND_STRING),
    JSON_FIELD(struct lease_record, device, "device", JSON_KIND_UINT32),
    JSON_FIELD(struct lease_record, host_device, "hostDevice", JSON_KIND_STRING),
    JSON_FIELD(struct lease_record, by_plugin, "plugin", JSON_KIND_JSON),
};
static const struct json_struct lease_type = JSON_STRUCT(struct lease_record, lease_fields);

static const struct json_field state_fields[] = {
    JSON_FIELD(struct state_record, status, "status", JSON_KIND_INT32, .minimum = 0,
               .maximum = CONTAINER_STATUS_COUNT - 1),
    JSON_FIELD(struct state_record, pid, "pid", JSON_KIND_INT32),
    JSON_FIELD(struct state_record, exit_code, "exitCode", JSON_KIND_INT32),
    JSON_FIELD(struct state_record, started_ns, "startedNs", JSON_KIND_INT64),
    JSON_FIELD(struct state_record, finished_ns, "finishedNs", JSON_KIND_INT64),
    JSON_FIELD(struct state_record, is_oom_killed, "oomKilled", JSON_KIND_BOOL),
    JSON_FIELD(struct state_record, is_paused, "paused", JSON_KIND_BOOL),
    JSON_FIELD(struct state_record, is_held_back, "heldBack", JSON_KIND_BOOL),
    JSON_FIELD(struct state_record, restart_count, "restartCount", JSON_KIND_INT32),
    JSON_FIELD(struct state_record, is_restart_wanted, "restartWanted", JSON_KIND_BOOL),
    JSON_FIELD(struct state_record, error, "error", JSON_KIND_STRING),
    JSON_FIELD(struct state_record, leases, "leases", JSON_KIND_STRUCTS, .type = &lease_type),
    JSON_FIELD(struct state_record, resolver, "resolver", JSON_KIND_STRING),
    JSON_FIELD(struct state_record, ports, "ports", JSON_KIND_STRUCTS,
               .type = &published_port_type),
    JSON_FIELD(struct state_record, probes, "probes", JSON_KIND_STRUCTS,
               .type = &probe_record_type),
};
static const struct json_struct state_type = JSON_STRUCT(struct state_record, state_fields);

static int connect_monitor(struct managed_container *container)
{
    cleanup_close int run_fd = container_open_run_directory(container);

    return run_fd < 0 ? run_fd : socket_connect(run_fd, MONITOR_SOCKET, SOCK_SEQPACKET, NULL);
}

/* What was to go with its end, and did not get to it. */
static void remove_if_over(struct managed_container *container)
{
    struct error err = {0};

    if (container->status == CONTAINER_EXITED &&
        container->definition.host_config.is_auto_removed &&
        container_remove(container, true, &err) < 0)
        log_error("container %s: %s", container->definition.name, err.message);
}

/* Runs, has ended meanwhile, or never started. A monitor may end between two of these looks, but it
 * writes its exit file before its socket goes away, so the file is looked for last as well. */
static void take_over(struct managed_container *container, const struct state_record *record)
{
    int fd = connect_monitor(container);

    network_plugins_recover(container);
    container->status = (enum container_status)record->status;
    if (container->status == CONTAINER_STARTING)
        container->status = CONTAINER_CREATED;
    if (fd >= 0 && container_watch_monitor(container, fd, NULL) == 0) {
        container->status = CONTAINER_RUNNING;
        container->is_paused = record->is_paused;
        /* Our predecessor may have died between saying so and doing it, or while it held the
         * container for a commit. */
        container_freeze(container, container->is_paused, NULL);
        return;
    }
    if (container->status == CONTAINER_RUNNING || container_read_exit_file(container)) {
        container_handle_exit(container, NULL);
        return;
    }
    /* Its monitor may have died between starting it and telling us. */
    container_kill_leftovers(container);
    container_network_release(container);
    remove_if_over(container);
}

static int recover_one(void *context, const char *definition, const char *state, struct error *err)
{
    struct daemon *daemon = context;
    struct managed_container *container = memory_new_one(struct managed_container);
    struct state_record record = {0};
    int result;

    container->daemon = daemon;
    container->control_fd = -1;
    result = json_decode_text(&container->arena, definition, strlen(definition), &definition_type,
                              &container->definition, err);
    if (result == 0)
        result =
            json_decode_text(&container->arena, state, strlen(state), &state_type, &record, err);
    if (result < 0) {
        container_free(container);
        return error_prefix(err, "database: a container's record");
    }
    container->pid = record.pid;
    container->exit_code = record.exit_code;
    container->started_ns = record.started_ns;
    container->finished_ns = record.finished_ns;
    container->is_oom_killed = record.is_oom_killed;
    container->is_held_back = record.is_held_back;
    container_network_restore(container, record.leases.items, record.leases.count, record.resolver,
                              &record.ports);
    container->restart_count = record.restart_count;
    container->is_restart_wanted = record.is_restart_wanted;
    for (size_t i = 0; i < record.probes.count && i < PROBE_KIND_COUNT; i++)
        container->probe_records[i] = record.probes.items[i];
    if (record.error != NULL && record.error[0] != '\0')
        container->error = memory_strdup(record.error);
    container_link(daemon, container);
    take_over(container, &record);
    return 0;
}

/* Directories without a container are what an interrupted create or remove left. */
static int sweep_directories(struct daemon *daemon, struct error *err)
{
    int fd = openat(daemon->containers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct managed_container *container;
        struct error unused;

        if (entry->d_name[0] == '.' ||
            (container_find(daemon, entry->d_name, &container, &unused) == 0 &&
             strcmp(container->definition.id, entry->d_name) == 0))
            continue;
        if (trash_put(daemon, daemon->containers_fd, entry->d_name, err) < 0)
            log_warning("leftover container directory: %s", err->message);
    }
    return 0;
}

/* Whatever has happened to the rules since: also those of containers that are no more. */
static void repair_firewall(struct daemon *daemon)
{
    struct error err = {0};
    bool has_work = false;

    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next)
        has_work = has_work || container_is_on_networks(one);
    if (!has_work && !nft_table_exists(&daemon->nft, NFT_INET, FIREWALL_TABLE))
        return;
    if (networks_claim(daemon, has_work ? PREDECESSOR_MS : PREDECESSOR_IDLE_MS, &err) == 0)
        firewall_change(daemon);
    else if (has_work)
        log_error("%s", err.message);
}

int containers_recover(struct daemon *daemon, struct error *err)
{
    int result = database_each_container(daemon->database, recover_one, daemon, err);

    repair_firewall(daemon);

    if (result == 0)
        containers_start_at_boot(daemon);
    return result < 0 ? result : sweep_directories(daemon, err);
}
