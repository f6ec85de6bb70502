/* Networks on disk and in memory: see networks.h. */
#include "networks.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/actor.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/file_twice.h"
#include "base/log.h"
#include "base/number.h"
#include "groups.h"
#include "membership.h"
#include "plugins.h"

#define FILE_MAX (1 << 20)
#define NAME_MAX_LENGTH 128
#define LABEL_ICC "com.docker.network.bridge.enable_icc"
#define LABEL_MASQUERADE "com.docker.network.bridge.enable_ip_masquerade"
#define LABEL_HOST_ACCESS "io.davit.network.host_access"
#define LABEL_MTU "com.docker.network.driver.mtu"

static const struct json_field network_fields[] = {
    JSON_FIELD(struct network, id, "Id", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct network, tenant, "Tenant", JSON_KIND_STRING),
    JSON_FIELD(struct network, name, "Name", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct network, created_ns, "CreatedNs", JSON_KIND_INT64),
    JSON_FIELD(struct network, driver, "Driver", JSON_KIND_ENUM, .names = network_driver_names),
    JSON_FIELD(struct network, ipv4.subnet_text, "Subnet", JSON_KIND_STRING),
    JSON_FIELD(struct network, ipv4.gateway_text, "Gateway", JSON_KIND_STRING),
    JSON_FIELD(struct network, ipv4.range_text, "IPRange", JSON_KIND_STRING),
    JSON_FIELD(struct network, ipv4.reserved, "Reserved", JSON_KIND_STRING_MAP),
    JSON_FIELD(struct network, ipv6.reserved, "Reserved6", JSON_KIND_STRING_MAP),
    JSON_FIELD(struct network, ipv6.subnet_text, "Subnet6", JSON_KIND_STRING),
    JSON_FIELD(struct network, ipv6.gateway_text, "Gateway6", JSON_KIND_STRING),
    JSON_FIELD(struct network, ipv6.range_text, "IPRange6", JSON_KIND_STRING),
    JSON_FIELD(struct network, parent, "Parent", JSON_KIND_STRING),
    JSON_FIELD(struct network, mode, "Mode", JSON_KIND_STRING),
    JSON_FIELD(struct network, conflist, "Conflist", JSON_KIND_STRING),
    JSON_FIELD(struct network, mtu, "Mtu", JSON_KIND_UINT32),
    JSON_FIELD(struct network, is_internal, "Internal", JSON_KIND_BOOL),
    JSON_FIELD(struct network, is_isolated, "Isolated", JSON_KIND_BOOL),
    JSON_FIELD(struct network, keeps_sources, "KeepsSources", JSON_KIND_BOOL),
    JSON_FIELD(struct network, reaches_host, "ReachesHost", JSON_KIND_BOOL),
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
    return tenant_is(network->tenant, "") && strcmp(network->name, NETWORK_DEFAULT) == 0;
}

static int network_write_file(const struct networks *networks, const struct network *network,
                              struct error *err)
{
    cleanup_free char *file = memory_printf("%s.json", network->id);
    struct json_writer *writer = json_writer_new(false);
    const char *text;
    int result;

    json_encode(writer, &network_type, network);
    text = json_writer_text(writer);
    result = file_replace_twice(networks->places->networks_fd, file, text, strlen(text), 0600, err);
    json_writer_free(writer);
    return result;
}

static void link_network(struct networks *networks, struct network *network)
{
    /* What is empty does not stand in its file. */
    network->parent = network->parent != NULL ? network->parent : "";
    network->mode = network->mode != NULL ? network->mode : "";
    network_device_name(network);
    network->next = networks->list;
    networks->list = network;
}

static int take_network(void *context, const char *text, size_t length, struct error *err)
{
    struct network *network = context;
    int result;

    arena_release(&network->arena);
    *network = (struct network){0};
    result = json_decode_text(&network->arena, text, length, &network_type, network, err);
    if (network->driver == 0)
        network->driver = NETWORK_DRIVER_BRIDGE;
    if (result == 0 && network->driver != NETWORK_DRIVER_CNI)
        result = network_addresses_resolve(network, err);
    if (result == 0 && network->driver == NETWORK_DRIVER_BRIDGE)
        result = network_groups_read(network, err);
    return result;
}

static int read_network(struct networks *networks, const char *file, struct error *err)
{
    struct network *network = memory_new_one(struct network);
    bool is_damaged;
    int result = file_read_twice(networks->places->networks_fd, file, FILE_MAX, take_network,
                                 network, &is_damaged, err);

    if (result < 0) {
        network_free(network);
        return result;
    }
    if (is_damaged)
        log_warning("network %s: its file was lost or damaged, and is written again from its copy: "
                    "%s",
                    network->name, err->message);
    link_network(networks, network);
    return 0;
}

