/* A container's part in networks, as the container has it: what networks ask of it, and what
 * changes its definition. See internal.h. */
#include <errno.h>
#include <string.h>

#include "all_parts.h"
#include "internal.h"
#include "supervisor/networks/egress.h"
#include "supervisor/networks/names.h"

/* Its part's memory. */
struct network_state {
    struct membership member; /* the first */
    struct managed_container *container;
};

struct membership *container_network(const struct managed_container *container)
{
    return container_part_state(container, &network_part);
}

/* ---- what networks ask ---- */

static struct managed_container *container_of(const struct membership *member)
{
    return ((const struct network_state *)(const void *)member)->container;
}

static int open_directory(const struct membership *member)
{
    return container_open_directory(container_of(member));
}

static int open_namespace(const struct membership *member, struct error *err)
{
    return container_open_namespace(container_of(member), "net", err);
}

static void save(struct membership *member)
{
    container_save_state(container_of(member));
}

static void attached(struct membership *member, const struct error *err)
{
    const char *text = err != NULL ? err->message : "";
    struct monitor_message message = {.type = MONITOR_NETWORK_READY};

    if (err != NULL) {
        message.value = -err->errnum;
        message.value2 = (int32_t)err->code;
    }
    container_send(container_of(member), &message, text, strlen(text), -1, NULL);
}

static void publish(struct membership *member, const char *action, const struct string_map *extra)
{
    container_event(container_of(member), action, extra);
}

/* ---- connect and disconnect ---- */

/* Written down, with what it means for the next start. */
static int save_endpoints(struct managed_container *container, struct error *err)
{
    int result = membership_write_files(container_network(container), err);

    if (result == 0)
        result = container_write_bundle(container, err);
    return result < 0 ? result : container_save_definition(container, err);
}

static int check_connect(const struct managed_container *container, const struct network *network,
                         const struct endpoint *wanted, size_t index, struct error *err)
{
    const struct definition *definition = &container->definition;
    bool is_new = index == definition->endpoints.count;
    bool is_running = container->status == CONTAINER_RUNNING;
    int result = membership_check_endpoint(container_network(container), network, wanted, err);

    if (result < 0)
        return result;
    if (definition->host_config.egress != NULL &&
        (network->driver != NETWORK_DRIVER_BRIDGE || is_running))
        return error_set(
            err, ERROR_INVALID, EINVAL,
            "container %s has egress rules: it can be connected to bridges alone, and only while "
            "it does not run",
            definition->name);
    if (is_running && network->driver == NETWORK_DRIVER_CNI)
        return error_set(err, ERROR_INVALID, EBUSY,
                         "container %s runs: its networks of plugins (%s) are made when it starts",
                         definition->name, network->name);
    if (!membership_is_own(container_network(container)))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "container %s shares a network namespace: it cannot be connected",
                         definition->name);
    if ((!is_new && is_running) || container->status == CONTAINER_STARTING)
        return error_set(err, ERROR_DENIED, EEXIST,
                         "endpoint with name %s already exists in network %s", definition->name,
                         network->name);
    if (is_new && index == ENDPOINTS_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "container %s has %d networks already",
                         definition->name, ENDPOINTS_MAX);
    return 0;
}

static const char *copy_text(struct arena *arena, const char *text)
{
    return text != NULL && text[0] != '\0' ? arena_strdup(arena, text) : NULL;
}

static void put_endpoint(struct managed_container *container, const struct network *network,
                         const struct endpoint *wanted, size_t index)
{
    struct arena *arena = &container->arena;
    struct definition *definition = &container->definition;
    struct endpoint endpoint = {.network_id = arena_strdup(arena, network->id),
                                .network_name = arena_strdup(arena, network->name)};

    endpoint.ipam.ipv4_address = copy_text(arena, wanted->ipam.ipv4_address);
    endpoint.ipam.ipv6_address = copy_text(arena, wanted->ipam.ipv6_address);
    for (size_t i = 0; i < wanted->aliases.count; i++)
        string_list_append(arena, &endpoint.aliases, arena_strdup(arena, wanted->aliases.items[i]));
    if (index == definition->endpoints.count)
        definition->endpoints.items = arena_grow(arena, definition->endpoints.items,
                                                 definition->endpoints.count++, sizeof(endpoint));
    definition->endpoints.items[index] = endpoint;
}

int container_connect(struct managed_container *container, const struct network *network,
                      const struct endpoint *wanted, struct error *err)
{
    struct definition *definition = &container->definition;
    size_t index = membership_find_endpoint(container_network(container), network);
    bool is_new = index == definition->endpoints.count;
    int result = check_connect(container, network, wanted, index, err);

    if (result < 0)
        return result;
    put_endpoint(container, network, wanted, index);
    leases_note_fixed(container_network(container));
    if (container->status == CONTAINER_RUNNING)
        result = membership_join(container_network(container), index, err);
    if (result < 0) {
        definition->endpoints.count -= is_new;
        leases_note_fixed(container_network(container));
        return result;
    }
    definition->host_config.network_mode = definition->endpoints.items[0].network_name;
    return save_endpoints(container, err);
}

