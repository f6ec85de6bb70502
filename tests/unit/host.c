/* See host.h. */
#include "host.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/identifier.h"
#include "base/path.h"
#include "base/socket.h"

#define SPAWN_FDS 6        /* of a request for a monitor */
#define SPAWN_CONTROL_FD 4 /* its end of the channel */

static int sweep(void *context, int directory_fd, struct error *err)
{
    (void)context;
    (void)directory_fd;
    (void)err;
    return 0;
}

static void make_container(struct host *host)
{
    struct managed_container *container = container_new(&host->containers);
    struct definition *definition = &container->revision->definition;
    cleanup_close int directory_fd = -1;
    char name[80];
    char id[IDENTIFIER_SIZE];
    struct error err = {0};

    identifier_make(id);
    definition->id = arena_strdup(&container->revision->arena, id);
    definition->name = "tested";
    definition->created_ns = 1;
    definition->image_id = "sha256:0";
    definition->config.image = "image";
    snprintf(name, sizeof(name), CONTAINER_NEW_PREFIX "%s", id);
    assert_int_equal(mkdirat(host->places.containers_fd, name, 0700), 0);
    container->is_unpublished = true;
    directory_fd = container_open_directory(container);
    assert_int_equal(container_record_write(container, directory_fd, &err), 0);
    assert_int_equal(container_record_publish(container, &err), 0);
    container->is_bundle_known = true; /* the fake monitor reads none */
    container_link(container);
    host->container = container;
}

struct host *host_open(const struct container_part *const *parts)
{
    struct host *host = memory_new_one(struct host);
    struct error err = {0};
    int pair[2];

    strcpy(host->root, "/tmp/davit-unit.XXXXXX");
    strcpy(host->run, "/tmp/davit-unit.XXXXXX");
    assert_non_null(mkdtemp(host->root));
    assert_non_null(mkdtemp(host->run));
    assert_int_equal(places_open(&host->places, host->root, host->run, &err), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    host->spawner_fd = pair[1];
    host->monitor_fd = -1;
    host->hierarchy.fd = -1;
    host->images.layers_fd = host->places.root_fd;
    assert_int_equal(sd_event_new(&host->containers.loop), 0);
    host->spawner = (struct spawner){.fd = pair[0], .loop = host->containers.loop};
    host->trash =
        (struct trash){.fd = host->places.trash_fd, .loop = host->containers.loop, .sweep = sweep};
    host->containers.spawner = &host->spawner;
    host->containers.events = &host->events;
    host->containers.places = &host->places;
    host->containers.trash = &host->trash;
    host->containers.projects = &host->projects;
    host->networks.nft.fd = -1;
    host->containers.networks = &host->networks;
    host->containers.images = &host->images;
    host->containers.hierarchy = &host->hierarchy;
    host->containers.cgroup_parent = "/davit-unit";
    host->containers.parts = parts;
    assert_int_equal(database_open(host->root, &host->containers.database, &err), 0);
    make_container(host);
    return host;
}

void host_run_loop_until_idle(struct host *host)
{
    while (sd_event_run(host->containers.loop, 0) > 0)
        continue;
}

static void forget_events(struct event_bus *bus)
{
    for (size_t i = 0; i < EVENTS_KEPT; i++) {
        if (bus->kept[i] == NULL)
            continue;
        free(bus->kept[i]->json);
        arena_release(&bus->kept[i]->arena);
        free(bus->kept[i]);
    }
}

void host_close(struct host *host)
{
    host_run_loop_until_idle(host);
    forget_events(&host->events);
    if (host->containers.list != NULL)
        container_free(host->containers.list);
    index_release(&host->containers.index);
    fd_close(&host->monitor_fd);
    fd_close(&host->spawner_fd);
    fd_close(&host->spawner.fd);
    database_close(host->containers.database);
    sd_event_source_disable_unref(host->trash.timer);
    sd_event_unref(host->containers.loop);
    path_remove_tree(AT_FDCWD, host->root, NULL);
    path_remove_tree(AT_FDCWD, host->run, NULL);
    free(host);
}

bool host_receive_spawn(struct host *host)
{
    int fds[SPAWN_FDS] = {-1, -1, -1, -1, -1, -1};
    size_t count = SPAWN_FDS;
    char bytes[256];
    struct timeval now = {.tv_usec = 1000};

    setsockopt(host->spawner_fd, SOL_SOCKET, SO_RCVTIMEO, &now, sizeof(now));
    if (socket_receive(host->spawner_fd, bytes, sizeof(bytes), fds, &count) <= 0)
        return false;
    assert_int_equal(count, SPAWN_FDS);
    host->monitor_fd = take_fd(&fds[SPAWN_CONTROL_FD]);
    for (int i = 0; i < SPAWN_FDS; i++)
        fd_close(&fds[i]);
    return true;
}

enum monitor_message_type host_next_order(struct host *host)
{
    struct monitor_message message;

    assert_true(recv(host->monitor_fd, &message, sizeof(message), MSG_DONTWAIT) > 0);
    return (enum monitor_message_type)message.type;
}

void host_say(struct host *host, int type, int value, const char *text)
{
    size_t length = strlen(text);
    struct monitor_message *message = memory_new(1, sizeof(*message) + length + 1);

    message->version = MONITOR_PROTOCOL_VERSION;
    message->type = type;
    message->value = value;
    message->time_ns = 1;
    message->text_length = (uint32_t)length;
    memcpy(message->text, text, length);
    assert_true(send(host->monitor_fd, message, sizeof(*message) + length, 0) > 0);
    free(message);
    host_run_loop_until_idle(host);
}

void host_start(struct host *host)
{
    struct error err = {0};

    assert_int_equal(container_begin_start(host->container, &actor_davitd, &err), 0);
    assert_int_equal(host->container->status, CONTAINER_STARTING);
    assert_true(host_receive_spawn(host));
    assert_int_equal(host_next_order(host), MONITOR_START);
}

void host_restart(struct host *host, const struct container_part *const *parts)
{
    struct error err = {0};

    container_unlink(host->container);
    container_free(host->container);
    host->containers.parts = parts;
    assert_int_equal(containers_recover(&host->containers, &err), 0);
    host->container = host->containers.list;
    assert_non_null(host->container);
    host->container->is_bundle_known = true;
}