static bool has_file(const struct networks *networks, const char *name)
{
    return faccessat(networks->places->networks_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The file of an entry: its own name, or of a copy whose file is gone. NULL: nothing to read. */
static char *file_of_entry(const struct networks *networks, const char *entry)
{
    cleanup_free char *original = file_name_of_copy(entry);

    if (entry[0] != '.')
        return memory_strdup(entry);
    return original != NULL && !has_file(networks, original) ? take_pointer(&original) : NULL;
}

int networks_read(struct networks *networks, struct error *err)
{
    cleanup_dir DIR *dir = path_list(networks->places->networks_fd, ".");
    struct dirent *entry;
    struct network *unused;

    if (dir == NULL)
        return error_errno(err, errno, "open networks");
    while ((entry = readdir(dir)) != NULL) {
        cleanup_free char *file = file_of_entry(networks, entry->d_name);
        struct error problem = {0};

        if (file_was_removed(entry->d_name))
            unlinkat(networks->places->networks_fd, entry->d_name, 0);
        if (file != NULL && read_network(networks, file, &problem) < 0)
            log_error("network %s is left out: %s", file, problem.message);
    }
    if (network_look_up(networks, "", NETWORK_DEFAULT) != NULL)
        return 0;
    return network_create(networks, "", &(struct network_order){.name = NETWORK_DEFAULT}, &unused,
                          err);
}

static bool has_network_of(const struct networks *networks, const char *file)
{
    for (const struct network *one = networks->list; one != NULL; one = one->next) {
        if (strncmp(one->id, file, strlen(one->id)) == 0 &&
            strcmp(file + strlen(one->id), ".json") == 0)
            return true;
    }
    return false;
}

void networks_repair(struct networks *networks, enum repair how, struct findings *findings)
{
    cleanup_dir DIR *dir = path_list(networks->places->networks_fd, ".");
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        cleanup_free char *file = file_of_entry(networks, entry->d_name);
        const char *path = arena_printf(&findings->arena, "networks/%s", entry->d_name);
        struct finding *finding;
        struct error err = {0};

        if (file == NULL || has_network_of(networks, file))
            continue;
        finding = findings_add(findings, path, "no network can be read from this file",
                               "davit system repair tries again; with --prune it is removed");
        if (how != REPAIR_LOOK && read_network(networks, file, &err) == 0)
            finding->done = "it is a network again";
        else if (how == REPAIR_PRUNE && unlinkat(dirfd(dir), entry->d_name, 0) == 0)
            finding->done = "removed";
    }
}

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
    if (order->ipam.driver != NULL && order->ipam.driver[0] != '\0' &&
        strcmp(order->ipam.driver, "default") != 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP, "IPAM.Driver: \"%.64s\" is not supported",
                         order->ipam.driver);
    return 0;
}

static int take_driver(struct network *network, const char *name, struct error *err)
{
    if (name == NULL || name[0] == '\0')
        name = network_driver_names[NETWORK_DRIVER_BRIDGE];
    for (int i = NETWORK_DRIVER_BRIDGE; network_driver_names[i] != NULL; i++) {
        if (strcmp(network_driver_names[i], name) == 0) {
            network->driver = i;
            return 0;
        }
    }
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                     "Driver: \"%.64s\" is not supported by this version of davit; use bridge, "
                     "macvlan, ipvlan or cni",
                     name);
}

static bool is_one_of(const char *value, const char *const *known)
{
    while (*known != NULL && strcmp(*known, value) != 0)
        known++;
    return *known != NULL;
}

static bool take_flag(const char *value, bool *flag)
{
    *flag = strcmp(value, "true") == 0;
    return *flag || strcmp(value, "false") == 0;
}

/* Those that every driver has, and those of its own. False for a wrong value, or an unknown name,
 * which clears *is_known. */
