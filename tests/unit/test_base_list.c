#include "base/check.h"
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    int number;
    struct list node;
};

static int sum(const struct list *head)
{
    int digits = 0;
    LIST_EACH((struct list *)(uintptr_t)head, at)
    digits = digits * 10 + CONTAINER_OF(at, struct item, node)->number;
    return digits;
}

static void order_is_of_appending(void **state)
{
    (void)state;
    struct list head;
    struct item items[] = {{.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    assert_true(list_empty(&head));
    assert_int_equal(sum(&head), 0);
    for (int i = 0; i < 3; i++)
        list_append(&head, &items[i].node);
    assert_false(list_empty(&head));
    assert_int_equal(sum(&head), 123);
    assert_ptr_equal(head.prev, &items[2].node);
}

static void removing_leaves_the_others_and_a_list_of_one(void **state)
{
    (void)state;
    struct list head;
    struct item items[] = {{.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    for (int i = 0; i < 3; i++)
        list_append(&head, &items[i].node);
    list_remove(&items[1].node);
    assert_int_equal(sum(&head), 13);
    assert_true(list_empty(&items[1].node));
    list_remove(&items[1].node); /* harmless */
    assert_int_equal(sum(&head), 13);
    list_append(&head, &items[1].node);
    assert_int_equal(sum(&head), 132);
}

static void each_one_may_be_removed_while_walking(void **state)
{
    (void)state;
    struct list head;
    struct item items[] = {{.number = 1}, {.number = 2}, {.number = 3}};
    int seen = 0;
    list_init(&head);
    for (int i = 0; i < 3; i++)
        list_append(&head, &items[i].node);
    LIST_EACH(&head, at)
    {
        seen++;
        list_remove(at);
    }
    assert_int_equal(seen, 3);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_of_appending),
        cmocka_unit_test(removing_leaves_the_others_and_a_list_of_one),
        cmocka_unit_test(each_one_may_be_removed_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
