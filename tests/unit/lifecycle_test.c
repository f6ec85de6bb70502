/* The life of a container, with a monitor and a part that are the test's own. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"

/* Names of the rows that were called, in order. */
static struct buffer called;
static int refusal; /* of `admit`: an errno */

static void note(const char *row)
{
    buffer_printf(&called, "%s%s", called.length > 0 ? " " : "", row);
}

struct fake_record {
    int32_t number;
};

static const struct json_field fake_fields[] = {
    JSON_FIELD(struct fake_record, number, "fakeNumber", JSON_KIND_INT32),
};
static const struct json_struct fake_type = JSON_STRUCT(struct fake_record, fake_fields);

static const struct container_part fake_part;

static int32_t *number_of(const struct managed_container *container)
{
    return container_part_state(container, &fake_part);
}

static int on_admit(struct managed_container *container, const struct actor *actor,
                    enum container_action action, struct error *err)
{
    (void)container;
    assert_non_null(actor);
    assert_true(action == ACTION_START || action == ACTION_REMOVE);
    note("admit");
    return refusal == 0 ? 0 : error_set(err, ERROR_DENIED, refusal, "it may not start");
}

static int on_prepare(struct managed_container *container, struct container_start *start,
                      struct error *err)
{
    (void)container;
    (void)start;
    (void)err;
    note("prepare");
    return 0;
}

static void on_starting(struct managed_container *container, const struct container_start *start)
{
    (void)container;
    (void)start;
    note("starting");
}

static void on_started(struct managed_container *container, bool is_new)
{
    ++*number_of(container);
    note(is_new ? "started" : "found started");
}

static void on_failed(struct managed_container *container)
{
    (void)container;
    note("failed");
}

static void on_ended(struct managed_container *container)
{
    assert_int_equal(container->status, CONTAINER_EXITED);
    note("ended");
}

static void on_settled(struct managed_container *container)
{
    (void)container;
    note("settled");
}

static void on_removed(struct managed_container *container, bool removes_volumes)
{
    (void)container;
    (void)removes_volumes;
    note("removed");
}

static void on_record(const struct managed_container *container, struct arena *arena, void *record)
{
    (void)arena;
    ((struct fake_record *)record)->number = *number_of(container);
}

static void on_restore(struct managed_container *container, const void *record)
{
    *number_of(container) = ((const struct fake_record *)record)->number;
}

static const struct container_part fake_part = {
    .name = "fake",
    .state_size = sizeof(int32_t),
    .admit = on_admit,
    .prepare = on_prepare,
    .starting = on_starting,
    .started = on_started,
    .failed = on_failed,
    .ended = on_ended,
    .settled = on_settled,
    .removed = on_removed,
    .record_type = &fake_type,
    .record = on_record,
    .restore = on_restore,
};

static const struct container_part *const parts[] = {&fake_part, NULL};

static int open_host(void **state)
{
    *state = host_open(parts);
    refusal = 0;
    return 0;
}

static int close_host(void **state)
{
    host_close(*state);
    buffer_release(&called);
    return 0;
}

struct wait {
    struct completion completion;
    unsigned int count;
    char message[128];
};

static void on_done(struct completion *completion, const struct error *err)
{
    struct wait *wait = (struct wait *)(void *)completion;

    wait->count++;
    snprintf(wait->message, sizeof(wait->message), "%.100s", err != NULL ? err->message : "");
}

static void a_life_passes_the_parts_in_order(void **state)
{
    struct host *host = *state;
    struct wait started = {.completion.done = on_done};
    struct wait ended = {.completion.done = on_done};

    container_wait_for(host->container, WAIT_STARTED, &started.completion);
    container_wait_for(host->container, WAIT_NOT_RUNNING, &ended.completion);
    host_start(host);
    assert_string_equal(buffer_text(&called), "admit prepare starting");
    assert_int_equal(started.count, 0);
    host_say(host, MONITOR_STARTED, 4711, "");
    assert_int_equal(host->container->status, CONTAINER_RUNNING);
    assert_int_equal(host->container->pid, 4711);
    assert_int_equal(started.count, 1);
    assert_string_equal(started.message, "");
    assert_int_equal(ended.count, 0);
    host_say(host, MONITOR_EXITED, 0, "{\"status\":3,\"startedNs\":1,\"finishedNs\":2}");
    assert_int_equal(host->container->status, CONTAINER_EXITED);
    assert_int_equal(host->container->exit_code, 3);
    assert_int_equal(ended.count, 1);
    assert_string_equal(buffer_text(&called), "admit prepare starting started ended settled");
}

