/* Handing a seccomp listener over: see seccomp_listener.h. */
#include "seccomp_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/socket.h"
#include "sync.h"

#define TIMEOUT_US (30 * 1000000ull)
#define LOOK_AGAIN_MS 1

/* The page that both sides see. */
struct exchange {
    atomic_int listener; /* 0: not yet; the descriptor plus one; or a negative errno */
    atomic_int outcome;  /* 0: not yet; 1: the agent has it; or a negative errno */
};

static struct exchange *map(int memory_fd)
{
    void *memory =
        mmap(NULL, sizeof(struct exchange), PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

/* clock_gettime(2) is answered by the vDSO: no system call. */
static int wait_for_outcome(struct exchange *exchange, struct error *err)
{
    uint64_t deadline = clock_monotonic_us() + TIMEOUT_US;
    int outcome;

    while ((outcome = atomic_load(&exchange->outcome)) == 0) {
        if (clock_monotonic_us() > deadline)
            outcome = -ETIMEDOUT;
        if (outcome != 0)
            break;
    }
    return outcome < 0 ? error_errno(err, -outcome, "hand the seccomp listener over") : 0;
}

int seccomp_load_with_listener(const struct seccomp_program *program, int control_fd,
                               struct error *err)
{
    struct {
        unsigned short length;
        void *filter;
    } filter = {(unsigned short)program->length, program->instructions};
    cleanup_close int memory_fd = memfd_create("seccomp-listener", MFD_CLOEXEC);
    struct exchange *exchange;
    long listener;
    int result;

    if (memory_fd < 0 || ftruncate(memory_fd, sizeof(*exchange)) < 0)
        return error_errno(err, errno, "memory for the seccomp listener");
    exchange = map(memory_fd);
    if (exchange == NULL)
        return error_errno(err, errno, "map memory for the seccomp listener");
    result = sync_send_fd(control_fd, SYNC_SECCOMP, memory_fd);
    if (result < 0)
        return error_errno(err, -result, "announce the seccomp listener");
    listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                       program->flags | SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
    if (listener < 0) {
        atomic_store(&exchange->listener, -errno);
        return error_errno(err, errno, "load the seccomp filter");
    }
    atomic_store(&exchange->listener, (int)listener + 1);
    return wait_for_outcome(exchange, err);
}

/* Waits until the process has loaded its filter; it cannot wake us. */
static int fetch_listener(struct exchange *exchange, int pidfd, struct error *err)
{
    struct pollfd process = {.fd = pidfd, .events = POLLIN};
    int listener;
    int fd;

    while ((listener = atomic_load(&exchange->listener)) == 0) {
        if (poll(&process, 1, LOOK_AGAIN_MS) > 0)
            return error_set(err, ERROR_INTERNAL, ESRCH,
                             "the process died before its seccomp filter was loaded");
    }
    if (listener < 0)
        return -ECANCELED; /* the process says itself why */
    fd = (int)syscall(SYS_pidfd_getfd, pidfd, listener - 1, 0);
    return fd < 0 ? error_errno(err, errno, "fetch the seccomp listener") : fd;
}

static struct json_writer *describe(const struct container *container,
                                    const struct container_identity *identity)
{
    const struct oci_seccomp *seccomp = identity->config->linux->seccomp;
    bool is_first = container->pid == identity->pid;
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "ociVersion", OCI_VERSION);
    json_key(writer, "fds");
    json_array_open(writer);
    json_string(writer, "seccompFd");
    json_array_close(writer);
    json_member_integer(writer, "pid", container->pid);
    if (seccomp->listener_metadata != NULL)
        json_member_string(writer, "metadata", seccomp->listener_metadata);
    json_key(writer, "state");
    container_state_write(writer, identity->id, is_first ? "creating" : "running", identity->pid,
                          identity->bundle_path, identity->config);
    json_object_close(writer);
    return writer;
}

static int send_to_agent(int listener_fd, const struct container *container,
                         const struct container_identity *identity, struct error *err)
{
    const char *path = identity->config->linux->seccomp->listener_path;
    cleanup_close int agent_fd = socket_connect(AT_FDCWD, path, SOCK_STREAM, err);
    struct json_writer *writer;
    const char *text;
    ssize_t sent;

    if (agent_fd < 0)
        return error_prefix(err, "linux.seccomp.listenerPath %s", path);
    writer = describe(container, identity);
    text = json_writer_text(writer);
    sent = socket_send(agent_fd, text, strlen(text), &listener_fd, 1);
    if (sent != (ssize_t)strlen(text))
        error_errno(err, sent < 0 ? (int)-sent : EMSGSIZE, "linux.seccomp.listenerPath %s", path);
    else
        sent = 0;
    json_writer_free(writer);
    return sent == 0 ? 0 : -EIO;
}

int seccomp_forward_listener(int memory_fd, const struct container *container,
                             const struct container_identity *identity, struct error *err)
{
    struct exchange *exchange = map(memory_fd);
    cleanup_close int listener_fd = -1;
    int result = 0;

    if (exchange == NULL)
        return error_errno(err, errno, "map the seccomp listener's memory");
    listener_fd = fetch_listener(exchange, container->pidfd, err);
    if (listener_fd == -ECANCELED) {
        munmap(exchange, sizeof(*exchange));
        return 0;
    }
    result = listener_fd < 0 ? listener_fd : send_to_agent(listener_fd, container, identity, err);
    atomic_store(&exchange->outcome, result < 0 ? -ECANCELED : 1);
    munmap(exchange, sizeof(*exchange));
    return result;
}
