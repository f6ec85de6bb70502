/* Networks on disk and in memory: see networks.h. */
#include "networks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "container_internal.h"
#include "network/links.h"

#define FILE_MAX (1 << 20)
#define NAME_MAX_LENGTH 128
#define DEFAULT_BRIDGE "davit0"
#define LABEL_ICC "com.docker.network.bridge.enable_icc"
#define LABEL_MTU "com.docker.network.driver.mtu"

static const struct json_field network_fields[] = {
    JSON_FIELD(struct network, id, "Id", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct network, name, "Name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct network, created_ns, "CreatedNs", JSON_KIND_INT64),
    JSON_FIELD(struct network, subnet_text, "Subnet", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct network, gateway_text, "Gateway", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct network, range_text, "IPRange", JSON_KIND_STRING),
    JSON_FIELD(struct network, mtu, "Mtu", JSON_KIND_UINT32),
    JSON_FIELD(struct network, is_internal, "Internal", JSON_KIND_BOOL),
    JSON_FIELD(struct network, is_isolated, "Isolated", JSON_KIND_BOOL),
    JSON_FIELD(struct network, labels, "Labels", JSON_KIND_STRING_MAP),
    JSON_FIELD(struct network, options, "Options", JSON_KIND_STRING_MAP),
};
static const struct json_struct network_type = JSON_STRUCT(struct network, network_fields);

static void network_free(struct network *network)
{
    arena_release(&network->arena);
    free(network);
}

static bool is_default(const struct network *network)
{
    return strcmp(network->name, NETWORK_DEFAULT) == 0;
}

/* ---- finding ---- */

static struct network *look_up(const struct daemon *daemon, const char *name)
{
    size_t length = strlen(name);
    struct network *found = NULL;

    for (struct network *one = daemon->networks; one != NULL; one = one->next) {
        if (strcmp(one->name, name) == 0 || strcmp(one->id, name) == 0)
            return one;
    }
    for (struct network *one = daemon->networks; one != NULL && length >= 4; one = one->next) {
        if (strncmp(one->id, name, length) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = one;
    }
    return found;
}

int network_find(struct daemon *daemon, const char *name, struct network **network,
                 struct error *err)
{
    *network = look_up(daemon, name);
    if (*network != NULL)
        return 0;
    return error_set(err, ERROR_NOT_FOUND, ENOENT, "network %.128s not found", name);
}

bool network_is_used(const struct daemon *daemon, const struct network *network)
{
    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        if (container_find_endpoint(one, network) < one->definition.endpoints.count)
            return true;
    }
    return false;
}

/* ---- subnets ---- */

/* The texts become what is calculated with. */
static int resolve(struct network *network, struct error *err)
{
    const char *range = network->range_text != NULL ? network->range_text : "";

    if (subnet_parse(network->subnet_text, &network->subnet) < 0 ||
        network->subnet.address.family != AF_INET || network->subnet.prefix < 8 ||
        network->subnet.prefix > 30)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "IPAM.Config.Subnet: \"%.64s\" is not a subnet of IPv4 with 8 to 30 bits",
                         network->subnet_text);
    network->subnet = subnet_network(&network->subnet);
    if (address_parse(network->gateway_text, &network->gateway) < 0 ||
        !subnet_contains(&network->subnet, &network->gateway) ||
        subnet_reserves(&network->subnet, &network->gateway))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "IPAM.Config.Gateway: \"%.64s\" is not an address of subnet %.64s",
                         network->gateway_text, network->subnet_text);
    network->range = network->subnet;
    if (range[0] != '\0' && (subnet_parse(range, &network->range) < 0 ||
                             network->range.prefix < network->subnet.prefix ||
                             !subnet_contains(&network->subnet, &network->range.address)))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "IPAM.Config.IPRange: \"%.64s\" is not a part of subnet %.64s", range,
                         network->subnet_text);
    if (is_default(network))
        strcpy(network->bridge, DEFAULT_BRIDGE);
    else
        snprintf(network->bridge, sizeof(network->bridge), "dv-%.12s", network->id);
    return 0;
}

/* Whether the host itself has addresses there: its own way to others must not be cut off. */
static bool is_of_host(const struct subnet *subnet)
{
    struct ifaddrs *addresses = NULL;
    bool is_taken = false;

    if (getifaddrs(&addresses) < 0)
        return false;
    for (const struct ifaddrs *one = addresses; one != NULL && !is_taken; one = one->ifa_next) {
        struct address address = {.family = AF_INET};
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)one->ifa_addr;

        if (in == NULL || in->sin_family != AF_INET)
            continue;
        memcpy(address.bytes, &in->sin_addr, sizeof(in->sin_addr));
        is_taken = subnet_contains(subnet, &address);
    }
    freeifaddrs(addresses);
    return is_taken;
}

