/* A container's part in networks, as the container has it: what networks ask of it, and what
 * changes its definition. See internal.h. */
#include <errno.h>
#include <string.h>

#include "all_parts.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "internal.h"
#include "supervisor/networks/egress.h"
#include "supervisor/networks/egress_notes.h"
#include "supervisor/networks/groups.h"
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

static void tell_monitor_attached(struct membership *member, const struct error *err)
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

static int check_connect(const struct managed_container *container, const struct network *network,
                         const struct endpoint *wanted, size_t index, struct error *err)
{
    const struct definition *definition = container->definition;
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

static const char *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static int change_endpoints(struct managed_container *container, struct endpoint *items,
                            size_t count, struct error *err)
{
    struct definition changed = *container->definition;

    changed.endpoints.items = items;
    changed.endpoints.count = count;
    changed.host_config.network_mode = count > 0 ? items[0].network_name : "none";
    return container_change(container, &changed, err);
}

static int remove_endpoint(struct managed_container *container, size_t index, struct error *err)
{
    const struct definition *definition = container->definition;
    struct endpoint others[ENDPOINTS_MAX] = {{0}};
    size_t count = 0;

    for (size_t i = 0; i < definition->endpoints.count; i++) {
        if (i != index)
            others[count++] = definition->endpoints.items[i];
    }
    return change_endpoints(container, others, count, err);
}

/* The container could not be connected to it after all. */
static void forget_endpoint(struct managed_container *container, size_t index)
{
    struct error err = {0};

    if (remove_endpoint(container, index, &err) < 0)
        log_error("container %s: it is still said to be on the network: %s",
                  container->definition->name, err.message);
}

/* Its endpoint on a network of that name or id which is gone; the number of its endpoints: none. */
static size_t find_lost(const struct managed_container *container, const char *name)
{
    const struct definition *definition = container->definition;
    size_t i = 0;

    while (i < definition->endpoints.count &&
           (membership_network(container_network(container), i) != NULL ||
            (strcmp(definition->endpoints.items[i].network_name, name) != 0 &&
             strcmp(definition->endpoints.items[i].network_id, name) != 0)))
        i++;
    return i;
}

int container_disconnect_lost(struct managed_container *container, const struct actor *actor,
                              const char *name, struct error *err)
{
    size_t index = find_lost(container, name);
    int result = parts_admit(container, actor, ACTION_UPDATE, err);

    if (result < 0)
        return result;
    if (index == container->definition->endpoints.count)
        return error_set(err, ERROR_NOT_FOUND, ENOENT, "network %.128s not found", name);
    if (container->status == CONTAINER_RUNNING || container->status == CONTAINER_STARTING)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "network %.128s is gone: container %s leaves it when it does not run",
                         name, container->definition->name);
    result = remove_endpoint(container, index, err);
    return result < 0 ? result : membership_write_files(container_network(container), err);
}

/* Docker's events of networks: a container that runs has come or gone. */
static void publish_endpoint(const struct managed_container *container,
                             const struct endpoint *endpoint, const char *action)
{
    const struct network *network =
        network_by_id(container->containers->networks, endpoint->network_id);
    struct string_pair pairs[] = {{"container", container->definition->id},
                                  {"name", endpoint->network_name},
                                  {"type", network != NULL ? network_driver_name(network) : ""}};

    events_publish(container->containers->events, "network", action, endpoint->network_id,
                   &(struct string_map){pairs, ARRAY_SIZE(pairs)});
}

static void publish_all(const struct managed_container *container, const char *action)
{
    for (size_t i = 0; i < container->definition->endpoints.count; i++)
        publish_endpoint(container, &container->definition->endpoints.items[i], action);
}

int container_connect(struct managed_container *container, const struct actor *actor,
                      const struct network *network, const struct endpoint *wanted,
                      struct error *err)
{
    const struct definition *definition = container->definition;
    size_t count = definition->endpoints.count;
    size_t index = membership_find_endpoint(container_network(container), network);
    struct endpoint items[ENDPOINTS_MAX] = {{0}};
    cleanup_arena struct arena arena = {0};
    struct endpoint taken = *wanted;
    struct string_list links = wanted->links;
    int result = parts_admit(container, actor, ACTION_UPDATE, err);

    /* One of the same name that is gone is replaced. */
    if (index == count)
        index = find_lost(container, network->name);
    if (result == 0)
        result = check_connect(container, network, wanted, index, err);
    if (result == 0)
        result = endpoint_take_groups(&arena, network, &taken, err);
    if (result == 0)
        result =
            container_resolve_links(container->containers, &arena, definition->tenant, &links, err);
    if (result < 0)
        return result;
    for (size_t i = 0; i < count; i++)
        items[i] = definition->endpoints.items[i];
    items[index] = (struct endpoint){
        .network_id = network->id,
        .network_name = network->name,
        .ipam = {text_or_null(wanted->ipam.ipv4_address), text_or_null(wanted->ipam.ipv6_address)},
        .aliases = wanted->aliases,
        .links = links,
        .mac_address = text_or_null(wanted->mac_address),
        .gateway_priority = wanted->gateway_priority,
        .groups = taken.groups,
    };
    result = change_endpoints(container, items, index < count ? count : count + 1, err);
    if (result < 0)
        return result;
    result = membership_write_files(container_network(container), err);
    if (result == 0 && container->status == CONTAINER_RUNNING)
        result = membership_join(container_network(container), index, err);
    if (result < 0)
        forget_endpoint(container, index);
    else if (container->status == CONTAINER_RUNNING)
        publish_endpoint(container, &container->definition->endpoints.items[index], "connect");
    return result;
}

