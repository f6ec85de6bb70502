/* What a davitd makes of containers that another has left in the middle of something; and who waits
 * for a container, attaches to it or holds it while others do the same. */
#include "host.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/socket.h"

static const struct container_part *const parts[] = {&attach_part, &probe_part, &restart_part,
                                                     NULL};

static int open_host(void **state)
{
    *state = host_open(parts);
    return 0;
}

static int close_host(void **state)
{
    host_close(*state);
    return 0;
}

static void set_policy(struct host *host, const char *name)
{
    struct definition changed = *host->container->definition;
    struct error err = {0};

    changed.host_config.restart_policy.name = name;
    assert_int_equal(container_revise(host->container, &changed, &err), 0);
}

/* As if davitd had saved that and then died. */
static enum container_status restart_as(struct host *host, enum container_status status)
{
    host->container->status = status;
    container_save_state(host->container);
    host_restart(host, parts);
    return host->container->status;
}

static void a_start_that_came_to_nothing_leaves_what_was_before(void **state)
{
    struct host *host = *state;

    assert_int_equal(restart_as(host, CONTAINER_STARTING), CONTAINER_CREATED);
    host->container->started_ns = 1;
    assert_int_equal(restart_as(host, CONTAINER_STARTING), CONTAINER_EXITED);
}

static void a_policy_tries_again_a_start_that_came_to_nothing(void **state)
{
    struct host *host = *state;

    set_policy(host, "unless-stopped");
    host->container->is_held_back = true;
    assert_int_equal(restart_as(host, CONTAINER_EXITED), CONTAINER_EXITED);
    assert_null(host->container->restart_timer);
    /* What it was told is known to the next davitd, whatever else happens. */
    host_start(host);
    fd_close(&host->monitor_fd);
    host_restart(host, parts);
    assert_int_equal(host->container->status, CONTAINER_RESTARTING);
    assert_non_null(host->container->restart_timer);
    /* Who has stopped it meanwhile means that. */
    host->container->is_held_back = true;
    assert_int_equal(restart_as(host, CONTAINER_STARTING), CONTAINER_CREATED);
    assert_null(host->container->restart_timer);
}

/* It ran and ended while there was no davitd, after somebody had started it. */
static void an_end_that_nobody_saw_is_restarted(void **state)
{
    struct host *host = *state;
    cleanup_close int directory_fd = -1;

    set_policy(host, "unless-stopped");
    directory_fd = container_open_directory(host->container);
    monitor_exit_write(directory_fd, "{\"status\":3,\"startedNs\":5,\"finishedNs\":6}");
    host->container->is_held_back = true;
    assert_int_equal(restart_as(host, CONTAINER_EXITED), CONTAINER_RESTARTING);
    assert_int_equal(host->container->exit_code, 3);
}

/* A monitor that a later davitd finds: returns the socket where that one connects. */
static int listen_as_monitor(struct host *host)
{
    cleanup_close int run_fd = -1;
    struct error err = {0};
    int fd;

    assert_int_equal(mkdirat(host->places.run_containers_fd, host->container->definition->id, 0700),
                     0);
    run_fd = container_open_run_directory(host->container);
    fd = socket_listen(run_fd, MONITOR_SOCKET, SOCK_SEQPACKET, 0600, &err);
    assert_true(fd >= 0);
    return fd;
}

static void accept_davitd(struct host *host, int listen_fd)
{
    fd_close(&host->monitor_fd);
    host->monitor_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(host->monitor_fd >= 0);
}

static void who_starts_it_means_it_to_run(void **state)
{
    struct host *host = *state;
    cleanup_close int listen_fd = listen_as_monitor(host);

    host->container->is_held_back = true;
    host->container->is_restart_wanted = true;
    assert_int_equal(restart_as(host, CONTAINER_EXITED), CONTAINER_RUNNING);
    assert_false(host->container->is_held_back);
    assert_false(host->container->is_restart_wanted);
    /* Who has stopped it since does not. */
    host->container->is_held_back = true;
    assert_int_equal(restart_as(host, CONTAINER_RUNNING), CONTAINER_RUNNING);
    assert_true(host->container->is_held_back);
}