static int take_state(void *context, const char *id, const char *definition, const char *state,
                      struct error *err)
{
    (void)id;
    (void)definition;
    (void)err;
    buffer_append_string(context, state);
    return 0;
}

/* A davitd that ends while the container runs loses nothing of it. */
static void what_a_part_notes_of_a_start_is_saved(void **state)
{
    struct host *host = *state;
    cleanup_buffer struct buffer saved = {0};
    struct error err = {0};

    host_start(host);
    host_say(host, MONITOR_STARTED, 4711, "");
    assert_int_equal(database_each_container(host->containers.database, take_state, &saved, &err),
                     0);
    assert_non_null(strstr(buffer_text(&saved), "\"fakeNumber\":1"));
}

static void a_part_that_refuses_keeps_it_from_starting(void **state)
{
    struct host *host = *state;
    struct error err = {0};

    refusal = EPERM;
    assert_true(container_begin_start(host->container, &actor_davitd, &err) < 0);
    assert_string_equal(err.message, "it may not start");
    assert_int_equal(host->container->status, CONTAINER_CREATED);
    assert_string_equal(buffer_text(&called), "admit");
    assert_false(host_receive_spawn(host));
}

static void a_start_that_fails_is_told_with_its_reason(void **state)
{
    struct host *host = *state;
    struct wait started = {.completion.done = on_done};

    container_wait_for(host->container, WAIT_STARTED, &started.completion);
    host_start(host);
    host_say(host, MONITOR_START_FAILED, 127, "no such program");
    assert_int_equal(host->container->status, CONTAINER_CREATED);
    assert_int_equal(started.count, 1);
    assert_non_null(strstr(started.message, "no such program"));
    assert_string_equal(buffer_text(&called), "admit prepare starting failed settled");
}

static void a_monitor_that_is_lost_ends_its_container(void **state)
{
    struct host *host = *state;
    struct wait ended = {.completion.done = on_done};

    container_wait_for(host->container, WAIT_NEXT_EXIT, &ended.completion);
    host_start(host);
    host_say(host, MONITOR_STARTED, 4711, "");
    fd_close(&host->monitor_fd);
    host_run_loop_until_idle(host);
    assert_int_equal(host->container->status, CONTAINER_EXITED);
    assert_int_equal(host->container->exit_code, 137);
    assert_int_equal(ended.count, 1);
}

static void who_does_not_wait_any_more_is_not_called(void **state)
{
    struct host *host = *state;
    struct wait first = {.completion.done = on_done};
    struct wait second = {.completion.done = on_done};

    container_wait_for(host->container, WAIT_STARTED, &first.completion);
    container_wait_for(host->container, WAIT_STARTED, &second.completion);
    host_start(host);
    container_stop_waiting(host->container, &first.completion);
    host_say(host, MONITOR_STARTED, 4711, "");
    assert_int_equal(first.count, 0);
    assert_int_equal(second.count, 1);
}

static void removing_ends_all_waiting(void **state)
{
    struct host *host = *state;
    struct wait removed = {.completion.done = on_done};
    struct error err = {0};

    container_wait_for(host->container, WAIT_REMOVED, &removed.completion);
    assert_int_equal(container_remove(host->container, &actor_davitd, false, &err), 0);
    assert_int_equal(removed.count, 1);
    assert_null(host->containers.list);
    assert_string_equal(buffer_text(&called), "admit removed");
}

