/* A container's part in networks, as the container has it: what networks ask of it, and what
 * changes its definition. See internal.h. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "internal.h"
#include "supervisor/networks/egress.h"

/* ---- what networks ask ---- */

static struct managed_container *container_of(const struct membership *member)
{
    return (struct managed_container *)(void *)((char *)(uintptr_t)member -
                                                offsetof(struct managed_container, network));
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

void container_network_open(struct managed_container *container)
{
    static const struct membership_owner owner = {open_directory, open_namespace, save, attached,
                                                  publish};

    container->network.networks = container->containers->networks;
    container->network.owner = &owner;
    container->network.definition = &container->definition;
    container->network.arena = &container->arena;
}

/* ---- connect and disconnect ---- */

/* Written down, with what it means for the next start. */
static int save_endpoints(struct managed_container *container, struct error *err)
{
    int result = membership_write_files(&container->network, err);

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
    int result = membership_check_endpoint(&container->network, network, wanted, err);

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
    if (!membership_is_own(&container->network))
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
    size_t index = membership_find_endpoint(&container->network, network);
    bool is_new = index == definition->endpoints.count;
    int result = check_connect(container, network, wanted, index, err);

    if (result < 0)
        return result;
    put_endpoint(container, network, wanted, index);
    leases_note_fixed(&container->network);
    if (container->status == CONTAINER_RUNNING)
        result = membership_join(&container->network, index, err);
    if (result < 0) {
        definition->endpoints.count -= is_new;
        leases_note_fixed(&container->network);
        return result;
    }
    definition->host_config.network_mode = definition->endpoints.items[0].network_name;
    return save_endpoints(container, err);
}

int container_disconnect(struct managed_container *container, const struct network *network,
                         struct error *err)
{
    struct definition *definition = &container->definition;
    size_t index = membership_find_endpoint(&container->network, network);
    int result;

    if (index == definition->endpoints.count)
        return error_set(err, ERROR_DENIED, ENOENT, "container %s is not connected to network %s",
                         definition->name, network->name);
    if (container->network.leases[index].by_plugin != NULL)
        return error_set(err, ERROR_INVALID, EBUSY,
                         "container %s runs: its networks of plugins (%s) go when it ends",
                         definition->name, network->name);
    result = membership_leave(&container->network, index, err);
    if (result < 0)
        return result;
    memmove(definition->endpoints.items + index, definition->endpoints.items + index + 1,
            (definition->endpoints.count - index - 1) * sizeof(struct endpoint));
    definition->endpoints.count--;
    definition->host_config.network_mode =
        definition->endpoints.count > 0 ? definition->endpoints.items[0].network_name : "none";
    membership_left(&container->network);
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
    result = egress_check(&container->network, err);
    if (result == 0)
        result = container_save_definition(container, err);
    if (result < 0) {
        config->egress = former;
        return result;
    }
    egress_replace(&container->network, former);
    return 0;
}
