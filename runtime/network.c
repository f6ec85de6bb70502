/* P3: the container's network namespace: network_namespaces(7). */
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "net_devices.h"
#include "plan.h"
#include "sync.h"

static int raise_loopback(int socket_fd, struct error *err)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

    if (socket_fd < 0 || ioctl(socket_fd, SIOCSIFFLAGS, &request) < 0)
        return error_errno(err, errno, "bring the loopback interface up");
    return 0;
}

int network_raise_loopback(struct error *err)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return raise_loopback(fd, err);
}

/* Opens the network namespace of a socket. /proc/PID/ns/net would do as well, but takes ten times
 * as long, because procfs has to make its files for a new process. */
static int open_namespace_of(int socket_fd, struct error *err)
{
    int fd = ioctl(socket_fd, SIOCGSKNS);

    return fd < 0 ? error_errno(err, errno, "the network namespace of a socket") : fd;
}

/* Makes a network namespace and returns a socket in it. The caller is in its own namespace again
 * afterwards: staying in the network of a container would break it. */
static int make_namespace(int own_fd, struct error *err)
{
    int socket_fd;

    if (unshare(CLONE_NEWNET) < 0)
        return error_errno(err, errno, "make a network namespace");
    socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (setns(own_fd, CLONE_NEWNET) < 0)
        abort();
    return socket_fd < 0 ? error_errno(err, errno, "make a network namespace") : socket_fd;
}

int network_make(int control_fd, pid_t pid, const struct container_options *options,
                 struct error *err)
{
    const struct oci_config *config = options->config;
    cleanup_close int own_fd = open_namespace_of(control_fd, err);
    cleanup_close int socket_fd = own_fd < 0 ? own_fd : make_namespace(own_fd, err);
    cleanup_close int new_fd = socket_fd < 0 ? socket_fd : open_namespace_of(socket_fd, err);
    int result = 0;

    if (new_fd < 0)
        return new_fd;
    if (config->linux->net_devices.count > 0)
        result = net_devices_move(config->linux, new_fd, err);
    if (result < 0)
        return result;
    /* The child waits for the namespace. It needs the loopback interface only when its program
     * runs, and our socket can bring that up from outside. */
    sync_send_fd(control_fd, SYNC_NETWORK, new_fd);
    result = raise_loopback(socket_fd, err);
    if (result == 0 && options->on_network != NULL)
        result = options->on_network(options->context, pid, new_fd, err);
    return result;
}

int network_enter(struct network_entry *entry, struct error *err)
{
    cleanup_close int fd = -1;
    int result;

    if (!entry->is_pending)
        return 0;
    entry->is_pending = false;
    result = sync_expect(entry->control_fd, SYNC_NETWORK, &fd, err);
    if (result == 0 && setns(fd, CLONE_NEWNET) < 0)
        result = error_errno(err, errno, "enter the network namespace");
    return result;
}