int container_disconnect(struct managed_container *container, const struct network *network,
                         struct error *err)
{
    struct definition *definition = &container->definition;
    size_t index = membership_find_endpoint(container_network(container), network);
    int result;

    if (index == definition->endpoints.count)
        return error_set(err, ERROR_DENIED, ENOENT, "container %s is not connected to network %s",
                         definition->name, network->name);
    if (container_network(container)->leases[index].by_plugin != NULL)
        return error_set(err, ERROR_INVALID, EBUSY,
                         "container %s runs: its networks of plugins (%s) go when it ends",
                         definition->name, network->name);
    result = membership_leave(container_network(container), index, err);
    if (result < 0)
        return result;
    memmove(definition->endpoints.items + index, definition->endpoints.items + index + 1,
            (definition->endpoints.count - index - 1) * sizeof(struct endpoint));
    definition->endpoints.count--;
    definition->host_config.network_mode =
        definition->endpoints.count > 0 ? definition->endpoints.items[0].network_name : "none";
    membership_left(container_network(container));
    return save_endpoints(container, err);
}

/* ---- egress ---- */

int container_set_egress(struct managed_container *container, const struct docker_egress *egress,
                         struct error *err)
{
    struct docker_host_config *config = &container->definition.host_config;
    const struct docker_egress *former = config->egress;
    int result;

    config->egress = egress;
    result = egress_check(container_network(container), err);
    if (result == 0)
        result = container_save_definition(container, err);
    if (result < 0) {
        config->egress = former;
        return result;
    }
    egress_replace(container_network(container), former);
    return 0;
}

/* ---- its part ---- */

static void open_network(struct managed_container *container)
{
    static const struct membership_owner owner = {open_directory, open_namespace, save, attached,
                                                  publish};
    struct network_state *state = container_part_state(container, &network_part);

    state->container = container;
    state->member.networks = container->containers->networks;
    state->member.owner = &owner;
    state->member.definition = &container->definition;
    state->member.arena = &container->arena;
}

/* A container whose network namespace it is to have lends it its names. */
static int define_network(struct managed_container *container, const struct image *image,
                          struct error *err)
{
    const char *mode = container->definition.host_config.network_mode;
    const char *name = mode != NULL ? mode_container(mode) : NULL;
    struct managed_container *joined = NULL;
    int result = name != NULL ? container_find(container->containers, name, &joined, err) : 0;

    (void)image;
    return result < 0 ? result
                      : membership_resolve(container_network(container),
                                           joined != NULL ? &joined->definition : NULL, err);
}

static int write_network(struct managed_container *container, struct error *err)
{
    return membership_write_files(container_network(container), err);
}

static void network_known(struct managed_container *container)
{
    membership_link(container_network(container));
}

static void network_removed(struct managed_container *container, bool removes_volumes)
{
    struct membership *member = container_network(container);

    (void)removes_volumes;
    membership_cut(member);
    membership_unlink(member);
    /* It may have been its network's last. */
    if (container->definition.endpoints.count > 0)
        firewall_change(container->containers->networks);
}

static int prepare_network(struct managed_container *container, struct container_start *start,
                           struct error *err)
{
    (void)start;
    (void)err;
    membership_cut(container_network(container));
    return 0;
}

static void network_starting(struct managed_container *container,
                             const struct container_start *start)
{
    membership_start(container_network(container), start->netns_fd);
}

static void attach_network(struct managed_container *container, int netns_fd, pid_t pid)
{
    membership_attach(container_network(container), netns_fd, pid);
}

static void network_started(struct managed_container *container, bool is_new)
{
    membership_run(container_network(container), container->pid);
    /* One that an earlier davitd has started may be new to the resolver. */
    if (!is_new)
        names_update(container_network(container));
}

static void network_failed(struct managed_container *container)
{
    membership_fail(container_network(container));
}

static void network_ended(struct managed_container *container)
{
    membership_end(container_network(container));
}

static void network_renamed(struct managed_container *container)
{
    names_update(container_network(container));
}

static void record_network(const struct managed_container *container, struct arena *arena,
                           void *record)
{
    membership_record(container_network(container), arena, record);
}

static void restore_network(struct managed_container *container, const void *record)
{
    container->containers->networks->is_recovering = true;
    membership_restore(container_network(container), record);
}

static void network_found(struct managed_container *container)
{
    membership_run(container_network(container), container->pid);
}

static void recover_networks(struct containers *containers)
{
    networks_recovered(containers->networks);
}

static void describe_network(struct json_writer *writer, const struct managed_container *container)
{
    json_key(writer, "NetworkSettings");
    json_object_open(writer);
    membership_write(writer, container_network(container));
    json_object_close(writer);
}

const struct container_part network_part = {
    .name = "networks",
    .state_size = sizeof(struct network_state),
    .open = open_network,
    .define = define_network,
    .write = write_network,
    .known = network_known,
    .removed = network_removed,
    .prepare = prepare_network,
    .starting = network_starting,
    .attach = attach_network,
    .started = network_started,
    .failed = network_failed,
    .ended = network_ended,
    .renamed = network_renamed,
    .record_type = &membership_record_type,
    .record = record_network,
    .restore = restore_network,
    .found = network_found,
    .recovered = recover_networks,
    .describe = describe_network,
};