static const struct network *find_overlap(const struct daemon *daemon, const struct subnet *subnet)
{
    for (const struct network *one = daemon->networks; one != NULL; one = one->next) {
        if (subnet_overlaps(&one->subnet, subnet))
            return one;
    }
    return NULL;
}

/* The first that is free of those that Docker takes as well. */
static int pick_subnet(const struct daemon *daemon, struct subnet *subnet, struct error *err)
{
    for (uint8_t i = 17; i < 32; i++) {
        *subnet = (struct subnet){{AF_INET, {172, i}}, 16};
        if (find_overlap(daemon, subnet) == NULL && !is_of_host(subnet))
            return 0;
    }
    for (unsigned int i = 0; i < 256; i += 16) {
        *subnet = (struct subnet){{AF_INET, {192, 168, (uint8_t)i}}, 20};
        if (find_overlap(daemon, subnet) == NULL && !is_of_host(subnet))
            return 0;
    }
    return error_set(err, ERROR_CONFLICT, EADDRNOTAVAIL,
                     "all subnets that networks get by themselves are taken; name one "
                     "(IPAM.Config.Subnet)");
}

/* ---- disk ---- */

static int store(const struct daemon *daemon, const struct network *network, struct error *err)
{
    cleanup_free char *file = memory_printf("%s.json", network->id);
    struct json_writer *writer = json_writer_new(false);
    const char *text;
    int result;

    json_encode(writer, &network_type, network);
    text = json_writer_text(writer);
    result = file_replace(daemon->networks_fd, file, text, strlen(text), 0600, true, err);
    json_writer_free(writer);
    return result;
}

static void link_network(struct daemon *daemon, struct network *network)
{
    network->next = daemon->networks;
    daemon->networks = network;
}

static int read_network(struct daemon *daemon, const char *file, struct error *err)
{
    struct network *network = memory_new_one(struct network);
    cleanup_buffer struct buffer text = {0};
    int result = file_read(daemon->networks_fd, file, FILE_MAX, &text, err);

    if (result == 0)
        result = json_decode_text(&network->arena, buffer_text(&text), text.length, &network_type,
                                  network, err);
    if (result == 0)
        result = resolve(network, err);
    if (result < 0)
        network_free(network);
    else
        link_network(daemon, network);
    return result;
}

int networks_read(struct daemon *daemon, struct error *err)
{
    int fd = openat(daemon->networks_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    struct network *unused;

    if (dir == NULL)
        return error_errno(err, errno, "open networks");
    while ((entry = readdir(dir)) != NULL) {
        struct error problem = {0};

        if (entry->d_name[0] != '.' && read_network(daemon, entry->d_name, &problem) < 0)
            log_error("network %s is left out: %s", entry->d_name, problem.message);
    }
    if (look_up(daemon, NETWORK_DEFAULT) != NULL)
        return 0;
    return network_create(daemon, &(struct network_order){.name = NETWORK_DEFAULT}, &unused, err);
}

/* ---- making ---- */

static int check_order(const struct network_order *order, struct error *err)
{
    static const char *const reserved[] = {"host", "none", "default"};

    if (order->name == NULL || !name_is_valid(order->name, NAME_MAX_LENGTH))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "Name: \"%.64s\" is not a name of 2 to %d characters of [a-zA-Z0-9_.-]",
                         order->name != NULL ? order->name : "", NAME_MAX_LENGTH);
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (strcmp(order->name, reserved[i]) == 0)
            return error_set(err, ERROR_DENIED, EPERM,
                             "operation is not permitted on predefined %s network", order->name);
    }
    if (order->driver != NULL && order->driver[0] != '\0' && strcmp(order->driver, "bridge") != 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "Driver: \"%.64s\" is not supported by this version of davit; use bridge",
                         order->driver);
    if (order->has_ipv6)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "EnableIPv6: not supported by this version of davit");
    if (order->ipam.driver != NULL && order->ipam.driver[0] != '\0' &&
        strcmp(order->ipam.driver, "default") != 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP, "IPAM.Driver: \"%.64s\" is not supported",
                         order->ipam.driver);
    if (order->ipam.pools.count > 1)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "IPAM.Config: one subnet is supported by this version of davit");
    return 0;
}