static bool take_option(struct network *network, const char *name, const char *value,
                        bool *is_known)
{
    static const char *const macvlan_modes[] = {"bridge", "private", "vepa", "passthru", NULL};
    static const char *const ipvlan_modes[] = {"l2", "l3", "l3s", NULL};
    bool is_bridge = network->driver == NETWORK_DRIVER_BRIDGE;
    bool is_macvlan = network->driver == NETWORK_DRIVER_MACVLAN;
    bool flag = true;
    int64_t mtu;

    if (network->driver == NETWORK_DRIVER_CNI) {
        *is_known = strcmp(name, "conflist") == 0;
        network->conflist = arena_strdup(&network->arena, value);
        return *is_known && value[0] == '/';
    }
    if (strcmp(name, LABEL_MTU) == 0) {
        if (!number_parse(value, 68, 65535, &mtu))
            return false;
        network->mtu = (uint32_t)mtu;
        return true;
    }
    if (is_bridge && strcmp(name, LABEL_ICC) == 0) {
        bool is_valid = take_flag(value, &flag);

        network->is_isolated = !flag;
        return is_valid;
    }
    if (is_bridge && strcmp(name, LABEL_MASQUERADE) == 0) {
        bool is_valid = take_flag(value, &flag);

        network->keeps_sources = !flag;
        return is_valid;
    }
    if (is_bridge && strncmp(name, GROUP_OPTION, strlen(GROUP_OPTION)) == 0)
        return true;
    if (is_bridge && strcmp(name, LABEL_HOST_ACCESS) == 0)
        return take_flag(value, &network->reaches_host);
    if (!is_bridge && strcmp(name, "parent") == 0) {
        network->parent = arena_strdup(&network->arena, value);
        return value[0] != '\0' && strlen(value) < IFNAMSIZ && strchr(value, '/') == NULL;
    }
    if (!is_bridge && strcmp(name, is_macvlan ? "macvlan_mode" : "ipvlan_mode") == 0) {
        network->mode = arena_strdup(&network->arena, value);
        return is_one_of(value, is_macvlan ? macvlan_modes : ipvlan_modes);
    }
    *is_known = false;
    return false;
}

static int take_options(struct network *network, const struct string_map *options,
                        struct error *err)
{
    network->parent = network->mode = "";
    for (size_t i = 0; i < options->count; i++) {
        const struct string_pair *option = &options->items[i];
        bool is_known = true;

        if (take_option(network, option->name, option->value, &is_known))
            continue;
        if (is_known)
            return error_set(err, ERROR_INVALID, EINVAL, "Options.%.64s: \"%.32s\"", option->name,
                             option->value);
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "Options.%.64s: not supported by this version of davit", option->name);
    }
    return 0;
}

static int fill(const struct networks *networks, struct network *network, const char *tenant,
                const struct network_order *order, struct error *err)
{
    char id[IDENTIFIER_SIZE];
    int result;

    identifier_make(id);
    network->id = arena_strdup(&network->arena, id);
    network->tenant = tenant;
    network->name = arena_strdup(&network->arena, order->name);
    network->created_ns = clock_now_ns();
    network->is_internal = order->is_internal;
    string_map_copy(&network->arena, &order->labels, &network->labels);
    string_map_copy(&network->arena, &order->options, &network->options);
    result = take_driver(network, order->driver, err);
    if (result == 0)
        result = take_options(network, &order->options, err);
    if (result == 0)
        result = network_groups_read(network, err);
    if (result < 0 || network->driver == NETWORK_DRIVER_CNI)
        return result < 0 ? result : plugins_take(network, order, err);
    result = network_addresses_choose(networks, network, order, err);
    return result < 0 ? result : network_addresses_check(networks, network, err);
}

/* It may have been written, and not synced. */
static void take_file_back(const struct networks *networks, const struct network *network)
{
    cleanup_free char *file = memory_printf("%s.json", network->id);

    file_remove_twice(networks->places->networks_fd, file, NULL);
}

int network_create(struct networks *networks, const char *tenant, const struct network_order *order,
                   struct network **made, struct error *err)
{
    struct network *network;
    int result = check_order(order, err);

    if (result < 0)
        return result;
    if (network_look_up(networks, tenant, order->name) != NULL)
        return error_set(err, ERROR_CONFLICT, EEXIST, "network with name %s already exists",
                         order->name);
    network = memory_new_one(struct network);
    result = fill(networks, network, tenant, order, err);
    if (result == 0)
        result = network_write_file(networks, network, err);
    if (result < 0) {
        take_file_back(networks, network);
        network_free(network);
        return result;
    }
    link_network(networks, network);
    *made = network;
    return 0;
}

int network_remove(struct networks *networks, struct network *network, struct error *err)
{
    cleanup_free char *file = memory_printf("%s.json", network->id);
    int result;

    if (is_default(network))
        return error_set(err, ERROR_DENIED, EPERM,
                         "%s is a pre-defined network and cannot be removed", network->name);
    if (network_is_used(networks, network))
        return error_set(err, ERROR_DENIED, EBUSY,
                         "error while removing network: network %s id %s "
                         "has active endpoints",
                         network->name, network->id);
    result = file_remove_twice(networks->places->networks_fd, file, err);
    if (result < 0)
        return error_prefix(err, "network %s", network->name);
    for (struct network **link = &networks->list; *link != NULL; link = &(*link)->next) {
        if (*link == network) {
            *link = network->next;
            break;
        }
    }
    network_device_remove(network);
    firewall_change(networks);
    network_free(network);
    return 0;
}
