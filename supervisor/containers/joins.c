/* Namespaces that are there: of another container, PidMode, NetworkMode and IpcMode
 * "container:NAME", and by path, NetworkMode "ns:PATH". See internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#include "all_parts.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "internal.h"

struct join {
    int type; /* enum oci_namespace_type */
    const char *const *mode;
};

enum { JOIN_COUNT = 3 };

static void list_joins(const struct docker_host_config *host, struct join joins[JOIN_COUNT])
{
    joins[0] = (struct join){OCI_NAMESPACE_PID, &host->pid_mode};
    joins[1] = (struct join){OCI_NAMESPACE_NETWORK, &host->network_mode};
    joins[2] = (struct join){OCI_NAMESPACE_IPC, &host->ipc_mode};
}

/* As with Docker, the other container has to allow it by the IpcMode "shareable". */
static int check_shareable(const struct join *join, const struct managed_container *other,
                           struct error *err)
{
    const char *mode = other->definition->host_config.ipc_mode;

    if (join->type != OCI_NAMESPACE_IPC || (mode != NULL && strcmp(mode, "shareable") == 0))
        return 0;
    return error_set(err, ERROR_CONFLICT, EPERM,
                     "HostConfig.IpcMode: container %s does not share its IPC namespace (its own "
                     "IpcMode has to be shareable)",
                     other->definition->name);
}

/* A container that joins another's namespaces gets that one's ids: others have no rights there. */
static int share_ids(struct definition *definition, const struct managed_container *other,
                     bool is_first, struct error *err)
{
    const char *mode = definition->host_config.userns_mode;

    if (mode_is_host(mode) && is_first)
        return 0;
    if ((mode != NULL && strcmp(mode, "auto") == 0 && is_first) ||
        (!is_first && definition->id_range_first != other->definition->id_range_first))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.UsernsMode: a container that joins another's namespaces has "
                         "that one's ids");
    definition->id_range_first = other->definition->id_range_first;
    return 0;
}

static int resolve_joins(struct managed_container *container, struct revision *draft,
                         const struct image *image, struct error *err)
{
    struct docker_host_config *host = &draft->definition.host_config;
    const char *asked = host->userns_mode;
    const char **const modes[] = {&host->pid_mode, &host->network_mode, &host->ipc_mode};
    struct join joins[JOIN_COUNT];
    bool is_first = true;

    (void)image;
    list_joins(host, joins);
    for (int i = 0; i < JOIN_COUNT; i++) {
        const char *name = mode_container(*joins[i].mode);
        struct managed_container *other;

        if (name == NULL)
            continue;
        if (container_find(container->containers, draft->definition.tenant, name, &other, err) <
                0 ||
            check_shareable(&joins[i], other, err) < 0 ||
            share_ids(&draft->definition, other, is_first, err) < 0)
            return -err->errnum;
        *modes[i] = arena_printf(&draft->arena, "container:%s", other->definition->id);
        is_first = false;
    }
    if (!is_first && (asked == NULL || asked[0] == '\0'))
        host->userns_mode = container->definition->id_range_first != 0 ? "auto" : "host";
    return 0;
}

bool container_joins_another(const struct managed_container *container)
{
    const struct docker_host_config *host = &container->definition->host_config;

    return mode_container(host->pid_mode) != NULL || mode_container(host->network_mode) != NULL ||
           mode_container(host->ipc_mode) != NULL;
}

static int send_join(struct managed_container *container, int type, int fd, struct error *err)
{
    const struct monitor_message message = {.type = MONITOR_JOIN, .value = type};

    return container_send(container, &message, NULL, 0, fd, err);
}

static int send_namespace(struct managed_container *container,
                          const struct managed_container *other, int type, const char *file,
                          struct error *err)
{
    cleanup_close int fd = container_open_namespace(other, file, err);

    return fd < 0 ? fd : send_join(container, type, fd, err);
}