static int take_options(struct network *network, const struct string_map *options,
                        struct error *err)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct string_pair *option = &options->items[i];
        char *end;

        if (strcmp(option->name, LABEL_ICC) == 0) {
            network->is_isolated = strcmp(option->value, "false") == 0;
        } else if (strcmp(option->name, LABEL_MTU) == 0) {
            network->mtu = (uint32_t)strtoul(option->value, &end, 10);
            if (*end != '\0' || network->mtu < 68 || network->mtu > 65535)
                return error_set(err, ERROR_INVALID, EINVAL, "Options." LABEL_MTU ": \"%.32s\"",
                                 option->value);
        } else {
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "Options.%.64s: not supported by this version of davit", option->name);
        }
    }
    return 0;
}

static int take_subnet(const struct daemon *daemon, struct network *network,
                       const struct network_pool *pool, struct error *err)
{
    char text[ADDRESS_TEXT_SIZE];
    struct subnet subnet;
    struct address gateway;
    int result;

    if (pool != NULL && pool->subnet != NULL && pool->subnet[0] != '\0') {
        if (subnet_parse(pool->subnet, &subnet) < 0)
            return error_set(err, ERROR_INVALID, EINVAL, "IPAM.Config.Subnet: \"%.64s\"",
                             pool->subnet);
    } else {
        result = pick_subnet(daemon, &subnet, err);
        if (result < 0)
            return result;
    }
    subnet = subnet_network(&subnet);
    subnet_format(&subnet, text);
    network->subnet_text = arena_strdup(&network->arena, text);
    gateway = subnet_at(&subnet, 1);
    address_format(&gateway, text);
    network->gateway_text = arena_strdup(
        &network->arena,
        pool != NULL && pool->gateway != NULL && pool->gateway[0] != '\0' ? pool->gateway : text);
    if (pool != NULL && pool->range != NULL)
        network->range_text = arena_strdup(&network->arena, pool->range);
    return 0;
}

static int fill(const struct daemon *daemon, struct network *network,
                const struct network_order *order, struct error *err)
{
    const struct network *overlap;
    char id[CONTAINER_ID_SIZE];
    int result;

    random_id(id);
    network->id = arena_strdup(&network->arena, id);
    network->name = arena_strdup(&network->arena, order->name);
    network->created_ns = clock_now_ns();
    network->is_internal = order->is_internal;
    string_map_copy(&network->arena, &order->labels, &network->labels);
    string_map_copy(&network->arena, &order->options, &network->options);
    result = take_options(network, &order->options, err);
    if (result == 0)
        result = take_subnet(daemon, network,
                             order->ipam.pools.count > 0 ? &order->ipam.pools.items[0] : NULL, err);
    if (result == 0)
        result = resolve(network, err);
    if (result < 0)
        return result;
    overlap = find_overlap(daemon, &network->subnet);
    if (overlap != NULL)
        return error_set(err, ERROR_DENIED, EEXIST,
                         "Pool overlaps with other one on this address space: %s is network %s's",
                         overlap->subnet_text, overlap->name);
    return 0;
}

int network_create(struct daemon *daemon, const struct network_order *order, struct network **made,
                   struct error *err)
{
    struct network *network;
    int result = check_order(order, err);

    if (result < 0)
        return result;
    if (look_up(daemon, order->name) != NULL)
        return error_set(err, ERROR_CONFLICT, EEXIST, "network with name %s already exists",
                         order->name);
    network = memory_new_one(struct network);
    result = fill(daemon, network, order, err);
    if (result == 0)
        result = store(daemon, network, err);
    if (result < 0) {
        network_free(network);
        return result;
    }
    link_network(daemon, network);
    *made = network;
    return 0;
}

/* ---- the bridge ---- */

/* Packets for containers have to be passed on, and for ports of the host also those from its own
 * loopback addresses; network_firewall.c lets nobody else send such. */