static unsigned int count_starts(const struct host *host)
{
    unsigned int count = 0;

    for (size_t i = 0; i < host->events.next; i++)
        count += strcmp(host->events.kept[i]->action, "start") == 0;
    return count;
}

/* A davitd that hears of a running container again tells of no second start. */
static void a_start_is_told_once(void **state)
{
    struct host *host = *state;
    cleanup_close int listen_fd = listen_as_monitor(host);

    for (int i = 0; i < 2; i++) {
        host_restart(host, parts);
        accept_davitd(host, listen_fd);
        host_say(host, MONITOR_STARTED, (int)getpid(), "");
        assert_int_equal(host->container->status, CONTAINER_RUNNING);
        assert_int_equal(count_starts(host), 1);
    }
}

/* The monitor was still at work before the start when it was found. */
static void what_was_found_and_never_started_has_no_exit(void **state)
{
    struct host *host = *state;
    cleanup_close int listen_fd = listen_as_monitor(host);

    host_restart(host, parts);
    accept_davitd(host, listen_fd);
    fd_close(&host->monitor_fd);
    host_run_loop_until_idle(host);
    assert_int_equal(host->container->status, CONTAINER_CREATED);
}

static void a_restart_that_a_probe_wants_is_not_forgotten(void **state)
{
    struct host *host = *state;
    cleanup_close int listen_fd = listen_as_monitor(host);

    host->container->is_restart_wanted = true;
    restart_as(host, CONTAINER_RUNNING);
    accept_davitd(host, listen_fd);
    host_say(host, MONITOR_STARTED, (int)getpid(), "");
    assert_int_equal(host_next_order(host), MONITOR_SIGNAL);
}

/* Not even by an update while it waits; and the next run is none that is to be ended. */
static void a_restart_that_a_probe_wants_is_made_once(void **state)
{
    struct host *host = *state;

    host_start(host);
    host_say(host, MONITOR_STARTED, (int)getpid(), "");
    host->container->is_restart_wanted = true;
    host->container->restart_delay_ms = 60000; /* however long this test takes */
    host_say(host, MONITOR_EXITED, 0, "{\"status\":3,\"startedNs\":1,\"finishedNs\":2}");
    assert_int_equal(host->container->status, CONTAINER_RESTARTING);
    assert_true(container_schedule_restart(host->container));
    fd_close(&host->monitor_fd);
    host_start(host);
    assert_false(host->container->is_restart_wanted);
}

/* Removes one with auto-remove too, for which somebody may wait. */
static void a_stop_while_it_waits_for_its_restart_is_the_end(void **state)
{
    struct host *host = *state;
    struct definition changed = *host->container->definition;
    struct error err = {0};

    changed.host_config.is_auto_removed = true;
    assert_int_equal(container_revise(host->container, &changed, &err), 0);
    host->container->status = CONTAINER_RESTARTING;
    assert_int_equal(container_begin_stop(host->container, &actor_davitd, 0, -1, &err), 0);
    assert_null(host->containers.list);
}