static void what_is_kept_is_read_again(void **state)
{
    struct host *host = *state;
    cleanup_arena struct arena arena = {0};
    struct kept_state kept;
    struct error err = {0};
    char *text;

    *number_of(host->container) = 42;
    host->container->status = CONTAINER_EXITED;
    host->container->exit_code = 9;
    text = container_encode_state(host->container);
    assert_non_null(strstr(text, "\"status\":\"exited\""));
    *number_of(host->container) = 0;
    host->container->exit_code = 0;
    assert_int_equal(kept_state_read(&arena, text, &kept, &err), 0);
    assert_int_equal(kept.status, CONTAINER_EXITED);
    kept_state_restore(host->container, &kept);
    assert_int_equal(*number_of(host->container), 42);
    assert_int_equal(host->container->exit_code, 9);
    strchr(text, '9')[0] = '8';
    assert_int_equal(kept_state_read(&arena, text, &kept, &err), -EBADMSG);
    free(text);
}

/* A change that cannot be saved changes nothing. One that is saved is copied. */
static void a_definition_is_replaced_or_stays(void **state)
{
    struct host *host = *state;
    struct definition changed = *host->container->definition;
    const struct definition *before = host->container->definition;
    char name[] = "renamed";
    struct error err = {0};

    changed.name = name;
    fd_close(&host->places.containers_fd);
    assert_true(container_revise(host->container, &changed, &err) < 0);
    assert_error_contains(err, "container directory");
    assert_ptr_equal(host->container->definition, before);
    assert_string_equal(host->container->definition->name, "tested");
    host->places.containers_fd =
        openat(host->places.root_fd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (container_revise(host->container, &changed, &err) < 0)
        fail_msg("%s", err.message);
    memset(name, 'x', sizeof(name) - 1);
    assert_string_equal(host->container->definition->name, "renamed");
    assert_int_equal(host->container->definition->revision, 1);
}

/* davit wrote states as numbers before it wrote their names. */
static void note_members(struct arena *arena, struct string_list *names,
                         const struct json_struct *type)
{
    for (size_t i = 0; i < type->field_count; i++) {
        assert_false(string_list_has(names, type->fields[i].name));
        string_list_append(arena, names, type->fields[i].name);
    }
}

/* All of it stands in one object. */
static void nothing_that_is_kept_has_the_name_of_something_else(void **state)
{
    static const struct container_part *const all[] = {
        &closing_part, &attach_part, &probe_part, &network_part, &volume_part, &namespace_part,
        &id_part,      &quota_part,  &exec_part,  &log_part,     &restart_part};
    cleanup_arena struct arena arena = {0};
    struct string_list names = {0};

    (void)state;
    note_members(&arena, &names, &container_state_type);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (all[i]->record_type != NULL)
            note_members(&arena, &names, all[i]->record_type);
    }
    assert_true(names.count > container_state_type.field_count);
}

static void states_of_an_earlier_davit_are_read(void **state)
{
    static const char text[] =
        "{\"status\":2,\"pid\":812,\"exitCode\":0,\"startedNs\":5,\"finishedNs\":0,"
        "\"oomKilled\":false,\"paused\":true,\"heldBack\":false,\"restartCount\":1,"
        "\"restartWanted\":false,\"error\":null,\"leases\":[],\"resolver\":\"\",\"ports\":[],"
        "\"probes\":[{\"status\":1,\"failingStreak\":0}]}";
    struct host *host = *state;
    cleanup_arena struct arena arena = {0};
    struct kept_state kept;
    struct error err = {0};

    assert_int_equal(kept_state_read(&arena, text, &kept, &err), 0);
    assert_int_equal(kept.status, CONTAINER_RUNNING);
    assert_true(kept.is_paused);
    kept_state_restore(host->container, &kept);
    assert_int_equal(host->container->pid, 812);
    assert_int_equal(host->container->restart_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_life_passes_the_parts_in_order, open_host, close_host),
        cmocka_unit_test_setup_teardown(what_a_part_notes_of_a_start_is_saved, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(a_part_that_refuses_keeps_it_from_starting, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(a_start_that_fails_is_told_with_its_reason, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(a_monitor_that_is_lost_ends_its_container, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(who_does_not_wait_any_more_is_not_called, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(removing_ends_all_waiting, open_host, close_host),
        cmocka_unit_test_setup_teardown(what_is_kept_is_read_again, open_host, close_host),
        cmocka_unit_test_setup_teardown(a_definition_is_replaced_or_stays, open_host, close_host),
        cmocka_unit_test(nothing_that_is_kept_has_the_name_of_something_else),
        cmocka_unit_test_setup_teardown(states_of_an_earlier_davit_are_read, open_host, close_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