static int set_sysctls(const struct network *network, struct error *err)
{
    cleanup_free char *localnet =
        memory_printf("/proc/sys/net/ipv4/conf/%s/route_localnet", network->bridge);
    int result = file_write_value(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1");

    if (result == 0)
        result = file_write_value(AT_FDCWD, localnet, "1");
    return result < 0 ? error_errno(err, -result, "sysctls of bridge %s", network->bridge) : 0;
}

static int make_bridge(struct netlink *netlink, const struct network *network, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    const struct subnet address = {network->gateway, network->subnet.prefix};
    unsigned int index = link_index(netlink, network->bridge);
    uint8_t mac[6];
    int result = 0;

    if (index == 0) {
        link_make_mac(&network->gateway, mac);
        link_add_bridge(batch, network->bridge, mac, network->mtu);
        result = netlink_run(netlink, batch, err);
        index = link_index(netlink, network->bridge);
    }
    if (result < 0)
        return result;
    link_set_up(batch, index);
    link_add_address(batch, index, &address);
    return netlink_run(netlink, batch, err);
}

int network_prepare(struct daemon *daemon, struct netlink *netlink, struct network *network,
                    struct error *err)
{
    int result;

    if (network->is_prepared && link_index(netlink, network->bridge) != 0)
        return 0;
    result = make_bridge(netlink, network, err);
    if (result == 0)
        result = set_sysctls(network, err);
    network->is_prepared = result == 0;
    firewall_change(daemon);
    return result < 0 ? error_prefix(err, "network %s", network->name) : 0;
}

static void remove_bridge(const struct network *network)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    struct netlink netlink;
    struct error err = {0};

    if (netlink_open(&netlink, &err) == 0) {
        link_delete(batch, network->bridge);
        if (netlink_run(&netlink, batch, &err) < 0 && err.errnum != ENODEV)
            log_warning("network %s: %s", network->name, err.message);
        netlink_close(&netlink);
    }
}

int network_remove(struct daemon *daemon, struct network *network, struct error *err)
{
    cleanup_free char *file = memory_printf("%s.json", network->id);

    if (is_default(network))
        return error_set(err, ERROR_DENIED, EPERM,
                         "%s is a pre-defined network and cannot be removed", network->name);
    if (network_is_used(daemon, network))
        return error_set(err, ERROR_DENIED, EBUSY,
                         "error while removing network: network %s id %s "
                         "has active endpoints",
                         network->name, network->id);
    if (unlinkat(daemon->networks_fd, file, 0) < 0 || fsync(daemon->networks_fd) < 0)
        return error_errno(err, errno, "remove network %s", network->name);
    for (struct network **link = &daemon->networks; *link != NULL; link = &(*link)->next) {
        if (*link == network) {
            *link = network->next;
            break;
        }
    }
    remove_bridge(network);
    firewall_change(daemon);
    network_free(network);
    return 0;
}

/* ---- what is said of them ---- */

static void write_ipam(struct json_writer *writer, const struct network *network)
{
    json_key(writer, "IPAM");
    json_object_open(writer);
    json_member_string(writer, "Driver", "default");
    json_key(writer, "Options");
    json_object_open(writer);
    json_object_close(writer);
    json_key(writer, "Config");
    json_array_open(writer);
    json_object_open(writer);
    json_member_string(writer, "Subnet", network->subnet_text);
    if (network->range_text != NULL && network->range_text[0] != '\0')
        json_member_string(writer, "IPRange", network->range_text);
    json_member_string(writer, "Gateway", network->gateway_text);
    json_object_close(writer);
    json_array_close(writer);
    json_object_close(writer);
}

/* Those that run on it. */
static void write_containers(struct json_writer *writer, const struct daemon *daemon,
                             const struct network *network)
{
    json_key(writer, "Containers");
    json_object_open(writer);
    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        size_t index = container_find_endpoint(one, network);
        struct subnet address = {.prefix = network->subnet.prefix};
        char text[ADDRESS_TEXT_SIZE];

        if (index == one->definition.endpoints.count || one->leases[index].address.family == 0)
            continue;
        address.address = one->leases[index].address;
        subnet_format(&address, text);
        json_key(writer, one->definition.id);
        json_object_open(writer);
        json_member_string(writer, "Name", one->definition.name);
        json_member_string(writer, "IPv4Address", text);
        json_member_string(writer, "IPv6Address", "");
        json_object_close(writer);
    }
    json_object_close(writer);
}

void network_write(struct json_writer *writer, const struct daemon *daemon,
                   const struct network *network)
{
    json_object_open(writer);
    json_member_string(writer, "Name", network->name);
    json_member_string(writer, "Id", network->id);
    container_write_time(writer, "Created", network->created_ns);
    json_member_string(writer, "Scope", "local");
    json_member_string(writer, "Driver", "bridge");
    json_member_boolean(writer, "EnableIPv6", false);
    write_ipam(writer, network);
    json_member_boolean(writer, "Internal", network->is_internal);
    json_member_boolean(writer, "Attachable", false);
    json_member_boolean(writer, "Ingress", false);
    write_containers(writer, daemon, network);
    json_member_map(writer, "Options", &network->options);
    json_member_map(writer, "Labels", &network->labels);
    json_object_close(writer);
}
