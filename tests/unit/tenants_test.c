/* Names are unique within a tenant: containers, volumes, networks, images, names of the resolver.
 */
#include "host.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/store_internal.h"
#include "network/resolver/resolver.h"

static void containers_are_found_by_tenant_and_name(void **state)
{
    static const char *const tenants[] = {NULL, "red", "blue"};
    struct containers containers = {.parts = (const struct container_part *const[]){NULL}};
    struct managed_container *made[ARRAY_SIZE(tenants)];
    struct managed_container *found;
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tenants); i++) {
        struct definition *definition;

        assert_int_equal(container_check_name(&containers, tenants[i], "web", &err), 0);
        made[i] = container_new(&containers);
        definition = &made[i]->revision->definition;
        definition->id = arena_printf(&made[i]->revision->arena, "%zu%063d", i, 0);
        definition->tenant = tenants[i];
        definition->name = "web";
        container_link(made[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(tenants); i++) {
        assert_int_equal(container_find(&containers, tenants[i], "web", &found, &err), 0);
        assert_ptr_equal(found, made[i]);
        assert_int_equal(
            container_find(&containers, tenants[i], made[i]->definition->id, &found, &err), 0);
        assert_true(container_check_name(&containers, tenants[i], "web", &err) < 0);
        assert_ptr_equal(container_by_id(&containers, made[i]->definition->id), made[i]);
    }
    /* Another's is not found by its id either, nor by the first digits. */
    assert_true(container_find(&containers, "red", made[0]->definition->id, &found, &err) < 0);
    assert_true(container_find(&containers, "red", "00000", &found, &err) < 0);
    assert_true(container_find(&containers, "green", "web", &found, &err) < 0);
    for (size_t i = 0; i < ARRAY_SIZE(tenants); i++)
        container_free(made[i]);
    index_release(&containers.index);
}

static int count_rows(void *context, const char *id, const char *definition, const char *state,
                      struct error *err)
{
    (void)definition;
    (void)state;
    (void)err;
    buffer_append_string(context, id);
    return 0;
}

static void rows_have_a_tenant_also_those_of_an_earlier_davit(void **state)
{
    static const char earlier[] =
        "CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
        "  definition TEXT NOT NULL, state TEXT NOT NULL);"
        "INSERT INTO containers VALUES ('z', 'web', '{}', '{}'), ('a', 'db', '{}', '{}');"
        "PRAGMA user_version = 1;";
    char root[] = "/tmp/davit-unit.XXXXXX";
    cleanup_buffer struct buffer ids = {0};
    struct database *database;
    struct error err = {0};
    char path[64];
    sqlite3 *handle;

    (void)state;
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/davit.db", root);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, earlier, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(database_open(root, &database, &err), 0);
        ids.length = 0;
        assert_int_equal(database_each_container(database, count_rows, &ids, &err), 0);
        assert_string_equal(buffer_text(&ids), i == 0 ? "za" : "zar");
        assert_true(database_insert_container(database, "x", "", "web", "{}", "{}", &err) < 0);
        if (i == 0)
            assert_int_equal(
                database_insert_container(database, "r", "red", "web", "{}", "{}", &err), 0);
        else
            assert_true(database_insert_container(database, "x", "red", "web", "{}", "{}", &err) <
                        0);
        database_close(database);
    }
    path_remove_tree(AT_FDCWD, root, NULL);
}

static int open_host(void **state)
{
    static const struct container_part *const no_parts[] = {NULL};

    *state = host_open(no_parts);
    return 0;
}

static int close_host(void **state)
{
    host_close(*state);
    return 0;
}

static struct volumes volumes_of(struct host *host)
{
    return (struct volumes){.places = &host->places,
                            .trash = &host->trash,
                            .projects = &host->projects,
                            .events = &host->events};
}

/* The memory alone: another list has removed what is on disk. */
static void forget_volumes(struct volumes *volumes)
{
    while (volumes->list != NULL) {
        struct volume *volume = volumes->list;

        volumes->list = volume->next;
        arena_release(&volume->arena);
        free(volume->tenant);
        free(volume->name);
        free(volume);
    }
}

static void remove_volume(struct volumes *volumes, const char *tenant)
{
    struct volume *volume;
    struct error err = {0};

    assert_int_equal(volume_find(volumes, tenant, "data", &volume, &err), 0);
    assert_int_equal(volume_remove(volumes, volume, &err), 0);
    assert_true(volume_find(volumes, tenant, "data", &volume, &err) < 0);
}