static bool has_order(const struct host *host)
{
    char byte;

    return recv(host->monitor_fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
}

/* Ten intervals of the probe. */
static void run_a_while(struct host *host)
{
    for (int i = 0; i < 100; i++)
        assert_true(sd_event_run(host->containers.loop, 1000) >= 0);
}

static void who_is_held_is_not_probed(void **state)
{
    struct host *host = *state;
    struct probe_tcp tcp = {.port = 80};
    struct probe_definition liveness = {.tcp = &tcp, .interval_ns = 10000000};
    struct error err = {0};

    host->container->holders = 1;
    assert_int_equal(container_set_probes(host->container, &actor_davitd, &liveness, NULL, &err),
                     0);
    host_start(host);
    host_say(host, MONITOR_STARTED, (int)getpid(), "");
    run_a_while(host);
    assert_false(has_order(host));
    host->container->holders = 0;
    for (int i = 0; i < 10000 && !has_order(host); i++)
        assert_true(sd_event_run(host->containers.loop, 1000) >= 0);
    assert_int_equal(host_next_order(host), MONITOR_PROBE);
}

struct stubborn_wait {
    struct completion completion;
    struct managed_container *container;
    unsigned int count;
};

static void on_done(struct completion *completion, const struct error *err)
{
    struct stubborn_wait *wait = (struct stubborn_wait *)(void *)completion;

    (void)err;
    /* Not for ever, should it be called at once. */
    if (++wait->count < 10)
        container_wait_for(wait->container, WAIT_NOT_RUNNING, completion);
}

static void who_waits_again_waits_for_the_next_time(void **state)
{
    struct host *host = *state;
    struct stubborn_wait wait = {.completion.done = on_done, .container = host->container};

    container_wait_for(host->container, WAIT_NOT_RUNNING, &wait.completion);
    container_notify_stopped(host->container);
    assert_int_equal(wait.count, 1);
    container_notify_stopped(host->container);
    assert_int_equal(wait.count, 2);
    container_stop_waiting(host->container, &wait.completion);
}

static int attach(struct host *host)
{
    struct buffer leftover = {0};
    struct error err = {0};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(container_admit_attach(host->container, &actor_davitd, &err), 0);
    assert_int_equal(container_attach(host->container, pair[0], MONITOR_STDOUT, &leftover, &err),
                     0);
    return pair[1];
}

static bool may_attach(struct host *host, struct error *err)
{
    return container_admit_attach(host->container, &actor_davitd, err) == 0;
}

/* Who has said all of its input still waits for output; who has hung up does not. */
static void a_start_is_awaited_by_so_many_and_no_more(void **state)
{
    struct host *host = *state;
    struct error err = {0};
    int fds[64];

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = attach(host);
    assert_false(may_attach(host, &err));
    assert_error_contains(err, "64 clients wait for the start of container tested");
    shutdown(fds[0], SHUT_WR);
    host_run_loop_until_idle(host);
    assert_false(may_attach(host, &err));
    close(fds[0]);
    host_run_loop_until_idle(host);
    assert_true(may_attach(host, &err));
    assert_int_equal(container_begin_start(host->container, &actor_davitd, &err), 0);
    assert_true(host_receive_spawn(host));
    for (size_t i = 1; i < ARRAY_SIZE(fds); i++) {
        assert_int_equal(host_next_order(host), MONITOR_ATTACH);
        close(fds[i]);
    }
    assert_int_equal(host_next_order(host), MONITOR_START);
}

static void say_frozen(int cgroup_fd, bool is_frozen)
{
    const char *text = is_frozen ? "frozen 1\n" : "frozen 0\n";

    assert_int_equal(
        file_replace(cgroup_fd, "cgroup.events", text, strlen(text), 0600, false, NULL), 0);
}

/* Files instead of a cgroup, which says that it is frozen. */
static int make_cgroup(struct host *host)
{
    cleanup_free char *path = memory_printf("%s/davit-unit", host->root);
    cleanup_free char *own = memory_printf("%s/%s", path, host->container->definition->id);
    int fd;

    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mkdir(own, 0700), 0);
    fd = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(openat(fd, "cgroup.freeze", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    say_frozen(fd, true);
    host->hierarchy.fd = open(host->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd;
}

static char last_order(int cgroup_fd)
{
    cleanup_buffer struct buffer text = {0};

    assert_int_equal(file_read(cgroup_fd, "cgroup.freeze", 64, &text, NULL), 0);
    return text.length > 0 ? text.data[0] : '?';
}

static void who_is_held_by_several_goes_on_after_the_last(void **state)
{
    struct host *host = *state;
    struct managed_container *container = host->container;
    cleanup_close int cgroup_fd = make_cgroup(host);
    struct error err = {0};

    assert_int_equal(container_hold(container, &err), 0);
    assert_int_equal(last_order(cgroup_fd), '1');
    assert_int_equal(container_hold(container, &err), 0);
    container_let_go(container);
    assert_int_equal(last_order(cgroup_fd), '1');
    container_let_go(container);
    assert_int_equal(last_order(cgroup_fd), '0');
    /* Somebody pauses it meanwhile, and it stays so. */
    assert_int_equal(container_hold(container, &err), 0);
    container->status = CONTAINER_RUNNING;
    assert_int_equal(container_pause(container, &actor_davitd, &err), 0);
    container_let_go(container);
    assert_int_equal(last_order(cgroup_fd), '1');
    /* Somebody lets it go on while it is held, and it does so when that is over. */
    assert_int_equal(container_hold(container, &err), 0);
    assert_int_equal(container_unpause(container, &actor_davitd, &err), 0);
    assert_int_equal(last_order(cgroup_fd), '1');
    container_let_go(container);
    assert_int_equal(last_order(cgroup_fd), '0');
    fd_close(&host->hierarchy.fd);
}

struct freezing {
    struct completion completion;
    int errnum; /* -1: not yet */
};

static void on_frozen(struct completion *completion, const struct error *err)
{
    ((struct freezing *)(void *)completion)->errnum = err != NULL ? err->errnum : 0;
}

static void a_pause_is_over_when_all_are_held_and_taken_back_if_they_are_not(void **state)
{
    struct host *host = *state;
    struct managed_container *container = host->container;
    cleanup_close int cgroup_fd = make_cgroup(host);
    struct freezing wait = {.completion.done = on_frozen, .errnum = -1};
    struct error err = {0};

    say_frozen(cgroup_fd, false);
    container->status = CONTAINER_RUNNING;
    assert_int_equal(container_pause(container, &actor_davitd, &err), 0);
    container_wait_for(container, WAIT_FROZEN, &wait.completion);
    host_run_loop_until_idle(host);
    assert_int_equal(wait.errnum, -1);
    say_frozen(cgroup_fd, true);
    while (wait.errnum == -1)
        host_run_loop_until_idle(host);
    assert_int_equal(wait.errnum, 0);
    assert_true(container->is_paused);
    assert_int_equal(container_unpause(container, &actor_davitd, &err), 0);
    /* Its processes stay in the kernel. */
    say_frozen(cgroup_fd, false);
    assert_int_equal(container_pause(container, &actor_davitd, &err), 0);
    wait.errnum = -1;
    container_wait_for(container, WAIT_FROZEN, &wait.completion);
    while (wait.errnum == -1)
        host_run_loop_until_idle(host);
    assert_int_equal(wait.errnum, ETIMEDOUT);
    assert_false(container->is_paused);
    assert_int_equal(last_order(cgroup_fd), '0');
    /* It ends meanwhile. */
    assert_int_equal(container_pause(container, &actor_davitd, &err), 0);
    wait.errnum = -1;
    container_wait_for(container, WAIT_FROZEN, &wait.completion);
    container->status = CONTAINER_EXITED;
    while (wait.errnum == -1)
        host_run_loop_until_idle(host);
    assert_int_equal(wait.errnum, ESRCH);
    assert_false(container->is_paused);
    fd_close(&host->hierarchy.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_start_that_came_to_nothing_leaves_what_was_before,
                                        open_host, close_host),
        cmocka_unit_test_setup_teardown(a_policy_tries_again_a_start_that_came_to_nothing,
                                        open_host, close_host),
        cmocka_unit_test_setup_teardown(an_end_that_nobody_saw_is_restarted, open_host, close_host),
        cmocka_unit_test_setup_teardown(who_starts_it_means_it_to_run, open_host, close_host),
        cmocka_unit_test_setup_teardown(a_start_is_told_once, open_host, close_host),
        cmocka_unit_test_setup_teardown(what_was_found_and_never_started_has_no_exit, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(a_restart_that_a_probe_wants_is_not_forgotten, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(a_restart_that_a_probe_wants_is_made_once, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(a_stop_while_it_waits_for_its_restart_is_the_end, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(who_is_held_is_not_probed, open_host, close_host),
        cmocka_unit_test_setup_teardown(who_waits_again_waits_for_the_next_time, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(a_start_is_awaited_by_so_many_and_no_more, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(who_is_held_by_several_goes_on_after_the_last, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(
            a_pause_is_over_when_all_are_held_and_taken_back_if_they_are_not, open_host,
            close_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
