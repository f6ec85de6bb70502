/* supervisor/containers/index: containers by id and by name. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/containers/container.h"

#define COUNT 1000

static struct managed_container containers[COUNT];
static struct definition definitions[COUNT];
static char texts[COUNT][2][80];

/* Every tenth id begins with the same twelve digits. */
static void make_all(struct container_index *index)
{
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(texts[i][0], sizeof(texts[i][0]), "%012zx%052zx", i % 10 == 0 ? 0 : i * 7919, i);
        snprintf(texts[i][1], sizeof(texts[i][1]), "name-%zu", i / 2);
        definitions[i] = (struct definition){
            .id = texts[i][0], .name = texts[i][1], .tenant = i % 2 == 0 ? NULL : "other"};
        containers[i] = (struct managed_container){.definition = &definitions[i]};
        index_add(index, &containers[i]);
    }
}

static void each_is_found_until_it_is_removed(void **state)
{
    struct container_index index = {0};

    (void)state;
    assert_null(index_by_name(&index, NULL, "name-0"));
    assert_null(index_by_id(&index, "000000000000", NULL));
    make_all(&index);
    for (size_t i = 0; i < COUNT; i++) {
        assert_ptr_equal(index_by_id(&index, definitions[i].id, NULL), &containers[i]);
        assert_ptr_equal(index_by_name(&index, definitions[i].tenant, definitions[i].name),
                         &containers[i]);
    }
    assert_null(index_by_name(&index, "third", "name-0"));
    assert_null(index_by_name(&index, NULL, "name-500"));
    for (size_t i = 0; i < COUNT; i += 2) {
        index_remove(&index, &containers[i]);
        assert_null(index_by_id(&index, definitions[i].id, NULL));
        assert_null(index_by_name(&index, definitions[i].tenant, definitions[i].name));
        assert_ptr_equal(index_by_id(&index, definitions[i + 1].id, NULL), &containers[i + 1]);
    }
    assert_int_equal(index.count, COUNT / 2);
    index_release(&index);
}

static void all_of_a_prefix_are_found_once(void **state)
{
    struct container_index index = {0};
    struct managed_container *one = NULL;
    size_t found = 0;

    (void)state;
    make_all(&index);
    while ((one = index_by_id(&index, "000000000000", one)) != NULL)
        found++;
    assert_int_equal(found, COUNT / 10);
    one =
        index_by_id(&index, "0000000000000000000000000000000000000000000000000000000000000", NULL);
    assert_non_null(one);
    index_release(&index);
}

static void another_name_is_found_and_the_former_is_not(void **state)
{
    struct container_index index = {0};

    (void)state;
    make_all(&index);
    index_remove(&index, &containers[5]);
    definitions[5].name = "renamed";
    index_add(&index, &containers[5]);
    assert_ptr_equal(index_by_name(&index, "other", "renamed"), &containers[5]);
    assert_null(index_by_name(&index, "other", "name-2"));
    assert_ptr_equal(index_by_name(&index, NULL, "name-2"), &containers[4]);
    index_release(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_until_it_is_removed),
        cmocka_unit_test(all_of_a_prefix_are_found_once),
        cmocka_unit_test(another_name_is_found_and_the_former_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
