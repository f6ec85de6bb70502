/* The host's device of a network: its bridge, or what its containers' devices lie upon. See
 * networks.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "groups.h"
#include "network/links.h"
#include "networks.h"

#define DEFAULT_BRIDGE "davit0"
#define IPV6_CONF "/proc/sys/net/ipv6/conf"

void network_device_name(struct network *network)
{
    if (network->driver == NETWORK_DRIVER_CNI)
        return;
    if (network->driver != NETWORK_DRIVER_BRIDGE && network->parent[0] != '\0')
        snprintf(network->device, sizeof(network->device), "%.15s", network->parent);
    else if (strcmp(network->name, NETWORK_DEFAULT) == 0)
        strcpy(network->device, DEFAULT_BRIDGE);
    else
        snprintf(network->device, sizeof(network->device), "dv-%.12s", network->id);
}

static int set_sysctl(const char *path, const char *value, struct error *err)
{
    int result = file_write_value(AT_FDCWD, path, value);

    return result < 0 ? error_errno(err, -result, "write %s", path) : 0;
}

static bool is_ours(const char *device)
{
    return strcmp(device, DEFAULT_BRIDGE) == 0 || strncmp(device, "dv-", 3) == 0 ||
           strncmp(device, FIREWALL_DEVICE_PREFIX, strlen(FIREWALL_DEVICE_PREFIX)) == 0;
}

/* A host that forwards IPv6 stops listening to routers unless it is told to go on: 2. That is for
 * the devices that it listens on now, not for those that come later ("default", "all") and not for
 * ours, where containers would be the routers. */
static void keep_routers(void)
{
    cleanup_dir DIR *dir = opendir(IPV6_CONF);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        cleanup_free char *path = memory_printf(IPV6_CONF "/%s/accept_ra", entry->d_name);
        cleanup_buffer struct buffer value = {0};

        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "default") == 0 ||
            strcmp(entry->d_name, "all") == 0 || is_ours(entry->d_name))
            continue;
        if (file_read(AT_FDCWD, path, 64, &value, NULL) == 0 && buffer_text(&value)[0] == '1')
            file_write_value(AT_FDCWD, path, "2");
    }
}

/* Called before the device is up: containers on it must not tell the host about routes and
 * addresses. A host without IPv6 lacks these settings. */
static int listen_to_nobody(const char *device, struct error *err)
{
    static const char *const settings[][2] = {{"ipv6", "accept_ra"},
                                              {"ipv6", "autoconf"},
                                              {"ipv6", "accept_redirects"},
                                              {"ipv4", "accept_redirects"}};

    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        cleanup_free char *path =
            memory_printf("/proc/sys/net/%s/conf/%s/%s", settings[i][0], device, settings[i][1]);
        cleanup_buffer struct buffer value = {0};
        int result = file_write_value(AT_FDCWD, path, "0");

        /* If davitd may not write, the value may be right already. */
        if (result < 0 && result != -ENOENT &&
            (file_read(AT_FDCWD, path, 64, &value, NULL) < 0 || buffer_text(&value)[0] != '0'))
            return error_errno(err, -result, "write %s", path);
    }
    return 0;
}

static int forward_ipv6(struct error *err)
{
    cleanup_buffer struct buffer value = {0};

    if (file_read(AT_FDCWD, IPV6_CONF "/all/forwarding", 64, &value, NULL) == 0 &&
        buffer_text(&value)[0] != '0')
        return 0;
    keep_routers();
    return set_sysctl(IPV6_CONF "/all/forwarding", "1", err);
}

/* Members of groups reach each other through the host: it answers for all of them when neighbours
 * ask (of IPv6 for those that it is told), at once. */
static int answer_for_members(const struct network *network, struct error *err)
{
    static const struct {
        const char *directory;
        const char *name;
        const char *value;
    } settings[] = {{"ipv4/conf", "proxy_arp_pvlan", "1"},
                    {"ipv4/neigh", "proxy_delay", "0"},
                    {"ipv6/conf", "proxy_ndp", "1"},
                    {"ipv6/neigh", "proxy_delay", "0"}};
    size_t count = network->ipv6.subnet_text != NULL ? 4 : 2;
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++) {
        cleanup_free char *path = memory_printf("/proc/sys/net/%s/%s/%s", settings[i].directory,
                                                network->device, settings[i].name);

        result = set_sysctl(path, settings[i].value, err);
    }
    return result;
}

/* Packets for containers have to be passed on, and for ports of the host also those from its own
 * loopback addresses; firewall.c lets nobody else send such. */
static int set_sysctls(const struct network *network, struct error *err)
{
    cleanup_free char *localnet =
        memory_printf("/proc/sys/net/ipv4/conf/%s/route_localnet", network->device);
    int result = set_sysctl("/proc/sys/net/ipv4/ip_forward", "1", err);

    if (result == 0)
        result = set_sysctl(localnet, "1", err);
    if (result == 0 && network->ipv6.subnet_text != NULL)
        result = forward_ipv6(err);
    if (result == 0 && network_has_groups(network))
        result = answer_for_members(network, err);
    return result;
}

static void add_gateway(struct netlink_batch *batch, unsigned int index,
                        const struct network_addresses *addresses)
{
    const struct subnet address = {addresses->gateway, addresses->subnet.prefix};

    if (addresses->subnet_text != NULL)
        link_add_address(batch, index, &address);
}