static void volumes_of_tenants_are_apart_on_disk(void **state)
{
    struct host *host = *state;
    struct volumes volumes = volumes_of(host);
    struct volumes again = volumes_of(host);
    struct volume *own;
    struct volume *red;
    struct error err = {0};
    cleanup_free char *path = NULL;
    bool is_new;

    assert_int_equal(
        volume_make(&volumes, "", &(struct volume_order){.name = "data"}, &own, &is_new, &err), 0);
    assert_true(is_new);
    assert_int_equal(
        volume_make(&volumes, "red", &(struct volume_order){.name = "data"}, &red, &is_new, &err),
        0);
    assert_true(is_new);
    assert_ptr_not_equal(own, red);
    path = volume_path(&volumes, "red", "data");
    assert_int_equal(access(path, F_OK), 0);
    assert_non_null(strstr(path, "/volumes/red@data/"));
    /* What is on disk says the same. */
    assert_int_equal(volumes_read(&again, &err), 0);
    remove_volume(&again, "red");
    assert_int_equal(volume_find(&again, "", "data", &own, &err), 0);
    remove_volume(&again, "");
    assert_true(volume_find(&again, "red", "data", &red, &err) < 0);
    assert_true(access(path, F_OK) < 0);
    forget_volumes(&volumes);
}

static void networks_are_found_by_tenant_and_name(void **state)
{
    struct network shared = {.id = "0000a", .name = NETWORK_DEFAULT};
    struct network own = {.next = &shared, .id = "0000b", .tenant = "", .name = "front"};
    struct network red = {.next = &own, .id = "0000c", .tenant = "red", .name = "front"};
    struct networks networks = {.list = &red};
    struct network *found;
    struct error err = {0};

    (void)state;
    assert_int_equal(network_find(&networks, "", "front", &found, &err), 0);
    assert_ptr_equal(found, &own);
    assert_int_equal(network_find(&networks, "red", "front", &found, &err), 0);
    assert_ptr_equal(found, &red);
    assert_true(network_find(&networks, "blue", "front", &found, &err) < 0);
    assert_true(network_find(&networks, "red", "0000b", &found, &err) < 0);
    assert_ptr_equal(network_by_id(&networks, "0000b"), &own);
    /* The default one is everybody's. */
    assert_int_equal(network_find(&networks, "red", NETWORK_DEFAULT, &found, &err), 0);
    assert_ptr_equal(found, &shared);
}

static void an_image_may_have_names_of_several_tenants(void **state)
{
    struct image *image = memory_new_one(struct image);

    (void)state;
    image_add_name(image, "", "docker.io/library/web:1");
    image_add_name(image, "red", "docker.io/library/web:1");
    image_add_name(image, "red", "docker.io/library/web:2");
    assert_true(image_has_name(image, NULL, "docker.io/library/web:1"));
    assert_false(image_has_name(image, "", "docker.io/library/web:2"));
    assert_string_equal(image_name_of(image, "red"), "docker.io/library/web:1");
    image_remove_name(image, image->names[1].tenant, image->names[1].full);
    assert_int_equal(image->name_count, 2);
    assert_true(image_has_name(image, "", "docker.io/library/web:1"));
    assert_string_equal(image_name_of(image, "red"), "docker.io/library/web:2");
    assert_string_equal(image_name_of(image, "blue"), image->id);
    assert_true(image_is_of(image, "red"));
    assert_false(image_is_of(image, "blue"));
    assert_false(image_is_only_of(image, "red"));
    image_remove_name(image, "", "docker.io/library/web:1");
    assert_true(image_is_only_of(image, "red"));
    image_free(image);
}

static void names_of_other_tenants_do_not_exist(void **state)
{
    const char *names[] = {"web"};
    struct resolver_endpoint endpoints[] = {
        {.network = "n", .network_name = "net", .ipv4 = "10.0.0.1", .names = {names, 1}},
        {.network = "n", .network_name = "net", .ipv4 = "10.0.0.2", .names = {names, 1}},
    };
    struct resolver resolver = {0};
    struct served own = {.resolver = &resolver, .container.endpoints = {&endpoints[0], 1}};
    struct served red = {.resolver = &resolver,
                         .container = {.tenant = "red", .endpoints = {&endpoints[1], 1}},
                         .next = &own};
    struct address found[DNS_ADDRESSES_MAX];
    char text[ADDRESS_TEXT_SIZE];
    char name[DNS_NAME_SIZE];
    size_t count;

    (void)state;
    resolver.served = &red;
    assert_true(names_find(&own, "web", AF_INET, found, &count));
    assert_int_equal(count, 1);
    address_format(&found[0], text);
    assert_string_equal(text, "10.0.0.1");
    assert_true(names_find(&red, "web", AF_INET, found, &count));
    assert_int_equal(count, 1);
    assert_true(names_find_reverse(&red, &found[0], name));
    assert_false(names_find_reverse(&own, &found[0], name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_are_found_by_tenant_and_name),
        cmocka_unit_test(rows_have_a_tenant_also_those_of_an_earlier_davit),
        cmocka_unit_test_setup_teardown(volumes_of_tenants_are_apart_on_disk, open_host,
                                        close_host),
        cmocka_unit_test(networks_are_found_by_tenant_and_name),
        cmocka_unit_test(an_image_may_have_names_of_several_tenants),
        cmocka_unit_test(names_of_other_tenants_do_not_exist),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