int container_disconnect(struct managed_container *container, const struct actor *actor,
                         const struct network *network, struct error *err)
{
    struct membership *member = container_network(container);
    const struct definition *definition = container->definition;
    size_t index = membership_find_endpoint(member, network);
    int result = parts_admit(container, actor, ACTION_UPDATE, err);

    if (result < 0)
        return result;
    if (index == definition->endpoints.count &&
        find_lost(container, network->name) < definition->endpoints.count)
        return container_disconnect_lost(container, actor, network->name, err);
    if (index == definition->endpoints.count)
        return error_set(err, ERROR_DENIED, ENOENT, "container %s is not connected to network %s",
                         definition->name, network->name);
    if (member->leases[index].by_plugin != NULL)
        return error_set(err, ERROR_INVALID, EBUSY,
                         "container %s runs: its networks of plugins (%s) go when it ends",
                         definition->name, network->name);
    if (container->status == CONTAINER_STARTING)
        return error_set(err, ERROR_CONFLICT, EBUSY, "container %s is starting; try again",
                         definition->name);
    if (container->status == CONTAINER_RUNNING)
        publish_endpoint(container, &definition->endpoints.items[index], "disconnect");
    result = remove_endpoint(container, index, err);
    if (result < 0)
        return result;
    container_save_state(container);
    return membership_write_files(member, err);
}

int container_set_egress(struct managed_container *container, const struct actor *actor,
                         const struct docker_egress *egress, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct docker_egress *egress_now = container->definition->host_config.egress;
    bool had_rules = egress_now != NULL;
    struct string_list former = {0};
    struct definition changed = *container->definition;
    int result = parts_admit(container, actor, ACTION_UPDATE, err);

    for (size_t i = 0; egress_now != NULL && i < egress_now->allow.count; i++)
        string_list_append(&arena, &former, arena_strdup(&arena, egress_now->allow.items[i]));
    changed.host_config.egress = egress;
    if (result == 0)
        result = egress_check(container->containers->networks, &changed, err);
    if (result == 0)
        result = container_revise(container, &changed, err);
    if (result == 0)
        egress_replace(container_network(container), had_rules, &former);
    return result;
}

static void open_network(struct managed_container *container)
{
    static const struct membership_owner owner = {open_directory, open_namespace, save,
                                                  tell_monitor_attached, publish};
    struct network_state *state = container_part_state(container, &network_part);

    state->container = container;
    state->member.networks = container->containers->networks;
    state->member.owner = &owner;
    state->member.definition = container->definition;
}

/* Its networks are known by now. */
static int define_links(struct managed_container *container, struct revision *draft,
                        struct error *err)
{
    struct definition *definition = &draft->definition;
    int result = container_resolve_links(container->containers, &draft->arena, definition->tenant,
                                         &definition->host_config.links, err);

    /* docker-compose sends links also with the mode "none", where they say nothing. */
    if (result == 0 && definition->host_config.links.count > 0 &&
        definition->endpoints.count == 0 &&
        strcmp(definition_network_mode(definition), "none") != 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "Links: a container has them on networks, and this one has the mode %s",
                         definition_network_mode(definition));
    for (size_t i = 0; result == 0 && i < definition->endpoints.count; i++)
        result = container_resolve_links(container->containers, &draft->arena, definition->tenant,
                                         &definition->endpoints.items[i].links, err);
    return result;
}

/* A container that joins another's network namespace also gets that one's hosts and resolv.conf. */
static int define_network(struct managed_container *container, struct revision *draft,
                          const struct image *image, struct error *err)
{
    const char *mode = container->definition->host_config.network_mode;
    const char *name = mode != NULL ? mode_container(mode) : NULL;
    struct managed_container *joined = NULL;
    int result = name != NULL ? container_find(container->containers, draft->definition.tenant,
                                               name, &joined, err)
                              : 0;

    (void)image;
    if (result == 0)
        result = membership_resolve(container_network(container), draft,
                                    joined != NULL ? joined->definition : NULL, err);
    return result < 0 ? result : define_links(container, draft, err);
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
    egress_notes_forget(member);
    membership_unlink(member);
    /* It may have been its network's last. */
    if (container->definition->endpoints.count > 0)
        firewall_change(container->containers->networks);
}

static int prepare_network(struct managed_container *container, struct container_start *start,
                           struct error *err)
{
    (void)start;
    membership_cut(container_network(container));
    return membership_write_lost_files(container_network(container), err);
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
    if (is_new)
        publish_all(container, "connect");
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
    if (container_network(container)->phase == MEMBER_RUNNING)
        publish_all(container, "disconnect");
    membership_end(container_network(container));
}

static void network_revised(struct managed_container *container)
{
    membership_revise(container_network(container), container->definition);
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
    .revised = network_revised,
    .record_type = &membership_record_type,
    .record = record_network,
    .restore = restore_network,
    .found = network_found,
    .recovered = recover_networks,
    .describe = describe_network,
};