/* Sends the other container's mount namespace, which has its /dev/shm. */
static int send_mounts(struct managed_container *container, const struct managed_container *other,
                       struct error *err)
{
    const struct monitor_message message = {.type = MONITOR_SHM};
    cleanup_close int fd = container_open_namespace(other, "mnt", err);

    return fd < 0 ? fd : container_send(container, &message, NULL, 0, fd, err);
}

/* Opens the path on the host, wherever it leads: who may create containers may be root anyway. */
static int send_path(struct managed_container *container, const char *path, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return error_errno(err, errno, "HostConfig.NetworkMode: open %s", path);
    if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.NetworkMode: %s is no network namespace", path);
    return send_join(container, OCI_NAMESPACE_NETWORK, fd, err);
}

static int send_joins(struct managed_container *container, struct error *err)
{
    static const char *const files[] = {"pid", "net", "ipc"};
    const char *path = mode_path(container->definition->host_config.network_mode);
    struct join joins[JOIN_COUNT];
    struct managed_container *other = NULL;
    int result = path != NULL ? send_path(container, path, err) : 0;

    list_joins(&container->definition->host_config, joins);
    for (int i = 0; result == 0 && i < JOIN_COUNT; i++) {
        const char *name = mode_container(*joins[i].mode);

        if (name == NULL)
            continue;
        result =
            container_find(container->containers, container->definition->tenant, name, &other, err);
        if (result == 0)
            result = send_namespace(container, other, joins[i].type, files[i], err);
        if (result == 0 && joins[i].type == OCI_NAMESPACE_IPC)
            result = send_mounts(container, other, err);
    }
    if (result == 0 && other != NULL && container->definition->id_range_first != 0)
        result = send_namespace(container, other, OCI_NAMESPACE_USER, "user", err);
    return result;
}

/* Maps the ids first: if that fails, the monitor has got none of the namespaces yet. */
static int send_ready(struct managed_container *container, const struct ready_namespaces *ready,
                      struct error *err)
{
    const struct oci_id_mapping mapping = {0, container->definition->id_range_first, ID_RANGE_SIZE};
    int result = 0;

    if (mapping.host_id != 0)
        result = ready_namespaces_map(ready, &mapping, err);
    if (result == 0)
        result = send_join(container, OCI_NAMESPACE_NETWORK, ready->fds[READY_NETWORK], err);
    if (result == 0 && mapping.host_id != 0)
        result = send_join(container, OCI_NAMESPACE_USER, ready->fds[READY_USER], err);
    return result;
}

static int give_namespaces(struct managed_container *container)
{
    bool has_ids = container->definition->id_range_first != 0;
    struct ready_namespaces ready;
    struct error err = {0};
    int fd = -1;

    if (!membership_is_own(container_network(container)) || container_joins_another(container) ||
        !namespace_pool_take(container->containers->namespace_pool, has_ids, &ready))
        return -1;
    if (send_ready(container, &ready, &err) == 0)
        fd = take_fd(&ready.fds[READY_NETWORK]);
    else
        log_warning("container %s: namespaces made ahead: %s", container->definition->name,
                    err.message);
    ready_namespaces_release(&ready);
    return fd;
}

static int prepare_namespaces(struct managed_container *container, struct container_start *start,
                              struct error *err)
{
    int result = send_joins(container, err);

    if (result == 0)
        start->netns_fd = give_namespaces(container);
    return result;
}

/* Refills the pool when the start is over: nobody waits for it then. */
static void fill_pool(struct managed_container *container)
{
    namespace_pool_fill(container->containers->namespace_pool);
}

static void namespaces_started(struct managed_container *container, bool is_new)
{
    (void)is_new;
    fill_pool(container);
}

const struct container_part namespace_part = {
    .name = "namespaces",
    .define = resolve_joins,
    .prepare = prepare_namespaces,
    .started = namespaces_started,
    .failed = fill_pool,
};