static int make_bridge(struct netlink *netlink, const struct network *network, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    unsigned int index = link_index(netlink, network->device);
    uint8_t mac[6];
    int result = 0;

    if (index == 0) {
        link_make_mac(&network->ipv4.gateway, mac);
        link_add_bridge(batch, network->device, mac, network->mtu);
        if (network->ipv6.subnet_text == NULL)
            link_forgo_ipv6(batch, network->device);
        result = netlink_run(netlink, batch, err);
        index = link_index(netlink, network->device);
    }
    if (result == 0)
        result = listen_to_nobody(network->device, err);
    if (result < 0)
        return result;
    link_set_up(batch, network->device);
    add_gateway(batch, index, &network->ipv4);
    add_gateway(batch, index, &network->ipv6);
    result = netlink_run(netlink, batch, err);
    return result < 0 ? result : set_sysctls(network, err);
}

/* "eth0.50": VLAN 50 of eth0. */
static unsigned int vlan_of(const char *name, char below[IFNAMSIZ])
{
    const char *point = strrchr(name, '.');
    int64_t id;

    if (point == NULL || point == name)
        return 0;
    snprintf(below, IFNAMSIZ, "%.*s", (int)(point - name), name);
    return number_parse(point + 1, 1, 4094, &id) ? (unsigned int)id : 0;
}

/* Makes a missing device: a dummy if no parent is named, a VLAN by its name. Any other has to
 * exist. */
static int make_parent(struct netlink *netlink, const struct network *network, struct error *err)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    char below[IFNAMSIZ] = "";
    unsigned int vlan = vlan_of(network->device, below);
    unsigned int below_index = vlan > 0 ? link_index(netlink, below) : 0;
    int result = 0;

    if (link_index(netlink, network->device) == 0) {
        if (network->parent[0] == '\0')
            link_add_dummy(batch, network->device);
        else if (below_index > 0)
            link_add_vlan(batch, network->device, below_index, vlan);
        else
            return error_set(err, ERROR_NOT_FOUND, ENODEV, "no device %s on this host",
                             network->device);
        result = netlink_run(netlink, batch, err);
        if (result == 0)
            result = listen_to_nobody(network->device, err);
    }
    if (result == 0) {
        link_set_up(batch, network->device);
        result = netlink_run(netlink, batch, err);
    }
    return result;
}

static char *lock_path(void)
{
    struct stat status;

    return stat("/proc/self/ns/net", &status) == 0
               ? memory_printf("/run/davit-networks.%ju.lock", (uintmax_t)status.st_ino)
               : NULL;
}

/* Locks the file of that name. A davitd removes its lock file when it ends: if that happened before
 * the lock was got, opens the file anew. */
static int open_lock(const char *path, int timeout_ms)
{
    for (;;) {
        cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        struct stat status = {.st_nlink = 0};
        int result = fd < 0 ? -errno : file_lock(fd, timeout_ms);

        if (result == 0 && fstat(fd, &status) < 0)
            result = -errno;
        if (result < 0)
            return result;
        if (status.st_nlink > 0)
            return take_fd(&fd);
    }
}

int networks_claim(struct networks *networks, int timeout_ms, struct error *err)
{
    cleanup_free char *path = lock_path();
    int fd;

    if (networks->lock_fd >= 0)
        return 0;
    fd = path != NULL ? open_lock(path, timeout_ms) : -ENOENT;
    if (fd == -EWOULDBLOCK)
        return error_set(
            err, ERROR_CONFLICT, EBUSY,
            "another davitd has networks on this host (%s is locked): use network none "
            "or host here",
            path);
    if (fd < 0)
        return error_errno(err, -fd, "lock %s", path != NULL ? path : "the host's networks");
    networks->lock_fd = fd;
    return 0;
}

void networks_release(struct networks *networks)
{
    cleanup_free char *path = lock_path();

    if (networks->lock_fd < 0)
        return;
    if (path != NULL)
        unlink(path);
    fd_close(&networks->lock_fd);
}

int network_prepare(struct networks *networks, struct netlink *netlink, struct network *network,
                    struct error *err)
{
    bool is_bridge = network->driver == NETWORK_DRIVER_BRIDGE;
    int result;

    if (network->is_prepared && link_index(netlink, network->device) != 0)
        return 0;
    if (networks_claim(networks, 0, err) < 0)
        return -err->errnum;
    /* Its rules are there before the device is. */
    network->is_prepared = true;
    result = is_bridge ? firewall_update(networks, err) : 0;
    if (result == 0)
        result =
            is_bridge ? make_bridge(netlink, network, err) : make_parent(netlink, network, err);
    network->is_prepared = result == 0;
    return result < 0 ? error_prefix(err, "network %s", network->name) : 0;
}

void network_device_remove(const struct network *network)
{
    cleanup_free struct netlink_batch *batch = memory_new_one(struct netlink_batch);
    struct netlink netlink;
    struct error err = {0};

    /* Only davit's own devices are removed: others may use a VLAN of the host's device too. */
    if (strncmp(network->device, "dv-", 3) != 0)
        return;
    if (netlink_open(&netlink, &err) == 0) {
        link_delete(batch, network->device);
        if (netlink_run(&netlink, batch, &err) < 0 && err.errnum != ENODEV)
            log_warning("network %s: %s", network->name, err.message);
        netlink_close(&netlink);
    }
}
